"""Simulated devices from a command line: `python -m drivers.simulated bus --unit 1=surfrad:FILE --unit 5=relay`.

The first line printed is a JSON object with the address; after it, one for each transition of a relay. Ends on Ctrl-C or
SIGTERM.
"""

import argparse
import asyncio
import contextlib
import json
import signal
from collections.abc import Sequence
from pathlib import Path

from drivers.profile import find
from drivers.profile_kinds import open_any
from drivers.sensors.modbus_profile import ModbusProfile
from drivers.simulated.modbus import Passed, PtyBus, TcpBus
from drivers.simulated.playback import PtyPlayer, surfrad_unit
from drivers.simulated.profiled import unit_of
from drivers.simulated.relay import RelayBoard
from drivers.simulated.surfrad import load
from drivers.simulated.unit import FAULTS, Fault, Unit, words_of

LOOK = 0.02  # seconds between looks at the relays; their times are the boards' own


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_play(options) if options.what == "nmea" else _bus(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m drivers.simulated", description=__doc__)
    what = parser.add_subparsers(dest="what", required=True)
    bus = what.add_parser("bus", help="Modbus devices on a pseudo-terminal, or on a TCP port")
    bus.add_argument(
        "--unit", action="append", required=True, help="N=relay, N=counting, N=profile:NAME, N=surfrad:FILE"
    )
    bus.add_argument("--fault", action="append", default=[], help=f"N=KIND; one of {', '.join(FAULTS)}")
    bus.add_argument("--period", type=float, default=1.0, help="seconds a row of a playback lasts")
    bus.add_argument("--baud", type=int, help="take the time that a wire of this speed would")
    bus.add_argument("--turnaround", type=float, default=0.0, help="seconds from a request to its answer")
    bus.add_argument(
        "--fifo", type=int, default=0, help="answers come in pieces of so many bytes, as a UART gives them"
    )
    bus.add_argument("--tell", action="store_true", help="one line for each request")
    bus.add_argument("--tcp", type=int, metavar="PORT", help="listen on 127.0.0.1 instead; 0 takes a free port")
    bus.add_argument("--link", type=Path, help="a symbolic link to the pseudo-terminal")
    nmea = what.add_parser("nmea", help="a capture on a pseudo-terminal")
    nmea.add_argument("capture", type=Path)
    nmea.add_argument("--rate", type=float, default=960.0, help="bytes a second")
    nmea.add_argument("--link", type=Path, help="a symbolic link to the pseudo-terminal")
    return parser


def make_unit(text: str, period: float) -> Unit:
    """`N=KIND`, `N=profile:NAME` or `N=surfrad:FILE`."""
    number, _, kind = text.partition("=")
    kind, _, file = kind.partition(":")
    if kind == "relay":
        return RelayBoard(int(number))
    if kind == "counting":
        return Unit(int(number), holding=words_of(range(1000)), registers=words_of(range(1000)))
    if kind == "surfrad":
        return surfrad_unit(load(Path(file)), int(number), period)
    if kind == "profile" and (profile := _profile(file)) is not None:
        return unit_of(profile, int(number))
    raise SystemExit(f"{text}: the kind is relay, counting, profile:NAME or surfrad:FILE")


def _profile(name: str) -> ModbusProfile | None:
    """A shipped profile of a Modbus device, or a file."""
    path = find(name)
    profile = None if path is None else open_any(path)[0]
    return profile if isinstance(profile, ModbusProfile) else None


async def _bus(options: argparse.Namespace) -> None:
    units = {unit.unit: unit for unit in (make_unit(text, options.period) for text in options.unit)}
    for text in options.fault:
        number, _, kind = text.partition("=")
        units[int(number)].fault = Fault(kind)
    for unit in units.values():
        unit.turnaround = options.turnaround
    async with _port(options, list(units.values())) as port:
        _say_where(port.url, options.link, port.path if isinstance(port, PtyBus) else "")
        await _watch([unit for unit in units.values() if isinstance(unit, RelayBoard)])


def _port(options: argparse.Namespace, units: Sequence[Unit]) -> PtyBus | TcpBus:
    if options.tcp is not None:
        return TcpBus(units, port=options.tcp)
    return PtyBus(units, options.baud, fifo=options.fifo, told=_tell if options.tell else lambda _passed: None)


def _tell(passed: Passed) -> None:
    print(json.dumps(passed._asdict() | {"frame": passed.frame.hex()}), flush=True)  # noqa: T201 - this is a command


async def _play(options: argparse.Namespace) -> None:
    async with PtyPlayer(options.capture, options.rate) as player:
        _say_where(player.url, options.link, player.path)
        await asyncio.Event().wait()


def _say_where(url: str, link: Path | None, path: str) -> None:
    if link is not None and path:
        link.unlink(missing_ok=True)
        link.symlink_to(path)
    print(json.dumps({"url": url}), flush=True)  # noqa: T201 - this is a command


async def _watch(boards: Sequence[RelayBoard]) -> None:
    last = dict.fromkeys(range(len(boards)), 0.0)
    while True:
        for n, board in enumerate(boards):
            for change in (one for one in board.log if one.at > last[n]):
                print(json.dumps({"unit": board.unit, **change._asdict()}), flush=True)  # noqa: T201 - this is a command
                last[n] = change.at
        await asyncio.sleep(LOOK)


if __name__ == "__main__":
    main()
