"""`fengsui decode KIND`: bytes → JSON, for every codec the project has."""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from agent.cli.common import complain, print_json

LARGEST_INPUT = 64 << 20  # bytes; a day's capture of a fast receiver


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "decode",
        description="Decode captured bytes, one JSON object a line.",
        epilog="Exit codes: 0 all decoded; 1 something was not valid; 2 nothing to decode. "
        "Example: fengsui decode modbus-rtu 010302FF9BB81F",
    )
    verb.add_argument("kind", choices=sorted(KINDS), help="what the bytes are")
    verb.add_argument("source", nargs="?", default="-", help="a file, hexadecimal digits, or - for standard input")
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    data = _bytes(options.source, literal=options.kind in LITERAL)
    if not data:
        complain("decode.kind")
        return 2
    from protocols.errors import ProtocolError

    good = True
    try:
        for row in KINDS[options.kind](data):
            alerts = row.get("alerts", ())
            good &= not any("error" in part for part in (row, *alerts))
            print_json(row)
            _explain(alerts)
    except ProtocolError as wrong:
        print_json({"error": wrong.reason, "offset": wrong.offset, "detail": wrong.detail})
        complain("decode.failed", kind=options.kind, why=wrong)
        _explain([{"error": wrong.reason, "detail": wrong.detail}] if options.kind in IMPORTS else [])
        return 1
    return 0 if good else 1


def _explain(alerts: Iterable[dict[str, Any]]) -> None:
    """What was found in imported messages, in words."""
    for alert in alerts:
        if "error" in alert:
            complain(f"import.{alert['error']}", detail=alert.get("detail", ""))
        for note in alert.get("notes", ()):
            complain(f"import.{note['code']}", detail=note.get("detail", ""))


def _bytes(source: str, *, literal: bool = False) -> bytes:
    """The bytes of a file, of hexadecimal digits, or of standard input; a text of hexadecimal digits counts as them, but
    where it is what the kind is written in (`literal`).
    """
    meant = bytes if literal else _unhexed
    if source == "-":
        return meant(sys.stdin.buffer.read(LARGEST_INPUT))
    try:
        if Path(source).is_file():
            return meant(Path(source).read_bytes()[:LARGEST_INPUT])
    except OSError:
        return b""
    return meant(source.encode())


def _unhexed(data: bytes) -> bytes:
    try:
        return bytes.fromhex(data.decode("ascii").strip())
    except ValueError:
        return data


def _nmea(data: bytes) -> Iterator[dict[str, Any]]:
    from agent.clock import BUILD_TIME
    from protocols.nmea_decode import decode_all

    build_year = 1970 + BUILD_TIME // 31_556_952
    return iter(decode_all(data, build_year))


def _by(target: str) -> Callable[[bytes], Iterator[dict[str, Any]]]:
    """The decoder `module:function`, imported when it is asked for; it gives rows, or one."""

    def rows(data: bytes) -> Iterator[dict[str, Any]]:
        module, _, name = target.partition(":")
        found = getattr(import_module(module), name)(data)
        return iter([found]) if isinstance(found, dict) else iter(found)

    return rows


IMPORTS = frozenset({"cap", "12379", "ebm", "camf"})
LITERAL = frozenset({"sms", "sdi12"})  # PDUs are hexadecimal digits, one a line; an answer "00" is no byte
KINDS: dict[str, Callable[[bytes], Iterator[dict[str, Any]]]] = {
    "nmea": _nmea,
    "modbus-rtu": _by("protocols.modbus_decode:decode"),
    "record": _by("protocols.record:decode_record"),
    "sealed": _by("protocols.seal_json:decode_sealed"),
    "cap": _by("protocols.cap_xml:decode_cap"),
    "12379": _by("protocols.cn12379:decode_12379"),
    "ebm": _by("protocols.ebm:decode_ebm"),
    "camf": _by("protocols.camf:decode_camf"),
    "sbd": _by("protocols.sbd_decode:decode"),
    "frame": _by("protocols.narrow.decode:decode"),
    "lora": _by("protocols.lora_decode:decode"),
    "beidou": _by("protocols.rdss_decode:decode"),
    "sms": _by("protocols.sms_decode:decode"),
    "at": _by("protocols.at_decode:decode"),
    "sdi12": _by("protocols.sdi12_decode:decode"),
    "vaisala": _by("protocols.vaisala_decode:decode"),
    "dlt645": _by("protocols.dlt645_items:decode_all"),
    "sl651": _by("protocols.sl651_decode:decode"),
    "szy206": _by("protocols.szy206:decode_all"),
    "hj212": _by("protocols.hj212:decode_all"),
}
