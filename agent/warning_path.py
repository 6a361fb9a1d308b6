"""The warning path of a configuration: journal, plans and actuators, put together. Judges nothing itself."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent.alerting import Alerting
from agent.clock import Clock
from agent.config import Config
from agent.journal_file import JournalFile
from agent.plans import load
from agent.policy import Place, Policy
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
    own = config.path(config.warnings.plans) if config.warnings.plans else None
    plans, _problems = load(own, languages=[config.language])  # `check` has said what is wrong with them
    if plans is None:
        plans, _problems = load(None)
    assert plans is not None  # noqa: S101 - the shipped plans are held by a test
    return Alerting(
        keyring=Keyring(),  # nobody is believed before agent.trust_path has opened the key-set
        journal=journal,
        clock=clock,
        place=Place(tuple(int(code) for code in config.station.areas)),
        policy=Policy(siren_seconds=float(config.warnings.siren_limit)),
        plans=plans,
        actuators=actuators,
        record=recorder.event,
        beat=beat,
    )
