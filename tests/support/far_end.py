"""The other side of narrow bearers, small and strict: opens what a station says, keeps it, and answers.

Knows one station. Written on the frames alone, so that a station can be held against something that is not the headend.
"""

import asyncio
import os
from collections import Counter
from typing import Any

from drivers.api import Context, Declined
from drivers.bearers.sim import Sim, SimConfig
from protocols.errors import RemoteError
from protocols.narrow import command, control, detail, digest, event, fragments, header, hello, keys, receipt, sealed
from protocols.narrow.command import Command
from protocols.narrow.context import Contexts
from protocols.narrow.control import Ping
from protocols.narrow.counter import Counter as Numbers
from protocols.narrow.header import Frame, Kind
from protocols.narrow.hello import Answer, Epochs, Welcome
from protocols.narrow.link import Link
from protocols.narrow.reassembly import Reassembly
from protocols.narrow.receipt import Addressed, Reason, Receipt
from protocols.narrow.schema import Schema, learn
from protocols.narrow.session import open_session

INSTANCE = 1


class FarEnd:
    """`numbers`: (log, lane, number) → how often it came fresh. `deaf`: hears nothing; `mute`: says nothing."""

    def __init__(self, station: str, private: bytes, public: bytes, now, unix=lambda: 0) -> None:
        self.station, self._now, self._unix = station, now, unix
        self._secret = keys.agree(private, public)
        self._hello_key = keys.hello_key(self._secret, station)
        self.contexts, self.schemas = Contexts(), dict[bytes, Schema]()
        self.epochs = Epochs(self._begin)
        self.reassembly = Reassembly(most_bytes=8 << 20)
        self.link = Link(self.epochs, self.reassembly)
        self.ends: dict[str, Sim] = {}
        self.numbers: Counter[tuple[str, str, int]] = Counter()
        self.events: list[tuple[float, dict[str, Any]]] = []
        self.digests: list[tuple[float, digest.Digest]] = []
        self.readings: dict[tuple[str, int], list[Any]] = {}
        self.counters: list[tuple[bytes, int]] = []  # (salt, whole counter) of every fresh message
        self.receipts: list[Receipt] = []  # the station's on ours
        self.kinds: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        self.broadcast = False
        self.mute = False
        self._tasks: list[asyncio.Task[None]] = []

    # On the air

    def attach(self, base, name: str, **words: Any) -> Sim:
        """An end of a simulated bearer, in the same air as the station's of that name."""
        own = {key: value for key, value in words.items() if key in SimConfig.__struct_fields__}
        config = SimConfig(
            **own
            | {"name": f"far-{name}", "air": f"air-{name}", "address": "headend", "to": self.station, "duplex": True}
        )
        end = Sim(config, Context(base, lambda *_: None))
        self.ends[name] = end
        self._tasks += [asyncio.create_task(end.run()), asyncio.create_task(self._listen(name, end))]
        return end

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self, name: str, end: Sim) -> None:
        async for datagram in end.incoming():
            try:
                answers = self.hear(name, datagram.sender, header.decode(datagram.data))
            except RemoteError as wrong:
                self.wrong[wrong.reason] += 1
                continue
            for answer in answers:
                await self.say(name, answer)

    async def say(self, name: str, frame: Frame, to: str = "") -> None:
        while not self.mute:
            sent = await self.ends[name].send(header.encode(frame), to)
            if not isinstance(sent, Declined) or not sent.retry_after:
                return
            await asyncio.sleep(sent.retry_after)

    async def command(self, name: str, said: Command) -> int:
        message = self.epochs.current.seal(Kind.COMMAND, command.encode(said))
        for frame in self._cut(message, name):
            await self.say(name, frame)
        return message.id

    async def warn(self, name: str, data: bytes) -> None:
        for frame in fragments.cut(sealed.message(data), self.ends[name].traits.mtu).values():
            await self.say(name, frame)

    def _cut(self, message, name):
        frames = list(fragments.cut(message, self.ends[name].traits.mtu, address=self._address(name)).values())
        return [*frames[:-1], frames[-1]._replace(wanted=True)]

    def _address(self, name: str) -> bytes:
        return header.address(self.station, up=False) if self.ends[name].traits.broadcast else b""

    # What it says

    def hear(self, name: str, sender: str, frame: Frame) -> list[Frame]:
        if frame.kind is Kind.HELLO:
            return [self._greet(frame)._replace(address=self._address(name))]
        got = self.link.receive(f"{name} {sender}", frame, self._now())
        if got.reason:
            self.wrong[got.reason] += 1
        if got.reason == "forged":
            return [hello.answer(self._hello_key, Answer(Welcome.WHO, self.epochs.highest, 0), os.urandom(12))]
        refused = None
        if got.opened is not None and got.opened.fresh:
            self.counters.append((got.session.epoch.salt, got.opened.counter))
            refused = self._take(got.opened)
        if got.receipt is None:
            return []
        said = got.receipt if refused is None else Receipt(got.receipt.id, refused=refused)
        return [self._receipt(name, said, got)]

    def _receipt(self, name, said, got) -> Frame:
        session = got.session
        if self.broadcast:
            counter = got.opened.counter if got.opened else session.windows[0].highest
            own = header.address(self.station, up=False)
            rows = [
                Addressed(b"xyz", said, b"1234"),
                Addressed(own, said, receipt.mac(session.keys.ack, counter, said)),
            ]
            return Frame(Kind.ACKS, 1, receipt.encode_many(rows))
        message = session.seal(Kind.CONTROL, control.encode([said]))
        return Frame(message.kind, message.id, message.data, address=self._address(name))

    def _greet(self, frame: Frame) -> Frame:
        said, nonce = hello.hear(self._hello_key, frame)
        welcome = self.epochs.greet(said)
        self.contexts.learn(said.contexts)
        self.kinds["hello"] += 1
        return hello.answer(self._hello_key, Answer(welcome, self.epochs.highest, self._unix()), os.urandom(12), nonce)

    def _begin(self, said):
        counter = Numbers(0, lambda until: counter.reserved(until))  # noqa: PLW0108 - it does not exist yet
        return open_session(self._secret, self.station, said.epoch, counter, INSTANCE)

    def _take(self, opened) -> Reason | None:
        self.kinds[opened.kind.name.lower()] += 1
        try:
            if opened.kind is Kind.EVENT:
                self._event(opened.body)
            elif opened.kind is Kind.DATA:
                self._detail(opened.body)
            elif opened.kind is Kind.DIGEST:
                self._digest(opened.body)
            elif opened.kind is Kind.CONTROL:
                self.receipts += [part for part in control.decode(opened.body) if not isinstance(part, Ping)]
        except RemoteError as wrong:
            self.wrong[wrong.reason] += 1
            return Reason.CONTEXT if wrong.reason in {"context.unknown", "schema.unknown"} else Reason.MALFORMED
        return None

    def _event(self, body: bytes) -> None:
        import json

        found = event.decode(body, self.station, self.contexts)
        key = found.head.key
        self.numbers[key.log, key.lane, key.first] += 1
        self.events.append((self._now(), json.loads(found.to_wire())))

    def _detail(self, body: bytes) -> None:
        found = detail.unpack(body, self.contexts, self.schemas.get)
        for offset, readings in enumerate(found.numbers):
            self.numbers[found.context.log, "telemetry", found.first + offset] += 1
            self.readings[found.context.log, found.first + offset] = readings

    def _digest(self, body: bytes) -> None:
        if body[:1] == b"\0":
            schema = learn(body[1:])
            self.schemas[schema.id] = schema
            self.kinds["schema"] += 1
            return
        schema = self.schemas.get(digest.schema_of(body))
        if schema is None:
            raise RemoteError("schema.unknown")
        self.digests.append((self._now(), digest.decode(body, schema)))
