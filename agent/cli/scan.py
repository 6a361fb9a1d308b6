"""`fengsui scan`: which serial ports there are and what hangs on them, by listening and by read requests alone."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from agent.cli.common import BEARABLE, DEFAULT_CONFIG, complain, print_json, seconds, wanted, with_json

if TYPE_CHECKING:
    from agent.config import Config
    from drivers.scan.line import Result
    from drivers.scan.ports import Port
    from protocols.scan_plan import Plan

LINES_EVERY = 0.1  # of the plan between two plain lines of progress
REPEATED = ("scan.asking", "scan.asking_probe")  # one for each address


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "scan",
        description="Find serial ports and what hangs on them: Modbus devices, SDI-12 probes, instruments and modems that speak. "
        "It listens first and leaves a line alone that speaks; what it sends are read requests (Modbus functions 01 to 04, "
        "SDI-12 address queries), never a broadcast, never to a register of address or speed.",
        epilog="Exit codes: 0 something was found; 1 nothing; 2 wrong command. Example: fengsui scan /dev/ttyUSB0 --baud 9600,4800",
    )
    verb.add_argument("port", nargs="*", help="default: all serial ports")
    verb.add_argument(
        "--baud", type=_bauds, default=None, help="speeds, the likeliest first (default: 9600,4800,19200,115200)"
    )
    verb.add_argument("--parity", type=_parities, default=("N", "E"), help="N, E, O (default: N,E)")
    verb.add_argument("--units", type=_units, default=range(1, 248), help="addresses (default: 1-247)")
    verb.add_argument(
        "--timeout", type=seconds, default=0.1, metavar="SECONDS", help="until an answer must begin (default: 0.1)"
    )
    verb.add_argument(
        "--listen", type=seconds, default=3.0, metavar="SECONDS", help="listening before anything is sent (default: 3)"
    )
    verb.add_argument("--quick", action="store_true", help="stop a port at the first speed at which somebody answers")
    verb.add_argument("--no-sdi12", action="store_true", help="do not ask for SDI-12 probes")
    verb.add_argument("--list", action="store_true", help="only name the ports")
    verb.add_argument(
        "--config", type=Path, default=Path(DEFAULT_CONFIG), help="the station's file, for its own profiles"
    )
    verb.add_argument("--dev", type=Path, default=Path("/dev"), help=argparse.SUPPRESS)
    verb.add_argument("--sys", type=Path, default=Path("/sys/class/tty"), help=argparse.SUPPRESS)
    with_json(verb)
    verb.set_defaults(run=run)


def _bauds(text: str) -> tuple[int, ...]:
    with wanted("option.bauds", text):
        bauds = tuple(int(one) for one in text.split(","))
        if not all(300 <= one <= 4_000_000 for one in bauds):
            raise ValueError(text)
        return bauds


def _parities(text: str) -> tuple[str, ...]:
    with wanted("option.parities", text):
        parities = tuple(text.upper().split(","))
        if not set(parities) <= {"N", "E", "O"}:
            raise ValueError(text)
        return parities


def _units(text: str) -> tuple[int, ...]:
    """`1-20,80`."""
    with wanted("option.units", text):
        spans = [
            (int(first), int(last or first)) for first, _, last in (part.partition("-") for part in text.split(","))
        ]
        if not all(1 <= first <= last <= 247 for first, last in spans):
            raise ValueError(text)
        return tuple(unit for first, last in spans for unit in range(first, last + 1))


def run(options: argparse.Namespace) -> int:
    ports = _ports(options)
    if ports is None:
        return 2
    if not ports:
        complain("scan.no_ports")
        return 1
    if options.list:
        _list(ports, as_json=options.json)
        return 0
    import asyncio

    known = _profiles(options.config)
    modbus = [one for one in known if one.kind == "modbus"]
    plan = _plan(options, modbus)
    results = asyncio.run(_scan(ports, plan, modbus, options))
    from agent.scan_report import as_json, taken

    instruments, probes = ([one for one in known if one.kind == kind] for kind in ("nmea", "sdi12"))
    rows = [as_json(one, instruments, probes) for one in results]
    series = {one.name: [each.name for each in one.series] for one in known}
    toml = taken(_station(options.config), series).tables(rows)
    if options.json:
        print_json({"ports": rows, "toml": toml})
    else:
        _show(rows, toml)
    return int(not any(row["devices"] or row["state"] == "talking" for row in rows))


def _ports(options: argparse.Namespace) -> "list[Port] | None":
    """Those named, else all; None after it was said which is not there."""
    from drivers.scan.ports import Port, Roots, ports

    known = ports(Roots(options.dev, options.sys))
    if not options.port:
        return known
    found = []
    for name in options.port:
        path = Path(name)
        if not path.exists() or not path.is_char_device():
            complain("scan.no_such", port=name, known=", ".join(one.path for one in known) or "-")
            return None
        device = str(path.resolve())
        found.append(next((one for one in known if one.device == device), Port(name, device, "name")))
    return found


def _list(ports: "Sequence[Port]", *, as_json: bool) -> None:
    rows = [{"port": one.path, "device": one.device, "named_by": one.by, "product": one.product} for one in ports]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        print(f"{row['port']}  ({row['device']}{', ' + row['product'] if row['product'] else ''})")


def _station(file: Path) -> "Config | None":
    """What there is already, as far as it can be used: what is wrong with it is `fengsui check`'s."""
    from agent.config_load import load

    return load(file, BEARABLE, lenient=True)[0] if file.exists() else None


def _profiles(config: Path) -> list[Any]:
    """All that are known, the station's own first; what is wrong with one is `profile check`'s."""
    from drivers.profile import find, names
    from drivers.profile_kinds import open_any

    own = (config.parent / "profiles",)
    paths = [path for name in names(own) if (path := find(name, own)) is not None]
    return [profile for path in paths if (profile := open_any(path)[0]) is not None]


def _plan(options: argparse.Namespace, modbus: Sequence[Any]) -> "Plan":
    from drivers.scan.line import hints
    from protocols.scan_plan import BAUDS, Plan, settings

    chosen = settings(options.baud or BAUDS, options.parity)
    return Plan(chosen, options.units, options.timeout, options.listen, hints(modbus))


async def _scan(
    ports: "Sequence[Port]", plan: "Plan", modbus: Sequence[Any], options: argparse.Namespace
) -> "list[Result]":
    """All ports side by side: each is a line of its own."""
    from drivers.scan.line import scan_all, scan_line
    from protocols.scan_plan import forced

    complain("scan.reads_only", ports=len(ports), minutes=f"{forced(plan) / 60:.1f}")
    with _Progress(ports, forced(plan)) as progress:
        return await scan_all(
            [
                scan_line(one, plan, modbus, progress.of(one), sdi12=not options.no_sdi12, quick=options.quick)
                for one in ports
            ]
        )


class _Progress:
    """On standard error: bars with the time left on a terminal, else a line now and then."""

    def __init__(self, ports: "Sequence[Port]", total: float) -> None:
        self._total, self._bars, self._rich = total, dict[str, Any](), None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            self._rich = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[left]}"),
                console=Console(stderr=True),
            )
            self._bars = {one.path: self._rich.add_task(one.path, total=total, left="") for one in ports}
        self._said = dict.fromkeys((one.path for one in ports), total)
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        if self._rich is not None:
            self._rich.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._rich is not None:
            self._rich.stop()

    def of(self, port: "Port") -> Callable[[float, str, dict[str, Any]], None]:
        from agent.say import say

        def tell(left: float, code: str, facts: dict[str, Any]) -> None:
            text, rest = say(code, **facts), say("scan.left", seconds=round(max(left, 0.0)))
            if self._rich is not None:
                elapsed = time.monotonic() - self._began
                self._rich.update(
                    self._bars[port.path], completed=elapsed, total=elapsed + max(left, 0.0),
                    description=f"{Path(port.path).name}: {text}", left=rest,
                )  # fmt: skip
            elif code not in REPEATED or self._said[port.path] - left >= LINES_EVERY * self._total:
                self._said[port.path] = left
                print(f"{port.path}: {text}; {rest}", file=sys.stderr, flush=True)

        return tell


def _show(rows: Sequence[dict[str, Any]], toml: str) -> None:
    from agent.say import say

    for row in rows:
        heard = row.get("heard", {})
        facts = {"port": row["port"], "why": row.get("why", ""), "requests": row["requests"]}
        facts |= {
            "language": heard.get("language", ""),
            "said": " ".join(heard.get("said", ())),
            "baud": heard.get("baud"),
        }
        print(say(f"scan.state_{row['state']}", **facts))
        for one in row["devices"]:
            print("  " + say("scan.device", **{**one, "what": _best(one)}))
    if toml:
        print()
        print(say("scan.offer"))
        print(toml)


def _best(one: dict[str, Any]) -> str:
    from agent.say import say

    if one["candidates"]:
        return ", ".join(f"{each['profile']} {each['confidence']:.0%}" for each in one["candidates"][:3])
    return one["identity"] or say("scan.nobody_known", registers=" ".join(one["registers"]) or "-")
