"""A station's narrow side in virtual time: configuration, buffer, bearers and the far end, without sensors or MQTT.

async with village(tmp_path, {"beidou": {"interval": 60.0, "loss": 0.045}}) as site:
    site.alarm(level="red")
    await site.passes(120)
"""

import asyncio
import contextlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.bearers.fleet import Fleet, House
from agent.clock import BUILD_TIME, Clock
from agent.config_load import load
from agent.links import bodies
from agent.record import Recorder
from agent.supervisor import Supervisor
from buffer.model import Lane, Options, RouteSpec
from buffer.store import Buffer
from drivers.api import Context, SeriesSpec
from protocols import columns
from protocols.narrow.keys import public_of
from protocols.reading import Reading
from tests.support.far_end import FarEnd
from tests.support.patient import Held, boot_ms

STATION = "s1"
BEGIN = (BUILD_TIME + 1_000_000) * 1000  # Unix ms at the loop's time 0
SERIES = {f"river.s{place}": SeriesSpec("m", span=(0.0, 40.0), step=0.01) for place in range(6)}


@dataclass
class Link:
    """What the narrow side sees of MQTT."""

    name: str = "county"
    up: bool = False

    def __post_init__(self) -> None:
        self.counts = SimpleNamespace(settled=0)


class Village:
    def __init__(self, folder, bearers, series=SERIES, narrow="", **changes: Any) -> None:
        self.folder, self.series = folder, dict(series)
        self.link = Link()
        self.private = changes.get("private") or X25519PrivateKey.generate().private_bytes_raw()
        self.warned: list[tuple[str, bytes]] = []
        self.trusted: list[tuple[str, str, bytes]] = []
        self.obeyed: list[Any] = []
        self.standing: list[str] = []
        self.changes = changes
        self.file = folder / "station.toml"
        (folder / "headend.pub").write_text(public_of(self.private).hex() + "\n")
        self.file.write_text(_toml(bearers, narrow))

    async def begin(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.config, findings = load(self.file)
        assert self.config is not None, [str(one) for one in findings]
        self.config.state.mkdir(exist_ok=True)
        self.raw = Buffer.open(
            self.config.state / "buffer.db",
            options=Options(commit_interval=0.02, settle_interval=0.05),
            routes=[RouteSpec("county")],
            merge=columns.merging,
            thin=bodies.thin,
        )
        self.buffer = Held(self.raw)
        self.clock = Clock("system", boot=b"bootboot", now=boot_ms, wall_ms=lambda: BEGIN + boot_ms() - 1_000_000)
        self.recorder = Recorder(self.buffer, self.clock, 1.0)
        self.events: list[tuple[str, dict[str, Any]]] = []
        context = Context(self.config.base, lambda kind, facts: self.events.append((kind, dict(facts))), now=boot_ms)
        house = House(
            uplinks=[self.link],
            commands={"county": SimpleNamespace(take=lambda said, done: (self.obeyed.append(said), done()))},
            series=self.series,
            warning=lambda bearer, data, _retained, done: (self.warned.append((bearer, data)), done()),
            trust=lambda kind, bearer, data, _retained, done: (self.trusted.append((kind, bearer, data)), done()),
            genuine=self.changes.get("genuine", lambda _data: True),
            standing=lambda: self.standing,
        )
        self.fleet = Fleet(self.config, self.recorder, context, house, self.loop.time)

    async def meet(self, bearers) -> None:
        """The far end, on the same air."""
        private = self.config.state / "narrow.key"
        public = public_of(bytes.fromhex(private.read_text().strip()))
        self.far = FarEnd(STATION, self.private, public, self.loop.time)
        for name, words in bearers.items():
            self.far.attach(self.folder, name, **{**words, "interval": words.get("far_interval", 1.0)})

    # What happens

    async def alarm(self, kind: str = "rule.raised", **facts: Any) -> int:
        facts = {"rule": "flood", "alert": "ab" * 32, "event": "11B03", "level": "orange", "action": "prepare"} | facts
        return await self.record(kind, facts, Lane.ALARM)

    async def event(self, kind: str = "device.down", **facts: Any) -> int:
        return await self.record(kind, {"device": "gauge", **facts}, Lane.EVENT)

    async def record(self, kind: str, facts: Any, lane: Lane) -> int:
        """On disk when it returns."""
        number = self.recorder.event(kind, facts, lane).number
        await asyncio.wrap_future(self.buffer.flush())
        return number

    def sample(self, value: float) -> None:
        at = boot_ms()
        self.recorder.readings([Reading(name, at, value + place, "m", 1) for place, name in enumerate(self.series)])

    async def passes(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def until(self, condition, within: float = 3600.0, step: float = 1.0) -> float:
        """Virtual seconds it took."""
        began = self.loop.time()
        while not condition():
            assert self.loop.time() - began < within, "did not come about"
            await asyncio.sleep(step)
        return self.loop.time() - began

    def pending(self, *lanes: Lane) -> int:
        return sum(row.numbers for row in self.raw.backlog("county") if not lanes or row.lane in lanes)

    def dispatch(self):
        return self.fleet.dispatches["county"]


@asynccontextmanager
async def village(folder, bearers, *, far=True, **changes: Any):
    site = Village(folder, bearers, **changes)
    await site.begin()
    try:
        async with contextlib.AsyncExitStack() as stack:
            if far:
                await site.meet(bearers)
                stack.push_async_callback(site.far.close)
            async with Supervisor() as house:
                site.house = house
                site.fleet.start(house)
                await asyncio.sleep(1.5)
                yield site
                house.stop()
    finally:
        site.raw.close()


def _toml(bearers, narrow: str) -> str:
    text = '[station]\nid = "s1"\n[clock]\nsource = "system"\n[[route]]\nname = "county"\nurl = "mqtt://127.0.0.1:1"\n'
    text += f'[narrow]\nheadend = "headend.pub"\n{narrow}\n'
    for name, words in bearers.items():
        rows = {"name": name, "driver": "sim", "air": f"air-{name}", "address": STATION, "to": "headend"} | words
        rows.pop("far_interval", None)
        text += "[[bearer]]\n" + "".join(f"{key} = {_value(value)}\n" for key, value in rows.items())
    return text


def _value(value: Any) -> str:
    import json

    return json.dumps(value)
