"""What time is it, and who says so.

Everything is stamped with boot time, which never steps. Wall time is made from **anchors** (boot id, boot time, wall
time, error): one is dropped when the clock is first trusted and at each step of it; until then the best there is is the
system's clock or the time floor, marked untrusted. Nothing stored is ever restamped; what changes is the anchor.
"""

import json
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from drivers.api import boot_ms
from protocols.alert import ClockReading

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# timesyncd touches this file at its first synchronisation of a boot: systemd-timesyncd(8), "Files".
SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")
STEP_MS = 500  # a wall clock that moves more than this against boot time was set, not drifting
LARGEST_STEP_MS = (
    3_600_000  # a clock once trusted is corrected by seconds; more is a fault or an attack, and not followed
)
KEPT_BOOTS = 64  # anchors of this many boots are kept: more than a year of weekly restarts
BUILD_TIME = 1_790_000_000  # Unix s, 2026-09-21: no genuine time lies before the program was written
BORROWED_ERROR_MS = 120_000  # of a time that beacons told: their way down and the issuer's own clock
LAST_TIME = BUILD_TIME + 20 * 31_557_600  # nor more than its service life of 20 years after it


class Anchor(NamedTuple):
    """At boot time `at` (ms) of boot `boot` (hex) the wall said `wall` (Unix ms), give or take `error` ms."""

    boot: str
    at: int
    wall: int
    error: int
    trusted: bool


def this_boot() -> bytes:
    """The first 8 bytes of the kernel's boot id (random(4)); of a random one where /proc does not give it."""
    try:
        return uuid.UUID(BOOT_ID.read_text().strip()).bytes[:8]
    except (OSError, ValueError):
        return uuid.uuid4().bytes[:8]


def system_wall_ms() -> int:
    return time.time_ns() // 1_000_000


def timesyncd_says() -> bool:
    return SYNCHRONIZED.exists()


SOURCES: dict[str, Callable[[], bool]] = {"timesyncd": timesyncd_says, "system": lambda: True, "none": lambda: False}


class Clock:
    """Keeps the anchors. `trusted` asks the configured source; `floor` (Unix ms) is a time that has certainly passed."""

    def __init__(
        self,
        source: str = "timesyncd",
        *,
        boot: bytes | None = None,
        now: Callable[[], int] = boot_ms,
        wall_ms: Callable[[], int] = system_wall_ms,
        saved: bytes | None = None,
    ) -> None:
        self.boot = boot or this_boot()
        self.now = now
        self._wall_ms = wall_ms
        self._says = SOURCES[source]
        self._anchors: dict[str, Anchor] = {}
        self.floor = BUILD_TIME * 1000
        self.suspect = False
        self.borrowed = False
        self._heard: int | None = None  # wall minus boot time (ms), at least: what beacons prove
        if saved:
            self._load(saved)
        self._mine = self.boot.hex()
        self._anchors[self._mine] = self._fresh(trusted=False)
        self.tick()

    @property
    def trusted(self) -> bool:
        return self._anchors[self._mine].trusted

    def tick(self) -> Anchor | None:
        """Look at the clock; returns the new anchor when trust began or the wall was set, None when all is as it was.

        A trusted anchor is given up for nothing but a small correction: boot time carries it on whatever happens to the
        wall. `suspect` says that the wall is somewhere else now.
        """
        old = self._anchors[self._mine]
        fresh = self._fresh(trusted=self._says() and self.floor <= self._wall_ms() <= LAST_TIME * 1000)
        step = abs((fresh.wall - fresh.at) - (old.wall - old.at))
        if self.borrowed:
            return self._given_back(fresh)
        self.suspect = old.trusted and (not fresh.trusted or step > LARGEST_STEP_MS)
        if self.suspect or (fresh.trusted == old.trusted and step <= STEP_MS):
            if old.trusted:
                self.floor = max(self.floor, old.wall + self.now() - old.at)
            return None
        if fresh.trusted:
            self.floor = max(self.floor, fresh.wall)
        self._anchors[self._mine] = fresh
        return fresh

    def hear(self, unix: int, *, proven: bool) -> None:
        """A verified beacon was made at this Unix second, so it has passed. Beacons that keep pace with boot time (`proven`)
        are taken for the present while nobody better vouches for it.

        Of this boot only: an issuer whose clock is wrong must not spoil the saved floor, and the configured source's own
        word takes the borrowed time's place, whatever it says.
        """
        at, ms = self.now(), unix * 1000
        if not self.floor <= ms <= LAST_TIME * 1000:
            return
        self._heard = max(ms - at, ms - at if self._heard is None else self._heard)
        old = self.anchor()
        if proven and (not old.trusted or (self.borrowed and at + self._heard > old.wall + at - old.at + STEP_MS)):
            self.borrowed = True
            self._anchors[self._mine] = Anchor(self._mine, at, at + self._heard, BORROWED_ERROR_MS, trusted=True)

    def _given_back(self, fresh: Anchor) -> Anchor | None:
        """A borrowed time goes on by boot time until the source vouches for its own."""
        if not fresh.trusted:
            return None
        self.borrowed = False
        self.floor = max(self.floor, fresh.wall)
        self._anchors[self._mine] = fresh
        return fresh

    def wall(self, boot: bytes, at: int) -> tuple[int, bool]:
        """Unix milliseconds of a boot time, and whether a trusted anchor says so.

        Never before the build of the program: nothing relative to a boot leaves as if it were a time.
        """
        anchor = self._anchors.get(boot.hex())
        if anchor is None:
            return max(self.floor, BUILD_TIME * 1000), False
        unix = anchor.wall + at - anchor.at
        return max(unix, BUILD_TIME * 1000), anchor.trusted and unix >= BUILD_TIME * 1000

    def zero(self, boot: bytes) -> tuple[int, bool]:
        """Unix milliseconds of a boot's time 0, and whether a trusted anchor says so: for who adds boot times himself."""
        anchor = self._anchors.get(boot.hex())
        return (BUILD_TIME * 1000, False) if anchor is None else (anchor.wall - anchor.at, anchor.trusted)

    def read(self) -> ClockReading:
        """The present for decisions, in Unix seconds."""
        now = self.now()
        wall, trusted = self.wall(self.boot, now)
        floor = self.floor
        if self._heard is not None and (self.borrowed or not trusted):
            floor = max(floor, self._heard + now)
        return ClockReading(best=max(wall, floor) // 1000, floor=floor // 1000, trusted=trusted)

    def anchor(self) -> Anchor:
        return self._anchors[self._mine]

    def save(self) -> bytes:
        """What survives a restart: the anchors of the newest boots and the time floor."""
        kept = list(self._anchors.values())[-KEPT_BOOTS:]
        return json.dumps({"floor": self.floor, "anchors": kept}).encode()

    def _fresh(self, *, trusted: bool) -> Anchor:
        wall = self._wall_ms()
        best = wall if self.floor <= wall <= LAST_TIME * 1000 else self._carried()
        return Anchor(self.boot.hex(), self.now(), best, 1000, trusted)

    def _carried(self) -> int:
        """The wall as boot time carries it on from this boot's anchor: an impossible clock moves nothing back."""
        old = self._anchors.get(self._mine)
        return self.floor if old is None else max(self.floor, old.wall + self.now() - old.at)

    def _load(self, saved: bytes) -> None:
        try:
            data = json.loads(saved)
            self.floor = max(self.floor, int(data["floor"]))
            for row in data["anchors"][-KEPT_BOOTS:]:
                anchor = Anchor(str(row[0]), int(row[1]), int(row[2]), int(row[3]), bool(row[4]))
                self._anchors[anchor.boot] = anchor
        except (ValueError, KeyError, TypeError, IndexError):
            return  # a lost floor costs certainty about old times, never a start


def credentials_directory() -> Path | None:
    """Where systemd puts LoadCredential= files (systemd.exec(5)), if it does."""
    path = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(path) if path else None
