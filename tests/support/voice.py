"""A station's side of a narrow bearer for tests, as plain as the document: one session, and datagrams by a simulated bearer."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

from drivers.api import Context, Datagram
from drivers.bearers.sim import Sim, SimConfig
from protocols import event
from protocols.errors import RemoteError
from protocols.key import Key
from protocols.narrow import control, detail, fragments, header, hello, keys, numbered
from protocols.narrow import digest as digests
from protocols.narrow import event as events
from protocols.narrow.context import Context as Origin
from protocols.narrow.counter import Counter
from protocols.narrow.header import Frame, Kind
from protocols.narrow.hello import Hello
from protocols.narrow.keys import Epoch
from protocols.narrow.receipt import Receipt, decode_many, settles
from protocols.narrow.schema import Schema, announce
from protocols.narrow.session import Message, open_session
from protocols.reading import Reading

LOG, BOOT = "00112233445566ff", bytes(range(8))


class Voice:
    """`async with Voice(...) as voice: await voice.greet(); receipt = await voice.say_event(1, "rule.raised", level="red")`"""

    def __init__(self, folder: Path, station: str, headend: bytes, *, name: str = "bd", **traits: object) -> None:
        self.station = station
        self.private = os.urandom(32)
        self.public = keys.public_of(self.private)
        self._secret = keys.agree(self.private, headend)
        traits = {"mtu": 77, "interval": 0.0, "latency": 0.0, "to": "headend", **traits}
        self.bearer = Sim(SimConfig(name=name, air="air", address=station, **traits), Context(folder, lambda *_: None))
        self.origin = Origin(LOG, BOOT, 1_700_000_000_000, True)
        self.full = True
        self.renew(1_700_000_000)
        self.heard: list[Datagram] = []
        self.receipts: list[Receipt] = []
        self.sealed: list[Frame] = []
        self.commands: list[bytes] = []
        self.answers: list[hello.Answer] = []
        self._nonce = hello.UNASKED

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(work()) for work in (self.bearer.run, self._listen)]
        await asyncio.sleep(0.05)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def renew(self, number: int) -> None:
        self.counter = Counter(0, lambda until: self.counter.reserved(until))  # noqa: PLW0108 - the counter is made by this very line
        self.session = open_session(self._secret, self.station, Epoch(number, os.urandom(8)), self.counter)

    async def greet(self) -> hello.Answer:
        self._nonce = os.urandom(hello.NONCE_BYTES)
        said = Hello(self.session.epoch, self.counter.peek, (self.origin,))
        await self.send(header.encode(hello.say(keys.hello_key(self._secret, self.station), said, self._nonce)))
        return await self.until(lambda: self.answers[-1] if self.answers else None)

    def sealed_event(self, number: int, kind: str, **fields: object) -> Message:
        key = Key(self.station, LOG, "alarm", number, number)
        head = numbered.Numbered(key, "live", number, self.origin)
        return self.session.seal(
            Kind.EVENT, events.encode(head, event.encode(kind, BOOT, 5000, fields), full=self.full)
        )

    async def say_event(self, number: int, kind: str, **fields: object) -> Receipt:
        return await self.say(self.sealed_event(number, kind, **fields))

    async def say_rows(self, schema: Schema, first: int, rows: list[list[Reading]]) -> Receipt:
        return await self.say(
            self.session.seal(Kind.DATA, detail.pack(schema, self.origin, first, rows, full=self.full))
        )

    async def say_schema(self, schema: Schema) -> Receipt:
        return await self.say(self.session.seal(Kind.DIGEST, b"\0" + announce(schema)))

    async def say_digest(self, schema: Schema, digest: digests.Digest) -> Receipt:
        return await self.say(self.session.seal(Kind.DIGEST, digests.encode(schema, digest, 66)))

    async def ping(self) -> Receipt:
        return await self.say(self.session.seal(Kind.CONTROL, control.encode([control.Ping()])))

    async def say(self, message: Message) -> Receipt:
        """Every datagram until a receipt says that all is there, or refuses."""
        self.last = message
        self.receipts = [one for one in self.receipts if one.id != message.id]
        sending = fragments.Sending(message, self.bearer.traits.mtu, patience=2.0)
        loop = asyncio.get_running_loop()
        while not (sending.done or sending.failed):
            sending.tick(loop.time())
            if (outgoing := sending.next()) is not None:
                await self.send(outgoing.data)
                sending.sent(outgoing.place, loop.time())
            for receipt in [one for one in self.receipts if one.id == message.id]:
                sending.hear(receipt)
                if not receipt.complete and receipt.refused is None:
                    self.receipts.remove(receipt)
            await asyncio.sleep(0.01)
        assert sending.failed in (
            "",
            f"refused.{self.receipts[-1].refused.name.lower()}" if self.receipts[-1].refused else "",
        )
        return [one for one in self.receipts if one.id == message.id][-1]

    async def send(self, data: bytes) -> None:
        await self.bearer.send(data)

    async def until(self, what: Callable[[], object], seconds: float = 30.0) -> object:
        async with asyncio.timeout(seconds):
            while not (found := what()):  # noqa: ASYNC110 - many conditions, one wait
                await asyncio.sleep(0.01)
        return found

    async def _listen(self) -> None:
        async for datagram in self.bearer.incoming():
            self.heard.append(datagram)
            self._take(header.decode(datagram.data))

    def _take(self, frame: Frame) -> None:
        if frame.kind is Kind.HELLO:
            for nonce in (self._nonce, hello.UNASKED):
                with contextlib.suppress(RemoteError):
                    self.answers.append(hello.understand(keys.hello_key(self._secret, self.station), frame, nonce))
        elif frame.kind is Kind.SEALED:
            self.sealed.append(frame)
        elif frame.kind is Kind.ACKS:
            own = header.address(self.station, up=False)
            for row in decode_many(frame.body):
                if settles(row, own, self.session.keys.ack, self.session.counter_of(row.receipt.id)):
                    self.receipts.append(row.receipt)
        elif frame.piece is None:
            opened = self.session.open(frame, frame.body)
            if opened.kind is Kind.COMMAND:
                self.commands.append(opened.body)
            else:
                self.receipts += [one for one in control.decode(opened.body) if isinstance(one, Receipt)]
