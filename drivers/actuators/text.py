"""A text display on a line: the text is written, written again while it stands, and cleared at the end.

For displays that show what they are sent, line by line: serial LED boards in transparent mode, "serial screens", a
terminal. Panels with a protocol of their own have drivers of their own. A line that takes bytes proves nothing more than
that: `written` is the evidence.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import msgspec

from drivers.actuators.standing import Standing
from drivers.address import Address, AddressKey
from drivers.api import Action, Context, Factory, Outcome, Problem, Verdict
from drivers.opening import open_stream
from drivers.stream import Stream
from drivers.values import Duration
from protocols.alert import displayable

URL = AddressKey("url", ("serial", "tcp"))
WRITE_TIMEOUT = 5.0  # seconds: 500 characters of GB 18030 at 2400 baud take 4.2


class TextConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`clear` is what empties the display, as text (a form feed unless told otherwise); `most` in characters."""

    name: str
    url: str
    kind: Literal["display"] = "display"
    encoding: Literal["gb18030", "gbk", "gb2312", "utf-8"] = "gb18030"
    line_end: str = "\r\n"
    clear: str = "\f"
    refresh: Duration = Duration(10.0)
    most: int = 500


class Text(Standing):
    def __init__(self, config: TextConfig, address: Address, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(config.name, config.kind, config.refresh, now)
        self._config, self._address = config, address
        self._stream: Stream | None = None
        self._line = asyncio.Lock()  # two performances change over: their bytes must not mix
        self._written = 0

    def status(self) -> Mapping[str, Any]:
        return {**super().status(), "bytes": self._written}

    async def _show(self, action: Action, _until: float) -> Outcome:
        return await self._send(self._encoded(action.text))

    async def _clear(self) -> Outcome:
        outcome = await self._send(self._config.clear.encode(self._config.encoding, "replace"))
        self._let_go()
        return outcome

    async def _reach(self) -> Outcome:
        """Can the line be opened? Nothing is written, so nothing is seen."""
        try:
            async with self._line, asyncio.timeout(WRITE_TIMEOUT):
                await self._opened()
        except OSError as wrong:
            return _failed(wrong)
        self._let_go()
        return Outcome(Verdict.DONE, evidence={"open": True})

    async def _send(self, data: bytes) -> Outcome:
        try:
            async with self._line, asyncio.timeout(WRITE_TIMEOUT):
                stream = await self._opened()
                await stream.write(data)
        except OSError as wrong:  # TimeoutError is one
            self._close()
            return _failed(wrong)
        self._written += len(data)
        return Outcome(Verdict.DONE, evidence={"written": len(data)})

    async def _opened(self) -> Stream:
        if self._stream is None:
            self._stream = await open_stream(self._address)
        return self._stream

    def _encoded(self, text: str) -> bytes:
        """Control characters never reach the line; what the encoding lacks becomes a question mark."""
        shown = displayable(text, self._config.most) + self._config.line_end
        return shown.encode(self._config.encoding, "replace")

    def _let_go(self) -> None:
        """At rest no connection is held, since it could die unseen. A port stays open: opening one resets some displays."""
        if self._address.scheme == "tcp" and self._turn is None:
            self._close()

    def _close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


def _failed(wrong: OSError) -> Outcome:
    return Outcome(Verdict.FAILED, "display_unreachable", {"why": (wrong.strerror or str(wrong))[:200]})


def create(config: TextConfig, _context: Context) -> Text:
    return Text(config, URL.opened(config.url))


def check(config: TextConfig, context: Context) -> Iterable[Problem]:
    yield from URL.check(config.url, context.base)
    if not 1 <= config.refresh <= 300:
        yield Problem("refresh", "actuator.refresh", {"refresh": float(config.refresh), "least": 1, "most": 300})
    if not 8 <= config.most <= 1000:
        yield Problem("most", "actuator.most", {"most": config.most})


FACTORY = Factory(TextConfig, create, check)
