"""The warning path of a configuration, put together: journal, plans, actuators, whom to believe. Judges nothing itself."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent.alerts.alerting import Alerting
from agent.alerts.evidence import Record
from agent.alerts.hours import policy_of
from agent.alerts.journal_file import JournalFile
from agent.alerts.policy import Place
from agent.alerts.right_of_way import RightOfWay
from agent.config import Config, names_of, plans_of
from agent.control import Verb
from agent.doctor.verbs import verbs as bench_verbs
from agent.record import Recorder
from agent.spot.drill import Tap
from agent.supervisor import Supervisor
from agent.trust.beacons import Fetch
from agent.trust_path import open_trust
from agent.watchdog import Watchdog
from drivers.api import Actuator
from protocols.keyring import Keyring

if TYPE_CHECKING:
    from agent.trust.trusting import Trusting

PATIENCE = 90.0  # seconds; the loop of `alerting` comes round every 30


class WarningPath:
    """`alerting` and `trusting` are None for a station that believes nobody and has nothing to sound. `tap` takes every
    acknowledgement.
    """

    def __init__(self, config: Config, recorder: Recorder) -> None:
        self.tap = Tap(_receipts(config, recorder))
        self.right_of_way = RightOfWay()
        self.alerting: Alerting | None = None
        self.trusting: Trusting | None = None
        self._config, self._recorder = config, recorder
        self._now = asyncio.get_running_loop().time

    def open(
        self, stack: contextlib.AsyncExitStack, actuators: Sequence[Actuator], watchdog: Watchdog, fetch: Fetch
    ) -> None:
        """Blocks; for the start. What `stack` holds is closed at the end; `fetch` asks the brokers for what they keep."""
        if self._config.warnings is None:
            return
        journal = JournalFile.open(self._config.state / "journal", self._from_thread())
        stack.callback(journal.close)
        beat = watchdog.part("alerting", PATIENCE).beat
        self.alerting = _alerting(self._config, self._recorder, journal, actuators, beat, self.tap)
        self.alerting.acts = lambda: self.right_of_way.take(self._now())
        self.trusting = open_trust(self._config, self._recorder.clock, self._recorder, self.alerting, fetch)

    def start(self, house: Supervisor) -> None:
        if self.alerting is not None:
            house.core("alerting", self.alerting.run)
        if self.trusting is not None:
            house.keep("beacons", self.trusting.run)

    def judge(self, bearer: str, payload: bytes, retained: bool, done: Callable[[], None]) -> None:
        """A message of the warning topics, or one put together from what narrow bearers brought."""
        self.right_of_way.claim(self._now())
        if self.alerting is not None:
            self.alerting.submit(bearer, payload, retained, done)

    def issuers(self) -> list[int]:
        """Who may have something to say here."""
        return self.trusting.beacons.expected if self.trusting is not None else []

    @property
    def verbs(self) -> dict[str, Verb]:
        """For the control socket."""
        return bench_verbs(self.alerting) | (self.trusting.verbs if self.trusting is not None else {})

    def status(self) -> Mapping[str, Any]:
        if self.alerting is None or self.trusting is None:
            return {}
        return {**self.alerting.status(), **self.trusting.status()}

    def _from_thread(self) -> Callable[[str, Mapping[str, Any]], None]:
        """What the journal's own thread reports, recorded where everything else is."""
        loop, report = asyncio.get_running_loop(), self._recorder.event

        def from_thread(kind: str, facts: Mapping[str, Any]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the station has ended
                loop.call_soon_threadsafe(report, kind, facts)

        return from_thread


def _receipts(config: Config, recorder: Recorder) -> Record:
    """Acknowledgements are signed, where there can be any."""
    if config.warnings is None:
        return recorder.event
    from agent.alerts.receipts import Receipts

    return Receipts(config.station.id, config.state, recorder.clock, recorder.event)


def _alerting(
    config: Config,
    recorder: Recorder,
    journal: JournalFile,
    actuators: Sequence[Actuator],
    beat: Callable[[], None],
    record: Record,
) -> Alerting:
    assert config.warnings is not None  # noqa: S101 - the one caller has asked
    limit = float(config.warnings.siren_limit)
    return Alerting(
        keyring=Keyring(),  # nobody is believed before agent.trust_path has opened the key-set
        journal=journal,
        clock=recorder.clock,
        place=Place(tuple(int(code) for code in config.station.areas)),
        policy=policy_of(config.warnings, limit, config.station.timezone, recorder.clock.read().best),
        plans=plans_of(config),
        areas=names_of(config),
        actuators=actuators,
        record=record,
        beat=beat,
    )
