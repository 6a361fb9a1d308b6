"""Devices of the station's own that publish to a broker near by (on this computer, or on its own network): driver `mqtt-lan`.

A topic carries a plain number or SenML (RFC 8428). What the broker kept from before is of no known age and is passed
over. Nothing is published, and nothing heard here is a command.
"""

import asyncio
import ipaddress
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, Literal

import msgspec

from drivers.api import Context, Emit, Factory, Problem, SeriesSpec
from drivers.condition import Condition
from drivers.mqtt_ear import LARGEST, Ear
from drivers.sensors.lan_series import LanSeries, check_series, emit_by_instant, readings
from drivers.values import Duration
from protocols.errors import RemoteError
from protocols.reading import Reading
from protocols.senml_post import CBOR, JSON, Value, decode

PORT = 1883  # IANA
MOST_TOPICS = 64
AGAIN_FIRST, AGAIN_MOST = 1.0, 60.0  # seconds between connections, doubling
NUMBER = re.compile(rb"\s*([-+]?\d{1,18}(?:\.\d{0,18})?(?:[eE][-+]?\d{1,3})?)\s*")
FORMS = {"senml": JSON, "senml-cbor": CBOR}


class TopicConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`topic` may have one `+`. A plain number belongs to the series that is called by what stands for it there, or to the
    only one; SenML names its own. `clock`: `utc` believes the times in SenML, else its newest value is as new as its arrival.
    """

    topic: str
    series: dict[str, LanSeries]
    payload: Literal["number", "senml", "senml-cbor"] = "number"
    clock: Literal["none", "utc"] = "none"


class MqttLanConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`[[sensor]] driver = "mqtt-lan"` with a `[[sensor.topic]]` for each topic. `login` a file `user:password`, mode 0600."""

    name: str
    topic: list[TopicConfig]
    host: str = "127.0.0.1"
    port: int = PORT
    login: str = ""
    stale: Duration = Duration(3600.0)


class Topic:
    """One configured topic, and what a message on it says."""

    def __init__(self, config: TopicConfig) -> None:
        self.config = config
        self._pattern = re.compile(re.escape(config.topic).replace(r"\+", "([^/]+)"))

    def match(self, topic: str) -> str | None:
        """What stands for `+` ("" where there is none); None where it is another topic."""
        found = self._pattern.fullmatch(topic)
        return None if found is None else found[1] if found.re.groups else ""

    def values(self, which: str, payload: bytes, wall: float) -> list[Value]:
        config = self.config
        if config.payload != "number":
            return decode(payload, FORMS[config.payload], wall if config.clock == "utc" else None)
        number = NUMBER.fullmatch(payload)
        if number is None or not isfinite(float(number[1])):
            raise RemoteError("mqtt.number", repr(payload[:20]))
        name = which if "+" in config.topic else next(iter(config.series))
        return [Value(name, name, float(number[1]), "", 0.0)]

    def readings(self, which: str, payload: bytes, wall: float, arrived: int) -> tuple[list[Reading], int]:
        return readings(self.config.series, self.values(which, payload, wall), arrived)


class MqttLanSource:
    """See `drivers.api.Source`."""

    def __init__(
        self,
        config: MqttLanConfig,
        login: tuple[str, str] | None,
        context: Context,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.name = config.name
        self._config, self._login, self._now, self._wall = config, login, context.now, wall
        self._topics = [Topic(one) for one in config.topic]
        self._counters: Counter[str] = Counter()
        self._newest: dict[str, Reading] = {}
        self._heard = context.now()
        where = f"{config.host}:{config.port}"
        self._condition = Condition(config.name, context.report, context.now, {"port": where})
        self._emit: Emit = lambda _readings: None
        self._ear: Ear | None = None

    @property
    def series(self) -> Mapping[str, SeriesSpec]:
        return {one.name: one.spec() for topic in self._config.topic for one in topic.series.values()}

    @property
    def listening(self) -> bool:
        return self._ear is not None and self._ear.heard

    async def run(self, emit: Emit) -> None:
        self._emit = emit
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._watch())

    async def read_once(self) -> Sequence[Reading]:
        """Devices speak when they like: what they said last."""
        if not self._newest:
            raise RemoteError("silent", self.name)
        return list(self._newest.values())

    def status(self) -> Mapping[str, Any]:
        return {**self._condition.status(), "listening": self.listening, "counters": dict(self._counters)}

    async def _listen(self) -> None:
        config, wait = self._config, AGAIN_FIRST
        filters = [one.topic for one in config.topic]
        while True:
            self._ear = Ear(config.host, config.port, filters, self._hear, self._login)
            began = time.monotonic()
            try:
                await self._ear.listen()
            except OSError as wrong:
                self._counters["broker"] += 1
                self._condition.failed("broker", lambda why=str(wrong): [why], at_once=True)  # type: ignore[misc]  # mypy cannot type a default in a lambda
            wait = AGAIN_FIRST if time.monotonic() - began > AGAIN_MOST else min(2 * wait, AGAIN_MOST)
            await asyncio.sleep(wait)

    def _hear(self, topic: str, payload: bytes, retained: bool) -> None:
        if retained or len(payload) > LARGEST:
            self._counters["retained" if retained else "oversize"] += 1
            return
        matched = next(((one, which) for one in self._topics if (which := one.match(topic)) is not None), None)
        if matched is None:
            self._counters["strange_topic"] += 1
            return
        try:
            found, strange = matched[0].readings(matched[1], payload, self._wall(), self._now())
        except RemoteError as wrong:
            self._counters[wrong.reason] += 1
            return
        self._counters["strange_series"] += strange
        if found:
            self._counters["ok"] += 1
            self._heard = self._now()
            self._newest |= {one.series: one for one in found}
            self._condition.succeeded()
            emit_by_instant(self._emit, found)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._config.stale / 4)
            if self._now() - self._heard >= self._config.stale * 1000 and self._condition.state != "down":
                self._condition.failed("silent", at_once=True)


def create(config: MqttLanConfig, context: Context) -> MqttLanSource:
    login = None
    if config.login:
        user, _, password = (context.base / config.login).read_text("utf-8").strip().partition(":")
        login = user, password
    return MqttLanSource(config, login, context)


def check(config: MqttLanConfig, context: Context) -> Iterator[Problem]:
    yield from check_series((topic.series for topic in config.topic), "topic")
    if not 1 <= len(config.topic) <= MOST_TOPICS:
        yield Problem("topic", "value.range", {"value": len(config.topic), "least": 1, "most": MOST_TOPICS})
    if not 1 <= config.port <= 65_535:
        yield Problem("port", "value.range", {"value": config.port, "least": 1, "most": 65_535})
    if config.stale <= 0:
        yield Problem("stale", "value.range", {"value": config.stale, "least": "1s", "most": "7d"})
    if not _near(config.host):
        yield Problem("host", "lan.far", {"host": config.host})
    if config.login and not (context.base / config.login).is_file():
        yield Problem("login", "file.missing", {"file": str(context.base / config.login)})
    elif config.login and (context.base / config.login).stat().st_mode & 0o077:
        mode = f"{(context.base / config.login).stat().st_mode & 0o777:04o}"
        yield Problem("login", "coap.key_mode", {"file": config.login, "mode": mode})
    for topic in config.topic:
        yield from _check_topic(topic)


def _near(host: str) -> bool:
    """An address of this computer or of a private network. A name would be asked of somebody else's server."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_private or address.is_link_local


def _check_topic(topic: TopicConfig) -> Iterator[Problem]:
    at = f"topic[{topic.topic}]"
    parts = topic.topic.split("/")
    wrong = "#" in topic.topic or "\0" in topic.topic or not topic.topic or len(topic.topic) > 200
    if wrong or parts.count("+") > 1 or any("+" in part and part != "+" for part in parts):
        yield Problem(f"{at}.topic", "lan.topic", {"topic": topic.topic})
    if topic.payload == "number" and "+" not in parts and len(topic.series) > 1:
        yield Problem(f"{at}.series", "lan.one_number", {"topic": topic.topic})


FACTORY = Factory(MqttLanConfig, create, check)
