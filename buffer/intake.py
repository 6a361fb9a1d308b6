"""What was appended and is not on disk yet: numbers given out, bodies held, memory bounded. Knows no file and no route."""

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock

from buffer.model import Appended, Lane, Shed

URGENT = frozenset({Lane.ALARM, Lane.EVENT})  # committed at once
CHEAPEST_FIRST = (Lane.BULK, Lane.TELEMETRY, Lane.EVENT, Lane.ALARM)
MOST_BODY = 1 << 20  # bytes; larger things are cut up before they come here
ENTRY_BYTES = 400  # Python's own weight of one entry and its future, counted against memory_bytes


@dataclass(slots=True, eq=False)
class Entry:
    lane: Lane
    number: int
    body: bytes
    keep: bool
    committed: Future[None] = field(default_factory=Future)

    @property
    def weight(self) -> int:
        return len(self.body) + ENTRY_BYTES


class Intake:
    def __init__(self, memory_bytes: int, commit_interval: float) -> None:
        self._memory = memory_bytes
        self._interval = commit_interval
        self._lock = Lock()
        self._waiting: dict[Lane, deque[Entry]] = {lane: deque() for lane in Lane}
        self._next = dict.fromkeys(Lane, 1)
        self._shed: list[Entry] = []
        self._weight = 0
        self._due: float | None = None
        self._begun = False
        self._ended: Exception | None = None

    def append(self, lane: Lane, body: bytes, keep: bool, now: float, *, urgent: bool) -> tuple[Appended, bool]:
        """The number given, and whether the next commit became due earlier. Full memory sheds the cheapest, oldest first."""
        if len(body) > MOST_BODY:
            raise ValueError(f"a body of {len(body)} bytes; the most is {MOST_BODY}")
        with self._lock:
            urgent = urgent or lane in URGENT or not self._begun or self._weight > self._memory // 2
            self._begun = True
            entry = Entry(lane, self._next[lane], body, keep)
            self._next[lane] += 1
            self._waiting[lane].append(entry)
            self._weight += entry.weight
            self._make_room()
            if self._ended is not None:
                entry.committed.set_exception(self._ended)
            return Appended(entry.number, entry.committed), self._hurry(now if urgent else now + self._interval)

    def hurry(self, at: float) -> None:
        """A commit is wanted by then, whatever waits."""
        with self._lock:
            self._hurry(at)

    @property
    def begun(self) -> bool:
        """Whether anything was ever appended."""
        return self._begun

    def due(self) -> float | None:
        """When the next commit should begin; None when nothing waits."""
        with self._lock:
            return self._due

    def next(self, lane: Lane) -> int:
        with self._lock:
            return self._next[lane]

    def size(self) -> tuple[int, int]:
        """Numbers and bytes waiting."""
        with self._lock:
            return sum(map(len, self._waiting.values())), self._weight

    def snapshot(self) -> list[Entry]:
        """Everything waiting, most urgent lane first. It keeps waiting until finish()."""
        with self._lock:
            self._due = None
            return [entry for lane in Lane for entry in self._waiting[lane]]

    def held(self, lane: Lane, first: int, last: int) -> list[Entry]:
        with self._lock:
            return [entry for entry in self._waiting[lane] if first <= entry.number <= last]

    def retry(self, at: float) -> None:
        with self._lock:
            if any(self._waiting.values()):
                self._hurry(at)

    def finish(self, entries: Iterable[Entry]) -> None:
        """These are safe. Only what still waits is removed: memory may have shed some of them meanwhile."""
        done = list(entries)
        with self._lock:
            numbers = {(entry.lane, entry.number) for entry in done}
            for lane in {entry.lane for entry in done}:
                old = self._waiting[lane]
                self._waiting[lane] = deque(e for e in old if (e.lane, e.number) not in numbers)
                self._weight -= sum(e.weight for e in old) - sum(e.weight for e in self._waiting[lane])
        for entry in done:
            with suppress(InvalidStateError):  # its owner cancelled it: nobody listens
                entry.committed.set_result(None)

    def take_shed(self) -> list[Entry]:
        """Entries that memory could not hold since the last call."""
        with self._lock:
            shed, self._shed = self._shed, []
            return shed

    def give_up(self, error: Exception) -> None:
        """The worker has ended: nobody will write these."""
        with self._lock:
            left = [entry for waiting in self._waiting.values() for entry in waiting]
            self._ended = error
        refuse(left, error)

    def _hurry(self, at: float) -> bool:
        if self._due is not None and self._due <= at:
            return False
        self._due = at
        return True

    def _make_room(self) -> None:
        for lane in CHEAPEST_FIRST:
            while self._weight > self._memory and self._waiting[lane]:
                entry = self._waiting[lane].popleft()
                self._weight -= entry.weight
                entry.body = b""
                self._shed.append(entry)


def refuse(entries: Iterable[Entry], error: Exception | None = None) -> None:
    for entry in entries:
        with suppress(InvalidStateError):
            entry.committed.set_exception(
                error or Shed(f"number {entry.number} of {entry.lane.name} did not fit in memory")
            )
