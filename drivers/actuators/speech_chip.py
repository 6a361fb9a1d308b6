"""A voice of its own on a serial line: SYN6288 or XFS5152CE, fed a few seconds of text at a time.

A chip can't be told to fall silent when nobody speaks to it any more. So it never holds more than `piece` seconds of text,
and says no more than that when the agent dies. Evidence is its own word: accepted, busy, idle.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import msgspec

from drivers.actuators.speaking import MAX_ON, MAX_ON_PER_HOUR, Speaking, Speech, Unsaid
from drivers.address import Address, AddressKey
from drivers.api import Context, Factory, Outcome, Problem, Verdict
from drivers.opening import open_stream
from drivers.stream import Stream
from drivers.values import Duration
from protocols import syn6288, xfs5152
from protocols.speech_chip import STATUS, STOP, Chip, Reply
from protocols.speech_text import encoded, pieces, readable, seconds

URL = AddressKey("url", ("serial", "tcp"))
CHIPS: Mapping[str, Chip] = {"syn6288": syn6288.CHIP, "xfs5152": xfs5152.CHIP}
PATIENCE = 1.0  # seconds for one byte of answer; a frame of 100 bytes at 9600 baud takes 0.1
WRITE_TIMEOUT = 3.0  # seconds
LOOK = 0.05  # seconds between looks at what the chip said
ASK_FIRST, ASK_AGAIN = 0.3, 1.0  # seconds: is it busy, as it should be; and an "idle" that was lost is asked for
TOO_SOON = 0.25  # of the estimate: whoever is idle by then has said nothing
SLOWEST = 3.0  # times the estimate, plus PATIENCE: then the chip hangs
REPLIES = {int(reply): reply for reply in Reply}


class SpeechChipConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`volume` on the chip's own scale (SYN6288 0 to 16, XFS5152CE 0 to 10); the loudest unless told otherwise."""

    name: str
    chip: Literal["syn6288", "xfs5152"]
    url: str
    kind: Literal["voice"] = "voice"
    volume: int | None = None
    piece: Duration = Duration(4.0)
    max_on: Duration = Duration(MAX_ON)
    max_on_per_hour: Duration = Duration(MAX_ON_PER_HOUR)


class SpeechChip(Speaking):
    def __init__(
        self, config: SpeechChipConfig, address: Address, now: Callable[[], float] = time.monotonic, **timing: float
    ) -> None:
        super().__init__(config.name, config.max_on, config.max_on_per_hour, now=now, **timing)
        self._chip, self._address, self._piece = CHIPS[config.chip], address, config.piece
        volume = self._chip.loudest if config.volume is None else config.volume
        self._mark = self._chip.volume(volume)
        self._stream: Stream | None = None
        self._listener: asyncio.Task[None] | None = None
        self._heard: set[Reply] = set()  # since it was last emptied
        self._line = asyncio.Lock()  # a stop must not fall into the middle of a text

    async def _once(self, turn: Speech) -> None:
        for piece in pieces(readable(turn.action.text), self._piece, self._fits):
            await self._say(turn, piece)

    def _fits(self, piece: str) -> bool:
        return len(self._mark) + len(encoded(piece)) <= self._chip.most

    async def _say(self, turn: Speech, piece: str) -> None:
        """One piece, until the chip says that it has ended."""
        turn.guard()
        await self._ask(turn, self._chip.speak(self._mark + encoded(piece)), Reply.ACCEPTED)
        turn.facts["accepted"] = turn.facts.get("accepted", 0) + 1
        self._heard.discard(Reply.IDLE)
        began, lasts = self._now(), seconds(piece)
        gives_up, asks = began + SLOWEST * lasts + PATIENCE, began + ASK_FIRST
        while Reply.IDLE not in self._heard:
            self._tell_busy(turn)
            if self._now() >= gives_up:
                raise Unsaid("speech_never_ends")
            if self._now() >= asks:
                asks = self._now() + ASK_AGAIN
                await self._write(self._chip.command(STATUS))
            await turn.rest(LOOK)
        if self._now() < began + TOO_SOON * lasts:
            raise Unsaid("speech_mute", {"accepted": True})
        turn.tell(Verdict.DONE, "", {"accepted": True})

    def _tell_busy(self, turn: Speech) -> None:
        if Reply.BUSY in self._heard:
            turn.facts["busy"] = True
            turn.tell(Verdict.DONE, "", {"accepted": True, "busy": True})

    async def _ask(self, turn: Speech | None, frame: bytes, wanted: Reply) -> None:
        """Write, and wait for the answer. Unsaid when there is none, or a refusal."""
        self._heard.clear()
        await self._write(frame)
        gives_up = self._now() + PATIENCE
        while wanted not in self._heard:
            if Reply.REFUSED in self._heard:
                raise Unsaid("speech_refused")
            if self._now() >= gives_up:
                self._close()
                raise Unsaid("speech_no_answer")
            await (asyncio.sleep(LOOK) if turn is None else turn.rest(LOOK))

    async def _hush(self) -> Outcome:
        return await self._command(STOP, {Reply.ACCEPTED, Reply.IDLE})

    async def _reach(self) -> Outcome:
        return await self._command(STATUS, {Reply.IDLE, Reply.BUSY})

    async def _command(self, code: int, answers: set[Reply]) -> Outcome:
        self._heard.clear()
        try:
            await self._write(self._chip.command(code))
        except Unsaid as wrong:
            return Outcome(Verdict.FAILED, wrong.reason, wrong.evidence)
        gives_up = self._now() + PATIENCE
        while self._now() < gives_up:
            if found := self._heard & answers:
                return Outcome(Verdict.DONE, evidence={"chip": min(found).name.lower()})
            await asyncio.sleep(LOOK)
        return Outcome(Verdict.FAILED, "speech_no_answer")

    async def _write(self, frame: bytes) -> None:
        try:
            async with self._line, asyncio.timeout(WRITE_TIMEOUT):
                stream = await self._opened()
                await stream.write(frame)
        except OSError as wrong:  # TimeoutError is one
            self._close()
            raise Unsaid("speech_unreachable", {"why": (wrong.strerror or str(wrong))[:200]}) from wrong

    async def _opened(self) -> Stream:
        if self._stream is None:
            self._stream = await open_stream(self._address)
            self._listener = asyncio.create_task(self._listen(self._stream))
        return self._stream

    async def _listen(self, stream: Stream) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._heard.update(REPLIES[byte] for byte in await stream.read() if byte in REPLIES)
        if self._stream is stream:
            self._close()

    def _close(self) -> None:
        stream, self._stream = self._stream, None
        listener, self._listener = self._listener, None
        if listener is not None and listener is not asyncio.current_task():
            listener.cancel()
        if stream is not None:
            stream.close()

    def status(self) -> Mapping[str, Any]:
        return {**super().status(), "chip": self._chip.name}


def create(config: SpeechChipConfig, _context: Context) -> SpeechChip:
    return SpeechChip(config, URL.opened(config.url))


def check(config: SpeechChipConfig, context: Context) -> Iterable[Problem]:
    yield from URL.check(config.url, context.base)
    loudest = CHIPS[config.chip].loudest
    if config.volume is not None and not 1 <= config.volume <= loudest:
        yield Problem("volume", "voice.volume", {"volume": config.volume, "most": loudest})
    # 5 s of silence is promised after the agent's death, and a chip reads more slowly than it should.
    if not 2 <= config.piece <= 4:
        yield Problem("piece", "voice.piece", {"piece": float(config.piece), "least": 2, "most": 4})
    yield from voice_limits(config.max_on, config.max_on_per_hour)


def voice_limits(max_on: float, max_on_per_hour: float) -> Iterable[Problem]:
    if not 10 <= max_on <= 900:
        yield Problem("max_on", "voice.max_on", {"max_on": float(max_on), "least": 10, "most": 900})
    if not max_on <= max_on_per_hour <= 3600:
        yield Problem("max_on_per_hour", "actuator.max_on_per_hour", {"least": float(max_on), "most": 3600})


FACTORY = Factory(SpeechChipConfig, create, check)
