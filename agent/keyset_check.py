"""A key-set held against this station: which one is in force, whether another would be taken, what is wrong with it or will be.

Needs no running agent and changes nothing.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from agent.alerts.policy import Place, powers_here
from agent.config import Config
from agent.trust.keyrings import expiries
from agent.trust.keyset import KEPT, read_keyring, roots_of
from protocols import sm2
from protocols.alert import ClockReading, Level, Permission, Refusal
from protocols.keyring import Keyring, fingerprint, open_keyset

DAY = 86_400
SIREN_HOLDERS = 2  # at the top level


class Found(NamedTuple):
    """The key-set in force and where it was read."""

    keyring: Keyring | Refusal
    file: Path


def in_force(config: Config) -> Found:
    """The newest that the station would take at its next start: its own copy, or the technician's file."""
    assert config.warnings is not None  # noqa: S101 - the caller has seen to it
    best: Found | None = None
    for file in (config.state / KEPT, config.path(config.warnings.keyset)):
        try:
            ring = read_keyring(file, roots_of(config.warnings.roots))
        except OSError as wrong:
            ring = Refusal("keyset-unreadable", str(wrong.strerror))
        newer = best is None or isinstance(best.keyring, Refusal)
        if best is not None and not isinstance(best.keyring, Refusal) and not isinstance(ring, Refusal):
            newer = ring.number > best.keyring.number
        if newer:
            best = Found(ring, file)
    assert best is not None  # noqa: S101 - there are two files
    return best


def faults(config: Config, ring: Keyring, now: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is wrong with a key-set for this station, and what will be within 90 days."""
    silent = list(unusable(ring))
    yield from (("trust.sm2_missing", facts) for facts in silent)
    for key, left in expiries(ring, now):
        facts = {"holder": key.holder, "days": max(0, left // DAY), "fingerprint": fingerprint(key.public)}
        yield ("trust.expires" if left > 0 else "trust.expired"), facts
    clock = ClockReading(now, now, trusted=True)
    place = Place(tuple(int(code) for code in config.station.areas))
    believed = [key for key in ring.keys if fingerprint(key.public) not in {facts["fingerprint"] for facts in silent}]
    powers = powers_here([key.grant_at(clock) for key in believed], Level.RED, place)
    if config.actuators and sum(Permission.SIREN in may for may in powers.values()) < SIREN_HOLDERS:
        yield "trust.no_siren", {}


def unusable(ring: Keyring) -> Iterator[dict[str, Any]]:
    """Keys that verify nothing on this machine: of SM2 without its extra, or no point of its curve."""
    for key in ring.keys:
        if sm2.is_public(key.public) and not sm2.usable(key.public):
            yield {"holder": key.holder, "fingerprint": fingerprint(key.public)}


def roots_fingerprint(config: Config) -> str:
    assert config.warnings is not None  # noqa: S101 - the caller has seen to it
    return fingerprint(*roots_of(config.warnings.roots))


def judged(config: Config, data: bytes, before: Keyring | Refusal) -> Keyring | Refusal:
    assert config.warnings is not None  # noqa: S101 - the caller has seen to it
    last = 0 if isinstance(before, Refusal) else before.number
    return open_keyset(data, roots_of(config.warnings.roots), last)
