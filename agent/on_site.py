"""What a station decides by itself, wired: rules, buttons, the key switch, contacts and drills. Decides nothing itself.

Works without any uplink; without a warning path (no key-set) rules still leave as events.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent.alerts import inhibit
from agent.alerts.alerting import Alerting
from agent.alerts.inhibit import Inhibit
from agent.config import Config
from agent.control import Verb
from agent.record import Recorder
from agent.say import say_in
from agent.spot.buttons import Button, ButtonConfig, Push, input_of
from agent.spot.drill import Drill, Tap, self_test
from agent.spot.local import LocalAlarms
from agent.spot.recall import Recalled, recall
from agent.spot.rules import Rule
from agent.supervisor import Supervisor
from buffer.model import Lane
from drivers.api import Actuator, Context, Source

if TYPE_CHECKING:
    from agent.spot.contacts import Contacts, Person, Reach

if TYPE_CHECKING:
    from agent.alerts.hearing import Ear


class OnSite:
    """Made before the sensors run, so that no reading passes the rules by."""

    def __init__(
        self,
        config: Config,
        recorder: Recorder,
        alerting: Alerting | None,
        *,
        context: Context,
        sources: Sequence[Source],
        actuators: Sequence[Actuator],
        tap: Tap,
    ) -> None:
        self._config, self._recorder, self._alerting, self._tap = config, recorder, alerting, tap
        self._buffer, self._clock = recorder.buffer, recorder.clock
        self.alarms = LocalAlarms(
            [Rule(one) for one in config.rules],
            sensors=_witnesses(config, sources),
            record=tap,
            path=alerting,
            now=self._clock.now,
            past=self._past,
            trusted=lambda: self._clock.trusted,
            lan={series for source in sources for series, spec in source.series.items() if spec.lan},
        )
        if config.rules:
            recorder.watch(self.alarms.take)
        self.reach: Reach = lambda _person, _alert, _attempt: None  # a bearer of texts may take it over
        self._contacts = self._make_contacts()
        self._inhibit = self._make_inhibit()
        self._buttons = [
            Button(one, input_of(one, config.base, context.buses), self._pushed, context.report, context.now)
            for one in config.buttons
        ]
        self._drill = Drill(alerting, actuators, tap, recorder.event) if alerting is not None else None
        self._ear = self._make_ear(tap, context)

    @property
    def verbs(self) -> dict[str, Verb]:
        """For the control socket."""
        drill = self._drill
        if drill is None:
            return {}
        return {"drill.start": drill.start, "drill.watch": drill.watch, "drill.stop": drill.stop}

    def start(self, house: Supervisor) -> None:
        if self._config.rules:
            house.keep("rules", self.alarms.run)
        for button in self._buttons:
            house.keep(f"button {button.config.name}", button.run)
        if self._contacts is not None:
            house.keep("contacts", self._contacts.run)
        if self._ear is not None:
            house.keep("microphone", self._ear.run)
        if self._alerting is not None and self._config.warnings is not None and self._config.warnings.self_test:
            house.keep("self-test", self._self_test)

    def status(self) -> Mapping[str, Any]:
        parts: dict[str, Any] = {"rules": self.alarms.status()} if self._config.rules else {}
        if self._buttons:
            parts["buttons"] = {button.config.name: button.status() for button in self._buttons}
        if self._inhibit is not None:
            parts["inhibit"] = self._inhibit.status()
        if self._contacts is not None:
            parts["contacts"] = self._contacts.status()
        if self._ear is not None:
            parts["microphone"] = self._ear.status()
        return parts

    def acknowledge(self, by: str) -> None:
        """Somebody who was asked has answered, from wherever."""
        if self._contacts is not None:
            self._contacts.acknowledge(by)

    def _reach(self, person: "Person", alert: bytes, attempt: int) -> None:
        self.reach(person, alert, attempt)

    def _pushed(self, button: ButtonConfig, push: Push, closed: bool | None) -> None:
        if button.does == "inhibit":
            if self._inhibit is not None:
                self._inhibit.key(closed)
            return
        if push is Push.NOTHING:
            return
        kind = "button.pressed" if push is Push.PRESSED else "button.held"
        self._recorder.event(kind, {"button": button.name, "does": button.does})
        if button.does == "acknowledge" and push is Push.PRESSED and self._contacts is not None:
            self._contacts.acknowledge(button.name)
        if button.does == "start" and push is Push.HELD and self._alerting is not None:
            self._start_by_hand(button, self._alerting)

    def _start_by_hand(self, button: ButtonConfig, alerting: Alerting) -> None:
        """Held once more, it sounds once more: the hand that holds it knows why."""
        alarm = button.alarm()
        if alerting.stands(alarm.identity):
            alerting.end(alarm.identity)
        self._tap("alarm.by_hand", {"alert": alarm.identity.hex(), "button": button.name}, Lane.ALARM)
        alerting.local(alarm)

    def _make_contacts(self) -> "Contacts | None":
        if self._config.contacts is None or self._alerting is None:
            return None
        from agent.spot import contacts

        made = contacts.Contacts(
            self._config.contacts,
            record=self._tap,
            keep=lambda value: self._buffer.set_meta(contacts.KEPT, value),
            saved=self._buffer.meta(contacts.KEPT),
            now=time.monotonic,
            note=self._alerting.note,
            words=say_in(self._config.language, "contact.note"),
            reach=self._reach,
        )
        self._alerting.watchers.append(made.orders)
        return made

    def _make_ear(self, tap: Tap, context: Context) -> "Ear | None":
        if self._config.microphone is None or self._alerting is None:
            return None
        from agent.alerts.hearing import Ear

        made = Ear(self._config.microphone, tap, context.report)
        tap.listeners.append(made.step)
        return made

    def _make_inhibit(self) -> Inhibit | None:
        if self._alerting is None or not any(one.does == "inhibit" for one in self._config.buttons):
            return None
        return Inhibit(
            self._clock,
            saved=self._buffer.meta(inhibit.KEPT),
            keep=lambda value: self._buffer.set_meta(inhibit.KEPT, value),
            mute=self._alerting.mute,
            record=self._tap,
        )

    async def _self_test(self) -> None:
        assert self._alerting is not None  # noqa: S101 - started only with one
        assert self._config.warnings is not None  # noqa: S101 - as above
        await self_test(self._alerting, self._recorder.event, float(self._config.warnings.self_test))

    async def _past(self, series: Iterable[str], since: int) -> Recalled:
        """What the buffer holds up to this moment."""
        self._recorder.flush()
        until = self._buffer.next(Lane.TELEMETRY) - 1
        await asyncio.wait([asyncio.wrap_future(self._buffer.flush())])  # a disk that refuses: then from memory
        return await recall(self._buffer, self._clock, frozenset(series), since, until)


def _witnesses(config: Config, sources: Sequence[Source]) -> dict[str, str]:
    """Which sensor speaks in each series; a derived one says nothing that its input has not said."""
    found = {series: source.name for source in sources for series in source.series}
    for table in config.derived:
        made = table.make(config.station.timezone)
        found |= dict.fromkeys(made.outputs, found.get(made.inputs[0], made.inputs[0]))
    return found
