"""The way a simulated cellular modem takes commands: with echo, several on a line, a prompt for what follows. Knows the
commands that only tell a constant, as a Quectel EC20 does; the others are methods of what is built on it.
"""

import random
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from drivers.simulated.sbd_line import Faults, ModemLine

CTRL_Z, ESCAPE = b"\x1a", b"\x1b"
PAYLOAD_MOST = 1024  # bytes of hexadecimal
_COMMAND = re.compile(r"([A-Z]|[+^*&][A-Z]+)(=\?|\?|=.*|\d*)", re.IGNORECASE)


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
    "+CGATT": ("(0,1)", "1"),
}


@dataclass
class ModemFaults(Faults):
    """Besides those of the line: `errors` are what the next messages are refused with (+CMS), `no_prompt` that the next
    ones never get one; `restart` cuts the power in the middle of the next message, `swallowed` loses the final result.
    """

    errors: deque[int] = field(default_factory=deque)
    no_prompt: int = 0


class AtDevice(ModemLine):
    """`_do_NAME(argument)` carries out `AT+NAME`; `_written` takes what followed a prompt."""

    faults: ModemFaults

    def __init__(self, chance: random.Random, faults: ModemFaults) -> None:
        super().__init__(chance, faults)
        self.commands: list[str] = []

    def reset(self) -> None:
        """What power-up sets."""
        self._settings: dict[str, str] = {}
        self._length: int | None = None  # of a PDU that is waited for

    def _written(self, payload: bytes, length: int) -> None:
        raise NotImplementedError

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
            self._written(payload, length)
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
