"""SMS by ModemManager over D-Bus, where it already owns the modem: its Messaging interface as a bearer.

Never beside `sms` on one modem: two owners of one port lose each other's answers.
"""

import asyncio
import errno
import importlib.util
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from typing import Any

from drivers.api import Accepted, Context, Datagram, Factory, Problem, Sent, Told, Unknown
from drivers.bearers.common import REOPEN_FIRST, REOPEN_MOST, Inbox, Turn
from drivers.bearers.dbus import PROPERTIES, Connection, Refused, Signal, variants
from drivers.bearers.mailbox import CLOCK_ERROR, NOT_BEFORE, Mailbox, MailCarrier
from drivers.bearers.sms_config import MessagesConfig, check_messages
from drivers.condition import Condition
from protocols import cellular

SERVICE, ROOT = "org.freedesktop.ModemManager1", "/org/freedesktop/ModemManager1"
MODEM, MESSAGING, TIME, SMS = (
    f"{SERVICE}.Modem",
    f"{SERVICE}.Modem.Messaging",
    f"{SERVICE}.Modem.Time",
    f"{SERVICE}.Sms",
)
LOCKED, DISABLED, ENABLED, REGISTERED = 2, 3, 6, 8  # MMModemState; below 0 failed, above 8 connected in some way
DELIVERED_HERE, STATUS_REPORT = 1, 3  # MMSmsPduType
RECEIVED = 3  # MMSmsState: all parts are there
WATCH = 30.0  # seconds between looks at the modem
SWEEP = 300.0  # seconds between looks at what lies in its stores
SEND_TIMEOUT = 150.0  # seconds: AT+CMGS may take 120
MOST_ADDED = 64  # messages announced and not yet read; beyond, a sweep finds them
REASONS: Mapping[str, str] = {
    "invalid_pdu_parameter": "bad_pdu",
    "sim_not_inserted": "sim_absent",
    "sim_failure": "sim_broken",
    "smsc_address_unknown": "no_centre",
    "me_failure": "modem_failure",
}
DOUBTFUL = frozenset({"network_timeout", "timeout", "no_reply", "aborted", "cancelled"})


class ModemManagerConfig(MessagesConfig, forbid_unknown_fields=True, kw_only=True):
    """`[[bearer]] driver = "modem-manager"`. `modem` is the IMEI or the primary port (ttyUSB2) of one of several; `bus` an
    address other than the system's bus.
    """

    modem: str = ""
    bus: str = ""


class ModemManager(MailCarrier):
    """See `drivers.api.Bearer` and `drivers.api.Timekeeper`."""

    _config: ModemManagerConfig

    def __init__(self, config: ModemManagerConfig, context: Context) -> None:
        self.name = config.name
        self.counters: Counter[str] = Counter()
        self.condition = Condition(config.name, context.report, context.now, {"port": config.modem or "ModemManager"})
        self._config, self._now = config, context.now
        self._inbox, self._turn = Inbox(self.counters), Turn()
        self._mail = Mailbox(config, self.counters, self._inbox, context.now)
        self._bus: Connection | None = None
        self._modem = ""  # its object path
        self._added: asyncio.Queue[str] = asyncio.Queue(MOST_ADDED)
        self._sending: asyncio.Task[None] | None = None
        self._signal: int | None = None

    async def run(self) -> None:
        wait = REOPEN_FIRST
        while True:
            try:
                await self._attend()
            except (OSError, TimeoutError, Refused) as wrong:
                wait = REOPEN_FIRST if self.condition.state == "up" else min(2 * wait, REOPEN_MOST)
                self._fail(wrong)
            await asyncio.sleep(wait)

    def _fail(self, wrong: Exception) -> None:
        self.counters["port"] += 1
        self.condition.failed(_reason(wrong), lambda: [str(wrong)], at_once=True)

    def incoming(self) -> AsyncIterator[Datagram]:
        return self._inbox

    def status(self) -> Mapping[str, Any]:
        now = asyncio.get_running_loop().time()
        return {
            **self.condition.status(),
            "signal": self._signal,
            **self._left(now),
            "busy": self._turn.busy,
            "inbox": len(self._inbox),
            "counters": dict(self.counters),
        }

    # Sending

    async def _dispatch(self, number: str, body: str | bytes) -> Sent:
        return await self._turn.take(lambda: self._begin(number, body))

    def _begin(self, number: str, body: str | bytes) -> None:
        self._sending = asyncio.create_task(self._carry(number, body))

    async def _carry(self, number: str, body: str | bytes) -> None:
        self._turn.settle(await self._sent(number, body))

    async def _sent(self, number: str, body: str | bytes) -> Sent:
        bus, launched, path = self._bus, False, ""
        if bus is None:
            return self._mail.declined("port", REOPEN_MOST)
        try:
            path = await bus.call(SERVICE, self._modem, MESSAGING, "Create", "a{sv}", self._properties(number, body))
            launched = True
            await bus.call(SERVICE, path, SMS, "Send", within=SEND_TIMEOUT)
            reference = (await bus.get(SERVICE, path, SMS)).get("MessageReference", "")
        except (OSError, TimeoutError) as wrong:
            return self._doubt(_reason(wrong)) if launched else self._mail.declined(_reason(wrong), REOPEN_MOST)
        except Refused as wrong:
            cause = cellular.named(REASONS.get(wrong.reason, wrong.reason))
            if launched and wrong.reason in DOUBTFUL:
                return self._doubt(cause.reason)
            return self._mail.declined(cause.reason, cause.wait)
        finally:
            if path:
                await self._forget(bus, path)
        self.counters["sent"] += 1
        self._mail.quota.spend(asyncio.get_running_loop().time())
        return Accepted(str(reference))

    def _doubt(self, reason: str) -> Unknown:
        self.counters[reason] += 1
        self._mail.quota.spend(asyncio.get_running_loop().time())
        return Unknown(reason)

    def _properties(self, number: str, body: str | bytes) -> dict[str, Any]:
        content = {"data": ("ay", body)} if isinstance(body, bytes) else {"text": ("s", body)}
        return variants(number=("s", number), delivery_report_request=("b", self._config.reports), **content)

    # The modem

    async def _attend(self) -> None:
        async with Connection(self._config.bus, self._hear) as bus:
            for interface in (MESSAGING, PROPERTIES):
                await bus.watch(f"type='signal',sender='{SERVICE}',interface='{interface}'")
            self._modem = await self._find(bus)
            self._bus = bus
            try:
                await self._keep(bus)
            finally:
                self._bus = None

    async def _find(self, bus: Connection) -> str:
        """The object path of the modem that is meant, or of the first with messages."""
        wanted = self._config.modem
        for path, interfaces in sorted((await bus.objects(SERVICE, ROOT)).items()):
            names = {interfaces.get(MODEM, {}).get(key) for key in ("EquipmentIdentifier", "PrimaryPort")}
            if MESSAGING in interfaces and (not wanted or wanted in names):
                return path
        raise OSError(errno.ENODEV, "ModemManager has no such modem", wanted)

    async def _keep(self, bus: Connection) -> None:
        loop = asyncio.get_running_loop()
        swept = float("-inf")
        while True:
            await self._look(bus)
            if loop.time() - swept >= SWEEP or self._added.full():
                swept = loop.time()
                for path in await bus.call(SERVICE, self._modem, MESSAGING, "List") or []:
                    await self._read(bus, path)
                await self._ask_time(bus)
            await self._read_added(bus, loop.time() + WATCH)

    async def _look(self, bus: Connection) -> None:
        seen = await bus.get(SERVICE, self._modem, MODEM)
        state, quality = int(seen.get("State", 0)), seen.get("SignalQuality") or [None]
        self._signal = quality[0] if state >= ENABLED else None
        if state == DISABLED:
            await bus.call(SERVICE, self._modem, MODEM, "Enable", "b", True)
        elif state >= REGISTERED:
            self.condition.succeeded()
        else:
            self.condition.failed("sim_pin" if state == LOCKED else "modem_failed" if state < 0 else "no_network")

    async def _read_added(self, bus: Connection, until: float) -> None:
        """What is announced, as it is announced, until the next look."""
        try:
            async with asyncio.timeout_at(until):
                while True:
                    await self._read(bus, await self._added.get())
        except TimeoutError:
            return

    async def _read(self, bus: Connection, path: str) -> None:
        """One message: handed on and deleted, or left until all its parts are there."""
        try:
            seen = await bus.get(SERVICE, path, SMS)
        except Refused:
            return  # it is gone already
        if seen.get("PduType") == STATUS_REPORT:
            self.counters["delivered" if int(seen.get("DeliveryState", 0xFF)) < 0x20 else "failed"] += 1
        elif seen.get("PduType") != DELIVERED_HERE:
            return  # ours, on its way out
        elif seen.get("State") != RECEIVED:
            return
        else:
            data = bytes(seen.get("Data") or b"")
            self._mail.arrived(str(seen.get("Number", "")), data or str(seen.get("Text", "")))
        await self._forget(bus, path)

    async def _forget(self, bus: Connection, path: str) -> None:
        """So that no store ever fills."""
        try:
            await bus.call(SERVICE, self._modem, MESSAGING, "Delete", "o", path)
        except (OSError, TimeoutError, Refused):
            self.counters["not_deleted"] += 1

    async def _ask_time(self, bus: Connection) -> None:
        """ISO 8601 with its zone; without one it says nothing."""
        try:
            text = await bus.call(SERVICE, self._modem, TIME, "GetNetworkTime")
            told = datetime.fromisoformat(re.sub(r"([+-]\d{2})$", r"\1:00", str(text)))
        except (Refused, ValueError):
            return
        if told.tzinfo is not None and told.timestamp() >= NOT_BEFORE:
            self._told = Told(round(told.timestamp() * 1000), self._now(), CLOCK_ERROR)

    def _hear(self, signal: Signal) -> None:
        """`Added(path, received)`, and a message that has become whole."""
        if signal.path == self._modem and signal.member == "Added" and len(signal.body) > 1 and signal.body[1]:
            self._announce(str(signal.body[0]))
        elif signal.member == "PropertiesChanged" and signal.body[:1] == [SMS]:
            self._announce(signal.path)

    def _announce(self, path: str) -> None:
        if self._added.full():
            self.counters["announced"] += 1  # the next sweep finds it
        else:
            self._added.put_nowait(path)


def _reason(wrong: Exception) -> str:
    if isinstance(wrong, Refused):
        return REASONS.get(wrong.reason, wrong.reason)
    return "timeout" if isinstance(wrong, TimeoutError) else "port"


def check(config: ModemManagerConfig, _context: Context) -> Iterator[Problem]:
    if importlib.util.find_spec("dbus_fast") is None:
        yield Problem("driver", "modem.no_dbus")
    if config.bus and ":" not in config.bus:
        yield Problem("bus", "modem.bus", {"value": config.bus})
    yield from check_messages(config)


FACTORY = Factory(ModemManagerConfig, ModemManager, check)
