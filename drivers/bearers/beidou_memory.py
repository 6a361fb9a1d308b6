"""What a BeiDou driver must not forget: when the card may send next, and which digits the module's firmware takes.

A small file, replaced whole. Within one boot the hold is kept by boot time; over a reboot by the wall clock, if that did
not go backwards since; else nobody knows, and the driver waits a whole interval.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from protocols.rdss_content import Coding

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
MOST_FILE = 4096  # bytes


class Kept(msgspec.Struct):
    """The file. `until` in boot milliseconds of `boot`; `wall` the same and `written` its writing in Unix seconds."""

    boot: str = ""
    until: int = 0
    wall: float = 0.0
    written: float = 0.0
    interval: float = 0.0
    card: str = ""
    coding: str = ""


class Memory:
    """`file` None: nothing is kept, and nothing known."""

    def __init__(
        self,
        file: Path | None,
        now: Callable[[], int],
        *,
        wall: Callable[[], float] = time.time,
        boot: Callable[[], str] = lambda: BOOT_ID.read_text().strip(),
    ) -> None:
        self._file, self._now, self._wall = file, now, wall
        self._boot = _or_nothing(boot)
        self._kept = _load(file)

    def left(self) -> float | None:
        """Seconds of the hold that are left; None where nobody knows."""
        kept = self._kept
        if not kept.boot:
            return None
        if kept.boot == self._boot:
            return max((kept.until - self._now()) / 1000, 0.0)
        wall = self._wall()
        return max(min(kept.wall - wall, kept.interval), 0.0) if wall >= kept.written else None

    def hold(self, left: float, interval: float) -> None:
        """For so many seconds nothing may be sent."""
        self._kept.boot, self._kept.until = self._boot, self._now() + round(left * 1000)
        self._kept.written = self._wall()
        self._kept.wall, self._kept.interval = self._kept.written + left, interval
        self._write()

    def coding(self, card: str) -> Coding | None:
        """What the firmware of this card's module was found to take."""
        return Coding(self._kept.coding) if self._kept.card == card and self._kept.coding else None

    def learn(self, card: str, coding: Coding) -> None:
        self._kept.card, self._kept.coding = card, coding.value
        self._write()

    def sync(self) -> None:
        """Make it survive a power cut, too. Blocks."""
        if self._file is None:
            return
        for path in (self._file, self._file.parent):
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def _write(self) -> None:
        """In the page cache at once: it survives the end of the process, as it must before the message goes out."""
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._file.with_name(self._file.name + ".new")
        fresh.write_bytes(msgspec.json.encode(self._kept))
        fresh.rename(self._file)


def _load(file: Path | None) -> Kept:
    try:
        if file is None or file.stat().st_size > MOST_FILE:
            return Kept()
        kept = msgspec.json.decode(file.read_bytes(), type=Kept)
        return kept if kept.coding in {"", *(coding.value for coding in Coding)} else Kept()
    except (OSError, msgspec.DecodeError):
        return Kept()  # a whole interval is waited for


def _or_nothing(boot: Callable[[], str]) -> str:
    try:
        return boot()
    except OSError:
        return ""
