"""Checksums of field protocols. Pure arithmetic: knows nothing of any frame, only of bytes."""

_POLYNOMIAL = 0xA001  # x^16 + x^15 + x^2 + 1, reflected: Modbus, SDI-12, SL651


def _row(index: int) -> int:
    for _ in range(8):
        index = index >> 1 ^ (_POLYNOMIAL if index & 1 else 0)
    return index


_TABLE = tuple(_row(index) for index in range(256))


def crc16(data: bytes, start: int = 0xFFFF) -> int:
    """CRC-16 of Modbus over serial line §6.2.2; with `start=0` that of SDI-12 v1.3 §4.4.12."""
    crc = start
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc


def crc8(data: bytes, polynomial: int = 0x07) -> int:
    """Most significant bit first, start 0; without a polynomial that of SMBus 3.0 §6.4.1.3."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ polynomial if crc & 0x80 else crc << 1) & 0xFF
    return crc


def crc8_maxim(data: bytes) -> int:
    """Polynomial 0x31 reflected, start 0 (Maxim application note 27)."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
    return crc


def ccitt(data: bytes, start: int) -> int:
    """Polynomial 0x1021, most significant bit first (ITU-T V.41)."""
    crc = start
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def xor8(data: bytes) -> int:
    """All bytes XORed (NMEA 0183). Folds one wide integer in half, which is some ten times a loop over the bytes."""
    folded = int.from_bytes(data, "little")
    width = 8 << max(len(data) - 1, 0).bit_length()
    while width > 8:
        width >>= 1
        folded ^= folded >> width
    return folded & 0xFF


def sum8(data: bytes) -> int:
    """All bytes added, the carry dropped (CJ/T 188, DL/T 645)."""
    return sum(data) & 0xFF


def lrc(data: bytes) -> int:
    """Two's complement of the sum (Modbus ASCII)."""
    return -sum(data) & 0xFF
