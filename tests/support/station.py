"""A whole station for tests: the agent as its own process, devices behind real ports, and a platform that listens.

    async with station(tmp_path, broker.url) as site:
        await site.agent.start()
        await until(lambda: site.platform.tracker.readings(site.id) > 10)

Stations of one broker stay apart by their topic root. Sensors are quick here (ten samples a second, written every 50 ms),
so that a test need not be slow to be about many readings.
"""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.control import ask
from agent.demo.authority import Authority
from agent.demo.process import AgentProcess
from agent.subscriber.listen import Tracker
from buffer.model import Lane
from buffer.reader import Reader
from drivers.simulated.modbus import TcpBus
from drivers.simulated.relay import RelayBoard
from drivers.simulated.unit import Unit
from protocols import columns, envelope
from protocols.alert import ActionCode, Alert, MsgType
from tests.support.tree import ROOT
from tests.support.until import until

AREA = "330102001"
FOREIGN = "530302001"
TEXT = "山洪,立即转移"
WITHIN = 60.0  # seconds: generous, no figure
SIREN = 0  # the board's first coil, channel 1
PLANS = """
[[plan]]
name = "evacuate"
action = ["evacuate"]
siren = { pattern = "steady", seconds = 180, drill = 15 }
[[plan]]
name = "other"
"""


class Gauge:
    """A water level that rises a millimetre with every look at it, so that each sample differs from the one before."""

    def __init__(self, unit: int = 1, **changes: Any) -> None:
        self.looks = 0
        self.unit = Unit(unit, holding=self._word, **changes)

    def _word(self, address: int) -> int | None:
        if address == 3:
            self.looks += 1
        return {2: 0, 3: self.looks & 0xFFFF}.get(address)


class Platform:
    """The reference subscriber behind a persistent session, and an issuer's publisher, on one connection of MQTT 5."""

    def __init__(self, port: int, root: str) -> None:
        self.root, self.port = root, port
        self.tracker = Tracker(root=root, whole=True)
        self.readings: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.statuses: list[dict[str, Any]] = []
        self.problems: list[dict[str, Any]] = []
        self.digests: list[dict[str, Any]] = []
        self.raw: list[tuple[str, bytes]] = []
        self._ready = threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2, f"platform-{uuid.uuid4().hex[:8]}", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda *_: self._client.subscribe(f"{root}/+/+", 1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        lasting = Properties(PacketTypes.CONNECT)
        lasting.SessionExpiryInterval = 3600
        self._client.connect("127.0.0.1", self.port, clean_start=False, properties=lasting)
        self._client.loop_start()
        assert self._ready.wait(WITHIN)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes, *, retain: bool = True) -> None:
        """Returns when the broker has it."""
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(WITHIN)

    def warn(self, alert: Alert, sealed: bytes, area: str = AREA, *, retain: bool = True) -> float:
        """Publishes on the topic that belongs to the alert; the moment (monotonic) before."""
        at = time.monotonic()
        self.publish(envelope.warning(self.root, area, str(alert.issuer), alert.seq), sealed, retain=retain)
        return at

    def types(self, prefix: str = "") -> list[str]:
        return [event["type"] for event in list(self.events) if event["type"].startswith(prefix)]

    def said(self, kind: str, **facts: Any) -> list[dict[str, Any]]:
        """Events of one type with these facts, in the order of arrival."""
        return [one for one in list(self.events) if one["type"] == kind and facts.items() <= one.items()]

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        payload = bytes(message.payload)
        self.raw.append((message.topic, payload))
        lists = {
            "reading": self.readings,
            "event": self.events,
            "status": self.statuses,
            "problem": self.problems,
            "digest": self.digests,
        }
        for item in self.tracker.take(message.topic, payload):
            lists[item.kind].append(dict(item.facts))


class Site:
    """A station's folder with its configuration (`tables`, by name), its devices, its agent, its platform."""

    def __init__(self, folder: Path, root: str, url: str) -> None:
        self.folder, self.root, self.id = folder, root, "s1"
        folder.mkdir(parents=True, exist_ok=True)
        self.authority = Authority()
        self.agent = AgentProcess(folder)
        self.platform: Platform
        self.board: RelayBoard
        self.gauge: Gauge
        self.tables: dict[str, str] = {}
        self.station = {"id": self.id, "areas": [AREA], "language": "en"}
        self.route = {
            "name": "p",
            "url": url,
            "root": root,
            "linger": "50ms",
            "patience": "5s",
            "status_interval": "5s",
            "keepalive": 5,
            "telemetry_keepalive": 5,
        }

    def write(self) -> Path:
        """The configuration as it now is; returns its file."""
        file = self.folder / "station.toml"
        head = {
            "station": table("station", **self.station),
            "clock": table("clock", source="system"),
            "buffer": table("buffer", commit_interval="50ms", settle_interval="200ms"),
        }
        tables = {**head, "route": table("[route]", **self.route), **self.tables}
        file.write_text("\n".join(tables.values()), encoding="utf-8")
        return file

    def sensor(self, name: str, bus: str, profile: str = "sl651-level", **facts: Any) -> None:
        facts = {"unit": 1, "interval": "100ms", "timeout": "200ms", **facts}
        self.tables[f"sensor {name}"] = table("[sensor]", name=name, bus=bus, profile=profile, **facts)

    def bus(self, name: str, url: str, **facts: Any) -> None:
        self.tables[f"bus {name}"] = table("[bus]", name=name, url=url, **facts)

    def warnings(self, **facts: Any) -> None:
        """Believe the authority; show on a display that writes to a file. The siren's signal is one long tone, so that
        the coil says whether it sounds.
        """
        (self.folder / "keyset.cbor").write_bytes(self.authority.keyset())
        (self.folder / "plans.toml").write_text(PLANS)
        facts = {"keyset": "keyset.cbor", "roots": self.authority.roots, "plans": "plans.toml", **facts}
        self.tables["warnings"] = table("warnings", **facts)
        self.tables["display"] = table("[actuator]", name="display", driver="sim", kind="display", file="display.jsonl")

    # What is seen of it

    def status(self) -> dict[str, Any] | None:
        return ask(self.agent.control, "status", timeout=5.0)

    @property
    def committed(self) -> int:
        """What the agent itself says is on disk."""
        answer = self.status()
        return int(answer["readings"]["committed"]) if answer else 0

    @property
    def delivered(self) -> int:
        return self.platform.tracker.readings(self.id)

    def stored(self) -> list[tuple[str, int, str, float]]:
        """Every reading in the file: (log, number, series, value)."""
        if not self.agent.database.exists():
            return []
        with Reader(self.agent.database) as reader:
            return [
                (block.log, block.first + offset, reading.series, reading.value)
                for block in reader.blocks(Lane.TELEMETRY)
                for offset, its in enumerate(columns.unpack(block.body).numbers)
                for reading in its
            ]

    def numbers(self) -> dict[tuple[str, str], list[int]]:
        """Every number in the file, by log and lane."""
        found: dict[tuple[str, str], list[int]] = defaultdict(list)
        if not self.agent.database.exists():
            return {}
        with Reader(self.agent.database) as reader:
            for block in reader.blocks():
                found[block.log, block.lane.name.lower()] += range(block.first, block.last + 1)
        return dict(found)

    def recorded(self) -> list[str]:
        """Types of the events in the file, whether sent or not."""
        with Reader(self.agent.database) as reader:
            return [
                json.loads(block.body)["type"] for lane in (Lane.ALARM, Lane.EVENT) for block in reader.blocks(lane)
            ]

    def caught_up(self) -> bool:
        """Everything in the file has arrived. For an agent that takes no more readings, or has ended."""
        held = {(lane.log, lane.lane): found.numbers for lane, found in self.platform.tracker.holdings}
        return all(
            key in held and held[key].covers(number, number) for key, each in self.numbers().items() for number in each
        )

    @property
    def sounding(self) -> bool:
        return self.board.on(SIREN)

    def activations(self) -> int:
        return sum(each.on and each.channel == SIREN for each in self.board.log)

    def shown(self) -> list[dict[str, Any]]:
        """What the display did, oldest first."""
        try:
            lines = (self.folder / "display.jsonl").read_text(encoding="utf-8").splitlines()
        except OSError:
            return []
        return [json.loads(line) for line in lines if line.endswith("}")]

    # What is done to it

    def warn(self, text: str = TEXT, *, both: bool = True, area: str = AREA, **words: Any) -> Alert:
        """A genuine alert, published."""
        alert = self.authority.alert(area, text, **words)
        self.platform.warn(alert, self.authority.genuine(alert, text, both=both), area)
        return alert

    def cancel(self, alert: Alert) -> Alert:
        return self.warn("", both=False, chain=alert.chain, msg_type=MsgType.CANCEL, action=ActionCode.ALL_CLEAR)

    async def kill(self) -> None:
        await self.agent.end(signal.SIGKILL)

    async def up(self) -> None:
        """Started, and its platform has heard it."""
        await self.agent.start()
        await until(lambda: self._linked() or not self.agent.running, WITHIN)
        assert self.agent.running, self.agent.said()

    def _linked(self) -> bool:
        answer = self.status()
        return bool(answer and answer["bearers"]["p"]["urgent"]["up"])

    async def delivers_all(self) -> None:
        """One more life without sensors, until the platform has everything that is on disk, each of it once."""
        for name in [name for name in self.tables if name.startswith("sensor")]:
            del self.tables[name]
        self.write()
        await self.up()
        await until(self.caught_up, WITHIN)
        await self.agent.end(signal.SIGTERM)
        assert self.delivered == len(self.stored())
        assert self.platform.tracker.duplicates_in_effect == 0
        assert self.platform.tracker.complete(self.id)
        assert self.platform.problems == []

    async def delivers(self, more: int = 1) -> None:
        """So many further readings arrive."""
        before = self.delivered
        await until(lambda: self.delivered >= before + more, WITHIN)


@asynccontextmanager
async def station(
    folder: Path, port: int, *, through: int | None = None, sensor: bool = True, siren: bool = False
) -> AsyncIterator[Site]:
    """A site whose platform is on the broker at `port`, and whose agent reaches it there or `through` another port."""
    root = f"t{uuid.uuid4().hex[:8]}/1"
    site = Site(folder, root, f"mqtt://127.0.0.1:{through or port}")
    async with contextlib.AsyncExitStack() as stack:
        site.platform = stack.enter_context(Platform(port, root))
        site.gauge = Gauge()
        site.board = RelayBoard(unit=1)
        if sensor:
            field = await stack.enter_async_context(TcpBus([site.gauge.unit]))
            site.bus("field", field.url)
            site.sensor("gauge", "field")
        if siren:
            relays = await stack.enter_async_context(TcpBus([site.board]))
            site.bus("relays", relays.url)
            site.warnings()
            facts = {"driver": "modbus-relay", "board": "waveshare-8ch", "bus": "relays", "unit": 1, "channel": 1}
            site.tables["siren"] = table("[actuator]", name="siren", **facts)
        site.write()
        try:
            yield site
        finally:
            await site.kill()


def table(name: str, /, **facts: Any) -> str:
    """One TOML table, or with `[name]` one of a list of them. JSON's strings, numbers and lists are TOML's too."""
    lines = [f"{key} = {_toml(value)}" for key, value in facts.items()]
    return "\n".join([f"[{name}]", *lines, ""])


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def fengsui(*arguments: object, data: bytes = b"", **changes: Any) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own."""
    command: Sequence[str] = [sys.executable, "-m", "agent.cli", "--lang", "en", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=changes.pop("cwd", ROOT), input=data, capture_output=True, timeout=WITHIN, check=False, **changes
    )
    return subprocess.CompletedProcess(
        command, done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    )


async def command(*arguments: object, **changes: Any) -> subprocess.CompletedProcess[str]:
    """The same, while the loop goes on: the devices of a test live in it."""
    return await asyncio.to_thread(fengsui, *arguments, **changes)
