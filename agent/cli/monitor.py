"""`fengsui monitor`: what goes over a serial line, decoded as it comes. Listens; sends nothing."""

import argparse
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from agent.cli.common import complain, print_json, seconds, with_json

if TYPE_CHECKING:
    from drivers.address import Address
    from protocols.overheard import Overhearing

KINDS = ("auto", "raw", "modbus-rtu", "nmea", "beidou", "vaisala", "sbd", "at", "sdi12")
MOST_PUZZLED = 2048  # bytes that nothing explains are shown as they are, and the guessing begins anew
PUZZLED = 2.0  # seconds, after which they are, too: whoever speaks says something whole every second
NOTHING = 10.0  # seconds of silence, after which it is said what may be wrong


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "monitor",
        description="Show what goes over a line, decoded live. Nothing is sent. With --capture the bytes go into a file that "
        '`fengsui decode` reads and a sensor plays with port = "replay:FILE".',
        epilog="Exit codes: 0 ended (time over, end of a capture, Ctrl-C is 130); 1 the port cannot be read; 2 wrong command. "
        "Example: fengsui monitor /dev/ttyUSB0 --baud 4800 --capture vane.log",
    )  # fmt: skip
    verb.add_argument(
        "port", help="a serial port, or an address as serial:///dev/ttyUSB0?baud=4800, tcp://host:port, replay:FILE"
    )
    verb.add_argument("--baud", type=int, default=9600, help="of a port (default: 9600)")
    verb.add_argument("--parity", choices=("N", "E", "O"), default="N", help="of a port (default: N)")
    verb.add_argument("--bits", choices=("7", "8"), default="8", help="of a port (default: 8)")
    verb.add_argument("--kind", choices=KINDS, default="auto", help="what is spoken (default: auto)")
    verb.add_argument("--capture", type=Path, metavar="FILE", help="append the bytes as they come")
    verb.add_argument("--seconds", type=seconds, help="end after this time")
    with_json(verb)
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    address = _address(options)
    if address is None:
        return 2
    import asyncio

    try:
        capture = options.capture.open("ab") if options.capture else None
    except OSError as wrong:
        complain("monitor.capture", file=options.capture, why=wrong.strerror)
        return 2
    try:
        return asyncio.run(_monitor(address, options, capture))
    finally:
        if capture is not None:
            capture.close()


def _address(options: argparse.Namespace) -> "Address | None":
    from agent.say import say
    from drivers.address import parse

    url = options.port
    if "://" not in url and url.partition(":")[0] not in ("replay", "sim"):
        url = f"serial://{Path(url).absolute()}?baud={options.baud}&parity={options.parity}&bits={options.bits}"
    address, problems = parse(url, "PORT", ("serial", "tcp", "replay", "sim"))
    for one in problems:
        complain("monitor.port", why=say(one.code, **one.facts))
    return address


async def _monitor(address: "Address", options: argparse.Namespace, capture: IO[bytes] | None) -> int:
    import asyncio
    import errno

    from drivers.opening import open_stream

    try:
        stream = await open_stream(address)
    except OSError as wrong:
        return _closed(address, wrong)
    shown = _Shown(options.kind, address.baud, as_json=options.json)
    try:
        async with asyncio.timeout(options.seconds):
            while True:
                data = await _next(stream, shown)
                if capture is not None and data:
                    capture.write(data)
                    capture.flush()
    except TimeoutError:
        return 0
    except BrokenPipeError:  # of our own output: `fengsui … | head`
        raise
    except OSError as ended:
        return 0 if ended.errno == errno.ENODATA else _closed(address, ended)  # 0: the end of a capture
    finally:
        shown.flush()
        stream.close()


def _closed(address: "Address", why: OSError) -> int:
    import errno

    from drivers.scan.ports import holder

    if why.errno == errno.EBUSY:
        complain("monitor.held", port=address.label, who=holder(address.path) or "?")
    else:
        complain("monitor.closed", port=address.label, why=why.strerror or why)
    return 1


async def _next(stream: Any, shown: "_Shown") -> bytes:
    """What comes next, or nothing when a silence has a meaning of its own."""
    import asyncio

    deadline = shown.deadline
    reading = asyncio.ensure_future(stream.read())
    try:
        done, _ = await asyncio.wait(
            {reading}, timeout=None if deadline is None else max(deadline - time.monotonic(), 0)
        )
    except asyncio.CancelledError:
        reading.cancel()
        raise
    if not done:
        reading.cancel()
        shown.silence()
        return b""
    data: bytes = reading.result()
    shown.take(data)
    return data


class _Shown:
    """Bytes in, lines out: decoded once it is known what is spoken."""

    def __init__(self, kind: str, baud: int, *, as_json: bool) -> None:
        self._baud, self._as_json = baud, as_json
        self._puzzle, self._puzzled = b"", False
        self._look_at: float | None = time.monotonic() + NOTHING
        self._machine: Overhearing | None = None
        if kind not in ("auto", "raw"):
            self._decide(kind)
        self._raw = kind == "raw"

    @property
    def deadline(self) -> float | None:
        """When a silence, or a puzzle, has lasted long enough to say something of it."""
        waits = (self._look_at, self._machine.deadline if self._machine is not None else None)
        return min((one for one in waits if one is not None), default=None)

    def take(self, data: bytes) -> None:
        if not self._puzzle:
            self._look_at = None
        if self._raw:
            self._print({"bytes": data.hex(), "text": data.decode("latin-1")})
        elif self._machine is not None:
            self._rows(self._machine.receive(data, time.monotonic()))
        else:
            self._guess(data)

    def silence(self) -> None:
        if self._look_at is not None and time.monotonic() >= self._look_at:
            self._look_at = None
            if self._puzzle:
                self._give_up()
            else:
                complain("monitor.nothing", seconds=round(NOTHING), baud=self._baud)
        if self._machine is not None:
            self._rows(self._machine.tick(time.monotonic()))

    def flush(self) -> None:
        """What is left at the end."""
        if self._machine is not None and self._machine.deadline is not None:
            self._rows(self._machine.tick(self._machine.deadline))
        elif self._puzzle:
            self._give_up()

    def _guess(self, data: bytes) -> None:
        from protocols.overheard import UNKNOWN, recognise

        self._puzzle += data
        heard = recognise(self._puzzle)
        if heard.kind not in (UNKNOWN, "silent"):
            complain("monitor.kind", kind=heard.kind)
            self._decide(heard.kind)
            puzzle, self._puzzle, self._look_at = self._puzzle, b"", None
            self.take(puzzle)
        elif len(self._puzzle) > MOST_PUZZLED:
            self._give_up()
        elif self._look_at is None:
            self._look_at = time.monotonic() + PUZZLED

    def _give_up(self) -> None:
        """Bytes as they are, and once what may be wrong."""
        if not self._puzzled:
            complain("monitor.puzzle")
        self._puzzled = True
        puzzle, self._puzzle, self._look_at = self._puzzle, b"", None
        self._print({"bytes": puzzle.hex(), "text": puzzle.decode("latin-1")})

    def _decide(self, kind: str) -> None:
        from agent.clock import BUILD_TIME
        from protocols.overheard import Overhearing

        self._machine = Overhearing(kind, 1970 + BUILD_TIME // 31_556_952)

    def _rows(self, rows: Any) -> None:
        for row in rows:
            self._print(row)

    def _print(self, row: dict[str, Any]) -> None:
        if self._as_json:
            print_json(row)
            return
        from agent.catalogue import plain

        words = " ".join(f"{name}={plain(value)}" for name, value in row.items() if value not in (None, "", []))
        print(f"{time.strftime('%H:%M:%S')} {words}", flush=True)
