"""What the uplink's benchmarks share: a stored backlog of real weather, a route, and ears in a process of their own."""

import asyncio
import functools
import gc
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.links.route import RouteConfig
from agent.links.uplink import Uplink
from agent.links.uplink_encode import encoder
from buffer.model import Lane, RouteSpec
from buffer.store import Buffer
from protocols import columns, event
from protocols.alert import ClockReading
from tests.support.broker import Broker
from tests.support.surfrad import minutes

BOOT = b"benchrun"
NOW = 1_795_000_000  # Unix seconds
INSTANTS = 60
AT_ONCE = 1000  # blocks appended without waiting for the disk: well below what the buffer holds in memory


def wall(_boot: bytes, at: int) -> tuple[int, bool]:
    return NOW * 1000 + at, True


@functools.cache
def weather() -> tuple[list[bytes], int]:
    """A real day of minutes in blocks as merging leaves them, and how many readings are in one on average.

    Synthetic walks would flatter: what instruments give packs into twice as much.
    """
    rows = minutes()
    hours = [rows[start : start + INSTANTS] for start in range(0, len(rows), INSTANTS)]
    bodies = [columns.merge([columns.pack(BOOT, row) for row in hour]) for hour in hours]
    return [body for body in bodies if body is not None], sum(map(len, rows)) // len(hours)


class Store:
    """A buffer with `readings` waiting, in blocks as merging leaves them."""

    def __init__(self, directory: Path, readings: int) -> None:
        self.buffer = Buffer.open(directory / "buffer.db", routes=[RouteSpec("p")])
        self._bodies, self.in_block = weather()
        self.add(readings)

    def add(self, readings: int) -> None:
        for number in range(-(-readings // self.in_block)):
            self.buffer.append(Lane.TELEMETRY, self._bodies[number % len(self._bodies)])
            if number % AT_ONCE == 0:
                self.buffer.flush().result(120)
        self.buffer.flush().result(120)

    def pending(self) -> int:
        """Readings not yet settled."""
        return sum(each.numbers for each in self.buffer.backlog("p") if each.lane is Lane.TELEMETRY) * self.in_block

    def alarm(self) -> None:
        body = event.encode("alarm.bench", BOOT, 1, {"sent_ns": time.time_ns()})
        self.buffer.append(Lane.ALARM, body, now=True)


def make(store: Store, host: str, port: int, form: str, **changes: Any) -> Uplink:
    return Uplink(
        RouteConfig(**({"name": "p", "url": f"mqtt://{host}:{port}", "format": form} | changes)),
        station="bench",
        base=Path(),
        buffer=store.buffer,
        encode=encoder("bench", form, wall),
        clock=lambda: ClockReading(NOW, NOW, trusted=True),
        status=lambda _session: b"{}",
        offline=lambda _session: b"{}",
        report=lambda _kind, _facts: None,
        random=lambda: 0.0,
    )


async def until(condition: Callable[[], object], pause: float = 0.01) -> float:
    """Seconds until it holds."""
    began = time.monotonic()
    while not condition():  # noqa: ASYNC110 - a look from outside, which must cost the agent nothing
        await asyncio.sleep(pause)
    return time.monotonic() - began


async def drained(store: Store, uplink: Uplink, limit: float) -> float:
    """Readings per second settled from the first acceptance to the last, or to the end of `limit` seconds."""
    await until(lambda: uplink.counts.settled, 0.001)
    start, deadline = store.pending(), time.monotonic() + limit
    took = await until(lambda: not store.pending() or time.monotonic() > deadline, 0.02)
    return (start - store.pending()) / took


class Ears:
    """`mosquitto_sub` of its own: takes all readings, and notes when each alarm came."""

    def __init__(self, host: str, port: int, log: Path, prefix: Sequence[str]) -> None:
        self._log = log.open("wb")
        binary = shutil.which("mosquitto_sub")
        if binary is None:
            raise RuntimeError("mosquitto_sub is not installed (Debian: mosquitto-clients)")
        base = [*prefix, binary, "-h", host, "-p", str(port), "-q", "1", "-V", "5"]
        self._path = log
        self._processes = [
            subprocess.Popen([*base, "-t", "+/+/+/readings", "-N"], stdout=subprocess.DEVNULL),
            subprocess.Popen([*base, "-t", "+/+/+/events", "-F", "%U %p"], stdout=self._log),
        ]
        time.sleep(1.0)  # until both have subscribed

    def alarms(self) -> list[float]:
        """Seconds from append to arrival."""
        found = []
        for line in self._path.read_text().splitlines():
            at, _, payload = line.partition(" ")
            found.append(float(at) - json.loads(payload)["sent_ns"] / 1e9)
        return sorted(found)

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        self._log.close()


@contextmanager
def platform(directory: Path, host: str = "127.0.0.1", prefix: Sequence[str] = ()) -> Iterator[tuple[Broker, Ears]]:
    with Broker(directory / "broker", host=host, prefix=prefix, extra=["log_type none"]) as broker:
        ears = Ears(host, broker.port, directory / "alarms.txt", prefix)
        try:
            yield broker, ears
        finally:
            ears.close()


@contextmanager
def running(uplink: Uplink, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    gc.freeze()  # as the station does when it is up
    task = loop.create_task(uplink.run())
    try:
        yield
    finally:
        task.cancel()


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
