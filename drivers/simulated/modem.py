"""A cellular modem that exists only here: AT commands of 3GPP TS 27.005 and 27.007 as a Quectel module answers them, stores
that fill, a SIM, and everything that can go wrong on its line. A machine; messages go through an `SmsNetwork`.
"""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

from drivers.simulated.modem_device import ModemFaults
from drivers.simulated.modem_messages import MessageDevice
from drivers.simulated.sms_network import ZONE, SmsNetwork
from protocols.framing import Event

__all__ = ["ModemFaults", "SimModem", "SmsNetwork", "alone", "other", "tiantong"]

BOOT = 8.0  # seconds from power to RDY
BEAT = 1.0  # seconds: how soon it notices what another modem's message brings


class SimModem(MessageDevice):
    """`pin`: of a SIM that is locked. `send_time`: seconds a message takes to the service centre, at least and at most.

    `stat` and `rssi` are what +CREG and +CSQ say; `sim` whether one is inserted; `banner` what it says after power.
    """

    def __init__(
        self,
        network: SmsNetwork,
        number: str = "+8613800000001",
        chance: random.Random | None = None,
        *,
        faults: ModemFaults | None = None,
        sizes: Mapping[str, int] | None = None,
        pin: str = "",
        banner: Sequence[str] = ("RDY", "+CFUN: 1", "+CPIN: READY"),
        send_time: tuple[float, float] = (1.0, 4.0),
    ) -> None:
        seeded = random.Random(0)  # noqa: S311 - a device that plays the same every time, no secret
        stores = sizes or {"SM": 20, "ME": 50}
        super().__init__(network, number, chance or seeded, faults or ModemFaults(), stores, send_time)
        self.banner, self.restarts = tuple(banner), 0
        self.stat, self.rssi, self.sim = 1, 20, True
        self.pin, self.tries = pin, 3
        self.reset()
        network.attach(number, self._deliver)

    @property
    def deadline(self) -> float | None:
        return min(at for at in (super().deadline, self.network.deadline, self._now + BEAT) if at is not None)

    def receive(self, data: bytes, now: float) -> Sequence[Event]:
        self.network.tick(now)
        return super().receive(data, now)

    def tick(self, now: float) -> Sequence[Event]:
        self.network.tick(now)
        return super().tick(now)

    def restart(self) -> None:
        """Power is gone and back. What is stored stays."""
        self.restarts += 1
        self.forget()
        self.reset()
        self.busy_for(BOOT, lambda: self.answer(*self.banner))

    def leave(self, stat: int) -> None:
        """The registration changes, and is told if that was asked for."""
        self.stat = stat
        for name in ("CREG", "CGREG", "CEREG"):
            if self._told.get(name):
                self.answer(f"+{name}: {stat}")
        if stat in (1, 5):
            self.network.retry(self.number, self._now)

    def reset(self) -> None:
        super().reset()
        self._open = not self.pin
        self._told: dict[str, int] = {}  # which registrations are told unasked
        self._radio = 1

    @property
    def attached(self) -> bool:
        return bool(self._radio) and self.stat in (1, 5)

    def _sim_error(self) -> int:
        if not self.sim:
            return 310
        return 0 if self._open else 311

    # The SIM and the network

    def _do_cpin(self, argument: str) -> None:
        if not self.sim:
            self._error("CME", 10)
        elif argument == "?":
            self.ok("+CPIN: READY" if self._open else "+CPIN: SIM PIN" if self.tries else "+CPIN: SIM PUK")
        elif self._open or not self.tries:
            self._error("CME", 3)
        else:
            self._open = argument == f'="{self.pin}"'
            self.tries = 3 if self._open else self.tries - 1
            self.ok() if self._open else self._error("CME", 16)

    def _do_qpinc(self, _argument: str) -> None:
        self.ok(f'+QPINC: "SC",{self.tries},10')

    def _do_csq(self, argument: str) -> None:
        self.ok("+CSQ: (0-31,99),(0-7,99)" if argument == "=?" else f"+CSQ: {self.rssi},99")

    def _registration(self, name: str, argument: str) -> None:
        if argument == "?":
            told = self._told.get(name, 0)
            where = ',"1A2B","01C2D3E4",7' if told == 2 else ""
            self.ok(f"+{name}: {told},{self.stat if self._radio else 0}{where}")
        elif argument == "=?":
            self.ok(f"+{name}: (0-2)")
        else:
            self._told[name] = int(argument.lstrip("=")[:1] or 0)
            self.ok()

    def _do_creg(self, argument: str) -> None:
        self._registration("CREG", argument)

    def _do_cgreg(self, argument: str) -> None:
        self._registration("CGREG", argument)

    def _do_cereg(self, argument: str) -> None:
        self._registration("CEREG", argument)

    def _do_cfun(self, argument: str) -> None:
        if argument == "?":
            self.ok(f"+CFUN: {self._radio}")
        elif argument.endswith(",1"):
            self.ok()
            self.restart()
        else:
            self._radio = int(argument.lstrip("=")[:1] or 1)
            self.ok()

    def _do_reset(self, _argument: str) -> None:
        self.ok()
        self.restart()

    def _do_creset(self, _argument: str) -> None:
        self._do_reset("")

    def _do_cclk(self, argument: str) -> None:
        self.ok(*([f'+CCLK: "{self._clock(ZONE):%y/%m/%d,%H:%M:%S}+{ZONE // 15}"'] if argument == "?" else []))

    def _do_qlts(self, argument: str) -> None:
        at = self._clock(0 if argument == "=1" else ZONE)
        self.ok(f'+QLTS: "{at:%Y/%m/%d,%H:%M:%S}+{ZONE // 15},0"')

    def _clock(self, zone: int) -> datetime:
        return datetime.fromtimestamp(self.network.time(self._now), UTC) + timedelta(minutes=zone)


@cache
def _shared() -> SmsNetwork:
    """The network of this process, for `sim:` addresses."""
    return SmsNetwork()


@cache
def alone() -> SimModem:
    """`sim:modem`: what it sends to its own number, or to that of `sim:modem-2`, arrives."""
    return SimModem(_shared())


@cache
def other() -> SimModem:
    return SimModem(_shared(), "+8613800000002", random.Random(2))  # noqa: S311 - repeatable, no secret


@cache
def tiantong() -> SimModem:
    """`sim:tiantong`: a satellite baseband under the number +8617400000001."""
    return SimModem(_shared(), "+8617400000001", banner=("^SIMST:1",), send_time=(4.0, 12.0))
