"""NMEA 0183 sentences: bytes → sentences whose checksum holds. What a sentence says is read in `nmea_decode`.

A line may be broken by an overrun of the serial port: what counts is the last `$` before a checksum that holds. A
sentence has at most 82 characters by the standard and more in practice.
"""

from typing import NamedTuple

from protocols.checksums import xor8
from protocols.framing import Flaw, Lines

LONGEST = 1024  # bytes; gpsd allows 1024 for the same reason: makers' own sentences
_HEX = {byte: (f"{byte:02X}".encode(), f"{byte:02x}".encode()) for byte in range(256)}


class Sentence(NamedTuple):
    """`talker` and `kind` of `$GNRMC,...` are GN and RMC; a maker's own sentence, as `$PSRFEPE`, has the talker P."""

    talker: str
    kind: str
    fields: list[str]


class NmeaStream:
    """A `Machine` without a deadline: each call gives the sentences completed by these bytes, and what is none: flaws
    `checksum`, `no-checksum`, `truncated` (merged into the next) or `garbage`.
    """

    deadline: float | None = None

    def __init__(self, *, checksum: bool = True) -> None:
        self._lines = Lines(LONGEST, keep_tail=True)
        self._required = checksum

    def receive(self, data: bytes, now: float = 0.0) -> list[Sentence | Flaw]:  # noqa: ARG002 - the face of a Machine
        found: list[Sentence | Flaw] = []
        for line in self._lines.feed(data):
            if line.count(b"$") == 1:
                found.append(parse(line, checksum=self._required))
            elif not line.startswith(b"#"):  # a capture's own heading
                found += _merged(line, self._required)
        return found

    def tick(self, now: float) -> list[Sentence | Flaw]:  # noqa: ARG002 - the face of a Machine
        return []


def parse(line: bytes, *, checksum: bool = True) -> Sentence | Flaw:
    """One line with one `$` in it."""
    body, star, given = line[line.rfind(b"$") + 1 :].partition(b"*")
    if star:
        if given[:2] not in _HEX[xor8(body)] or given[2:].strip():
            return Flaw("checksum", line)
    elif checksum:
        return Flaw("no-checksum", line)
    if not body.isascii():
        return Flaw("garbage", line)
    fields = body.decode("ascii").split(",")
    address = fields.pop(0)
    if address.startswith("P"):
        return Sentence("P", address[1:], fields)
    if len(address) != 5 or not address.isalnum():
        return Flaw("garbage", line)
    return Sentence(address[:2], address[2:], fields)


def _merged(line: bytes, required: bool) -> list[Sentence | Flaw]:
    """A line with no `$`, or with several: each begins anew, and what has no checksum was cut off by the next."""
    before, *parts = line.split(b"$")
    found: list[Sentence | Flaw] = [Flaw("garbage", before)] if before or not parts else []
    for part in parts[:-1]:
        whole = parse(b"$" + part)
        found.append(Flaw("truncated", b"$" + part) if isinstance(whole, Flaw) else whole)
    return found + [parse(b"$" + part, checksum=required) for part in parts[-1:]]


def seal(body: str) -> bytes:
    """`$body*CS` with its line end: what a simulator or a command sends."""
    data = body.encode("ascii")
    return b"$%s*%02X\r\n" % (data, xor8(data))
