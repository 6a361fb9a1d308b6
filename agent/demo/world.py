"""The world of the demonstration: a broker, a link that fails, devices behind real ports, keys, and the station's files."""

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.demo.authority import Authority
from agent.demo.broker import DemoBroker
from agent.demo.process import AgentProcess
from drivers.simulated.link import FaultyLink
from drivers.simulated.modbus import PtyBus, TcpBus
from drivers.simulated.playback import PtyPlayer, surfrad_unit
from drivers.simulated.relay import RelayBoard
from drivers.simulated.surfrad import Row

DATA = Path(__file__).parent / "data"
STATION = "slv16001"
AREA = "330102001"
SIREN = 0  # coil of the relay board; channels are counted from 1, as printed on it


def station_toml(world: "World") -> str:
    """The station's configuration, as an operator would write it."""
    return f"""
[station]
id = "{STATION}"
areas = ["{AREA}"]

[clock]
source = "system"

[[route]]
name = "county"
url = "mqtt://127.0.0.1:{world.link.port}"
version = "{world.broker.version}"
keepalive = 5
telemetry_keepalive = 5
patience = "5s"
linger = "1s"

[[bus]]
name = "rs485"
url = "{world.met.url}"

[[sensor]]
name = "met"
bus = "rs485"
profile = "surfrad-met"
unit = 1
interval = "1s"

[[sensor]]
name = "wind"
driver = "nmea"
port = "{world.wind.url}"
profile = "nmea-weather"
interval = "1s"
prefix = "mast"

[[bus]]
name = "siren-bus"
url = "{world.sirens.url}"

[[actuator]]
name = "siren"
driver = "modbus-relay"
board = "waveshare-8ch"
bus = "siren-bus"
unit = 1
channel = {SIREN + 1}

[[actuator]]
name = "display"
driver = "sim"
kind = "display"
file = "display.jsonl"

[warnings]
keyset = "keyset.cbor"
roots = {json.dumps(world.authority.roots)}
"""


@dataclass(slots=True)
class World:
    """Everything around the agent, and the agent as a process of its own."""

    directory: Path
    broker: DemoBroker
    link: FaultyLink
    met: PtyBus
    wind: PtyPlayer
    sirens: TcpBus
    board: RelayBoard
    authority: Authority
    agent: AgentProcess

    def activations(self) -> list[float]:
        """When (monotonic) the siren's coil closed."""
        return [t.at for t in self.board.log if t.on and t.channel == SIREN]

    def sounding(self) -> bool:
        return self.board.on(SIREN)

    def shown(self) -> list[dict[str, Any]]:
        """What the display did, oldest first."""
        try:
            lines = (self.directory / "display.jsonl").read_text().splitlines()
        except OSError:
            return []
        return [json.loads(line) for line in lines if line.endswith("}")]


@asynccontextmanager
async def open_world(directory: Path, rows: Sequence[Row]) -> AsyncIterator[World]:
    """All of it, and nothing left over afterwards."""
    unit = surfrad_unit(rows)
    board = RelayBoard(unit=1)
    async with contextlib.AsyncExitStack() as stack:
        broker = stack.enter_context(DemoBroker(directory))
        link = await stack.enter_async_context(FaultyLink("127.0.0.1", broker.port))
        met = await stack.enter_async_context(PtyBus([unit], baud=9600))
        wind = await stack.enter_async_context(PtyPlayer(DATA / "bundg_zeus_9.log"))
        sirens = await stack.enter_async_context(TcpBus([board]))
        world = World(directory, broker, link, met, wind, sirens, board, Authority(), AgentProcess(directory))
        (directory / "keyset.cbor").write_bytes(world.authority.keyset())
        (directory / "station.toml").write_text(station_toml(world))
        (directory / "station.toml").chmod(0o600)
        try:
            yield world
        finally:
            await world.agent.end(signal.SIGKILL)


async def until(what: Callable[[], bool], seconds: float) -> bool:
    """Wait for something to become true; False when it did not in time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not what():
        if loop.time() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True
