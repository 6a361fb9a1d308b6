"""All facts of one station, from its configuration, its machine and its agent if one runs. Disturbs neither."""

import asyncio
import contextlib
import socket
import struct
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from agent.config import Config
from agent.control import ask_any
from agent.doctor import network, system
from agent.doctor.facts import Facts, Probe, Ring, Secret
from agent.forecast import forecast
from agent.links.tls import find
from agent.station_key import KEY_FILE
from drivers.address import parse
from drivers.api import Outcome, Verdict

PATIENCE = 10.0  # seconds for one program, or one device that is asked whether it is there
COAP = ("udp", 5683)  # RFC 7252 §12.6


def gather(config: Config, root: Path = Path("/")) -> Facts:
    status = ask_any(config.sockets, "status", timeout=PATIENCE)
    status = None if status is None or "error" in status else status
    agent, held = agent_pid(config.sockets), system.holders(root)
    clock = system.clock(config.clock.source, root)
    kinds = kinds_of(config)
    return Facts(
        clock=clock,
        disk=system.disk(config.state, config.state / config.buffer.file, int(config.buffer.max_size)),
        years=forecast(config)["flash"]["years"],
        power=system.power(root),
        ports=[system.port(path, held, agent) for path in sorted(set(ports(config)))],
        secrets=list(secrets(config)),
        listeners=list(system.listeners(held, agent, root)),
        named=[COAP] if config.lan is not None else [],
        brokers=network.brokers(config.routes, config.base, clock.now),
        ring=ring(config),
        status=status,
        font=says(("fc-list", ":lang=zh"), "") if "display" in kinds else None,
        voice=says(("espeak-ng", "--voices=cmn"), "cmn") if "voice" in kinds else None,
        swaps=system.swaps(root),
        journal=system.journal(root),
        probes=probes(config),
    )


def ports(config: Config) -> Iterator[Path]:
    """Every serial port that the configuration names."""
    made = (*config.sensors, *config.actuators)
    tables: list[Any] = [*config.buses, *(one.config for one in made), *(one.config for one in config.bearers)]
    for table in tables:
        for field in msgspec.structs.fields(table):
            value = getattr(table, field.name)
            if isinstance(value, str) and value.startswith("serial:"):
                address, _ = parse(value)
                if address is not None:
                    yield config.base / address.path


def secrets(config: Config) -> Iterator[Secret]:
    """Private keys and passwords; those that the agent makes at need may be absent."""
    for route in config.routes:
        yield from (system.secret(find(config.base, name)) for name in (route.key, route.credentials) if name)
    for made in (KEY_FILE, "narrow.key"):
        yield system.secret(config.state / made, wanted=False)
    if config.state.exists():
        yield system.secret(config.state)


def ring(config: Config) -> Ring | None:
    """The newest key-set that is believed: the one kept, else the one configured."""
    from agent.trust.keyset import KEPT, read_keyring, roots_of
    from protocols.alert import Refusal
    from protocols.keyring import fingerprint

    if config.warnings is None:
        return None
    why, best = "", None
    for file in (config.state / KEPT, config.path(config.warnings.keyset)):
        try:
            found = read_keyring(file, roots_of(config.warnings.roots))
        except (OSError, ValueError) as wrong:
            why = why or str(wrong)
            continue
        if isinstance(found, Refusal):
            why = why or found.reason
        elif best is None or found.number > best.number:
            best = found
    if best is None:
        return Ring(0, 0, why=why)
    return Ring(
        best.number, best.issued, {f"{key.holder} {fingerprint(key.public)}": key.not_after for key in best.keys}
    )


def probes(config: Config) -> list[Probe]:
    """Inaudible: by the agent that owns the devices, else on their own ports."""
    if not config.actuators:
        return []
    answer = ask_any(config.sockets, "probe")
    if answer is None:
        return asyncio.run(_probe_all(config))
    failed = answer.get("failed", {})
    if "actuators" not in answer:  # an agent without a warning path
        failed = {one.name: str(answer.get("error", "")) for one in config.actuators}
    return [Probe(one.name, one.name not in failed, failed.get(one.name, "")) for one in config.actuators]


async def _probe_all(config: Config) -> list[Probe]:
    from agent.sampling import close_buses, context_of

    context = context_of(config, lambda _kind, _fields: None)
    try:
        return [await _probe(one, one.factory.create(one.config, context)) for one in config.actuators]
    finally:
        await close_buses(context)


async def _probe(made: Any, actuator: Any) -> Probe:
    try:
        async with asyncio.timeout(PATIENCE):
            found: Outcome = await actuator.probe()
    except Exception as wrong:  # noqa: BLE001 - a driver's bug is a finding, too
        return Probe(made.name, good=False, why=str(wrong) or type(wrong).__name__)
    return Probe(made.name, found.verdict is Verdict.DONE, found.reason)


def kinds_of(config: Config) -> set[str]:
    """siren, voice, display, lamp: what is fitted. Makes the drivers and opens none."""
    from agent.sampling import context_of

    context, kinds = context_of(config, lambda _kind, _fields: None), set()
    for made in config.actuators:
        with contextlib.suppress(Exception):  # its own check, or the probe, says why
            kinds.add(str(made.factory.create(made.config, context).kind))
    return kinds


def agent_pid(sockets: Sequence[Path]) -> int:
    """Of whoever serves the control socket (SO_PEERCRED, unix(7)); 0 where nobody does."""
    for path in sockets:
        with socket.socket(socket.AF_UNIX) as sock:
            try:
                sock.connect(str(path))
                return int(struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])
            except OSError:
                continue
    return 0


def says(command: Sequence[str], word: str) -> bool:
    """Whether a program is there and has anything to say, with `word` in it."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return bool(done.stdout.strip()) and word.encode() in done.stdout
