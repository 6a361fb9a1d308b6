"""Fields of an SMS PDU (3GPP TS 23.040 §9.1.2, §9.2.3): addresses, time stamps, validity. Octets ↔ values, pure.

A field keeps what it was read from, so that it is written as it came: the kind of an address, the octets of a stamp.
"""

from calendar import timegm
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from protocols import gsm7
from protocols.errors import LocalError, RemoteError

INTERNATIONAL, PLAIN, ALPHANUMERIC = 0x91, 0x81, 0xD0  # type of address: kind and numbering plan (§9.1.2.5)
MOST_DIGITS = 20  # an address takes 12 octets at most, two of them length and type
MOST_LETTERS = 11
_KIND = 0x70
_DIGITS = "0123456789*#abc"  # semi-octets 0 to 14; 15 fills up
STAMP_OCTETS = 7
_CENTURY = 90  # two digits below are of this century: SMS began in 1992, and a stamp of 2099 would pass for the future
QUARTER = 15 * 60  # seconds


class Address(NamedTuple):
    """`text` begins with + where the number is international; `kind` is the octet, for writing it back."""

    text: str
    kind: int = PLAIN

    @classmethod
    def of(cls, text: str) -> "Address":
        """What a person writes: +8613912345678, 10086, Weather. LocalError when it is none."""
        digits = text.removeprefix("+")
        if digits and all(character in _DIGITS[:12] for character in digits):
            kind = INTERNATIONAL if text.startswith("+") else PLAIN
            if len(digits) > MOST_DIGITS:
                raise LocalError("address_length", f"{len(digits)} digits; at most {MOST_DIGITS}")
            return cls(text, kind)
        if not text or text.startswith("+") or not gsm7.covers(text) or len(gsm7.encode(text)) > MOST_LETTERS:
            raise LocalError("address", "neither a number nor a name of at most 11 letters")
        return cls(text, ALPHANUMERIC)

    def value(self) -> tuple[int, bytes]:
        """Its semi-octets, and the octets they lie in."""
        if self.kind & _KIND == ALPHANUMERIC & _KIND:
            septets = gsm7.encode(self.text)
            if len(septets) > MOST_LETTERS:
                raise LocalError("address_length", f"{len(septets)} letters; at most {MOST_LETTERS}")
            return (7 * len(septets) + 3) // 4, gsm7.pack(septets)
        digits = self.text.removeprefix("+")
        if len(digits) > MOST_DIGITS or any(digit not in _DIGITS for digit in digits):
            raise LocalError("address", "not a number")
        return len(digits), swapped([_DIGITS.index(digit) for digit in digits])


class Stamp(NamedTuple):
    """A service centre's time of a message, as its seven octets (§9.2.3.11); a module without time writes zeros."""

    octets: bytes

    @classmethod
    def of(cls, unix: int, zone: int = 0) -> "Stamp":
        """`zone`: minutes east, a multiple of 15."""
        at = datetime.fromtimestamp(unix + 60 * zone, UTC)
        quarters = abs(zone) // 15
        fields = [at.year % 100, at.month, at.day, at.hour, at.minute, at.second, quarters]
        nibbles = [nibble for two in fields for nibble in divmod(two, 10)]
        nibbles[12] |= 8 if zone < 0 else 0
        return cls(swapped(nibbles))

    @property
    def zone(self) -> int | None:
        """Minutes east of Greenwich: quarters of an hour, with the sign in bit 3 of the octet."""
        ones, tens = self.octets[6] >> 4, self.octets[6] & 0x07
        minutes = 15 * (10 * tens + ones)
        if ones > 9 or minutes > 14 * 60:
            return None
        return -minutes if self.octets[6] & 0x08 else minutes

    @property
    def unix(self) -> int | None:
        """Seconds; None where these octets are no time."""
        fields = [decimal(octet) for octet in self.octets[:6]]
        zone = self.zone
        if zone is None or None in fields:
            return None
        year, *rest = (field or 0 for field in fields)
        return unix_of(year + (2000 if year < _CENTURY else 1900), *rest, zone=zone)


class Validity(NamedTuple):
    """How long a centre keeps trying: `form` 2 relative (one octet), 3 absolute (a stamp), 1 enhanced (§9.2.3.12)."""

    form: int
    octets: bytes

    @classmethod
    def relative(cls, seconds: float) -> "Validity":
        """The longest that is not longer; LocalError below five minutes or above 63 weeks."""
        octet = max((octet for octet in range(256) if _relative(octet) <= seconds), default=None)
        if octet is None or seconds > _relative(255):
            raise LocalError("validity", f"{seconds:g} s is not within 5 minutes to 63 weeks")
        return cls(2, bytes((octet,)))

    @property
    def seconds(self) -> int | None:
        """Of a relative one."""
        return _relative(self.octets[0]) if self.form == 2 else None


VALIDITY_OCTETS = {0: 0, 1: 7, 2: 1, 3: STAMP_OCTETS}


def _relative(octet: int) -> int:
    if octet <= 143:
        return (octet + 1) * 300
    if octet <= 167:
        return 12 * 3600 + (octet - 143) * 1800
    if octet <= 196:
        return (octet - 166) * 86_400
    return (octet - 192) * 604_800


def swapped(nibbles: Sequence[int]) -> bytes:
    """Semi-octets, the first in the low half; an odd one out is filled up with 15."""
    pairs = [*nibbles, 0xF] if len(nibbles) % 2 else nibbles
    return bytes([low | high << 4 for low, high in zip(pairs[::2], pairs[1::2], strict=True)])


def decimal(octet: int) -> int | None:
    """Two digits in swapped halves, if they are digits."""
    tens, ones = octet & 0x0F, octet >> 4
    return 10 * tens + ones if max(tens, ones) < 10 else None


def unix_of(year: int, month: int, day: int, hour: int, minute: int, second: int, *, zone: int) -> int | None:
    """Of a local time `zone` minutes east; None where the calendar has no such day or the day no such second."""
    try:
        local = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)  # 60: a leap second
    except ValueError:
        return None
    return timegm(local.timetuple()) - 60 * zone if second <= 60 else None


class Reader:
    """Octets taken from the front; what is not there is a RemoteError with the place."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self.at

    def octet(self, what: str) -> int:
        return self.take(1, what)[0]

    def take(self, count: int, what: str) -> bytes:
        if count > self.left:
            raise RemoteError("truncated", f"{what} needs {count} octets, {self.left} are left", self.at)
        taken = self._data[self.at : self.at + count]
        self.at += count
        return taken

    def since(self, at: int) -> bytes:
        """What was taken from there on."""
        return self._data[at : self.at]

    def address(self, what: str) -> Address:
        """Length in semi-octets, type, value."""
        begin, count = self.at, self.octet(what)
        kind = self.octet(what)
        if count > MOST_DIGITS:
            raise RemoteError("address_length", f"{what} of {count} semi-octets", begin)
        return _address(kind, count, self.take((count + 1) // 2, what), begin)

    def centre(self) -> Address | None:
        """A service centre: length in octets, type among them; none at all is the SIM's own."""
        begin, count = self.at, self.octet("service centre")
        if not count:
            return None
        if not 2 <= count <= 1 + MOST_DIGITS // 2:
            raise RemoteError("address_length", f"service centre of {count} octets", begin)
        kind = self.octet("service centre")
        value = self.take(count - 1, "service centre")
        return _address(kind, 2 * len(value) - (value[-1] >> 4 == 0xF), value, begin)

    def stamp(self, what: str) -> Stamp:
        return Stamp(self.take(STAMP_OCTETS, what))


def _address(kind: int, count: int, value: bytes, at: int) -> Address:
    if kind & _KIND == ALPHANUMERIC & _KIND:
        return Address(gsm7.decode(gsm7.unpack(value, 4 * count // 7)), kind)
    nibbles = [half for octet in value for half in (octet & 0x0F, octet >> 4)][:count]
    if 0xF in nibbles:
        raise RemoteError("address", "filled up in the middle of the number", at)
    digits = "".join([_DIGITS[nibble] for nibble in nibbles])
    return Address("+" + digits if kind & _KIND == INTERNATIONAL & _KIND else digits, kind)
