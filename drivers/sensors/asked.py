"""A sensor that answers questions, on a port of its own: asked once a beat, one question after the other.

A question without an answer is asked again once; the sample ends at the first that stays without.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence

from drivers.api import Emit
from drivers.condition import BACK_OFF_MOST, BACK_OFF_PORT
from drivers.opening import open_stream
from drivers.sensors.port_source import Language, PortSource, Question, Setup
from drivers.slot import Priority, Slot
from drivers.stream import Stream
from protocols.errors import RemoteError
from protocols.framing import Flaw
from protocols.reading import Reading

DRAIN = 0.005  # seconds in which what an adapter still held comes in, before a question
TRIES = 2  # of a question: one lost answer is weather on a long line
LONGEST_ANSWER = 256  # characters whose time on the wire is added to the patience


class AskedSource(PortSource):
    """See `drivers.api.Source`."""

    def __init__(self, setup: Setup, language: Language, timeout: float) -> None:
        """`timeout` of an answer, in seconds."""
        super().__init__(setup)
        self._language, self._timeout = language, timeout
        self._slot = Slot()
        self._stream: Stream | None = None
        self._splitter = language.splitter()
        self._users = 0  # who needs the port open: the poller, technicians

    async def run(self, emit: Emit) -> None:
        self._users += 1
        try:
            while True:
                started = time.monotonic()
                readings, wrong = await self._sample(Priority.POLL)
                if readings:
                    emit(readings)
                most = self._judge(wrong)
                await self.pace.beat(started, self._condition.failures, most)
        finally:
            self._leave()

    async def read_once(self) -> Sequence[Reading]:
        self._users += 1
        try:
            readings, wrong = await self._sample(Priority.TECHNICIAN)
        finally:
            self._leave()
        if wrong is not None and not readings:
            raise wrong
        return readings

    def _judge(self, wrong: OSError | RemoteError | None) -> float:
        if wrong is None:
            self._condition.succeeded()
            return BACK_OFF_MOST
        port = isinstance(wrong, OSError)
        self._condition.failed("port" if isinstance(wrong, OSError) else wrong.reason, self._frames)
        return BACK_OFF_PORT if port else BACK_OFF_MOST

    async def _sample(self, priority: Priority) -> tuple[list[Reading], OSError | RemoteError | None]:
        """All questions once, until one gets no answer at all. A refusal is an answer, unless nothing else came."""
        values: dict[str, float] = {}
        wrong: OSError | RemoteError | None = None
        async with self._slot.at(priority):
            at = self._now()
            try:
                for question in self._language.questions:
                    try:
                        values |= await self._answer(question)
                    except RemoteError as refused:
                        wrong = refused
                        if refused.reason == "timeout":
                            break
            except OSError as gone:
                self._count("port", gone.strerror or str(gone))
                self._close()
                wrong = gone
        whole = values and isinstance(wrong, RemoteError) and wrong.reason != "timeout"
        return self._readings(values, at), None if whole else wrong

    async def _answer(self, question: Question) -> Mapping[str, float]:
        wrong = RemoteError("timeout", question.name)
        for _ in range(TRIES):
            try:
                return await self._exchange(question)
            except RemoteError as reason:
                wrong = reason
                self._counters[reason.reason] += 1
        raise wrong

    async def _exchange(self, question: Question) -> Mapping[str, float]:
        if self._stream is None:
            self._stream = await open_stream(self._address, self._base)
        await self._drain(self._stream)
        self._splitter = self._language.splitter()
        await self._stream.write(question.data)
        wire = (len(question.data) + LONGEST_ANSWER) * self._address.character
        try:
            async with asyncio.timeout(self._timeout + wire):
                while True:
                    values = self._heed(await self._stream.read(), question)
                    if values is not None:
                        return values
        except TimeoutError:
            raise RemoteError("timeout", question.name) from None

    async def _drain(self, stream: Stream) -> None:
        """A late answer to the last question must not be taken for one to this."""
        try:
            async with asyncio.timeout(DRAIN):
                while True:
                    self._count("late", (await stream.read()).decode("ascii", "backslashreplace"))
        except TimeoutError:
            pass

    def _heed(self, data: bytes, asked: Question) -> Mapping[str, float] | None:
        """The values of the first frame that answers; RemoteError from the instrument itself ends the question."""
        for frame in self._splitter.feed(data):
            if isinstance(frame, Flaw):
                self._flawed(frame)
                continue
            try:
                values, lacking = self._language.read(frame, asked)
            except RemoteError as wrong:
                if wrong.reason != "foreign":
                    raise
                self._count(wrong.reason, wrong.detail)
                continue
            self._counters.update(["ok", *lacking])
            return values
        return None

    def _leave(self) -> None:
        self._users -= 1
        if not self._users:
            self._close()

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
