"""Questions by CoAP over UDP, through aiocoap, with a patience of one's own. Imports the library when it is made.

Messages come and go in our words (`protocols.coap_message`); nobody else here needs to know the library's.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, NamedTuple, Self

from protocols.coap_message import Message

OBSERVE = 6


class Patience(NamedTuple):
    """RFC 7252 §4.8: seconds until the first repetition, doubled each time."""

    ack_timeout: float
    retries: int

    @property
    def most(self) -> float:
        """Seconds until the last repetition has had its time (MAX_TRANSMIT_WAIT)."""
        return float(self.ack_timeout * (2 ** (self.retries + 1) - 1) * 1.5)


class NoAnswer(Exception):
    """`certain`: nothing went out. `why` in the library's or the kernel's words."""

    def __init__(self, why: str, *, certain: bool = False) -> None:
        super().__init__(why)
        self.why, self.certain = why[:80], certain


class Client:
    """`await Client.open(patience)`, then `ask` and `observe`; `close` ends what is under way."""

    def __init__(self, library: Any, context: Any, patience: Patience) -> None:
        self._library, self._context, self._patience = library, context, patience
        self._tuning = _tuning(library, patience)

    @classmethod
    async def open(cls, patience: Patience) -> Self:
        """OSError where there is no socket to be had."""
        import aiocoap.error  # type: ignore[import-untyped]  # noqa: PLC0415 - 10 MiB that only this bearer pays; aiocoap has no types

        try:
            context = await aiocoap.Context.create_client_context(transports=["udp6"])
        except OSError:  # a kernel without IPv6
            context = await aiocoap.Context.create_client_context(transports=["simple6"])
        return cls(aiocoap, context, patience)

    async def ask(self, host: str, message: Message) -> Message:
        """One exchange with all its repetitions."""
        request = self._context.request(self._outer(host, message), handle_blockwise=False)
        try:
            async with asyncio.timeout(self._patience.most + self._patience.ack_timeout):
                return _inner(await request.response)
        except self._failures as wrong:
            raise self._no_answer(wrong) from wrong

    async def observe(self, host: str, message: Message) -> AsyncGenerator[Message, None]:
        """The answer, then each notification, until the other side ends it (NoAnswer where that is a fault)."""
        outer = self._outer(host, message)
        outer.opt.observe = 0
        request = self._context.request(outer, handle_blockwise=False)
        try:
            yield _inner(await request.response)
            async for said in request.observation:
                yield _inner(said)
        except self._failures as wrong:
            raise self._no_answer(wrong) from wrong
        finally:
            if not request.observation.cancelled:
                request.observation.cancel()

    async def close(self) -> None:
        await self._context.shutdown()

    @property
    def _failures(self) -> tuple[type[Exception], ...]:
        return (TimeoutError, self._library.error.Error)

    def _no_answer(self, wrong: Exception) -> NoAnswer:
        errors = self._library.error
        if isinstance(wrong, TimeoutError | errors.TimeoutError):
            return NoAnswer("no_answer")
        return NoAnswer(str(wrong) or type(wrong).__name__, certain=isinstance(wrong, errors.ResolutionError))

    def _outer(self, host: str, message: Message) -> Any:
        library = self._library
        outer = library.Message(code=library.Code(message.code), payload=message.payload, transport_tuning=self._tuning)
        outer.set_request_uri(f"coap://{host}", set_uri_host=False)
        for number, value in message.options:
            outer.opt.add_option(library.OptionNumber(number).create_option(decode=value))
        return outer


def _tuning(library: Any, patience: Patience) -> Any:
    tuning = library.Reliable()
    tuning.ACK_TIMEOUT, tuning.MAX_RETRANSMIT = patience.ack_timeout, patience.retries
    return tuning


def _inner(said: Any) -> Message:
    options = tuple((int(one.number), one.encode()) for one in said.opt.option_list())
    return Message(int(said.code), options, said.payload)
