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
