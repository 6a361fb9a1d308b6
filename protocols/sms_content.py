"""What an SMS carries: its coding (3GPP TS 23.038 §4), header elements and data (TS 23.040 §9.2.3.24). Pure.

Data stay as they came, septets one a byte or octets, and become text only when all parts are together: an escape or a
surrogate pair may be torn by a foreign sender's parts.
"""

from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from protocols import gsm7
from protocols.errors import LocalError, RemoteError
from protocols.sms_fields import Reader

MOST_OCTETS = 140  # of user data, header and all
MOST_SEPTETS = 160
MOST_PARTS = 255
CONCAT_8, CONCAT_16 = 0x00, 0x08  # information elements of a part (§9.2.3.24.1, .8)


class Coding(IntEnum):
    """Of the characters."""

    GSM7 = 0
    DATA = 1
    UCS2 = 2


DCS = {Coding.GSM7: 0x00, Coding.DATA: 0x04, Coding.UCS2: 0x08}


class Place(NamedTuple):
    """Which part of what; `wide` says how the reference travels."""

    reference: int
    total: int
    number: int
    wide: bool = False

    def element(self) -> "Element":
        try:
            reference = self.reference.to_bytes(2 if self.wide else 1, "big")
            return Element(CONCAT_16 if self.wide else CONCAT_8, reference + bytes((self.total, self.number)))
        except (OverflowError, ValueError):
            raise LocalError("part", f"{self}") from None


class Element(NamedTuple):
    identifier: int
    data: bytes


class Content(NamedTuple):
    """`data`: septets one a byte where the coding is GSM7, else octets; `compressed` data (TS 23.042) are octets, too."""

    dcs: int
    data: bytes
    elements: tuple[Element, ...] = ()

    @property
    def coding(self) -> Coding:
        return coding_of(self.dcs)

    @property
    def compressed(self) -> bool:
        return self.dcs & 0xA0 == 0x20

    @property
    def text(self) -> str | None:
        """None where it is data. What is no UTF-16 is shown as replaced."""
        if self.compressed or self.coding is Coding.DATA:
            return None
        return gsm7.decode(self.data) if self.coding is Coding.GSM7 else self.data.decode("utf-16-be", "replace")

    @property
    def place(self) -> Place | None:
        """Its place among parts; an element that contradicts itself is as if it were not there (§9.2.3.24.1)."""
        for identifier, data in self.elements:
            wide = identifier == CONCAT_16
            if identifier in (CONCAT_8, CONCAT_16) and len(data) == 3 + wide:
                total, number = data[-2], data[-1]
                if 1 <= number <= total:
                    return Place(int.from_bytes(data[:-2], "big"), total, number, wide)
        return None


def coding_of(dcs: int) -> Coding:
    """What is reserved is read as GSM7 (TS 23.038 §4)."""
    if dcs < 0x80:  # general, and marked for deletion
        return {0x04: Coding.DATA, 0x08: Coding.UCS2}.get(dcs & 0x0C, Coding.GSM7)
    if dcs >= 0xF0:  # with a class
        return Coding.DATA if dcs & 0x04 else Coding.GSM7
    return Coding.UCS2 if dcs >= 0xE0 else Coding.GSM7  # a waiting message is told of


# User data ↔ content


def write(content: Content) -> bytes:
    """Length, header, data."""
    header = b"".join(bytes((one.identifier, len(one.data))) + one.data for one in content.elements)
    header = bytes((len(header),)) + header if header else b""
    septets = _in_septets(content)
    fill = _fill(len(header)) if septets else 0
    length = (8 * len(header) + fill) // 7 + len(content.data) if septets else len(header) + len(content.data)
    data = header + (gsm7.pack(content.data, fill) if septets else content.data)
    if len(data) > MOST_OCTETS or (septets and length > MOST_SEPTETS):
        raise LocalError("sms_length", f"{len(data)} octets of user data; at most {MOST_OCTETS}")
    return bytes((length,)) + data


def read(reader: Reader, dcs: int, *, headed: bool) -> Content:
    """The rest of a PDU from its length of user data on."""
    begin, length = reader.at, reader.octet("user data length")
    septets = _in_septets(Content(dcs, b""))
    octets = gsm7.octets(length) if septets else length
    if octets > MOST_OCTETS:
        raise RemoteError("user_data_length", f"{length} {'septets' if septets else 'octets'}", begin)
    at, data = reader.at, reader.take(octets, "user data")
    elements, head = _header(data, at) if headed else ((), 0)
    if not septets:
        return _checked(Content(dcs, data[head:], elements), at + head)
    fill = _fill(head)
    count = length - (8 * head + fill) // 7
    if count < 0:
        raise RemoteError("header_length", "the header is longer than the user data", at)
    return Content(dcs, gsm7.unpack(data[head:], count, fill) if count else b"", elements)


def _checked(content: Content, at: int) -> Content:
    if content.coding is Coding.UCS2 and not content.compressed and len(content.data) % 2:
        raise RemoteError("ucs2", "half a character is left", at + len(content.data) - 1)
    return content


def _in_septets(content: Content) -> bool:
    return content.coding is Coding.GSM7 and not content.compressed


def _fill(header: int) -> int:
    """Bits between a header of so many octets and the first septet after it."""
    return -8 * header % 7


def _header(data: bytes, at: int) -> tuple[tuple[Element, ...], int]:
    """The elements, and the octets they took; `at` is where the data begin."""
    reader = Reader(data)
    try:
        inner = Reader(reader.take(reader.octet("header length"), "header"))
        elements = []
        while inner.left:
            identifier, size = inner.octet("element"), inner.octet("element length")
            elements.append(Element(identifier, inner.take(size, "element")))
    except RemoteError as wrong:
        place = reader.at if reader.at < 2 else 1 + inner.at
        raise RemoteError("header_length", wrong.detail, at + place) from None
    return tuple(elements), reader.at


# Cutting and joining


def contents(body: str | bytes, reference: int = 0, *, wide: bool = False) -> list[Content]:
    """One content, or parts with a reference: text in GSM7 where the alphabet covers it, else in UCS2. LocalError where
    it is too long for 255 parts.
    """
    coding = Coding.DATA if isinstance(body, bytes) else Coding.GSM7 if gsm7.covers(body) else Coding.UCS2
    units = _units(body, coding)
    whole = MOST_SEPTETS if coding is Coding.GSM7 else MOST_OCTETS
    if sum(map(len, units)) <= whole:
        return [Content(DCS[coding], b"".join(units))]
    header = 7 if wide else 6
    room = MOST_SEPTETS - (8 * header + _fill(header)) // 7 if coding is Coding.GSM7 else MOST_OCTETS - header
    pieces = list(_pieces(units, room))
    if len(pieces) > MOST_PARTS:
        raise LocalError("sms_length", f"{len(pieces)} parts; at most {MOST_PARTS}")
    return [
        Content(DCS[coding], piece, (Place(reference, len(pieces), number, wide).element(),))
        for number, piece in enumerate(pieces, 1)
    ]


def join(parts: Sequence[Content]) -> Content:
    """All parts in their order, as one; the first says what it is."""
    return Content(parts[0].dcs, b"".join(part.data for part in parts))


def _units(body: str | bytes, coding: Coding) -> list[bytes]:
    """What must stay together: a byte, a character with its escape, a surrogate pair."""
    if isinstance(body, bytes):
        return [body[at : at + 1] for at in range(len(body))]
    if coding is Coding.GSM7:
        return [gsm7.encode(character) for character in body]
    try:
        return [character.encode("utf-16-be") for character in body]
    except UnicodeEncodeError as wrong:
        raise LocalError("ucs2", "half a surrogate pair", wrong.start) from None


def _pieces(units: Sequence[bytes], room: int) -> Iterator[bytes]:
    piece = b""
    for unit in units:
        if len(piece) + len(unit) > room:
            yield piece
            piece = b""
        piece += unit
    yield piece
