"""What a relay board is: its registers, its one-shot, and what a second one-shot does while the first runs.

Boards are data (`boards/*.toml`). This file knows addresses and arithmetic; it knows no bus, no clock and no siren.
"""

import tomllib
from collections.abc import Iterable
from enum import Enum
from pathlib import Path

import msgspec

SHIPPED = Path(__file__).parent / "boards"


class Rearm(Enum):
    """What the board does with a one-shot that arrives while one runs."""

    RESTARTS = "restarts"  # the new time counts from now
    EXTENDS = "extends"  # the new time is added to what is left
    IGNORES = "ignores"
    UNKNOWN = "unknown"


class OneShot(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The board's own timer. `address` is channel 1's, `stride` the distance to the next channel's."""

    function: int  # 5: the time is the value of a coil write; 16: `words`, then the time, in registers
    address: int
    stride: int = 1
    unit_ms: int = 100
    most: int = 0x7FFF
    words: tuple[int, ...] = ()
    rearm: Rearm = Rearm.UNKNOWN


class Board(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    title: str
    channels: int
    coils: int
    one_shot: OneShot
    verified: bool = False

    def coil(self, channel: int) -> int:
        """Channels are counted from 1, as printed on the board."""
        return self.coils + channel - 1

    def shot_address(self, channel: int) -> int:
        return self.one_shot.address + (channel - 1) * self.one_shot.stride

    def longest(self) -> float:
        """Seconds the one-shot can run."""
        return self.one_shot.most * self.one_shot.unit_ms / 1000


def find(name: str, directories: Iterable[Path] = ()) -> Path | None:
    """The file of a board: the station's own directories come before what is shipped."""
    if "/" in name or name.startswith("."):
        return None
    paths = (directory / f"{name}.toml" for directory in (*directories, SHIPPED))
    return next((path for path in paths if path.is_file()), None)


def load(path: Path) -> Board:
    """ValueError (of tomllib or msgspec) says what is wrong with the file."""
    board = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Board)
    if board.one_shot.function not in (5, 16):
        raise ValueError(f"one_shot.function is {board.one_shot.function}; a board is armed by 5 or 16")
    return board


class Lease:
    """How long the board holds the relay by itself, as far as we can know: the arithmetic of re-arming.

    `ends` is the latest moment to which the writes so far can have armed it. A write whose answer was lost counts as
    carried out: too short a siren is mended by the next re-arm, too long a one by nothing.
    """

    def __init__(self, shot: OneShot, now: float, left: float = 0.0) -> None:
        """`left` seconds may still run from a former life of ours: the agent that was killed while it sounded."""
        self._shot = shot
        self._unit = shot.unit_ms / 1000
        self.ends = now + left

    def runs(self, now: float) -> bool:
        return self.ends > now

    def needs_off(self, now: float, *, fresh: bool) -> bool:
        """Must the coil be written off first, so that the next one-shot surely starts, and starts from zero?

        The board that restarts never needs it; the one that extends does only when the old time must not count (`fresh`).
        One that ignores needs it always, and so one that nobody has measured is treated: off and on is right for all.
        """
        if not self.runs(now) or self._shot.rearm is Rearm.RESTARTS:
            return False
        return fresh or self._shot.rearm is not Rearm.EXTENDS

    def arm(self, now: float, seconds: float) -> int:
        """The value to write so that the relay holds for `seconds` from now; 0 when nothing need be written."""
        running = self.ends if self._shot.rearm is Rearm.EXTENDS and self.runs(now) else now
        units = min(self._units(now + seconds - running, whole=running > now), self._shot.most)
        self.ends = running + units * self._unit
        return units

    def released(self, now: float) -> None:
        """The coil was seen off, or written off."""
        self.ends = now

    def _units(self, seconds: float, *, whole: bool) -> int:
        """Rounded down where times add up, so that they never add up to more; else up, so that no burst is cut."""
        count = (seconds + 1e-6) / self._unit
        return max(0, int(count)) if whole else max(1, round(count + 0.499))
