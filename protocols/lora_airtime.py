"""How long a LoRa packet is on the air, and how long a packet may be for a given time. Pure arithmetic.

The formula is Semtech's (SX1276 datasheet rev. 7 §4.1.1.7; SX1262 datasheet rev. 2.1 §6.1.4, which differs for the
spreading factors 5 and 6): whole numbers of symbols, each 2^SF / bandwidth long.
"""

from typing import NamedTuple

from protocols.errors import LocalError

LONGEST_PACKET = 255  # bytes of a LoRa packet: its length field has eight bits
SLOW_SYMBOL = 16.0  # ms of a symbol from which low data rate optimisation is on (SX1262 datasheet §6.1.1.4)
SPREADING = range(5, 13)
DENOMINATORS = range(5, 9)  # of the coding rates 4/5 to 4/8


class Modulation(NamedTuple):
    """`bandwidth` in Hz, `coding` the denominator of 4/5 to 4/8, `preamble` in symbols."""

    spreading: int
    bandwidth: int
    coding: int = 5
    preamble: int = 8
    explicit: bool = True
    crc: bool = True

    @property
    def symbol(self) -> float:
        """Milliseconds of one symbol."""
        return float((1 << self.spreading) * 1000 / self.bandwidth)

    @property
    def rate(self) -> float:
        """Bits per second of payload, while one is on the air."""
        return float(self.spreading * 4000 / (self.coding * self.symbol))


def checked(modulation: Modulation) -> Modulation:
    """The same, or LocalError where no such modulation exists."""
    good = (
        modulation.spreading in SPREADING
        and modulation.coding in DENOMINATORS
        and 7_800 <= modulation.bandwidth <= 1_625_000
        and 2 <= modulation.preamble <= 65_535
    )
    if not good:
        raise LocalError("lora.modulation", repr(tuple(modulation)))
    return modulation


def symbols(modulation: Modulation, length: int) -> int:
    """Symbols of header, payload and checksum of a packet of `length` bytes."""
    spreading, _, coding, _, explicit, crc = modulation
    slow = modulation.symbol >= SLOW_SYMBOL
    quick = spreading < 7  # SF5 and SF6 have no 8 bits to spare in the header's block
    bits = 8 * length - 4 * spreading + (0 if quick else 8) + (16 if crc else 0) + (20 if explicit else 0)
    per_block = 4 * (spreading - 2 * slow)
    return 8 + max(-(-bits // per_block), 0) * coding


def airtime(modulation: Modulation, length: int) -> float:
    """Milliseconds from the first to the last symbol."""
    checked(modulation)
    if not 0 <= length <= LONGEST_PACKET:
        raise LocalError("lora.length", str(length))
    sync = 6.25 if modulation.spreading < 7 else 4.25  # symbols between preamble and header
    return (modulation.preamble + sync + symbols(modulation, length)) * modulation.symbol


def longest(modulation: Modulation, milliseconds: float) -> int:
    """The most bytes that are on the air no longer than that; -1 where even an empty packet is."""
    low, high = -1, LONGEST_PACKET
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if airtime(modulation, middle) <= milliseconds else (low, middle - 1)
    return low
