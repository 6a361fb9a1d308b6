"""Keeps things running, each alone. Knows tasks and pauses; does not know what the work is.

Devices fail often and alone: `keep` runs such work for ever, and a crash is logged, waited out and tried again. A fault in
our own core (buffer, decide) is not kept running: `core` lets it end the whole process, and systemd starts it afresh.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NoReturn, Self

from drivers.api import Report

log = logging.getLogger(__name__)

Work = Callable[[], Awaitable[None]]


class CoreFault(Exception):
    """A part without which the station would only pretend to work has failed; the process must end, non-zero."""

    def __init__(self, part: str, cause: BaseException | None) -> None:
        self.part = part
        super().__init__(f"{part}: {_said(cause)}")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds. A device that was unplugged is back within a minute of being plugged in, and a loop of crashes costs
    one start a minute. Work that ran for `stable` is taken for cured.
    """

    first: float = 1.0
    most: float = 60.0
    stable: float = 120.0

    def pause(self, failures: int, chance: float) -> float:
        """Doubles with each failure; `chance` (0 to 1) draws from the upper half, so that parts felled together return apart."""
        full = min(self.most, self.first * 2.0 ** min(failures - 1, 30))  # 2**30 is past any `most`, and no overflow
        return full * (1 + chance) / 2


@dataclass(slots=True)
class Part:
    """One piece of kept work, and what the health report shows of it."""

    name: str
    failures: int = 0  # in a row
    crashes: int = 0  # ever
    running: bool = False
    error: str = ""  # the last one

    def status(self) -> Mapping[str, Any]:
        return {"running": self.running, "failures": self.failures, "crashes": self.crashes, "error": self.error}


class Supervisor:
    """`async with Supervisor(...) as house:` then `keep` and `core`; the block ends when every part has ended."""

    def __init__(
        self,
        report: Report = lambda _type, _fields: None,
        *,
        backoff: Backoff = Backoff(),
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._report = report
        self._backoff = backoff
        self._chance = chance
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[None]] = set()
        self._parts: dict[str, Part] = {}

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._group.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            fault = next((fault for fault in _leaves(group) if isinstance(fault, CoreFault)), None)
            raise fault or next(_leaves(group)) from group

    def keep(self, name: str, work: Work) -> None:
        """Run for ever, whatever happens to it."""
        if name in self._parts:
            raise ValueError(f"two parts are named {name}")
        part = self._parts[name] = Part(name)
        self._start(name, keep(part, work, self._report, self._backoff, self._chance))

    def core(self, name: str, work: Work) -> None:
        """Run until the station stops; ending in any other way ends the station."""
        self._start(name, _core(name, work))

    def stop(self) -> None:
        """Cancel everything; the `async with` block then ends in peace."""
        for task in self._tasks:
            task.cancel()

    def status(self) -> Mapping[str, Any]:
        return {name: part.status() for name, part in self._parts.items()}

    def _start(self, name: str, work: Any) -> None:
        task = self._group.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def keep(part: Part, work: Work, report: Report, backoff: Backoff, chance: Callable[[], float]) -> NoReturn:
    """The heart: run, and when it fails or ends, wait and run again. Only our own cancellation passes."""
    while True:
        error = await _run(part, work, report, backoff)
        if _asked_to_stop():  # and the work kept it to itself, as asyncio.wait_for of Python 3.11 can
            raise asyncio.CancelledError
        part.failures += 1
        part.crashes += 1
        pause = backoff.pause(part.failures, chance())
        _tell(part, error, pause, report)
        await asyncio.sleep(pause)


async def _run(part: Part, work: Work, report: Report, backoff: Backoff) -> BaseException | None:
    """What ended the work; None when it simply returned."""
    cured = asyncio.get_running_loop().call_later(backoff.stable, _cured, part, report)
    part.running = True
    try:
        await work()
    except asyncio.CancelledError as error:
        if _asked_to_stop():
            raise
        return error  # somebody else's future was cancelled under it: a crash like any other
    except Exception as error:  # noqa: BLE001 - whatever a driver does, it does it alone
        return error
    finally:
        part.running = False
        cured.cancel()
    return None


async def _core(name: str, work: Work) -> None:
    try:
        await work()
    except asyncio.CancelledError as error:
        if _asked_to_stop():
            raise
        raise CoreFault(name, error) from error
    except Exception as error:
        raise CoreFault(name, error) from error
    if not _asked_to_stop():
        raise CoreFault(name, None)


def _asked_to_stop() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _tell(part: Part, error: BaseException | None, pause: float, report: Report) -> None:
    """The trace once for each new error; the platform once for each spell of failing."""
    said = _said(error)
    log.error(
        "%s failed (%d in a row), again in %.1f s: %s",
        part.name, part.failures, pause, said,
        exc_info=error if said != part.error else None,
    )  # fmt: skip
    part.error = said
    if part.failures == 1:
        report("part.failing", {"part": part.name, "error": said})


def _cured(part: Part, report: Report) -> None:
    if part.failures:
        report("part.recovered", {"part": part.name, "failures": part.failures})
    part.failures, part.error = 0, ""


def _said(error: BaseException | None) -> str:
    return "ended by itself" if error is None else f"{type(error).__name__}: {error}"[:200]


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
