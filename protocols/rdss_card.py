"""The card of a BeiDou terminal: whose it is, how often it may send and how much at once. Knows both card sentences
(ICI of the 2.1 protocol, ICP of BD-3) and the tables of length; nothing of messages.
"""

from collections.abc import Sequence
from typing import NamedTuple

from protocols.errors import RemoteError
from protocols.rdss import Sentence, card_name, integer, seal
from protocols.rdss_content import Coding, capacity

# Bits of one message by level 1..4, without and with encryption. Found alike in the public source of several
# dispatchers' programs; 628 for level 3 besides in makers' data. The manual itself is not public.
BITS = {"N": (110, 408, 628, 848), "E": (140, 360, 580, 1680)}
BITS_TOP = (
    14_000  # of level 5, BD-3 regional service (China Satellite Navigation Office: some 1,000 Chinese characters)
)
# Bits by frequency point 1..5 = Lf0..Lf4: 120, 1,000 and 40 characters of 14 bits (RSMC module manuals, sentence TCQ).
POINT_BITS = {1: 1680, 2: BITS_TOP, 3: BITS_TOP, 4: BITS_TOP, 5: 560}
TOP_LEVEL = 5
_NO_CARD = {0, 2_097_151, 16_777_215}  # nought, or 21 or 24 bits of ones, as modules show an empty slot


class Card(NamedTuple):
    """What a terminal may do. `interval` in seconds; `commander` hears its subordinates and can reach them all at once."""

    number: str  # seven digits or more
    broadcast: str  # the number that all terminals of one commander hear
    interval: float
    level: int
    encrypted: bool
    commander: bool
    bd3: bool

    @property
    def present(self) -> bool:
        return int(self.number) not in _NO_CARD

    def bits(self, point: int) -> int:
        """What one message may hold. For levels 1 to 4 of BD-3 no table is public: those of 2.1 stand in."""
        table = BITS["E" if self.encrypted else "N"]
        if not self.bd3:
            return table[min(max(self.level, 1), 4) - 1]
        regional = BITS_TOP if self.level >= TOP_LEVEL else table[max(self.level, 1) - 1]
        return min(regional, POINT_BITS.get(point, BITS_TOP))

    def capacity(self, coding: Coding, point: int) -> int:
        """Bytes of a datagram in one message."""
        return capacity(self.bits(point), coding)


class Ici(NamedTuple):
    """`BDICI` field by field, as text where noughts in front count."""

    number: str
    serial: str
    broadcast: str
    feature: int  # 0 commander, 1..3 class of user; 4 more: the same, with authentication
    interval: str
    level: int
    encryption: str  # E or N
    subordinates: str

    @classmethod
    def parse(cls, sentence: Sentence) -> "Ici":
        number, serial, broadcast, feature, interval, level, encryption, *rest = sentence.fields(least=7)
        integer(interval)
        return cls(
            _number(number),
            serial,
            broadcast,
            integer(feature),
            interval,
            integer(level),
            encryption,
            rest[0] if rest else "",
        )

    def seal(self) -> bytes:
        texts = [str(one) for one in self]
        return seal("BDICI", *texts)

    @property
    def card(self) -> Card:
        name = card_name(self.number)
        encrypted, commander = self.encryption == "E", self.feature in (0, 4)
        return Card(
            name,
            card_name(self.broadcast),
            float(integer(self.interval)),
            self.level,
            encrypted,
            commander,
            bd3=False,
        )


_ICP_FIELDS = 23


class Icp(NamedTuple):
    """`BDICP`, all 23 fields as text; those that count are properties."""

    texts: Sequence[str]

    @classmethod
    def parse(cls, sentence: Sentence) -> "Icp":
        texts = sentence.fields(least=15)
        _number(texts[0])
        for index in (13, 14):
            integer(texts[index])
        return cls(tuple(texts[:_ICP_FIELDS]))

    def seal(self) -> bytes:
        return seal("BDICP", *self.texts)

    @property
    def card(self) -> Card:
        texts = [*self.texts, *[""] * _ICP_FIELDS]
        level = integer(texts[14]) or TOP_LEVEL  # 0 is written for the top level (source of a maker's own parser)
        subordinates = texts[19] if texts[19].isdigit() else "0"
        return Card(
            card_name(texts[0]),
            card_name(texts[1]) if texts[1].isdigit() else "",
            float(integer(texts[13])),
            level,
            texts[5] == "E",
            int(subordinates) > 0,
            bd3=True,
        )


def _number(text: str) -> str:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise RemoteError("field", f"card {text[:16]}")
    return text
