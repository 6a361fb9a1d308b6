"""A platform's ears: subscribes to everything below a root and keeps which numbers came, by ranges, how often, and when.

A paho client with its own thread, as plain as a user would write it; nothing of the agent's link code is in it.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import cbor2
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from buffer.ranges import Ranges
from protocols.key import LANES, Key, parse_key


class Listener:
    """`numbers[log, lane]` are ranges; `repeats` counts numbers that came again; `messages` keeps the newest payloads."""

    def __init__(self, port: int, host: str = "127.0.0.1", root: str = "fengsui/1", *, keep: int = 1000) -> None:
        self.numbers: dict[tuple[str, str], Ranges] = {}
        self.repeats: Counter[tuple[str, str]] = Counter()
        self.messages: list[tuple[str, bytes]] = []
        self.statuses: list[dict[str, Any]] = []
        self.events: list[tuple[float, dict[str, Any]]] = []  # (time.monotonic, event)
        self.order: list[tuple[str, Key]] = []  # (kind, key) in the order of arrival
        self.bytes = 0
        self._host, self._port, self._root, self._keep = host, port, root, keep
        self._ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        self._client.connect(self._host, self._port)
        self._client.loop_start()
        assert self._ready.wait(20)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def count(self, lane: str) -> int:
        return sum(ranges.count for (_, its_lane), ranges in self.numbers.items() if its_lane == lane)

    def wait(self, condition: Callable[["Listener"], bool], within: float = 60.0) -> None:
        deadline = time.monotonic() + within
        while not condition(self):
            assert time.monotonic() < deadline, f"did not come about: {self.numbers}"
            time.sleep(0.01)

    def _on_connect(self, *_what: object) -> None:
        self._client.subscribe(f"{self._root}/#", 1)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        now, payload = time.monotonic(), bytes(message.payload)
        self.bytes += len(payload)
        if len(self.messages) < self._keep:
            self.messages.append((message.topic, payload))
        station, _, kind = message.topic.removeprefix(self._root + "/").partition("/")
        if kind == "status":
            self.statuses.append(json.loads(payload))
        elif kind == "events":
            event = json.loads(payload)
            self.events.append((now, event))
            self._take(event["kind"], parse_key(station, event["id"]))
        elif kind == "readings":
            self._take(*_key_of(station, payload))

    def _take(self, kind: str, key: Key) -> None:
        self.order.append((kind, key))
        held = self.numbers.setdefault((key.log, key.lane), Ranges())
        fresh = sum(last - first + 1 for first, last in held.holes(key.first, key.last))
        self.repeats[key.log, key.lane] += key.numbers - fresh
        held.add(key.first, key.last)


def _key_of(station: str, payload: bytes) -> tuple[str, Key]:
    if payload[:1] == b"[":
        head = json.loads(payload[: payload.index(b"}") + 1] + b"]")[0]
        return head["kind"], parse_key(station, head["id"])
    packed = cbor2.loads(payload)
    if isinstance(packed[0], int):
        kinds = ("live", "backlog", "resend")
        return kinds[packed[6]], Key(packed[1], packed[2].hex(), LANES[packed[3]], packed[4], packed[5])
    return packed[0]["kind"], parse_key(station, packed[0]["id"])
