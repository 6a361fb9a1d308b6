"""A station under measurement: the agent as its own process beside a broker and simulated devices. No figure is here."""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.demo.authority import Authority
from agent.demo.broker import DemoBroker
from agent.demo.publisher import Publisher
from drivers.simulated.modbus import PtyBus, TcpBus
from drivers.simulated.playback import surfrad_unit
from drivers.simulated.relay import RelayBoard
from drivers.simulated.surfrad import load

DATA = Path(__file__).parents[1] / "agent" / "demo" / "data" / "surfrad-slv16001.dat"
AREA = "330102001"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Scene:
    folder: Path
    board: RelayBoard
    authority: Authority
    publisher: Publisher
    process: asyncio.subprocess.Process | None = None

    @property
    def state(self) -> Path:
        return self.folder / "state"

    async def start(self) -> None:
        with (self.folder / "agent.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "agent.cli", "run", "--config", str(self.folder / "station.toml")),
                stdout=log,
                stderr=log,
            )

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            await self.process.wait()

    def said(self) -> str:
        return (self.folder / "agent.log").read_text(errors="replace")

    def cpu_seconds(self) -> float:
        """User and system time of the agent so far: proc_pid_stat(5), fields 14 and 15."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mib(self, name: str = "VmRSS") -> float:
        assert self.process is not None
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024

    def written(self) -> int:
        """Bytes sent to the storage layer: proc_pid_io(5), write_bytes."""
        assert self.process is not None
        lines = Path(f"/proc/{self.process.pid}/io").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


@asynccontextmanager
async def scene(*, sensor: bool = True, siren: str = "tcp", extra: str = "") -> AsyncIterator[Scene]:
    """`siren`: on a bus of its own, "tcp" or "rtu" (9600 baud); `extra`: more of the route's table."""
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fengsui-bench-")))
        broker = stack.enter_context(DemoBroker(folder))
        met = await stack.enter_async_context(TcpBus([surfrad_unit(load(DATA))]))
        board = RelayBoard(unit=1)
        relay = TcpBus([board]) if siren == "tcp" else PtyBus([board], baud=9600)
        await stack.enter_async_context(relay)
        authority = Authority()
        publisher = stack.enter_context(Publisher(broker.port, broker.version))
        (folder / "keyset.cbor").write_bytes(authority.keyset())
        sensors = _met(met.url) if sensor else ""
        (folder / "station.toml").write_text(
            _station(broker, authority, extra) + sensors + _siren(relay.url), encoding="utf-8"
        )
        made = Scene(folder, board, authority, publisher)
        try:
            yield made
        finally:
            await made.stop()


def _station(broker: DemoBroker, authority: Authority, extra: str) -> str:
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
