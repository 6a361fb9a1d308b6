"""RAK3172 (RUI3 firmware) as a point-to-point radio: a machine that sets it up, sends and hears. Pure.

Traps of the module, from its AT manual and from public logs:
- While it listens without end (`PRECV=65534`) it refuses to send (AT_BUSY_ERROR): listening is stopped first. From RUI3
  3.4 on `PRECV=65533` listens and lets send; older firmware answers AT_PARAM_ERROR to it.
- A changed work mode (`NWM`) restarts the module, before or after it says OK.
- `OK` to `PSEND` says that it will send; `+EVT:TXP2P DONE`, which may come before the OK, that it has.
- Listening before talking is `CAD=1` from RUI3 4.0.6 on, an unknown command before.

One machine, left whole: its conversations are written down in their order, and each can be broken off by what is heard.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple

from protocols.at import AtEngine
from protocols.at_events import CANCELLED, LOST, REBOOT, TIMEOUT, Command, Lost, Result, Unsolicited
from protocols.at_events import Done as Answered
from protocols.at_events import Ready as Awake
from protocols.errors import LocalError, RemoteError
from protocols.framing import Event, Send
from protocols.lora_airtime import LONGEST_PACKET
from protocols.rak3172_events import Damaged, Done, Mismatch, Ready, Received, Silent
from protocols.rak3172_lines import Radio, decode_line, decode_radio, encode_radio

BANNERS = ("RAKwireless", "Current Work Mode", "LoRa P2P.", "LoRaWAN.")  # of a module that has just begun
RESTART_TIME = 3.0  # seconds from a change of the work mode to the first answer
SENT_TIMEOUT = 3.0  # seconds beyond the airtime in which DONE must come
TRIES = 3
BUSY_WAIT = 0.5  # seconds between a refusal for being busy and the next try
OK, BUSY = "OK", "AT_BUSY_ERROR"  # to PRECV, busy says that it listens already
LISTEN_AND_TALK, LISTEN = 65533, 65534  # of PRECV


class _Pause(NamedTuple):
    seconds: float
    for_done: bool = False  # it ends when the module says that it has sent


_Script = Generator[Command | _Pause, Result, None]
"""A conversation written down in its order; it is continued with each answer."""


class Rak3172:
    """See `protocols.framing.Machine`. `configure`: set what is set otherwise; without it that is only told.

    After `start` it sets up until `Ready`; each `send` is answered by exactly one `Done`.
    """

    def __init__(self, radio: Radio, *, configure: bool = False, listens: bool = True) -> None:
        self.radio = radio
        self.ready = False
        self.busy = False  # a send is under way
        self._configure, self._wants_cad = configure, listens
        self._engine = AtEngine(banners=BANNERS, escape=b"", end=b"\r\n")
        self._now = 0.0
        self._mode = LISTEN_AND_TALK
        self._script: _Script | None = None
        self._pause: float | None = None  # until when the script says nothing
        self._again: float | None = None  # when to begin anew
        self._sent, self._awaited = False, False  # DONE was said; the script waits for it
        self._half: tuple[int, int] | None = None  # strength of a packet whose bytes come in the next line
        self._out: list[Event] = []
        self._after: Callable[[], _Script] | None = None  # what comes after the script

    @property
    def deadline(self) -> float | None:
        return min((at for at in (self._engine.deadline, self._pause, self._again) if at is not None), default=None)

    def start(self, now: float) -> Sequence[Event]:
        """Set the module up from the beginning."""
        self._now = now
        self._begin_anew(CANCELLED)
        return self._flush()

    def send(self, datagram: bytes, airtime: float, now: float) -> Sequence[Event]:
        """One packet, which takes `airtime` seconds."""
        self._now = now
        if not 1 <= len(datagram) <= LONGEST_PACKET:
            raise LocalError("lora.length", str(len(datagram)))
        if not self.ready or self.busy:
            return [Done("refused", "not ready")]
        self.busy = True
        self._run(lambda: self._transmit(datagram.hex().upper(), airtime))
        return self._flush()

    def receive(self, data: bytes, now: float) -> Sequence[Event]:
        self._now = now
        dropped = self._engine.dropped
        self._hear(self._engine.receive(data, now))
        if self._engine.dropped > dropped:
            self._out.append(Damaged("length"))
        return self._flush()

    def tick(self, now: float) -> Sequence[Event]:
        self._now = now
        self._hear(self._engine.tick(now))
        if self._again is not None and now >= self._again:
            self._begin_anew(CANCELLED)
        if self._pause is not None and now >= self._pause:
            self._resume(None)
        return self._flush()

    # Conversations

    def _set_up(self) -> _Script:
        mode = _value((yield Command("AT+NWM=?")))
        if mode != "0":
            yield from self._change("NWM", mode, "AT+NWM=0")
            self._again = self._now + RESTART_TIME if self._configure else None
            return
        yield Command("AT+PRECV=0")  # else it is busy
        if not (yield from self._set_radio()):
            return
        listens = (yield Command(f"AT+CAD={int(self._wants_cad)}")).ok and self._wants_cad
        if (yield from self._listen()):
            self.ready = True
            self._out.append(Ready(self.radio, listens))

    def _set_radio(self) -> Generator[Command | _Pause, Result, bool]:
        said = _value((yield Command("AT+P2P=?")))
        try:
            found, numbered = decode_radio(said)
        except RemoteError:
            return self._fail("AT+P2P=?", said)
        if found == self.radio:
            return True
        return (yield from self._change("P2P", said, f"AT+P2P={encode_radio(self.radio, numbered=numbered)}"))

    def _change(self, name: str, found: str, command: str) -> Generator[Command | _Pause, Result, bool]:
        if not self._configure:
            self._out.append(Mismatch(name, found))
            return False
        result = yield Command(command)
        return result.ok or self._fail(command, result.final.word)

    def _listen(self) -> Generator[Command | _Pause, Result, bool]:
        result = yield Command(f"AT+PRECV={self._mode}")
        if result.final.word not in (OK, BUSY) and self._mode == LISTEN_AND_TALK:
            self._mode = LISTEN
            result = yield Command(f"AT+PRECV={self._mode}")
        return result.final.word in (OK, BUSY) or self._fail(f"AT+PRECV={self._mode}", result.final.word)

    def _listen_again(self) -> _Script:
        yield from self._listen()

    def _transmit(self, payload: str, airtime: float) -> _Script:
        stopped = self._mode == LISTEN
        if stopped:
            yield Command("AT+PRECV=0")
        self._sent = False
        result = yield Command(f"AT+PSEND={payload}")
        for _ in range(TRIES - 1):
            if result.final.word != BUSY:
                break
            stopped = True
            yield _Pause(BUSY_WAIT)
            yield Command("AT+PRECV=0")
            result = yield Command(f"AT+PSEND={payload}")
        if result.ok and not self._sent:
            yield _Pause(airtime + SENT_TIMEOUT, for_done=True)
        self._finish(self._outcome(result))
        if stopped:
            yield from self._listen()

    def _outcome(self, result: Result) -> Done:
        word = result.final.word
        if self._sent or result.ok:
            return Done("sent") if self._sent else Done("unknown", "no DONE")
        return Done("unknown", word) if word == TIMEOUT else Done("refused", word, again=word != "AT_PARAM_ERROR")

    # What moves them

    def _run(self, script: Callable[[], _Script]) -> None:
        """Now, or after the one that runs; of those that wait the last one counts: a send goes before listening again."""
        if self._script is not None:
            self._after = script
            return
        self._script = script()
        self._resume(None)

    def _resume(self, result: Result | None) -> None:
        """Continue the script, until it waits again."""
        script, self._pause, self._awaited = self._script, None, False
        if script is None:
            return
        try:
            wanted = next(script) if result is None else script.send(result)
        except StopIteration:
            self._script = None
            after, self._after = self._after, None
            if after is not None:
                self._run(after)
            return
        if isinstance(wanted, Command):
            self._hear(self._engine.ask(wanted, self._now))
        else:
            self._pause, self._awaited = self._now + wanted.seconds, wanted.for_done

    def _begin_anew(self, why: str) -> None:
        self._drop(why)
        self._again = None
        self._mode, self._half = LISTEN_AND_TALK, None
        self._hear(self._engine.start(self._now))

    def _drop(self, why: str) -> None:
        """What was under way is not, any more."""
        self.ready = False
        self._script = self._after = self._pause = None
        if self.busy:
            self._finish(Done("unknown", why))

    def _fail(self, command: str, why: str) -> bool:
        self.ready = False
        self._again = self._now + RESTART_TIME
        self._out.append(Silent(command, why[:40]))
        return False

    def _finish(self, done: Done) -> None:
        self.busy = False
        self._out.append(done)

    def _hear(self, events: Sequence[Event]) -> None:
        for event in events:
            match event:
                case Send():
                    self._out.append(event)
                case Answered(_, result):
                    self._answered(result)
                case Awake() if self._script is None and not self.ready and self._again is None:
                    self._run(self._set_up)
                case Awake():
                    pass
                case Lost():
                    self._drop(LOST)
                    self._fail("AT", LOST)
                case Unsolicited(line):
                    self._unasked(line)
                case _:
                    self._out.append(Damaged("line"))

    def _answered(self, result: Result) -> None:
        if result.final.word in (REBOOT, LOST, CANCELLED):
            self._drop(result.final.word)
        else:
            self._resume(result)

    def _unasked(self, line: str) -> None:
        if line.startswith(BANNERS):
            if self._again is None and self._engine.idle and self.ready:
                self._begin_anew(REBOOT)
            return
        try:
            self._understand(decode_line(line))
        except RemoteError:
            self._out.append(Damaged("line"))

    def _understand(self, said: dict[str, Any]) -> None:
        half, self._half = self._half, None
        match said["kind"]:
            case "sent":
                self._sent = True
                if self._awaited:
                    self._resume(None)
            case "received":
                self._out.append(Received(bytes.fromhex(said["data"]), said["rssi"], said["snr"]))
            case "heard":
                self._half = said["rssi"], said["snr"]
            case "payload" if half is not None:
                self._out.append(Received(bytes.fromhex(said["data"]), *half))
            case "receive_timeout" if self.ready and not self.busy:
                self._run(self._listen_again)
            case kind:
                self._out.append(Damaged("radio" if kind == "receive_error" else "event"))

    def _flush(self) -> list[Event]:
        out, self._out = self._out, []
        return out


def _value(result: Result) -> str:
    """What `AT+NAME=?` was answered: the value alone, or behind the name; the error's word where it was none."""
    if not result.ok or not result.lines:
        return result.final.word
    return result.lines[-1].rpartition("=")[2].strip()
