"""Small values the agent keeps beside the blocks (anchors, counters): read from RAM, written with the next commit."""

from collections.abc import Mapping
from concurrent.futures import Future
from threading import Lock

MOST_VALUE = 64 << 10  # bytes; this is no second store
MOST_KEYS = 1_000


class Meta:
    def __init__(self) -> None:
        self._lock = Lock()
        self._values: dict[str, bytes] = {}
        self._waiting: dict[str, bytes] = {}
        self._futures: list[Future[None]] = []

    def get(self, key: str) -> bytes | None:
        with self._lock:
            return self._values.get(key)

    def set(self, key: str, value: bytes) -> Future[None]:
        with self._lock:
            if len(value) > MOST_VALUE or (len(self._values) >= MOST_KEYS and key not in self._values):
                raise ValueError(f"meta {key!r}: at most {MOST_KEYS} values of {MOST_VALUE} bytes")
            self._values[key] = self._waiting[key] = value
            future: Future[None] = Future()
            self._futures.append(future)
            return future

    def load(self, stored: Mapping[str, bytes]) -> None:
        """What was set since the start is newer than the file."""
        with self._lock:
            self._values = {**stored, **self._values}

    def adopt(self, found: Mapping[str, bytes]) -> None:
        """Values of a damaged file, where nothing newer is known."""
        with self._lock:
            new = {key: value for key, value in found.items() if key not in self._values}
            self._values.update(new)
            self._waiting.update(new)

    def rewrite_all(self) -> None:
        with self._lock:
            self._waiting = dict(self._values)

    def take(self) -> tuple[dict[str, bytes], list[Future[None]]]:
        with self._lock:
            taken = self._waiting, self._futures
            self._waiting, self._futures = {}, []
            return taken

    def put_back(self, values: Mapping[str, bytes], futures: list[Future[None]]) -> None:
        with self._lock:
            self._waiting = {**values, **self._waiting}
            self._futures = futures + self._futures

    @property
    def waits(self) -> bool:
        with self._lock:
            return bool(self._waiting or self._futures)
