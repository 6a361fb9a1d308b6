"""Virtual time beside real threads: the clock jumps to the next timer only when no thread owes the loop an answer.

run(story())                  # as asyncio.run
Held(buffer)                  # a buffer whose reads and flushes the clock waits for
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

REAL = 0.02  # seconds of real waiting for a thread, at a time


class _Jumping(selectors.DefaultSelector):
    skipped = 0.0  # seconds
    owed: set[object]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        while self.owed and not ready:
            ready = super().select(REAL)
        if not ready and timeout is None:
            return super().select(None)
        if not ready:
            self.skipped += timeout or 0.0
        return ready


class PatientLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        self._jumping.owed = set()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.skipped

    def owe(self, future: Any) -> None:
        """No jump before this is done."""
        self._jumping.owed.add(future)
        future.add_done_callback(self._jumping.owed.discard)

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> "asyncio.Future[T]":
        future = super().run_in_executor(executor, func, *args)
        self.owe(future)
        return future


def run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=PatientLoop) as runner:
        return runner.run(main)


def boot_ms() -> int:
    """The loop's time, as a boot time."""
    return 1_000_000 + round(asyncio.get_running_loop().time() * 1000)


class Held:
    """Hands everything on; what answers later is owed."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._owing(found) if name in {"read", "history", "flush"} else found

    def _owing(self, method: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
        def call(*arguments: Any, **words: Any) -> Future[Any]:
            future = method(*arguments, **words)
            loop = asyncio.get_running_loop()
            assert isinstance(loop, PatientLoop)
            loop.owe(future)
            return future

        return call
