"""Stores, announcements and the sending of a simulated cellular modem (3GPP TS 27.005, PDU mode)."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from drivers.simulated.modem_device import AtDevice, ModemFaults
from drivers.simulated.sms_network import SmsNetwork
from protocols.errors import RemoteError
from protocols.sms_pdu import Pdu, StatusReport, Submit, decode, encode


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


class MessageDevice(AtDevice):
    """`sizes` of its stores; `send_time`: seconds a message takes to the service centre, at least and at most.

    `attached`: the network and the SIM let it send and have.
    """

    def __init__(
        self,
        network: SmsNetwork,
        number: str,
        chance: random.Random,
        faults: ModemFaults,
        sizes: Mapping[str, int],
        send_time: tuple[float, float],
    ) -> None:
        super().__init__(chance, faults)
        self.network, self.number, self.full_said = network, number, 0
        self.stores = {name: Store(size) for name, size in sizes.items()}
        self._send_time = send_time
        self._reference = 0

    @property
    def attached(self) -> bool:
        raise NotImplementedError

    def restart(self) -> None:
        """Power is gone and back."""
        raise NotImplementedError

    def _sim_error(self) -> int:
        """+CMS of a SIM that lets nothing through; 0 where it does."""
        raise NotImplementedError

    def reset(self) -> None:
        super().reset()
        self._cnmi = (0, 0)  # what is said of messages, of status reports
        self._reading = self._taking = next(iter(self.stores))
        self._text = False

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
        elif wrong := self._sim_error():
            self._error("CMS", wrong)
        elif self.faults.no_prompt:
            self.faults.no_prompt -= 1
        else:
            self._length = int(argument.lstrip("=") or 0)
            self.say(b"\r\n> ")

    def _do_cmgw(self, argument: str) -> None:
        self._error("CMS", 303 if argument else 304)

    def _written(self, payload: bytes, length: int) -> None:
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
        elif not self.attached:
            self._error("CMS", 331)
        else:
            self._reference = (self._reference + 1) % 256
            self.network.submit(self.number, tpdu, self._reference, self._now)
            if self._chance.random() >= self.faults.swallowed:
                self.ok(f"+CMGS: {self._reference}")

    def _deliver(self, pdu: Pdu) -> bool:
        """The network has something. It is stored and announced, or said at once; False where there is no room."""
        if self.busy or self._sim_error() or not self.attached:
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


def _length(octets: bytes) -> int:
    return len(octets) - 1 - octets[0]
