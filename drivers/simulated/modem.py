"""A cellular modem that exists only here: AT commands of 3GPP TS 27.005 and 27.007 as a Quectel module answers them, stores
that fill, a SIM, and everything that can go wrong on its line. A machine; messages go through an `SmsNetwork`.
"""

import random
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

from drivers.simulated.sbd_line import Faults, ModemLine
from drivers.simulated.sms_network import ZONE, SmsNetwork
from protocols.errors import RemoteError
from protocols.framing import Event
from protocols.sms_pdu import Pdu, StatusReport, Submit, decode, encode

BOOT = 8.0  # seconds from power to RDY
BEAT = 1.0  # seconds: how soon it notices what another modem's message brings
CTRL_Z, ESCAPE = b"\x1a", b"\x1b"
PAYLOAD_MOST = 1024  # bytes of hexadecimal
_COMMAND = re.compile(r"([A-Z]|[+^*&][A-Z]+)(=\?|\?|=.*|\d*)", re.IGNORECASE)


@dataclass
class ModemFaults(Faults):
    """Besides those of the line: `errors` are what the next messages are refused with (+CMS), `no_prompt` that the next
    ones never get one; `restart` cuts the power in the middle of the next message, `swallowed` loses the final result.
    """

    errors: deque[int] = field(default_factory=deque)
    no_prompt: int = 0


@dataclass
class Store:
    """Places for messages; what is in one has the state 27.005 gives it (0 unread, 1 read, 2 unsent)."""

    size: int
    places: dict[int, tuple[int, bytes]] = field(default_factory=dict)

    def put(self, pdu: bytes, state: int = 0) -> int | None:
        place = next((one for one in range(1, self.size + 1) if one not in self.places), None)
        if place is not None:
            self.places[place] = (state, pdu)
        return place


class SimModem(ModemLine):
    """`pin`: of a SIM that is locked. `send_time`: seconds a message takes to the service centre, at least and at most.

    `stat` and `rssi` are what +CREG and +CSQ say; `sim` whether one is inserted; `banner` what it says after power.
    """

    faults: ModemFaults

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
        super().__init__(chance or seeded, faults or ModemFaults())
        self.network, self.number, self.banner = network, number, tuple(banner)
        self.stat, self.rssi, self.sim, self.full_said = 1, 20, True, 0
        self.stores = {name: Store(size) for name, size in (sizes or {"SM": 20, "ME": 50}).items()}
        self.commands: list[str] = []
        self.restarts = 0
        self.pin, self.tries = pin, 3
        self._send_time = send_time
        self._reference = 0
        self._begin()
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
        self._begin()
        self.busy_for(BOOT, lambda: self.answer(*self.banner))

    def leave(self, stat: int) -> None:
        """The registration changes, and is told if that was asked for."""
        self.stat = stat
        for name in ("CREG", "CEREG"):
            if self._told.get(name):
                self.answer(f"+{name}: {stat}")
        if stat in (1, 5):
            self.network.retry(self.number, self._now)

    def _begin(self) -> None:
        self._open = not self.pin
        self._settings: dict[str, str] = {}
        self._told: dict[str, int] = {}  # which registrations are told unasked
        self._cnmi = (0, 0)  # what is said of messages, of status reports
        self._reading = self._taking = next(iter(self.stores))
        self._radio = 1
        self._length: int | None = None  # of a PDU that is waited for
        self._text = False

    # What it hears

    def _hear(self) -> bool:
        if self._length is None:
            self._heard = self._heard.lstrip(ESCAPE + b"\n")
            return super()._hear()
        ends = [at for at in (self._heard.find(CTRL_Z), self._heard.find(ESCAPE)) if at >= 0]
        if not ends:
            self._heard = self._heard[-PAYLOAD_MOST:]
            return False
        end = min(ends)
        payload, how, self._heard = self._heard[:end], self._heard[end : end + 1], self._heard[end + 1 :]
        if self.echo:
            self.say(payload + how)
        length, self._length = self._length, None
        if how == ESCAPE:
            self.ok()
        else:
            self.written_pdu(payload, length)
        return not self.busy

    def command(self, line: str) -> None:
        if not line.strip():
            return
        self.commands.append(line)
        if not line.upper().startswith("AT"):
            self.answer("ERROR")
            return
        rest = line[2:]
        while rest:
            match = _COMMAND.match(rest)
            if match is None:
                self.answer("ERROR")
                return
            rest = rest[match.end() :].lstrip(";")
            name, argument = match[1].upper(), match[2]
            if not rest:
                self._execute(name, argument)
            elif name == "E":
                self.echo = argument != "0"
        if line.upper() == "AT":
            self.ok()

    def _execute(self, name: str, argument: str) -> None:
        if name == "E":
            self.echo = argument != "0"
        found = getattr(self, f"_do_{name.lstrip('+^*&').lower()}", None)
        if name in ("E", "Z", "V", "Q", "S", "X", "&F", "&W", "&D", "&C") or (name.startswith("+") and name in _QUIET):
            self.ok()
        elif name == "I":
            self.ok("Quectel", "EC20F", "Revision: EC20CEFAGR06A05M4G")
        elif name in _SAID:
            self._constant(name, argument)
        elif found is not None:
            found(argument)
        else:
            self._error("CME", 4)

    def _constant(self, name: str, argument: str) -> None:
        if argument.startswith("=") and argument != "=?":
            self._settings[name] = argument[1:]
            self.ok()
            return
        test, value = _SAID[name]
        said = test if argument == "=?" else self._settings.get(name, value)
        self.ok(*([f"{name}: {said}" if argument else said] if said else []))

    def ok(self, *lines: str) -> None:
        if self.faults.ring_inside and lines:
            lines = (*lines[:-1], '+CREG: 1,"1A2B","01C2D3E4",7', lines[-1], "^DSFLOWRPT:0000000C")
        super().ok(*lines)

    def _error(self, kind: str, code: int) -> None:
        self.answer(f"+{kind} ERROR: {code}")

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
            self.ok(f"+{name}: {self._told.get(name, 0)},{self.stat if self._radio else 0}")
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

    # Messages

    def _do_cnmi(self, argument: str) -> None:
        if argument == "=?":
            self.ok("+CNMI: (0-2),(0-3),(0,2),(0-2),(0,1)")
        elif argument == "?":
            self.ok(f"+CNMI: 2,{self._cnmi[0]},0,{self._cnmi[1]},0")
        else:
            fields = [*argument.lstrip("=").split(","), "0", "0", "0", "0"]
            self._cnmi = (int(fields[1] or 0), int(fields[3] or 0))
            self.ok()

    def _do_cmgf(self, argument: str) -> None:
        if argument.startswith("=") and argument != "=?":
            self._text = argument == "=1"
        self.ok(*{"=?": ["+CMGF: (0,1)"], "?": [f"+CMGF: {int(self._text)}"]}.get(argument, []))

    def _do_cpms(self, argument: str) -> None:
        names = ",".join(f'"{name}"' for name in self.stores)
        if argument == "=?":
            self.ok(f"+CPMS: ({names}),({names}),({names})")
            return
        if argument != "?":
            wanted = [name.strip('"') for name in argument.lstrip("=").split(",")]
            if any(name not in self.stores for name in wanted):
                self._error("CMS", 302)
                return
            self._reading = wanted[0]
            self._taking = wanted[2] if len(wanted) > 2 else self._taking
        counts = [(name, len(self.stores[name].places), self.stores[name].size) for name in self._places()]
        named = argument == "?"
        said = ",".join(f'"{name}",{used},{size}' if named else f"{used},{size}" for name, used, size in counts)
        self.ok(f"+CPMS: {said}")

    def _places(self) -> tuple[str, str, str]:
        return self._reading, self._reading, self._taking

    def _do_cmgl(self, argument: str) -> None:
        if argument == "=?":
            self.ok("+CMGL: (0-4)")
            return
        wanted = int(argument.lstrip("=") or 0)
        lines = []
        for place, (state, pdu) in sorted(self.stores[self._reading].places.items()):
            if wanted in (state, 4):
                lines += [f"+CMGL: {place},{state},,{_length(pdu)}", pdu.hex().upper()]
                self._seen(place)
        self.ok(*lines)

    def _do_cmgr(self, argument: str) -> None:
        place = int(argument.lstrip("=") or 0)
        found = self.stores[self._reading].places.get(place)
        if found is None:
            self._error("CMS", 321)
            return
        state, pdu = found
        self.ok(f"+CMGR: {state},,{_length(pdu)}", pdu.hex().upper())
        self._seen(place)

    def _seen(self, place: int) -> None:
        state, pdu = self.stores[self._reading].places[place]
        self.stores[self._reading].places[place] = (max(state, 1), pdu)

    def _do_cmgd(self, argument: str) -> None:
        if argument == "=?":
            self.ok("+CMGD: (1-50),(0-4)")
            return
        place, _, flag = argument.lstrip("=").partition(",")
        places = self.stores[self._reading].places
        if flag == "4":
            places.clear()
        places.pop(int(place or 0), None)
        self.ok()
        self.network.retry(self.number, self._now)

    def _do_cmgs(self, argument: str) -> None:
        if self._text:
            self._error("CMS", 303)
        elif not self.sim or not self._open:
            self._error("CMS", 310 if not self.sim else 311)
        elif self.faults.no_prompt:
            self.faults.no_prompt -= 1
        else:
            self._length = int(argument.lstrip("=") or 0)
            self.say(b"\r\n> ")

    def _do_cmgw(self, argument: str) -> None:
        self._error("CMS", 303 if argument else 304)

    def written_pdu(self, payload: bytes, length: int) -> None:
        """What followed the prompt."""
        if self.faults.restart:
            self.faults.restart = False
            self.restart()
            return
        try:
            octets = bytes.fromhex(payload.decode("ascii").strip())
            tpdu = decode(octets).tpdu
        except (ValueError, RemoteError):
            self._error("CMS", 304)
            return
        if _length(octets) != length or not isinstance(tpdu, Submit):
            self._error("CMS", 304)
            return
        self.busy_for(self._chance.uniform(*self._send_time), lambda: self._sent(tpdu))

    def _sent(self, tpdu: Submit) -> None:
        if self.faults.errors:
            self._error("CMS", self.faults.errors.popleft())
        elif self.stat not in (1, 5) or not self._radio:
            self._error("CMS", 331)
        else:
            self._reference = (self._reference + 1) % 256
            self.network.submit(self.number, tpdu, self._reference, self._now)
            if self._chance.random() >= self.faults.swallowed:
                self.ok(f"+CMGS: {self._reference}")

    def _deliver(self, pdu: Pdu) -> bool:
        """The network has something. It is stored and announced, or said at once; False where there is no room."""
        if self.busy or not self._radio or self.stat not in (1, 5) or not self.sim or not self._open:
            return False
        octets = encode(pdu)
        told, reports = self._cnmi
        report = isinstance(pdu.tpdu, StatusReport)
        if (report and reports == 1) or (not report and told == 2):
            head = f"+CDS: {_length(octets)}" if report else f"+CMT: ,{_length(octets)}"
            self.answer(f"{head}\r\n{octets.hex().upper()}")
            return True
        place = self.stores[self._taking].put(octets)
        if place is None:
            self.full_said += 1
            self.answer("^SMMEMFULL")
            return False
        if told == 1 or report:
            self.answer(f'+CMTI: "{self._taking}",{place}')
        return True


# Commands that change nothing here.
_QUIET = frozenset(
    {"+CMEE", "+CTZU", "+CTZR", "+QURCCFG", "+QINDCFG", "+CSAS", "+CRES", "+CMMS", "+CLIP", "+CNMA", "+CSDH"}
)
_SAID: Mapping[str, tuple[str, str]] = {
    "+CGMI": ("", "Quectel"),
    "+CGMM": ("", "EC20F"),
    "+CGMR": ("", "EC20CEFAGR06A05M4G"),
    "+GMI": ("", "Quectel"),
    "+GMM": ("", "EC20F"),
    "+CGSN": ("", "861075021234567"),
    "+CIMI": ("", "460011234567890"),
    "+CSCS": ('("GSM","IRA","UCS2")', '"GSM"'),
    "+CSMS": ("(0,1)", "0,1,1,1"),
    "+CSCA": ("", '"+8613800100500",145'),
    "+CSMP": ("", "17,167,0,0"),
    "+COPS": ("(0-4)", '0,0,"CHN-UNICOM",7'),
    "^TETYPE": ("", "6"),
    "^VOICERATE": ("", "5"),
    "^VOICEMODE": ("", "1"),
    "+CMUX": ("(0),(0)", ""),
}


def _length(octets: bytes) -> int:
    return len(octets) - 1 - octets[0]


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
