"""The station as a whole: how soon it works, what it costs at rest, how soon a warning is heard."""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from agent.control import ask
from agent.demo.percentile import percentile
from benchmarks.report import Figure, measures
from benchmarks.scene import AREA, Scene, scene, until
from buffer.model import Lane
from buffer.store import Buffer
from drivers.simulated.surfrad import load
from protocols import columns
from protocols.alert import ActionCode, MsgType
from protocols.reading import Reading

IDLE_ROUNDS = 100
RTU_ROUNDS = 40
DRAIN_SECONDS = 32.0
BACKLOG_BLOCKS = 16_000  # of 60 instants and 20 series: 19 million readings, more than can leave in that time
READINGS = 60 * 18  # in a block: two of SURFRAD's twenty columns are missing in this file
SETTLES = 12.0  # seconds until a started agent is at rest
WATCHED = 60.0  # seconds of measuring at rest
TEXT = "山洪,立即转移"


@measures(2, Figure("fengsui --help", "s", "≤ 0.15"), Figure("run → first committed reading", "s", "≤ 0.6"))
def start() -> Mapping[str, float]:
    helps = [_timed([sys.executable, "-m", "agent.cli", "--help"]) for _ in range(11)]
    firsts = [asyncio.run(_first_reading()) for _ in range(7)]
    return {"fengsui --help": statistics.median(helps), "run → first committed reading": statistics.median(firsts)}


def _timed(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


async def _first_reading() -> float:
    """From the start of the process until its control socket says that a reading is on disk."""
    async with scene() as station:
        began = time.perf_counter()
        await station.agent.start()
        await until(lambda: committed(station) > 0, 10, pause=0.005)
        return time.perf_counter() - began


def committed(station: Scene) -> int:
    answer = ask(station.agent.control, "status", timeout=1.0)
    return int(answer["readings"]["committed"]) if answer else 0


@measures(
    2,
    Figure("resident memory, 20 series at 1 Hz", "MiB", "≤ 45", "thingsboard-gateway 3.8.5, 1 series at 1 Hz: 66"),
    Figure("CPU, 20 series at 1 Hz", "% of a core", "≤ 1.5", "thingsboard-gateway 3.8.5, 1 series at 1 Hz: 8.7"),
    Figure("bytes written per reading, first minute", "B", "reported"),
)
def at_rest() -> Mapping[str, float]:
    return asyncio.run(_at_rest())


async def _at_rest() -> Mapping[str, float]:
    async with scene() as station:
        await station.agent.start()
        await asyncio.sleep(SETTLES)
        cpu, written, readings, began = (
            station.agent.cpu_seconds(),
            station.agent.written(),
            committed(station),
            time.monotonic(),
        )
        await asyncio.sleep(WATCHED)
        spent, elapsed = station.agent.cpu_seconds() - cpu, time.monotonic() - began
        taken = committed(station) - readings
        return {
            "resident memory, 20 series at 1 Hz": station.agent.memory_mib(),
            "CPU, 20 series at 1 Hz": 100 * spent / elapsed,
            "bytes written per reading, first minute": (station.agent.written() - written) / taken,
        }


@measures(
    2,
    Figure("warning → relay, Modbus TCP, idle, p50", "ms"),
    Figure("warning → relay, Modbus TCP, idle, p99", "ms", "≤ 20"),
    Figure("cancel → silence, Modbus TCP, idle, p99", "ms", "≤ 50"),
)
def warning_idle() -> Mapping[str, float]:
    heard, silenced = asyncio.run(_rounds("tcp", IDLE_ROUNDS))
    return {
        "warning → relay, Modbus TCP, idle, p50": _ms(heard, 0.5),
        "warning → relay, Modbus TCP, idle, p99": _ms(heard, 0.99),
        "cancel → silence, Modbus TCP, idle, p99": _ms(silenced, 0.99),
    }


@measures(2, Figure("warning → relay, RTU at 9600 baud, p99", "ms", "reported; frame and echo take 17"))
def warning_rtu() -> Mapping[str, float]:
    heard, _ = asyncio.run(_rounds("rtu", RTU_ROUNDS))
    return {"warning → relay, RTU at 9600 baud, p99": _ms(heard, 0.99)}


@measures(
    2,
    Figure("warning → relay, Modbus TCP, during a drain, p50", "ms"),
    Figure("warning → relay, Modbus TCP, during a drain, p99", "ms", "≤ 40"),
    Figure("length of that drain", "s", "≥ 30"),
    Figure("readings sent in it", "1/s", "reported"),
)
def warning_drain() -> Mapping[str, float]:
    return asyncio.run(_warned_while_draining())


async def _rounds(siren: str, rounds: int) -> tuple[list[float], list[float]]:
    async with scene(siren=siren) as station:
        await station.agent.start()
        await until(lambda: committed(station) > 0, 10)
        await asyncio.sleep(2)
        done = [await _one_round(station) for _ in range(rounds)]
    return [one[0] for one in done], [one[1] for one in done]


async def _one_round(station: Scene) -> tuple[float, float]:
    """A genuine warning until the coil closes, its cancel until it opens; both in seconds from publishing."""
    alert = station.authority.alert(AREA, TEXT)
    before = len(station.board.log)
    at = station.publisher.warn(AREA, alert, station.authority.genuine(alert, TEXT))
    await until(lambda: len(station.board.log) > before, 10)
    heard = station.board.log[before].at - at
    await asyncio.sleep(0.05)
    cancel = station.authority.alert(AREA, "", chain=alert.chain, msg_type=MsgType.CANCEL, action=ActionCode.ALL_CLEAR)
    at = station.publisher.warn(AREA, cancel, station.authority.genuine(cancel, "", both=False))
    await until(lambda: not station.board.on(0), 10)
    silenced = station.board.log[-1].at - at
    await asyncio.sleep(0.05)
    return heard, silenced


async def _warned_while_draining() -> Mapping[str, float]:
    async with scene() as station:
        await asyncio.to_thread(fill, station.agent.database, BACKLOG_BLOCKS)
        await station.agent.start()
        await until(lambda: _pending(station) is not None, 10)
        began, first = time.monotonic(), _pending(station)
        heard = []
        while time.monotonic() - began < DRAIN_SECONDS:
            heard.append((await _one_round(station))[0])
        lasted, left = time.monotonic() - began, _pending(station)
        assert first is not None
        assert left is not None
        if left < 60:
            raise RuntimeError("the backlog was gone before the time was over: no continuous drain")
        return {
            "warning → relay, Modbus TCP, during a drain, p50": _ms(heard, 0.5),
            "warning → relay, Modbus TCP, during a drain, p99": _ms(heard, 0.99),
            "length of that drain": lasted,
            "readings sent in it": (first - left) * READINGS / lasted,
        }


def _pending(station: Scene) -> int | None:
    answer = ask(station.agent.control, "status", timeout=5.0)
    return int(answer["buffer"]["pending"]["county"]) if answer else None


def _ms(seconds: list[float], share: float) -> float:
    value = percentile(seconds, share)
    assert value is not None
    return value * 1000


def fill(database: Path, blocks: int) -> None:
    """A backlog of real minutes in merged blocks, as a long outage leaves it: 60 instants of 20 series in each."""
    rows = load(Path(__file__).parents[1] / "agent" / "demo" / "data" / "surfrad-slv16001.dat")
    boot = b"backlog!"
    bodies = []
    for start in range(0, 240, 60):
        readings = [
            Reading(f"met.{index}", (start + minute) * 60_000, value, "1", 1)
            for minute in range(60)
            for index, value in enumerate(rows[start + minute].values)
            if value is not None
        ]
        bodies.append(columns.pack(boot, readings))
    buffer = Buffer.open(database, merge=None)
    for number in range(blocks):
        buffer.append(Lane.TELEMETRY, bodies[number % len(bodies)])
        if number % 500 == 499:
            buffer.flush().result()
    buffer.close()
