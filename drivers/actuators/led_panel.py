"""An LED panel with an Onbon BX-5K card: the text is a dynamic area that the card itself takes down when we stop sending.

`hold` is how long a text can outlive the agent. It is sent again every third of that, and the card acknowledges each time:
that is the evidence. Whether the lamps behind it are lit, no card says.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any, Literal

import msgspec

from drivers.actuators.standing import Standing
from drivers.address import Address, AddressKey
from drivers.api import Action, Context, Factory, Outcome, Problem, Verdict
from drivers.opening import open_stream
from drivers.stream import Stream
from drivers.values import Duration
from protocols import onbon_bx5k as bx
from protocols.alert import displayable
from protocols.errors import RemoteError

TCP_PORT = 5005  # the card's as delivered
URL = AddressKey("url", ("serial", "tcp"), tcp_port=TCP_PORT)
PATIENCE = 2.0  # seconds for an answer: a frame of 1 KiB at 9600 baud takes 1.1


class LedPanelConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Place and size of the area in pixels. `prefix` is put before every text, unescaped: the card's own font and colour
    commands. `scroll` moves the text through; else it stands, page after page.
    """

    name: str
    url: str
    kind: Literal["display"] = "display"
    screen: int = bx.SCREEN
    x: int = 0
    y: int = 0
    width: int = 128
    height: int = 32
    area: int = 0
    hold: Duration = Duration(30.0)
    scroll: bool = False
    prefix: str = ""
    most: int = 200


class LedPanel(Standing):
    def __init__(self, config: LedPanelConfig, address: Address, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__(config.name, config.kind, config.hold / 3, now)
        self._config, self._address = config, address
        self._stream: Stream | None = None
        self._line = asyncio.Lock()

    async def _show(self, action: Action, _until: float) -> Outcome:
        return await self._ask(bx.update(self._area(action.text), self._config.screen))

    async def _clear(self) -> Outcome:
        outcome = await self._ask(bx.delete((self._config.area,), self._config.screen))
        if self._address.scheme == "tcp" and self._turn is None:
            self._close()
        return outcome

    async def _reach(self) -> Outcome:
        return await self._ask(bx.ping(self._config.screen))

    def _area(self, text: str) -> bx.Area:
        config = self._config
        prefix = config.prefix.encode("ascii")
        return bx.Area(
            (prefix + bx.readable(displayable(text, config.most)))[: bx.MOST_TEXT],
            config.x // 8,
            config.y,
            config.width // 8,
            config.height,
            config.area,
            timeout=max(1, round(config.hold)),
            effect=bx.LEFTWARDS if config.scroll else bx.STATIC,
        )

    async def _ask(self, frame: bytes) -> Outcome:
        """Send one frame and take the card's answer to it. What an earlier one left on the line is not taken for it."""
        try:
            async with self._line, asyncio.timeout(PATIENCE):
                stream = await self._opened()
                await stream.write(frame)
                return _judged(await self._answer(stream))
        except TimeoutError:
            self._close()
            return Outcome(Verdict.FAILED, "panel_no_answer")
        except OSError as wrong:
            self._close()
            return Outcome(Verdict.FAILED, "display_unreachable", {"why": (wrong.strerror or str(wrong))[:200]})

    async def _answer(self, stream: Stream) -> bx.Packet:
        frames = bx.Frames()
        while True:
            for frame in frames.feed(await stream.read()):
                try:
                    packet = bx.decode(frame)
                except RemoteError:
                    continue  # noise on the line; the answer may follow it
                if packet.command in (bx.ACKNOWLEDGED, bx.REFUSED):
                    return packet

    async def _opened(self) -> Stream:
        if self._stream is None:
            self._stream = await open_stream(self._address)
        return self._stream

    def _close(self) -> None:
        """Also after a lost answer: on a fresh stream a late one can't be taken for the next."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


def _judged(packet: bx.Packet) -> Outcome:
    if packet.command == bx.ACKNOWLEDGED:
        return Outcome(Verdict.DONE, evidence={"acknowledged": True})
    evidence: dict[str, Any] = {"error": packet.data[0] if packet.data else -1}
    return Outcome(Verdict.FAILED, "panel_refused", evidence)


def create(config: LedPanelConfig, _context: Context) -> LedPanel:
    return LedPanel(config, URL.opened(config.url))


def check(config: LedPanelConfig, context: Context) -> Iterable[Problem]:
    yield from URL.check(config.url, context.base)
    if config.x % 8 or config.width % 8 or config.width < 8:
        yield Problem("width", "panel.eights", {"x": config.x, "width": config.width})
    if not 3 <= config.hold <= 300:
        yield Problem("hold", "actuator.refresh", {"refresh": float(config.hold), "least": 3, "most": 300})
    if not 0 <= config.area <= 31:
        yield Problem("area", "panel.area", {"area": config.area})
    if not config.prefix.isascii() or len(config.prefix) > 32:
        yield Problem("prefix", "panel.prefix", {"most": 32})
    if not 8 <= config.most <= 400:
        yield Problem("most", "actuator.most", {"most": config.most})


FACTORY = Factory(LedPanelConfig, create, check)
