"""The warning path of a configuration: journal, plans and actuators, put together. Judges nothing itself."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent.alerting import Alerting
from agent.clock import Clock
from agent.config import Config, names_of, plans_of
from agent.evidence import Record
from agent.hours import policy_of
from agent.journal_file import JournalFile
from agent.policy import Place
from agent.record import Recorder
from drivers.api import Actuator
from protocols.keyring import Keyring


async def open_warning_path(
    stack: contextlib.AsyncExitStack,
    config: Config,
    clock: Clock,
    actuators: Sequence[Actuator],
    recorder: Recorder,
    beat: Callable[[], None],
    record: Record,
) -> Alerting | None:
    """None for a station that believes nobody and has nothing to sound."""
    if config.warnings is None:
        return None
    loop = asyncio.get_running_loop()
    report = recorder.event

    def from_thread(kind: str, facts: Mapping[str, Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the station has ended
            loop.call_soon_threadsafe(report, kind, facts)

    journal = JournalFile.open(config.state / "journal", from_thread)
    stack.callback(journal.close)
    limit = float(config.warnings.siren_limit)
    return Alerting(
        keyring=Keyring(),  # nobody is believed before agent.trust_path has opened the key-set
        journal=journal,
        clock=clock,
        place=Place(tuple(int(code) for code in config.station.areas)),
        policy=policy_of(config.warnings, limit, config.station.timezone, clock.read().best),
        plans=plans_of(config),
        areas=names_of(config),
        actuators=actuators,
        record=record,
        beat=beat,
    )
