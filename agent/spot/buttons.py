"""`[[button]]`: contacts that people press, hold or turn, from bits to what was meant. What follows from it is handed in."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from agent.alerts.plans import ROOM_FOR_TEXT
from agent.spot.rules import ActionName, LevelName
from drivers.api import Problem, Report
from drivers.bus import Bus
from drivers.condition import BACK_OFF_PORT, Condition
from drivers.inputs import FileInput, Input, InputConfig, ModbusInput, PinInput
from drivers.values import Duration
from protocols.alert import ActionCode, Level, Local
from protocols.errors import RemoteError

REST = 3.0  # seconds after a press in which a bouncing contact is not heard again
STANDS = 1800  # seconds that a warning started by hand stands


class ButtonConfig(InputConfig, forbid_unknown_fields=True, kw_only=True):
    """`does`: "acknowledge" a warning when pressed; "start" a plan when held for `hold`; "inhibit" the siren while turned.
    `event`, `level`, `action`, `plan` and `text` are what "start" starts.
    """

    name: str
    does: Literal["acknowledge", "start", "inhibit"]
    interval: Duration = Duration(0.2)
    hold: Duration = Duration(3.0)
    event: str = "flash-flood"
    level: LevelName = "red"
    action: ActionName = "evacuate"
    plan: str = ""
    text: str = ""

    def alarm(self) -> Local:
        """A person on the spot says so, by a button that the configuration gives this to: nothing else has to agree."""
        return Local(
            rule=self.name,
            evidence=(),
            event=self.event,
            level=Level[self.level.upper()],
            action=ActionCode[self.action.upper()],
            text=self.text,
            seconds=STANDS,
            alone=True,
            plan=self.plan,
            origin="manual",
        )


class Push(StrEnum):
    NOTHING = "nothing"
    PRESSED = "pressed"
    HELD = "held"


class Contact:
    """One contact over time. Two looks in a row must agree; one that is closed at the first look, or again after the
    device was away, has not been pressed.
    """

    def __init__(self, hold: float) -> None:
        self.closed: bool | None = None
        self._hold = hold
        self._last: bool | None = None
        self._since: float | None = None  # of the press in progress; None when it has been dealt with
        self._pressed = float("-inf")

    def look(self, now: float, closed: bool | None) -> Push:
        """`closed` is None where it could not be told."""
        steady, self._last = closed == self._last, closed
        if closed is None:
            self.closed = self._since = None
            return Push.NOTHING
        if not steady:
            return Push.NOTHING
        before, self.closed = self.closed, closed
        if closed and before is False and now - self._pressed >= REST:
            self._pressed = self._since = now
            return Push.PRESSED
        if not closed:
            self._since = None
        if self._since is not None and now - self._since >= self._hold:
            self._since = None
            return Push.HELD
        return Push.NOTHING


Told = Callable[[ButtonConfig, Push, bool | None], None]
"""`told(button, push, closed)`: after each look; `closed` is the steady state, None where nobody knows."""


class Button:
    def __init__(
        self, config: ButtonConfig, contact: Input, told: Told, report: Report, now: Callable[[], int]
    ) -> None:
        self.config = config
        self._input, self._told, self._now = contact, told, now
        self._contact = Contact(float(config.hold))
        self._condition = Condition(config.name, report, now, {"does": config.does})

    async def run(self) -> None:
        while True:
            await self.look()
            down = self._condition.state == "down"
            await asyncio.sleep(max(self.config.interval, BACK_OFF_PORT if down else 0.0))

    async def look(self) -> None:
        try:
            closed: bool | None = await self._input.read() is not self.config.inverted
            self._condition.succeeded()
        except (OSError, RemoteError) as wrong:
            closed = None
            self._condition.failed("port" if isinstance(wrong, OSError) else wrong.reason)
        push = self._contact.look(self._now() / 1000, closed)
        self._told(self.config, push, self._contact.closed)

    def status(self) -> Mapping[str, Any]:
        return {**self._condition.status(), "does": self.config.does, "closed": self._contact.closed}


def input_of(config: ButtonConfig, base: Path, buses: Mapping[str, Bus]) -> Input:
    if config.file:
        return FileInput(base / config.file)
    if config.line is not None:
        return PinInput(config.chip, config.line)
    return ModbusInput(buses[config.bus], config.unit, config.input)


def check_button(config: ButtonConfig, buses: Collection[str], plans: Collection[str]) -> Iterator[Problem]:
    places = [bool(config.bus), config.line is not None, bool(config.file)]
    if sum(places) != 1:
        yield Problem("bus", "button.place")
    if config.bus and config.bus not in buses:
        yield Problem("bus", "sensor.bus_unknown", {"bus": config.bus, "known": ", ".join(buses)})
    if config.line is not None and not Path(config.chip).exists():
        yield Problem("chip", "port.missing", {"port": config.chip})
    if not 0 <= config.input <= 0xFFFF:
        yield Problem("input", "value.range", {"value": config.input, "least": 0, "most": 0xFFFF})
    if not 0.05 <= config.interval <= 5:
        yield Problem("interval", "value.range", {"value": config.interval, "least": "50ms", "most": "5s"})
    if not 1 <= config.hold <= 60:
        yield Problem("hold", "value.range", {"value": config.hold, "least": "1s", "most": "60s"})
    if config.plan and config.plan not in plans:
        yield Problem("plan", "rule.plan", {"value": config.plan, "known": ", ".join(sorted(plans))})
    if len(config.text) > ROOM_FOR_TEXT:
        yield Problem("text", "rule.text", {"count": len(config.text), "most": ROOM_FOR_TEXT})


def check_buttons(configs: Collection[ButtonConfig]) -> Iterator[Problem]:
    if sum(one.does == "inhibit" for one in configs) > 1:
        yield Problem("button", "button.inhibits")
