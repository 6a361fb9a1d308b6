"""What checking costs, and what forgers get for their trouble: nothing."""

import asyncio
import random
import time
from collections.abc import Mapping

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.control import ask
from benchmarks.report import Figure, measures
from benchmarks.scene import AREA, Scene, scene, until
from benchmarks.station import TEXT
from protocols.alert import ClockReading, VerifiedAlert, digest_of
from protocols.keyring import Holder, Keyring
from protocols.seal import carry, seal, verify
from tests.agent.test_forgeries import besiege
from tests.support.alerting import MemoryJournal, Station
from tests.support.forgeries import HARMLESS, forgery
from tests.support.samples import SAMPLES
from tests.support.seals import T0, WARN, alert, key, private
from tests.support.virtual import run

SEALED = 4000  # alerts of two signers
KEYS = 8  # of a key-set: a province with its cities
SUBSCRIBES = 3.0  # seconds: what is not kept by the broker is lost on a station that does not listen yet
FORGED = 10_000
WAVE = 900  # as many at once as the broker keeps for a session (Mosquitto: 1,000) before it drops some itself
LOOK = 0.1  # seconds between looks at a station's memory
MUTATIONS, BATCH = 100_000, 100
REPLAYS = 200  # lives


@measures(
    4,
    Figure("sealed alerts verified, one core, two signers, eight keys", "1/s", "≥ 2,000"),
    Figure("the same, one signer", "1/s", "reported"),
)
def verification() -> Mapping[str, float]:
    return {
        "sealed alerts verified, one core, two signers, eight keys": _rate(["county", "bureau"]),
        "the same, one signer": _rate(["county"]),
    }


def _rate(signers: list[str]) -> float:
    names = ["county", "bureau", *(f"h{number}" for number in range(KEYS - 2))]
    ring = Keyring(7, T0, tuple(Holder(n, (i + 1,)) for i, n in enumerate(names)), tuple(key(n, WARN) for n in names))
    keys, clock = [private(name) for name in signers], ClockReading(T0, T0, trusted=True)
    words = {"text_digest": digest_of(TEXT)}
    messages = [carry(seal(alert(seq=T0 + n, **words), keys), TEXT) for n in range(SEALED)]
    began = time.perf_counter()
    found = [verify(data, ring, clock) for data in messages]
    took = time.perf_counter() - began
    if not all(isinstance(one, VerifiedAlert) and len(one.holders) == len(signers) for one in found):
        raise RuntimeError("not all of them were believed")
    return len(found) / took


@measures(
    4,
    Figure("10,000 forged alerts: memory more", "MiB", "≤ 5"),
    Figure("10,000 forged alerts: sounded", "", "0"),
    Figure("10,000 forged alerts: judged or let go", "", "10,000"),
    Figure("genuine warning right behind them → relay", "ms", "reported"),
)
def flood() -> Mapping[str, float]:
    return asyncio.run(_flooded())


async def _flooded() -> Mapping[str, float]:
    async with scene(sensor=False) as station:
        await station.agent.start()
        await until(lambda: ask(station.agent.control, "status", timeout=1.0) is not None, 10)
        await asyncio.sleep(SUBSCRIBES)
        first = station.authority.alert(AREA, TEXT, lasts=1)
        station.publisher.warn(AREA, first, station.authority.forged(first, TEXT), retain=False)
        await until(lambda: _counted(station) == 1, 10)  # the libraries of checking are loaded
        await asyncio.sleep(10)
        forged = [station.authority.alert(AREA, TEXT) for _ in range(FORGED)]
        payloads = [station.authority.forged(one, TEXT) for one in forged]
        before, most = station.agent.memory_mib(), 0.0
        for start in range(0, FORGED, WAVE):
            for one, payload in zip(forged[start : start + WAVE], payloads[start : start + WAVE], strict=True):
                station.publisher.warn(AREA, one, payload, retain=False)
            while _counted(station) < min(FORGED, start + WAVE) + 1:
                most = max(most, station.agent.memory_mib())
                await asyncio.sleep(LOOK)
        sounded = sum(change.on for change in station.board.log)
        genuine = station.authority.alert(AREA, TEXT)
        at = station.publisher.warn(AREA, genuine, station.authority.genuine(genuine, TEXT))
        await until(lambda: station.board.on(0), 30)
        return {
            "10,000 forged alerts: memory more": max(most, station.agent.memory_mib()) - before,
            "10,000 forged alerts: sounded": sounded,
            "10,000 forged alerts: judged or let go": _counted(station) - 2,
            "genuine warning right behind them → relay": 1000 * (station.board.log[-1].at - at),
        }


def _counted(station: Scene) -> int:
    answer = ask(station.agent.control, "status", timeout=5.0) or {}
    return sum(answer.get("warnings", {}).get("counts", {}).values())


@measures(
    4,
    Figure("false activations of the siren", "", "0"),
    Figure("forgeries, replays and foreign messages heard", "", "≥ 100,000"),
    patience=3600.0,
)
def false_activations() -> Mapping[str, float]:
    """Through the whole loop, in virtual time: mutations found by Hypothesis, stripped and reordered signatures, junk headers,
    replays over reboots and card swaps, and every hostile sample. What is genuine among it may not sound here either.
    """
    heard, sounded = 0, 0

    def siege(seed: int) -> None:
        nonlocal heard, sounded
        sounded += run(_besieged(seed))
        heard += BATCH + len(HARMLESS)

    shots = settings(
        max_examples=MUTATIONS // BATCH, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    shots(given(st.integers(0, 2**64))(siege))()
    for seed in range(REPLAYS):
        sounded += run(_lives(seed))
        heard += 3 * (10 + len(HARMLESS))
    samples = [path.read_bytes() for path in sorted(SAMPLES.rglob("*")) if path.is_file()]
    sounded += run(_heard(samples))
    return {
        "false activations of the siren": sounded,
        "forgeries, replays and foreign messages heard": heard + len(samples),
    }


async def _besieged(seed: int) -> int:
    async with Station() as station:
        await besiege(station, seed, BATCH)
        return len(station.board.log)


async def _lives(seed: int) -> int:
    """A life, a reboot with its journal and no clock, and a new card with no clock."""
    async with Station() as station:
        await besiege(station, seed, 10)
        kept, sounded = station.journal.restarted(), len(station.board.log)
    for number, journal in enumerate((kept, MemoryJournal())):
        async with Station(journal=journal) as again:
            again.clock.trusted, again.clock.boot = False, bytes([number + 2]) * 8
            await besiege(again, seed, 10)
            sounded += len(again.board.log)
    return sounded


async def _heard(messages: list[bytes]) -> int:
    chance = random.Random(0)
    async with Station() as station:
        for data in messages:
            await station.heard(data, wait=0)
            await station.heard(forgery(chance), wait=0)
        await asyncio.sleep(60)
        return len(station.board.log)
