"""The display page, seen from the agent: a process of its own behind a Unix socket (`fengsui display`).

What should be shown is handed to a task that tells the display of it, at once and every second; nothing here waits for the
display. Evidence is that a page says it has drawn it.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from drivers.actuators.standing import Standing
from drivers.api import Action, Context, Factory, Outcome, Problem, Verdict
from protocols.alert import displayable
from protocols.errors import RemoteError
from protocols.page import BEAT, LONGEST_LINE, Seen, Shown, State, decode_seen, encode

SOCKET = "/run/fengsui-display/display.sock"
PATIENCE = 3.0  # seconds until a page must have drawn it: updates take one
RECONNECT = 1.0  # seconds between attempts to reach the display
REFRESH = 10.0  # seconds between looks whether it is still drawn
LOOK = 0.05
MOST_AREA = 120  # characters: two lines of the head


class PageConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`place` is the name of the village, shown beside the warning."""

    name: str
    socket: str = SOCKET
    kind: Literal["display"] = "display"
    place: str = ""
    most: int = 500


class Page(Standing):
    def __init__(self, config: PageConfig, socket: Path, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(config.name, config.kind, REFRESH, now)
        self._socket, self._most, self._place = socket, config.most, displayable(config.place, 80)
        self._wanted = State(0, place=self._place)
        self._changed = asyncio.Event()
        self._seen: Seen | None = None
        self._why = "not asked yet"
        self._link: asyncio.Task[None] | None = None

    async def _show(self, action: Action, until: float) -> Outcome:
        text, area = displayable(action.text, self._most), displayable(action.area, MOST_AREA)
        self._want(Shown(text, action.level, until, action.exercise, self._place, area))
        return await self._answer(lambda seen: seen.drawn >= self._wanted.number)

    async def _clear(self) -> Outcome:
        self._want(None)
        return await self._answer(lambda seen: seen.number >= self._wanted.number)

    async def _reach(self) -> Outcome:
        self._start()
        return await self._answer(lambda seen: seen.pages > 0)

    def status(self) -> Mapping[str, Any]:
        return {**super().status(), "pages": self._seen.pages if self._seen else 0}

    def _want(self, shown: Shown | None) -> None:
        """The newest wish is the only one kept. The same again is no change."""
        if shown != self._wanted.shown:
            self._wanted = State(self._wanted.number + 1, shown, self._place)
            self._changed.set()
        self._start()

    async def _answer(self, good: Callable[[Seen], bool]) -> Outcome:
        gives_up = self._now() + PATIENCE
        while True:
            seen = self._seen
            if seen is not None and good(seen):
                return Outcome(Verdict.DONE, evidence={"pages": seen.pages, "drawn": seen.drawn >= self._wanted.number})
            if self._now() >= gives_up:
                return self._missed(seen)
            await asyncio.sleep(LOOK)

    def _missed(self, seen: Seen | None) -> Outcome:
        if seen is None:
            return Outcome(Verdict.FAILED, "display_unreachable", {"why": self._why})
        return Outcome(Verdict.FAILED, "page_not_drawn" if seen.pages else "page_nobody", {"pages": seen.pages})

    def _start(self) -> None:
        if self._link is None or self._link.done():
            self._link = asyncio.create_task(self._keep_telling(), name=f"page {self.name}")

    async def _keep_telling(self) -> None:
        """For as long as the agent lives: connect, tell, connect again."""
        while True:
            try:
                async with asyncio.timeout(RECONNECT):
                    reader, writer = await asyncio.open_unix_connection(self._socket, limit=LONGEST_LINE)
            except OSError as wrong:  # TimeoutError is one
                self._why = (wrong.strerror or str(wrong) or "timeout")[:200]
                await asyncio.sleep(RECONNECT)
                continue
            try:
                await self._talk(reader, writer)
            except (OSError, RemoteError, ValueError) as wrong:
                self._why = str(wrong)[:200]
            finally:
                self._seen = None
                writer.close()
            await asyncio.sleep(RECONNECT)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listening = asyncio.create_task(self._listen(reader))
        try:
            while not listening.done():
                self._changed.clear()
                writer.write(encode(self._wanted))
                async with asyncio.timeout(PATIENCE):
                    await writer.drain()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(BEAT):
                        await self._changed.wait()
        finally:
            listening.cancel()
            await asyncio.wait({listening})
        listening.result()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Numbers of an earlier life of the agent are answers to nobody: the display starts anew with each connection."""
        while line := await reader.readline():
            self._seen = decode_seen(line)
        raise ConnectionResetError("the display has gone")


def create(config: PageConfig, context: Context) -> Page:
    return Page(config, context.base / config.socket)


def check(config: PageConfig, context: Context) -> Iterable[Problem]:
    if len(str(context.base / config.socket).encode()) > 107:  # sockaddr_un.sun_path, unix(7)
        yield Problem("socket", "page.socket", {"most": 107})
    if not 8 <= config.most <= 1000:
        yield Problem("most", "actuator.most", {"most": config.most})


FACTORY = Factory(PageConfig, create, check)
