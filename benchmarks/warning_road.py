"""From the broker to the siren, the voice and back to silence: idle, in noise, and after a kill."""

import asyncio
import contextlib
import io
import os
import random
import shutil
import signal
import tempfile
import time
import wave
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from agent.control import ask
from benchmarks.noise import noise
from benchmarks.report import Figure, measures
from benchmarks.scene import AREA, Scene, scene, until
from benchmarks.station import BACKLOG_BLOCKS, TEXT, _ms, _one_round, _pending, committed, fill
from protocols.alert import ActionCode, MsgType

ROUNDS = 100
NOISE = 100  # messages a second
SPOKEN_ROUNDS = 12
LEAD = 0.5  # seconds of the amplifier
LOUD = 300  # of 32768: where a word begins
KILLS = 5
LIMIT = 25.0  # seconds of siren for one alert
SOUNDED = 8.0  # before the kill
JUNK = 1200
SESSIONS = 3


@measures(
    4,
    Figure("publish → relay, Modbus TCP, idle, p99", "ms", "≤ 20"),
    Figure("publish → relay, 100 noise alerts/s and a backlog draining, p99", "ms", "≤ 40"),
    Figure("noise judged meanwhile", "1/s", "reported"),
    Figure("backlog left at the end", "readings", "> 0"),
)
def warning_noise() -> Mapping[str, float]:
    heard, _, rate, left = asyncio.run(_noisy())
    idle, _ = asyncio.run(_quiet())
    return {
        "publish → relay, Modbus TCP, idle, p99": _ms(idle, 0.99),
        "publish → relay, 100 noise alerts/s and a backlog draining, p99": _ms(heard, 0.99),
        "noise judged meanwhile": rate,
        "backlog left at the end": left,
    }


@measures(
    4,
    Figure("cancel → silence, p99", "ms", "≤ 50"),
    Figure("cancel → silence in noise and a drain, p99", "ms", "≤ 50"),
)
def cancel_silence() -> Mapping[str, float]:
    _, idle = asyncio.run(_quiet())
    _, noisy, _, _ = asyncio.run(_noisy())
    return {
        "cancel → silence, p99": _ms(idle, 0.99),
        "cancel → silence in noise and a drain, p99": _ms(noisy, 0.99),
    }


async def _quiet() -> tuple[list[float], list[float]]:
    async with scene() as station:
        await _up(station)
        return _columns([await _one_round(station) for _ in range(ROUNDS)])


async def _noisy() -> tuple[list[float], list[float], float, float]:
    """Times to sound and to silence, noise judged a second, readings left."""
    async with scene() as station:
        await asyncio.to_thread(fill, station.agent.database, BACKLOG_BLOCKS)
        await station.agent.start()
        await until(lambda: _pending(station) is not None, 10)
        with noise(station.port, NOISE, station.authority):
            await asyncio.sleep(2)
            began, before = time.monotonic(), _judged(station)
            rounds = [await _one_round(station) for _ in range(ROUNDS)]
            rate = (_judged(station) - before - 2 * ROUNDS) / (time.monotonic() - began)
        left = _pending(station) or 0
        return *_columns(rounds), rate, float(left)


def _columns(rounds: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [one[0] for one in rounds], [one[1] for one in rounds]


async def _up(station: Scene) -> None:
    await station.agent.start()
    await until(lambda: committed(station) > 0, 10)
    await asyncio.sleep(2)


def _judged(station: Scene) -> int:
    answer = ask(station.agent.control, "status", timeout=5.0) or {}
    return sum(answer.get("warnings", {}).get("counts", {}).values())


# The first word

PLAYER = """#!/bin/sh
head -c 4096 > {folder}/head.wav
date +%s.%N >> {folder}/begun
cat > /dev/null
"""
HALL = """
[[actuator]]
name = "hall"
driver = "amplifier"
lead = {lead}
relay = {{ driver = "modbus-relay", bus = "siren-bus", board = "waveshare-8ch", channel = 2 }}
voice = {{ driver = "speaker", max_on = "900s", max_on_per_hour = "3600s" }}
"""


@measures(
    4,
    Figure("publish → first spoken word, beyond the amplifier's lead, p99", "s", "≤ 1"),
    Figure("of which silence at the beginning of the speech", "s", "reported"),
)
def first_word() -> Mapping[str, float]:
    """The player is a stand-in that notes when it gets sound; what ALSA and a card add is not in it."""
    times, quiet = asyncio.run(_spoken())
    return {
        "publish → first spoken word, beyond the amplifier's lead, p99": _ms(times, 0.99) / 1000,
        "of which silence at the beginning of the speech": max(quiet),
    }


async def _spoken() -> tuple[list[float], list[float]]:
    times, quiet = [], []
    with tempfile.TemporaryDirectory() as name, _player(Path(name)) as begun:
        async with scene(more=HALL.format(lead=LEAD)) as station:
            await _up(station)
            for _ in range(SPOKEN_ROUNDS):
                begun.unlink(missing_ok=True)
                alert = station.authority.alert(AREA, TEXT)
                at = time.time()
                station.publisher.warn(AREA, alert, station.authority.genuine(alert, TEXT))
                await until(lambda: begun.exists() and begun.read_text().endswith("\n"), 10)
                silence = _silence((Path(name) / "head.wav").read_bytes())
                times.append(float(begun.read_text().split()[0]) - at - LEAD + silence)
                quiet.append(silence)
                words = {"chain": alert.chain, "msg_type": MsgType.CANCEL, "action": ActionCode.ALL_CLEAR}
                cancel = station.authority.alert(AREA, "", **words)
                station.publisher.warn(AREA, cancel, station.authority.genuine(cancel, "", both=False))
                await until(lambda: not station.board.on(0) and not station.board.on(1), 30)
                await asyncio.sleep(6)  # the all-clear is spoken, and the amplifier opens
    return times, quiet


@contextmanager
def _player(folder: Path) -> Iterator[Path]:
    """An `aplay` of ours, first in the agent's PATH; where it notes when sound came."""
    program, before = folder / "aplay", os.environ["PATH"]
    program.write_text(PLAYER.format(folder=folder))
    program.chmod(0o755)
    os.environ["PATH"] = f"{folder}:{before}"
    try:
        if shutil.which("espeak-ng") is None:
            raise RuntimeError("espeak-ng is not installed")
        yield folder / "begun"
    finally:
        os.environ["PATH"] = before


def _silence(head: bytes) -> float:
    """Seconds before the first loud sample in the beginning of a WAV."""
    with contextlib.suppress(EOFError), wave.open(io.BytesIO(head)) as sound:
        rate, samples = sound.getframerate(), head[44:]
        values = (int.from_bytes(samples[at : at + 2], "little", signed=True) for at in range(0, len(samples) - 1, 2))
        return next((place / rate for place, value in enumerate(values) if abs(value) >= LOUD), len(samples) / 2 / rate)
    return 0.0


# A kill


@measures(
    4,
    Figure("kill -9 while sounding → silence, longest", "s", "≤ 5"),
    Figure("siren time over both lives, longest", "s", "≤ 25.5 (limit 25)"),
    Figure("siren time over both lives, shortest", "s", "≥ 18 (a slice may be lost)"),
)
def kill_while_sounding() -> Mapping[str, float]:
    silences, totals = zip(*(asyncio.run(_killed(number)) for number in range(KILLS)), strict=True)
    return {
        "kill -9 while sounding → silence, longest": max(silences),
        "siren time over both lives, longest": max(totals),
        "siren time over both lives, shortest": min(totals),
    }


async def _killed(seed: int) -> tuple[float, float]:
    """Seconds from the kill to the coil's last opening, and of signal (its pauses included) over both lives."""
    async with scene(sensor=False, warnings=f'siren_limit = "{LIMIT}s"') as station:
        await station.agent.start()
        await until(lambda: ask(station.agent.control, "status", timeout=1.0) is not None, 10)
        await asyncio.sleep(2)
        alert = station.authority.alert(AREA, TEXT)
        station.publisher.warn(AREA, alert, station.authority.genuine(alert, TEXT))
        await until(lambda: station.board.on(0), 10)
        await asyncio.sleep(SOUNDED + random.Random(seed).random())
        await station.agent.end(signal.SIGKILL)
        killed = time.monotonic()
        await asyncio.sleep(6)
        silent = max(0.0, station.board.log[-1].at - killed)
        if station.board.on(0):
            raise RuntimeError("the coil is still closed")
        first_life = len(station.board.log)
        await station.agent.start()
        await until(lambda: len(station.board.log) > first_life, 15)
        await until(lambda: not station.board.on(0) and time.monotonic() - station.board.log[-1].at > 4, 60)
        log = station.board.log
        lives = (log[:first_life], log[first_life:])
        return silent, sum(life[-1].at - life[0].at for life in lives)


# Junk that waited


@measures(
    4,
    Figure("genuine warnings heard behind 1,200 messages of junk in an offline session", "%", "100"),
    Figure("start of the agent → relay behind them, longest", "s", "reported"),
)
def junk_session() -> Mapping[str, float]:
    """The broker keeps a thousand messages for a session and drops what comes after: the retained copy is what counts. In
    half of the sessions the junk is retained as well, and a beacon names the warning.
    """
    heard = [asyncio.run(_behind(retained=retained)) for retained in (False, True) for _ in range(SESSIONS)]
    found = [one for one in heard if one is not None]
    return {
        "genuine warnings heard behind 1,200 messages of junk in an offline session": 100 * len(found) / len(heard),
        "start of the agent → relay behind them, longest": max(found, default=float("nan")),
    }


async def _behind(*, retained: bool) -> float | None:
    async with scene(sensor=False) as station:
        await station.agent.start()
        await until(lambda: ask(station.agent.control, "status", timeout=1.0) is not None, 10)
        await asyncio.sleep(2)
        await station.agent.end(signal.SIGKILL)
        client, authority = station.publisher, station.authority
        for _ in range(JUNK):
            forged = authority.alert(AREA, TEXT)
            client.warn(AREA, forged, authority.forged(forged, TEXT), retain=retained)
        alert = authority.alert(AREA, TEXT)
        client.warn(AREA, alert, authority.genuine(alert, TEXT))
        if retained:  # then only its issuer's beacon can name it
            client.beacon(AREA, 1, authority.beacon([alert]))
        await asyncio.sleep(3)
        began = time.monotonic()
        await station.agent.start()
        try:
            await until(lambda: station.board.on(0), 30)
        except TimeoutError:
            return None
        return time.monotonic() - began
