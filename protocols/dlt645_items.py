"""The data items of DL/T 645-2007 that a station may want, and what captured frames say. Pure.

The table is appendix A of the standard, tables A.1 and A.2, as it is printed there: identifier, bytes, digits behind the
point, whether the highest bit is a sign, unit. Identifiers of two bytes are those of DL/T 645-1997, appendix A.
"""

import tomllib
from collections.abc import Mapping
from typing import Any, NamedTuple

from protocols.dlt645 import FROM_METER, MORE, READ, READ_1997, READ_ADDRESS, REFUSED, Dlt645Stream, Frame, number
from protocols.errors import RemoteError
from protocols.framing import Flaw

TABLE = """
"00000000" = ["energy combined active", 4, 2, true, "kW.h"]
"00010000" = ["energy forward active", 4, 2, false, "kW.h"]
"00020000" = ["energy reverse active", 4, 2, false, "kW.h"]
"02010100" = ["voltage A", 2, 1, false, "V"]
"02010200" = ["voltage B", 2, 1, false, "V"]
"02010300" = ["voltage C", 2, 1, false, "V"]
"02020100" = ["current A", 3, 3, true, "A"]
"02020200" = ["current B", 3, 3, true, "A"]
"02020300" = ["current C", 3, 3, true, "A"]
"02030000" = ["active power", 3, 4, true, "kW"]
"02030100" = ["active power A", 3, 4, true, "kW"]
"02030200" = ["active power B", 3, 4, true, "kW"]
"02030300" = ["active power C", 3, 4, true, "kW"]
"02050000" = ["apparent power", 3, 4, true, "kV.A"]
"02060000" = ["power factor", 2, 3, true, "1"]
"02060100" = ["power factor A", 2, 3, true, "1"]
"02070100" = ["phase angle A", 2, 1, false, "deg"]
"02800002" = ["frequency", 2, 2, false, "Hz"]
"02800007" = ["temperature inside", 2, 1, true, "Cel"]
"02800008" = ["clock battery voltage", 2, 2, false, "V"]
"9010" = ["energy forward active", 4, 2, false, "kW.h"]
"9020" = ["energy reverse active", 4, 2, false, "kW.h"]
"B611" = ["voltage A", 2, 0, false, "V"]
"B612" = ["voltage B", 2, 0, false, "V"]
"B613" = ["voltage C", 2, 0, false, "V"]
"B621" = ["current A", 2, 2, false, "A"]
"B622" = ["current B", 2, 2, false, "A"]
"B623" = ["current C", 2, 2, false, "A"]
"B630" = ["active power", 3, 4, false, "kW"]
"B650" = ["power factor", 2, 3, false, "1"]
"""


class Item(NamedTuple):
    """How the number of a data item is written."""

    title: str
    size: int
    decimals: int
    signed: bool
    unit: str


ITEMS: Mapping[str, Item] = {code: Item(*row) for code, row in tomllib.loads(TABLE).items()}
_VERBS = {
    READ: "read",
    READ_1997: "read (1997)",
    READ_ADDRESS: "read address",
    0x12: "read more",
    0x14: "write",
    0x08: "set clock",
}


def decode_all(data: bytes) -> list[dict[str, Any]]:
    """A capture in order, flaws in their places: `fengsui decode dlt645`."""
    stream = Dlt645Stream()
    found = list(stream.feed(data))
    if stream.rest:
        found.append(Flaw("truncated", stream.rest))
    return [describe(one) for one in found]


def describe(event: Frame | Flaw) -> dict[str, Any]:
    """JSON-ready."""
    if isinstance(event, Flaw):
        return {"error": event.reason, "data": event.data.hex().upper()}
    control = event.control
    row: dict[str, Any] = {
        "address": event.address,
        "control": f"{control:02X}",
        "function": _VERBS.get(control & 0x1F, "other"),
        "from": "meter" if control & FROM_METER else "station",
        "data": event.data.hex().upper(),
    }
    if control & REFUSED:
        return row | {"refused": event.data.hex().upper()}
    if event.item:
        row |= {"item": event.item}
        row |= _value(event) if control & FROM_METER else {}
    return row | ({"more": True} if control & MORE else {})


def _value(frame: Frame) -> dict[str, Any]:
    item = ITEMS.get(frame.item)
    if item is None or len(frame.data) != len(frame.item) // 2 + item.size:
        return {}
    try:
        value = number(frame.data[-item.size :], item.decimals, signed=item.signed)
    except RemoteError as wrong:
        return {"title": item.title, "value": None, "why": wrong.reason}
    return {"title": item.title, "value": value, "unit": item.unit}
