"""`fengsui modbus`: read registers of one device, or write one after a typed yes; beside a running agent through its own bus."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from agent.cli.common import BEARABLE, DEFAULT_CONFIG, complain, load_to_ask, print_json, seconds, wanted, with_json

if TYPE_CHECKING:
    from drivers.address import Address
    from drivers.bus import BusConfig


YES = ("yes", "是")


class Target(NamedTuple):
    """A bus; what a running agent calls it that has it open; and where such an agent may be."""

    bus: "BusConfig"
    known_as: str = ""
    sockets: Sequence[Path] = ()


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "modbus",
        description="Ask one Modbus device, or set something in it. WHERE is a URL (serial:///dev/ttyUSB0?baud=9600, "
        "tcp://host, rtu+tcp://host:port) or the name of a [[bus]] of the configuration; a running agent then asks for you.",
        epilog="Exit codes: 0 done; 1 the device did not answer, or refused; 2 wrong command. Example: fengsui modbus read rs485 1 0 4",
    )
    verb.set_defaults(run=lambda _options: verb.print_help() or 2)
    kinds = verb.add_subparsers(dest="what", metavar="WHAT")
    read = kinds.add_parser(
        "read",
        help="read registers or bits",
        epilog="Example: fengsui modbus read rs485 1 0x0 2 --type float32 --order CDAB",
    )
    _where(read)
    read.add_argument("count", nargs="?", type=number, default=1, help="how many values (default: 1)")
    read.add_argument(
        "--fc", type=int, choices=(1, 2, 3, 4), default=3, help="1 coils, 2 inputs, 3 holding, 4 input registers"
    )
    read.add_argument(
        "--type", metavar="TYPE", help="int16 uint16 int32 uint32 float32 float64 bcd16 … (default: as words)"
    )
    read.add_argument("--order", default="ABCD", metavar="ORDER", help="of bytes: ABCD CDAB BADC DCBA")
    read.set_defaults(run=run_read)
    write = kinds.add_parser(
        "write", help="write registers or coils, after a typed yes", epilog="Example: fengsui modbus write rs485 2 0 0"
    )
    _where(write)
    write.add_argument(
        "values", nargs="+", type=number, metavar="VALUE", help="decimal or 0x…; negative ones as two's complement"
    )
    write.add_argument("--coil", action="store_true", help="write coils: 1 or 0")
    write.add_argument(
        "--yes", action="store_true", help="do not ask; without a terminal nothing is written but with this"
    )
    write.set_defaults(run=run_write)


def _where(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("where", metavar="WHERE", help="a URL, or the name of a [[bus]]")
    verb.add_argument("unit", type=number, help="the device's address, 1 to 247")
    verb.add_argument("address", type=number, help="the first register, decimal or 0x…, counted from 0")
    verb.add_argument(
        "--config", type=Path, default=Path(DEFAULT_CONFIG), help="the station's file, for names of buses"
    )
    verb.add_argument(
        "--timeout", type=seconds, default=0.5, metavar="SECONDS", help="until an answer must begin (default: 0.5)"
    )
    with_json(verb)


def number(text: str) -> int:
    with wanted("option.number", text):
        return int(text, 0)


def run_read(options: argparse.Namespace) -> int:
    from protocols.errors import LocalError, RemoteError
    from protocols.modbus_map import Register

    width, register = 1, None
    if options.type:
        try:
            register = Register("value", 0, options.fc, options.type, options.order)
        except LocalError:
            return _wrong("modbus.type", type=options.type, order=options.order)
        width = register.width
    request = {"unit": options.unit, "address": options.address, "count": options.count * width, "fc": options.fc}
    code, answer = _asked(options, "modbus.read", request)
    if code:
        return code
    words, values = answer["values"], []
    for place in range(0, len(words), width):
        try:
            values.append(register.decode(words[place : place + width]) if register else words[place])
        except RemoteError as wrong:
            values.append(wrong.reason)
    _show(options, words, values, width)
    return 0


def _show(options: argparse.Namespace, words: Sequence[int], values: Sequence[Any], width: int) -> None:
    if options.json:
        print_json(
            {"unit": options.unit, "address": options.address, "fc": options.fc, "words": words, "values": values}
        )
        return
    for place, value in enumerate(values):
        at = options.address + place * width
        shown = " ".join(f"{word:04X}" for word in words[place * width : (place + 1) * width])
        if options.fc > 2 and options.type is None:
            signed = f"{value - 0x10000}" if value > 0x7FFF else ""
            print(f"{at:5} 0x{at:04X}  {shown}  {value:>6} {signed}".rstrip())
        else:
            print(f"{at:5} 0x{at:04X}  {shown if options.fc > 2 else ''}  {value}")


def run_write(options: argparse.Namespace) -> int:
    from agent.bench import problem, writes_by

    values = [value + 0x10000 if -0x8000 <= value < 0 and not options.coil else value for value in options.values]
    request = {"unit": options.unit, "address": options.address, "values": values, "coil": options.coil}
    if wrong := problem(request):
        return _wrong(wrong, **request)
    if not options.yes and not sys.stdin.isatty():
        return _wrong("modbus.nobody")
    if not options.yes and not _confirmed(options, values, writes_by(values, coil=options.coil)):
        complain("modbus.not_written")
        return 1
    code, answer = _asked(options, "modbus.write", request)
    if not code and options.json:
        print_json(answer)
    elif not code:
        from agent.say import say

        print(say("modbus.written", count=answer["written"], unit=options.unit))
    return code


def _confirmed(options: argparse.Namespace, values: Sequence[int], function: int) -> bool:
    """On standard error, so that data stays data."""
    complain(
        "modbus.will_write",
        where=options.where,
        unit=options.unit,
        address=f"{options.address} (0x{options.address:04X})",
        values=" ".join(f"{value} (0x{value:04X})" for value in values),
        function=function,
    )
    try:
        return input().strip().lower() in YES
    except EOFError:
        return False


def _asked(options: argparse.Namespace, verb: str, request: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
    """The exit code and the answer: of the agent where one runs and the bus is its own, else of the port itself."""
    from agent.bench import problem

    if wrong := problem(request):
        return _wrong(wrong, **request), {}
    target = _by_url(options) if "://" in options.where else _by_name(options)
    if target is None:
        return 2, {}
    from agent.control import ask_any

    answer = ask_any(target.sockets, verb, bus=target.known_as, **request)
    return _judged(options, answer if answer is not None else _alone(target.bus, verb, request))


def _judged(options: argparse.Namespace, answer: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
    if "error" not in answer:
        return 0, answer
    if options.json:
        print_json(answer)
    complain(answer["error"], **{name: value for name, value in answer.items() if name != "error"})
    return 1, {}


def _by_name(options: argparse.Namespace) -> Target | None:
    station = load_to_ask(options.config, as_json=options.json)
    if station is None:
        return None
    found = next((bus for bus in station.buses if bus.name == options.where), None)
    if found is None:
        complain("modbus.bus", bus=options.where, known=", ".join(bus.name for bus in station.buses) or "-")
        return None
    return Target(found, found.name, station.sockets)


def _by_url(options: argparse.Namespace) -> Target | None:
    """As it was named. An agent that runs has its own ports open, so that there it is the one to ask."""
    from agent.config_load import load
    from agent.say import say
    from drivers.address import parse
    from drivers.bus import SCHEMES, BusConfig
    from drivers.values import Duration

    address, problems = parse(options.where, "WHERE", SCHEMES)
    for one in problems:
        complain("modbus.where", why=say(one.code, **one.facts))
    if address is None:
        return None
    target = Target(BusConfig(name=options.where, url=options.where, timeout=Duration(options.timeout)))
    station = load(options.config, BEARABLE, lenient=True)[0] if options.config.exists() else None
    if station is not None:
        for bus in station.buses:
            if _same_port(address, parse(bus.url)[0]):
                return target._replace(known_as=bus.name, sockets=station.sockets)
    return target


def _same_port(one: "Address", other: "Address | None") -> bool:
    """Under whichever of its names."""
    if other is None or {one.scheme, other.scheme} != {"serial"}:
        return False
    return Path(one.path).resolve() == Path(other.path).resolve()


def _alone(config: "BusConfig", verb: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """On the port itself, opened for this one request."""
    import asyncio

    from agent.bench import verbs
    from drivers.bus import Bus

    async def ask() -> Mapping[str, Any]:
        bus = Bus(config)
        try:
            return await verbs({bus.name: bus}, lambda _kind, _fields: None)[verb]({**request, "bus": bus.name})
        finally:
            await bus.close()

    return asyncio.run(ask())


def _wrong(code: str, **facts: Any) -> int:
    complain(code, **facts)
    return 2
