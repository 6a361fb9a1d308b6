"""A dead man's handle: something is let go of when nobody has renewed it in time, even while the event loop stands still.

One thread of its own, asleep unless armed. For devices without a timer of their own; against the death of the whole
process only the kernel helps, by releasing what the process held.
"""

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Guard:
    """`let_go` is called on the guard's thread."""

    def __init__(self, let_go: Callable[[], None]) -> None:
        self._let_go = let_go
        self._changed = threading.Condition()
        self._ends: float | None = None
        self._thread: threading.Thread | None = None

    def arm(self, seconds: float) -> None:
        """Let go after so long, counted from now, unless told otherwise before."""
        with self._changed:
            self._ends = time.monotonic() + seconds
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="guard", daemon=True)
                self._thread.start()
            self._changed.notify()

    def disarm(self) -> None:
        with self._changed:
            self._ends = None
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while True:
                left = None if self._ends is None else self._ends - time.monotonic()
                if left is not None and left <= 0:
                    self._ends = None
                    self._end()
                else:
                    self._changed.wait(left)

    def _end(self) -> None:
        """A device that is gone must not take the guard with it: it may come back."""
        try:
            self._let_go()
        except Exception:
            log.exception("a guard could not let go")
