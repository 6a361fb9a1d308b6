"""SMS by a cellular modem as a bearer: one datagram, one message of 8-bit data, or of text where a network passes none.

The same modem carries texts for people (`send_text`, `texts`). Who is not in a list is not heard.
"""

import asyncio
import errno
import random
from collections.abc import Mapping
from typing import Any

from drivers.address import Address
from drivers.api import Accepted, Context, Declined, Factory, Sent, Told, Unknown
from drivers.bearers.common import REOPEN_MOST, LineBearer
from drivers.bearers.mailbox import CLOCK_ERROR, NOT_BEFORE, Mailbox, MailCarrier
from drivers.bearers.modem_profile import ModemProfile, open_modem
from drivers.bearers.sms_config import SmsConfig, check, line_address, read_pin
from protocols import modem_events
from protocols.cellular import Registration
from protocols.errors import LocalError
from protocols.framing import Event
from protocols.modem import Modem
from protocols.modem_ladder import Rung

HOOK_TIMEOUT = 60.0  # seconds for a hub to switch a port off and on


class Sms(MailCarrier, LineBearer):
    """See `drivers.api.Bearer` and `drivers.api.Timekeeper`."""

    _config: SmsConfig
    _machine: Modem

    def __init__(
        self, config: SmsConfig, profile: ModemProfile, address: Address, context: Context, pin: str = ""
    ) -> None:
        reference = random.randrange(256)  # noqa: S311 - tells parts of before a restart from those after it, hides nothing
        machine = Modem(
            profile.dialect(),
            pin=pin,
            heard_from=lambda number: self._mail.known(number) is not None,
            report=config.reports,
            validity=float(config.validity),
            reference=reference,
            not_before=NOT_BEFORE,
            power=bool(config.power_cycle),
        )
        super().__init__(config.name, address, machine, context)
        self._config, self._now = config, context.now
        self._mail = Mailbox(config, self.counters, self._inbox, context.now)
        self._token = 0
        self._hook: asyncio.Task[None] | None = None

    async def _dispatch(self, number: str, body: str | bytes) -> Sent:
        def begin(now: float) -> list[Event]:
            self._token += 1
            return self._machine.send(self._token, number, body, now)

        return await self.ask(begin)

    def _take(self, event: Event) -> None:
        match event:
            case modem_events.Arrived(sender, body):
                self._mail.arrived(sender, body)
            case modem_events.Reported(outcome=outcome):
                self.counters[outcome] += 1
            case modem_events.Told(unix):
                self._told = Told(unix * 1000, self._now(), CLOCK_ERROR)
            case modem_events.Phase(name, reason):
                self._enter(name, reason)
            case modem_events.Climbed(rung, reason):
                self._climb(rung, reason)
            case modem_events.Ignored(reason):
                self.counters[reason] += 1
            case modem_events.Silent():
                raise OSError(errno.ETIMEDOUT, "the modem does not answer", self.name)
            case modem_events.Submitted() | modem_events.Refused() | modem_events.Doubtful():
                self._end(event)

    def _end(self, event: modem_events.Submitted | modem_events.Refused | modem_events.Doubtful) -> None:
        if event.token != self._token:
            return  # of a line that has been lost since
        now = asyncio.get_running_loop().time()
        match event:
            case modem_events.Submitted(_, references):
                self.counters["sent"] += len(references)
                self._mail.quota.spend(now, len(references))
                self._turn.settle(Accepted(",".join(map(str, references))))
            case modem_events.Refused(_, reason, wait):
                self._turn.settle(self._mail.declined(reason, wait))
            case modem_events.Doubtful(_, reason):
                self.counters[reason] += 1
                self._mail.quota.spend(now)
                self._turn.settle(Unknown(reason))

    def _enter(self, phase: str, reason: str) -> None:
        if phase == "ready":
            self.condition.succeeded()
        elif phase in ("sim", "silent") or reason:
            self.condition.failed(reason or phase, at_once=True)

    def _climb(self, rung: Rung, reason: str) -> None:
        self.counters[f"climbed_{rung.value}"] += 1
        self.condition.failed(reason, at_once=True)
        if rung is Rung.POWER and (self._hook is None or self._hook.done()):
            self._hook = asyncio.create_task(self._cycle_power())

    async def _cycle_power(self) -> None:
        """The operator's own command; what it says goes nowhere."""
        nothing = asyncio.subprocess.DEVNULL
        try:
            child = await asyncio.create_subprocess_exec(
                *self._config.power_cycle, stdin=nothing, stdout=nothing, stderr=nothing
            )
        except OSError:
            self.counters["power_cycle_failed"] += 1
            return
        try:
            async with asyncio.timeout(HOOK_TIMEOUT):
                status = await child.wait()
        except TimeoutError:
            child.kill()
            status = await child.wait()
        self.counters["power_cycle_failed"] += status != 0

    def _lost(self) -> Sent:
        return Unknown("port") if self._machine.launched else Declined("port", REOPEN_MOST)

    def _show(self, now: float) -> Mapping[str, Any]:
        seen = self._machine.procedures
        best = next((one for one in seen.registrations.values() if one.registered), None)
        worst = Registration.DENIED if seen.denied else None
        return {
            "signal": seen.signal,
            "dbm": seen.dbm,
            "phase": self._machine.phase.name,
            "registration": (found.value if (found := best or worst) else None),
            **self._left(now),
            "dropped": self._machine.dropped,
        }


def create(config: SmsConfig, context: Context) -> Sms:
    profile, problems = open_modem(config.profile, context.profiles)
    address, wrong = line_address(config, profile)
    pin, unread = read_pin(config, context)
    if profile is None or address is None or unread:
        raise LocalError("modem", "; ".join(f"{one.key} {one.code}" for one in (*problems, *wrong, *unread)))
    return Sms(config, profile, address, context, pin)


FACTORY = Factory(SmsConfig, create, check)
