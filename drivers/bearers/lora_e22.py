"""Ebyte E22 as a bearer: datagrams in frames over a transparent line, never longer or more often on the air than the law
of the place allows.

A transmission that would break the law is declined and never written; nothing in a datagram changes that. What the
module is set to is read where its mode can be changed (pins, or command), compared, and written only with
`configure = true`; where it cannot, the configuration is believed and `check` holds it against the law.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from drivers.address import Address
from drivers.api import Accepted, Context, Datagram, Declined, Factory, Sent, Traits
from drivers.bearers.common import LineBearer
from drivers.bearers.lora_e22_config import E22, PORT, E22Config, check
from drivers.bearers.lora_pins import ModePins
from drivers.opening import open_stream
from drivers.stream import Stream
from protocols import ebyte_e22 as e22
from protocols import lora_line
from protocols.framing import Event, Send
from protocols.lora_frame import OVERHEAD, Noise, Received

MODE_TIME = 0.1  # seconds a module takes to change its mode (manual: 9 to 11 ms; AUX rises within 50)
SETTINGS_AGAIN = 600.0  # seconds until a module that may not be used is looked at again
WEAKEST, STRONGEST = -130, -30  # dBm, of 0 and 100 per cent


class LoraE22(LineBearer):
    """See `drivers.api.Bearer`."""

    _machine: lora_line.Transparent

    def __init__(self, config: E22Config, address: Address, context: Context, pins: ModePins | None = None) -> None:
        super().__init__(config.name, address, lora_line.Transparent(rssi=config.rssi), context)
        self._config, self._pins = config, pins
        self._module = E22(config, config.settings(address.baud))
        self._guard = config.guard()
        self._refused = ""  # why nothing may be sent as the module is set
        self._strength: int | None = None

    @property
    def traits(self) -> Traits:
        return Traits(
            mtu=self._module.mtu,
            cost=self._config.cost,
            latency=self._module.airtime(self._module.mtu) + 1.0,
            broadcast=True,
            guard=self._guard.hour / 1000,
        )

    def airtime(self, length: int) -> float:
        """Seconds that a datagram of so many bytes is on the air, for whoever plans with it."""
        return self._module.airtime(length)

    async def send(self, data: bytes, to: str = "") -> Sent:  # noqa: ARG002 - whoever is in reach hears it
        if self._refused:
            return Declined(self._refused, SETTINGS_AGAIN)
        if not 1 <= len(data) <= self._module.mtu:
            return self._decline("size", None)
        return await self.ask(lambda now: self._transmit(data, now))

    def _transmit(self, data: bytes, now: float) -> list[Event]:
        """The last moment before it is on the air: here the law is held."""
        seconds = self._module.airtime(len(data))
        wait = self._guard.wait(now, seconds * 1000)
        if wait is None or wait > 0:
            self._turn.settle(self._decline("airtime", wait))
            return []
        self._guard.spend(now, seconds * 1000)
        self.counters["sent"] += 1
        line = (len(data) + OVERHEAD) * self._address.character
        return list(self._machine.send(data, seconds + line, now))

    def _decline(self, reason: str, retry_after: float | None) -> Declined:
        self.counters[reason] += 1
        return Declined(reason, retry_after)

    def _take(self, event: Event) -> None:
        match event:
            case lora_line.Opened() if not self._refused:
                self.condition.succeeded()  # a module that only listens says nothing of itself
            case lora_line.Sent():
                self.condition.succeeded()
                self._turn.settle(Accepted())
            case Received(data, strength):
                self._hear(data, strength)
            case Noise(reason, length):
                self.counters[reason] += length

    def _hear(self, data: bytes, strength: int | None) -> None:
        self.condition.succeeded()
        self.counters["received"] += 1
        if strength is not None:
            self._strength = round(e22.dbm(strength, older=self._config.older))
        self._inbox.put(Datagram(data, "", self._context.now(), broadcast=True))

    def _show(self, now: float) -> Mapping[str, Any]:
        return {
            "signal": None if self._strength is None else percent(self._strength),
            "dbm": self._strength,
            "airtime_left": round(self._guard.left(now), 1),
            "ready_in": self._guard.wait(now, self._module.airtime(self._module.mtu) * 1000) or 0.0,
            "refused": self._refused,
        }

    # What the module is set to

    async def _attend(self) -> None:
        found = await self._read_settings() if self._config.mode != "operator" else None
        if found is not None:
            self._module = E22(self._config, found)
        self._judge()
        await super()._attend()

    def _judge(self) -> None:
        """Refuse to send as the law or the configuration forbids."""
        wanted, found = self._config.settings(self._address.baud), self._module.settings
        unlawful = self._module.unlawful()
        differs = _differences(wanted, found)
        refused = "unlawful" if unlawful else "settings" if differs else ""
        if refused and refused != self._refused:
            what = {one.key: dict(one.facts) for one in unlawful} or differs
            self._context.report("bearer.settings", {"bearer": self.name, "reason": refused, "found": what})
        self._refused = refused
        if refused:
            self.condition.failed(refused, at_once=True)

    async def _read_settings(self) -> e22.Settings | None:
        """OSError where the module does not answer: tried again as a port that is gone."""
        await self._change_mode(configuring=True)
        stream = await open_stream(replace(self._address, baud=e22.CONFIG_BAUD, parity="N"), self._context.base)
        try:
            found = e22.decode_settings(await _ask(stream, e22.read(0, 7)))
            wanted = self._config.settings(self._address.baud)._replace(wake=found.wake, ambient=found.ambient)
            if self._config.configure and found != wanted:
                found = e22.decode_settings(await _ask(stream, e22.write(0, e22.encode(wanted))))
            if self._config.mode == "soft":
                await stream.write(e22.soft_mode(0))
        finally:
            stream.close()
        await self._change_mode(configuring=False)
        return found

    async def _change_mode(self, *, configuring: bool) -> None:
        if self._pins is not None:
            self._pins.configuring(configuring)
        elif configuring:
            stream = await open_stream(self._address, self._context.base)
            await stream.write(e22.soft_mode(2))
            await asyncio.sleep(MODE_TIME)  # what it answers is not needed: the next answer says whether it heard
            stream.close()
        await asyncio.sleep(MODE_TIME)


def percent(dbm: float) -> int:
    return round(100 * min(max((dbm - WEAKEST) / (STRONGEST - WEAKEST), 0), 1))


def _differences(wanted: e22.Settings, found: e22.Settings) -> dict[str, Any]:
    """What matters and is set otherwise, as it was found."""
    return {
        key: found_value
        for key, wanted_value, found_value in zip(e22.Settings._fields, wanted, found, strict=True)
        if wanted_value != found_value and key not in ("wake", "ambient")
    }


async def _ask(stream: Stream, request: bytes) -> bytes:
    """One exchange in configuration mode."""
    machine, now = e22.Registers(), asyncio.get_running_loop().time
    events = list(machine.ask(request, now()))
    while True:
        for event in events:
            match event:
                case Send(data):
                    await stream.write(data)
                case e22.Answer(data):
                    return data
                case e22.NoAnswer(reason):
                    raise OSError(f"the module is {reason} in configuration mode")
        try:
            async with asyncio.timeout_at(machine.deadline):
                heard = await stream.read()
            events = list(machine.receive(heard, now()))
        except TimeoutError:
            events = list(machine.tick(now()))


def create(config: E22Config, context: Context) -> LoraE22:
    pins = ModePins(config.pins) if config.pins is not None and config.mode == "pins" else None
    return LoraE22(config, PORT.opened(config.port), context, pins)


FACTORY = Factory(E22Config, create, check)
