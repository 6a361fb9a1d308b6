"""Commands of one platform: taken in turn, never more than a station can bear, each answered once.

The answer is an event, which outlives a broken link, and a message on the response topic for who still waits. A verb that
changes anything takes its payload out of a seal first (`Verb.unseal`); `resend` changes nothing and needs none. Knows no
topic and no buffer.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.bucket import Bucket
from agent.links.downlink import Command
from drivers.api import Report
from protocols.errors import RemoteError

log = logging.getLogger(__name__)

MOST_WAITING = 4  # commands not yet begun; a platform that asks faster than it is answered is told "busy"
BURST, RATE = 20, 1 / 30  # commands at once, and a second after that: each one is an event that has to be kept and sent
TELL_EVERY = 600.0  # seconds between two reports of commands that were not even looked at
LONGEST_ANSWER = 32 * 1024  # bytes of a response; the event beside it is bounded by what the verb says

Facts = Mapping[str, Any]
Obey = Callable[[bytes], Awaitable[Facts]]
"""Does what a payload says; RemoteError refuses it. The facts are JSON and stand in the answer."""
Respond = Callable[[str, bytes, bytes], None]
"""`(topic, correlation, payload)`: said once, to whoever still listens."""


def as_it_is(payload: bytes) -> bytes:
    return payload


@dataclass(frozen=True, slots=True)
class Verb:
    """`unseal` gives the payload that a trusted seal covers, or RemoteError."""

    obey: Obey
    unseal: Callable[[bytes], bytes] = as_it_is


class Commands:
    """`take` is an `agent.links.downlink.OnCommand`; `run` for ever."""

    def __init__(self, station: str, verbs: Mapping[str, Verb], *, record: Report, respond: Respond) -> None:
        self._station, self._verbs = station, verbs
        self._record, self._respond = record, respond
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Queue[Command] = asyncio.Queue(MOST_WAITING)
        self._pace = Bucket(BURST, RATE, self._loop.time())
        self._passed_over = 0
        self._telling: asyncio.TimerHandle | None = None

    def take(self, command: Command, done: Callable[[], None]) -> None:
        """The broker is told at once: a command that waits must not hold up the acknowledgement of a warning."""
        done()
        now = self._loop.time()
        if self._pace.wait(1, now):
            self._pass_over()
            return
        self._pace.take(1, now)
        if command.verb not in self._verbs:
            self._refuse(command, "unknown-verb")
        elif self._waiting.full():
            self._refuse(command, "busy")
        else:
            self._waiting.put_nowait(command)

    async def run(self) -> None:
        while True:
            await self._obey(await self._waiting.get())

    async def _obey(self, command: Command) -> None:
        verb = self._verbs[command.verb]
        try:
            facts = await verb.obey(verb.unseal(command.payload))
        except RemoteError as wrong:
            self._refuse(command, wrong.reason, wrong.detail[:200])
        except Exception as fault:
            log.exception("command %s failed", command.verb)
            self._refuse(command, "failed", type(fault).__name__)
        else:
            self._answer(command, "command.done", facts)

    def _refuse(self, command: Command, reason: str, detail: str = "") -> None:
        self._answer(command, "command.refused", {"reason": reason, "detail": detail})

    def _answer(self, command: Command, kind: str, facts: Facts) -> None:
        said = {"verb": command.verb[:64], "correlation": command.correlation.hex(), **facts}
        self._record(kind, said)
        if command.response_topic:
            answer = json.dumps({"type": kind, "station": self._station, **said}, separators=(",", ":")).encode()
            self._respond(command.response_topic, command.correlation, answer[:LONGEST_ANSWER])

    def _pass_over(self) -> None:
        """Too many: counted, told of once in a while, answered not at all."""
        self._passed_over += 1
        if self._telling is None:
            self._telling = self._loop.call_later(TELL_EVERY, self._tell)
            self._record("command.flood", {"commands": 1, "seconds": 0})

    def _tell(self) -> None:
        self._telling = None
        if self._passed_over > 1:
            self._record("command.flood", {"commands": self._passed_over, "seconds": int(TELL_EVERY)})
        self._passed_over = 0
