"""What every derived series has in common: the interface, moments, and what becomes of an input's quality. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from drivers.api import SeriesSpec
from protocols.quality import GOOD, Flag, Reason, flag_of, quality, worse
from protocols.reading import Reading

PARTIAL = quality(Flag.SUSPECT, Reason.STALE)  # the window was not watched from its beginning
UNDATED = quality(Flag.SUSPECT, Reason.CLOCK)  # which hour or day it belongs to is not sure


class Moment(NamedTuple):
    """Boot time in ms, and the wall time (Unix ms) that it is."""

    at: int
    wall: int
    trusted: bool

    def boot_at(self, wall: int) -> int:
        """The boot time at another wall time, as far as the clock is to be believed now."""
        return self.at + wall - self.wall


class Derived(Protocol):
    """One `[[derived]]`. `take` hears readings of its inputs in order of time; `tick` comes once a second at most.

    `save` gives what must survive as JSON, or None where nothing has changed since it was last asked; `load` takes it back.
    """

    @property
    def inputs(self) -> tuple[str, ...]: ...
    @property
    def outputs(self) -> Mapping[str, SeriesSpec]: ...
    def take(self, reading: Reading, moment: Moment) -> Sequence[Reading]: ...
    def tick(self, moment: Moment) -> Sequence[Reading]: ...
    def save(self, moment: Moment) -> Any: ...
    def load(self, saved: Any, moment: Moment) -> None: ...


class Stateless:
    """A kind that keeps nothing and speaks only when it is spoken to."""

    def tick(self, _moment: Moment) -> Sequence[Reading]:
        return ()

    def save(self, _moment: Moment) -> Any:
        return None

    def load(self, _saved: Any, _moment: Moment) -> None:
        return


def usable(reading: Reading) -> bool:
    """Nothing is computed from what is bad or missing."""
    return flag_of(reading.quality) not in (Flag.BAD, Flag.MISSING)


def together(qualities: Iterable[int]) -> int:
    """The quality of what was computed from these."""
    found = GOOD
    for one in qualities:
        found = worse(found, one)
    return found
