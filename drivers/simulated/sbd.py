"""An Iridium 9602 that exists only here: it answers, delays, breaks off and forgets as the device does. A machine.

Nothing is drawn but from the random generator handed in, so that a month of sessions is the same month again.
"""

import random
import time
from collections.abc import Callable

from drivers.simulated.sbd_gateway import Mo, SbdGateway
from drivers.simulated.sbd_line import Faults, ModemLine
from protocols.iridium_time import ticks_at
from protocols.sbd_words import MO_MOST, counted, sum16

__all__ = ["Faults", "Mo", "SbdGateway", "SbdModem", "alone"]

WRITE_MOST = 60.0  # seconds that a message promised is waited for (+SBDWB)
REGISTER_MIN = 180.0  # seconds between registrations
BOOT = 5.0  # seconds until it answers after power
BROKEN = (10, 13, 17, 18, 19)  # what a session that broke off is called
MODEL = "IRIDIUM 9600 Family SBD Transceiver"


class SbdModem(ModemLine):
    """`session`: seconds that a session takes, at least and at most. `utc`: Unix seconds when the clock began."""

    def __init__(
        self,
        gateway: SbdGateway,
        imei: str = "300234010753370",
        chance: random.Random | None = None,
        *,
        faults: Faults | None = None,
        session: tuple[float, float] = (5.0, 30.0),
        utc: float = 1_795_320_000.0,
    ) -> None:
        seeded = random.Random(0)  # noqa: S311 - a device that plays the same every time, no secret
        super().__init__(chance or seeded, faults or Faults())
        self.gateway, self.imei = gateway, imei
        self.service, self.bars, self.locked = True, 4, False
        self.momsn = self.sessions = 0
        self.registrations: list[float] = []  # when each was tried
        self.commands: list[str] = []
        self._length, self._utc = session, utc
        self._table = self._commands()
        self._begin()
        gateway.attach(imei, self._rung)

    def restart(self) -> None:
        """Power is gone and back: all that is not kept without it is forgotten; `momsn` is kept."""
        self.forget()
        self._begin()
        self.busy_for(BOOT, lambda: None)

    def _begin(self) -> None:
        self.alert, self.indicators, self.radio = False, False, True
        self.mo, self.mt, self.mtmsn, self.ringing = b"", b"", -1, False
        self._text = False  # +SBDWT without a text: the next line is the message
        self._to_ring = False

    def _commands(self) -> dict[str, Callable[[str], None]]:
        return {
            "E0": lambda _: self._set("echo", value=False),
            "E1": lambda _: self._set("echo", value=True),
            "+CGSN": lambda _: self.ok(self.imei),
            "+CGMM": lambda _: self.ok(MODEL),
            "+GMM": lambda _: self.ok(MODEL),
            "+CGMR": lambda _: self.ok("Call Processor Version: TA16005"),
            "+CSQ": lambda _: self.busy_for(0.5, lambda: self.ok(self.result("+CSQ", self.bars))),
            "+CSQF": lambda _: self.ok(self.result("+CSQF", self.bars)),
            "+CIER=": self._indicate_from_now,
            "-MSSTM": lambda _: self._time(),
            "+SBDMTA=": lambda value: self._set("alert", value=value == "1"),
            "+SBDMTA?": lambda _: self.ok(f"+SBDMTA:{int(self.alert)}"),
            "+SBDWB=": self._write,
            "+SBDWT": lambda _: self._write_text(""),
            "+SBDWT=": self._write_text,
            "+SBDRB": lambda _: self._read(),
            "+SBDRT": lambda _: self.ok("+SBDRT:\r\n" + self.mt.decode("ascii", "replace")),
            "+SBDTC": lambda _: self._copy(),
            "+SBDD0": lambda _: self._clear(mo=True),
            "+SBDD1": lambda _: self._clear(mt=True),
            "+SBDD2": lambda _: self._clear(mo=True, mt=True),
            "+SBDIX": lambda _: self._begin_session(),
            "+SBDIX=": lambda _: self._begin_session(),
            "+SBDIXA": lambda _: self._begin_session(),
            "+SBDIXA=": lambda _: self._begin_session(),
            "+SBDS": lambda _: self.ok(self.result("+SBDS", *self._held())),
            "+SBDSX": lambda _: self.ok(self.result("+SBDSX", *self._held(), int(self.ringing), self._waiting())),
            "+SBDREG": lambda _: self._register(),
            "+SBDREG?": lambda _: self.ok(f"+SBDREG:{2 if self.registrations else 1}"),
            "+CULK?": lambda _: self.ok(f"+CULK:{int(self.locked)}"),
            "+GEMON": lambda _: self.ok("+GEMON:0"),
            "*R0": lambda _: self._set("radio", value=False),
            "*R1": lambda _: self._set("radio", value=True),
        }

    def command(self, line: str) -> None:
        if self._text:
            self._text, self.mo = False, line.encode()[:MO_MOST]
            self.ok()
            return
        if not line:
            return
        self.commands.append(line)
        if line[:2].upper() != "AT":
            self.answer("ERROR")
            return
        name, equals, value = line[2:].partition("=")
        known = self._table.get(name.upper() + equals)
        if known is not None:
            known(value)
        elif name[:1] in ("", "&", "*", "E", "Q", "V", "Z") or equals:
            self.ok()  # settings that change nothing here
        else:
            self.answer("ERROR")

    def _set(self, name: str, *, value: bool) -> None:
        setattr(self, name, value)
        self.ok()

    # Buffers

    def _write(self, value: str) -> None:
        length = int(value) if value.isdigit() else 0
        if not 1 <= length <= MO_MOST:
            self.ok("3")
            return
        self.answer("READY")
        self.promise(length + 2, WRITE_MOST, lambda: self.ok("1"))

    def written(self, data: bytes) -> None:
        if sum16(data[:-2]) != data[-2:]:
            self.ok("2")
        else:
            self.mo = data[:-2]
            self.ok("0")

    def _write_text(self, value: str) -> None:
        if value:
            self.mo = value.encode()
            self.ok()
        else:
            self._text = True
            self.answer("READY")

    def _clear(self, *, mo: bool = False, mt: bool = False) -> None:
        self.mo = b"" if mo else self.mo
        self.mt = b"" if mt else self.mt
        self.ok("0")

    def _read(self) -> None:
        self.say(counted(self.mt))
        self.ok()

    def _copy(self) -> None:
        self.mt = self.mo
        self.ok(f"Outbound SBD Copied to Inbound SBD: size = {len(self.mt)}")

    def _held(self) -> tuple[int, int, int, int]:
        return int(bool(self.mo)), self.momsn, int(bool(self.mt)), self.mtmsn

    def _waiting(self) -> int:
        return self.gateway.waiting(self.imei) if self.ringing else 0

    # Sessions

    def _begin_session(self) -> None:
        self.sessions += 1
        length = self._chance.uniform(*self._length) if self.service else 1.0
        self.busy_for(length, self._session)

    def _session(self) -> None:
        if self.faults.restart:
            self.faults.restart = False
            self.restart()
            return
        status = self._fate()
        if status <= 4 or (status in BROKEN and self._chance.random() < 0.5):
            self._hand_over()
        if status > 4:
            self._report(status, 2)
            return
        self.registrations.append(self._now)
        self.ringing = self._to_ring = False
        came = self.gateway.next(self.imei)
        if came is not None:
            self.mtmsn, self.mt = came
        self._report(status, int(came is not None))

    def _fate(self) -> int:
        if self.faults.statuses:
            return self.faults.statuses.popleft()
        for there, status in ((self.locked, 16), (not self.radio, 34), (not self.service, 32)):
            if there:
                return status
        return self._chance.choice(BROKEN) if self._chance.random() < self.faults.loss else 0

    def _hand_over(self) -> None:
        if self.mo:
            self.gateway.take(Mo(self.imei, self.momsn, self.mo, self._now))

    def _report(self, status: int, mt: int) -> None:
        came = (self.mtmsn, len(self.mt)) if mt == 1 else (0, 0)
        line = self.result("+SBDIX", status, self.momsn, mt, *came, self.gateway.waiting(self.imei))
        self.momsn = (self.momsn + (status <= 4)) & 0xFFFF
        if self._chance.random() >= self.faults.swallowed:
            self.answer(line, *["SBDRING"] * self.faults.ring_inside, "OK")

    def _register(self) -> None:
        early = bool(self.registrations) and self._now - self.registrations[-1] < REGISTER_MIN
        self.registrations.append(self._now)
        status, error = (1, 32) if not self.service else (1, 36) if early else (2, 0)
        self.busy_for(1.0 if error else 10.0, lambda: self.ok(self.result("+SBDREG", status, error)))

    # The network

    def _rung(self) -> None:
        if self.alert and self.service:
            self.ringing = self._to_ring = True
            self.later(1.0, self._ring)

    def _ring(self) -> None:
        if self._to_ring and self.busy:
            self.later(1.0, self._ring)
        elif self._to_ring:
            self._to_ring = False
            self.answer("SBDRING")

    def set_service(self, *, there: bool, bars: int = 4) -> None:
        """It comes or goes; a modem that was told to (+CIER) says so."""
        self.service, self.bars = there, bars if there else 0
        self.later(0.1, self._indicate)

    def _indicate_from_now(self, value: str) -> None:
        self.indicators = value.startswith("1")
        self.ok()
        self.later(0.1, self._indicate)

    def _indicate(self) -> None:
        if self.indicators:
            self.answer(f"+CIEV:0,{self.bars}", f"+CIEV:1,{int(self.service)}")

    def _time(self) -> None:
        ticks = f"{ticks_at(self._utc + self._now):08x}" if self.service else "no network service"
        self.ok(f"-MSSTM: {ticks}")


def alone() -> SbdModem:
    """For `sim:sbd`: a modem whose gateway nobody sees, and whose network knows what time it is."""
    return SbdModem(SbdGateway(), utc=time.time() - time.monotonic())
