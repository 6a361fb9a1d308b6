"""How well a module hears the satellites: `BDBSI` (2.1, powers of beams 0..4) and `BDPWI` (BD-3, C/N0 of beams)."""

from itertools import product
from typing import NamedTuple

from protocols.errors import RemoteError
from protocols.rdss import Sentence, integer, seal

STRONGEST = 4  # power step of a beam, 2.1 protocol
ENOUGH = 2  # power step at which makers advise to send (2 to 3)
MOST_BEAMS = 64  # of one sentence; the three satellites of BD-3 have 14 to 21 between them
_WEAK_CN0, _STRONG_CN0 = (
    32,
    52,
)  # dB-Hz; the ends of the scale of `signal`, by what modules show in a forest and on a roof


class Bsi(NamedTuple):
    """Response beam, time-difference beam, and the power of each beam from the first on; 0, 0: not locked."""

    response: str
    timing: str
    powers: tuple[int, ...]

    @classmethod
    def parse(cls, sentence: Sentence) -> "Bsi":
        response, timing, *powers = sentence.fields(least=2)
        integer(response), integer(timing)
        return cls(response, timing, tuple(integer(text) for text in powers[:MOST_BEAMS]))

    def seal(self) -> bytes:
        return seal("BDBSI", self.response, self.timing, *map(str, self.powers))

    @property
    def locked(self) -> bool:
        return bool(integer(self.response) or integer(self.timing))

    def able(self, least: int = ENOUGH) -> bool:
        """Whether it is worth to send."""
        return self.locked and max(self.powers, default=0) >= least

    @property
    def signal(self) -> int:
        """0..100."""
        return min(100 * max(self.powers, default=0) // STRONGEST, 100)


class Beam(NamedTuple):
    """A beam of a satellite: C/N0 of its data and its pilot channel in dB-Hz, and what some firmware adds."""

    number: str
    data: str
    pilot: str
    flag: str | None = None


class Pwi(NamedTuple):
    """Time of day and the beams of BD-2 and of BD-3, in records of three or four fields as the firmware has it."""

    clock: str
    counts: tuple[str, str]
    second: tuple[Beam, ...]
    third: tuple[Beam, ...]

    @classmethod
    def parse(cls, sentence: Sentence) -> "Pwi":
        clock, *fields = sentence.fields(least=3)
        _clock(clock)
        return _by_size(clock, fields)

    def seal(self) -> bytes:
        shown = [[text for text in beam if text is not None] for beam in (*self.second, *self.third)]
        before, after = shown[: len(self.second)], shown[len(self.second) :]
        flat = [text for beam in before for text in beam], [text for beam in after for text in beam]
        return seal("BDPWI", self.clock, self.counts[0], *flat[0], self.counts[1], *flat[1])

    @property
    def acquired(self) -> bool:
        """Whether the module has the time; without it nothing is sent."""
        return self.clock.partition(".")[0].strip("0") != ""

    def able(self) -> bool:
        """Whether it is worth to send: by the manuals, whenever a beam of BD-3 is heard."""
        return self.acquired and bool(self.third)

    @property
    def signal(self) -> int:
        """0..100, of the best beam that could carry a message."""
        best = max((integer(beam.data) for beam in self.third), default=0)
        return min(max(100 * (best - _WEAK_CN0) // (_STRONG_CN0 - _WEAK_CN0), 0), 100)

    @property
    def day_second(self) -> float | None:
        """Seconds since midnight UTC, None while the time is not acquired."""
        if not self.acquired:
            return None
        text = self.clock
        return 3600 * int(text[:2]) + 60 * int(text[2:4]) + float(text[4:])


def _by_size(clock: str, fields: list[str]) -> Pwi:
    """Records have three or four fields, each list by itself: the count of all fields says which."""
    first = _count(fields[0])
    for size, other in product((3, 4), (3, 4)):
        middle = 1 + size * first
        if middle >= len(fields):
            continue
        try:
            second = _count(fields[middle])
        except RemoteError:
            continue
        end = middle + 1 + other * second
        if end == len(fields) or (end + 1 == len(fields) and not fields[end]):
            before, after = _beams(fields[1:middle], size), _beams(fields[middle + 1 : end], other)
            return Pwi(clock, (fields[0], fields[middle]), before, after)
    raise RemoteError("truncated", f"PWI of {len(fields)} fields")


def _beams(fields: list[str], size: int) -> tuple[Beam, ...]:
    beams = tuple(Beam(*fields[n : n + size]) for n in range(0, len(fields), size))
    for beam in beams:
        for text in beam[:3]:
            integer(text or "")
    return beams


def _count(text: str) -> int:
    count = integer(text)
    if count > MOST_BEAMS:
        raise RemoteError("field", f"{count} beams")
    return count


def _clock(text: str) -> None:
    """hhmmss.ss"""
    whole, _, fraction = text.partition(".")
    good = len(whole) == 6 and (whole + fraction).isascii() and (whole + fraction).isdigit()
    if not good or int(whole[:2]) > 23 or int(whole[2:4]) > 59 or int(whole[4:]) > 60:
        raise RemoteError("field", f"time {text[:16]}")
