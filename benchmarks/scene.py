"""A station under measurement: the agent as its own process beside a broker and simulated devices. No figure is here."""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.demo.authority import Authority
from agent.demo.broker import DemoBroker
from agent.demo.process import AgentProcess
from agent.demo.publisher import Publisher
from drivers.simulated.modbus import PtyBus, TcpBus
from drivers.simulated.playback import surfrad_unit
from drivers.simulated.relay import RelayBoard
from drivers.simulated.surfrad import Row, load

DATA = Path(__file__).parents[1] / "agent" / "demo" / "data" / "surfrad-slv16001.dat"
AREA = "330102001"


@dataclass(slots=True)
class Scene:
    board: RelayBoard
    authority: Authority
    publisher: Publisher
    agent: AgentProcess
    port: int  # the broker's


@asynccontextmanager
async def scene(
    *, sensor: bool = True, siren: str = "tcp", extra: str = "", warnings: str = "", more: str = ""
) -> AsyncIterator[Scene]:
    """`siren`: on a bus of its own, "tcp" or "rtu" (9600 baud); `extra`: more of the route's table; `warnings`: more of that
    table; `more`: further tables.
    """
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fengsui-bench-")))
        broker = stack.enter_context(DemoBroker(folder))
        met = await stack.enter_async_context(TcpBus([surfrad_unit(day())]))
        board = RelayBoard(unit=1)
        relay = TcpBus([board]) if siren == "tcp" else PtyBus([board], baud=9600)
        await stack.enter_async_context(relay)
        authority = Authority()
        publisher = stack.enter_context(Publisher(broker.port, broker.version))
        (folder / "keyset.cbor").write_bytes(authority.keyset())
        sensors = _met(met.url) if sensor else ""
        (folder / "station.toml").write_text(
            _station(broker, authority, extra, warnings) + sensors + _siren(relay.url) + more, encoding="utf-8"
        )
        made = Scene(board, authority, publisher, AgentProcess(folder), broker.port)
        try:
            yield made
        finally:
            await made.agent.end()


def day() -> list[Row]:
    """The day of weather with a nought where a column is missing: twenty series are twenty readings a second."""
    return [row._replace(values=tuple(value or 0.0 for value in row.values)) for row in load(DATA)]


def _station(broker: DemoBroker, authority: Authority, extra: str, warnings: str) -> str:
    roots = ", ".join(f'"{root}"' for root in authority.roots)
    return f"""
[station]
id = "bench"
areas = ["{AREA}"]
[clock]
source = "system"
[warnings]
keyset = "keyset.cbor"
roots = [{roots}]
{warnings}
[[route]]
name = "county"
url = "mqtt://127.0.0.1:{broker.port}"
version = "{broker.version}"
no_subscribers_ok = true
{extra}
"""


def _met(url: str) -> str:
    return f"""
[[bus]]
name = "field"
url = "{url}"
[[sensor]]
name = "met"
bus = "field"
profile = "surfrad-met"
interval = "1s"
"""


def _siren(url: str) -> str:
    return f"""
[[bus]]
name = "siren-bus"
url = "{url}"
[[actuator]]
name = "siren"
driver = "modbus-relay"
board = "waveshare-8ch"
bus = "siren-bus"
channel = 1
"""


async def until(what: Callable[[], bool], seconds: float, pause: float = 0.002) -> None:
    """TimeoutError when it does not become true in time."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s")
        await asyncio.sleep(pause)
