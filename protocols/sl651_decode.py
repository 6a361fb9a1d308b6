"""SL 651 captures as JSON rows: `fengsui decode sl651`. Pure; a message of several packets is described when it is whole."""

from typing import Any

from protocols.checksums import crc16
from protocols.errors import RemoteError
from protocols.framing import Flaw
from protocols.sl651 import CONTROL, SYN, Frame, Packets, Sl651Stream, encode
from protocols.sl651_body import Reader, elements, heading, moment, parameters, words
from protocols.sl651_elements import BY_NAME, CLASSES, ELEMENTS, FUNCTIONS

Row = dict[str, Any]
PERIOD, QUERY, READ_BASIC, READ_RUNNING, VERSION, EVENTS = 0x38, 0x3A, 0x41, 0x43, 0x45, 0x50
PARAMETERS = frozenset({0x40, 0x41, 0x42, 0x43})
COMMANDS = frozenset({0x47, 0x48, 0x49, 0x4C, 0x4D, 0x4E, 0x4F})


def decode(data: bytes) -> list[Row]:
    """A capture in order, flaws in their places."""
    stream, packets = Sl651Stream(), Packets()
    rows: list[Row] = []
    for event in stream.feed(data):
        rows.append(describe(event))
        if isinstance(event, Frame) and event.start == SYN:
            whole = packets.add(event)
            rows += [describe(whole) | {"reassembled": event.total}] if whole else []
    if stream.rest:
        rows.append(describe(Flaw("truncated", stream.rest)))
    return rows


def describe(event: Frame | Flaw) -> Row:
    """JSON-ready, field by field."""
    if isinstance(event, Flaw):
        return {"error": event.reason, "data": event.data[:64].hex().upper(), "bytes": len(event.data)}
    row: Row = {
        "direction": "down" if event.down else "up",
        "centre": event.centre,
        "rtu": event.rtu,
        "password": event.password,
        "func": f"{event.function:02X}",
        "func_name": FUNCTIONS.get(event.function, "保留" if event.function < 0xE0 else "用户自定义"),
        "start": CONTROL[event.start],
        "body_len": len(event.body) + 3 * (event.start == SYN),
        "end": CONTROL[event.end],
        "crc": _crc(event),
    }
    if event.start == SYN:
        row |= {"pkt_total": event.total, "pkt_seq": event.number, "fragment_bytes": len(event.body)}
        return row
    try:
        return row | (_text_body(event) if event.text else _body(event))
    except RemoteError as wrong:
        return row | {"error": wrong.reason, "raw": wrong.detail}


def _crc(frame: Frame) -> str:
    wire = encode(frame)
    return f"{crc16(wire[: -4 if frame.text else -2]):04X}"


def _body(frame: Frame) -> Row:
    body = Reader(frame.body)
    row: Row = {"serial": int.from_bytes(body.take(2), "big"), "send_time": moment(body.take(6))}
    row |= heading(body, frame.function)
    if not body.left:
        return row
    return row | (_down(frame.function, body) if frame.down else _up(frame.function, body))


def _down(function: int, body: Reader) -> Row:
    if function == PERIOD:
        row: Row = {"period": [body.take(4).hex(), body.take(4).hex()]}
        return row | {"elements": [{"raw": body.all().hex().upper()}]}
    if function == QUERY:
        return {"elements": _pairs(body, "query_id")}
    if function in (READ_BASIC, READ_RUNNING):
        return {"elements": _pairs(body, "param_id")}
    return _up(function, body)


def _up(function: int, body: Reader) -> Row:
    if function in PARAMETERS:
        data = body.all()
        return {"params_hex": data.hex().upper(), "params": parameters(data)}
    if function == VERSION:
        return {"text": words(body.take(body.take(1)[0]))}
    if function == EVENTS:
        data = body.all()
        counts = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data) - 1, 2)]
        return {"raw": data.hex().upper(), "erc_counts": counts}
    if function in COMMANDS:
        return {"raw": body.all().hex().upper()}
    return {"elements": list(elements(body, function))}


def _pairs(body: Reader, name: str) -> list[Row]:
    rows = []
    while len(body.left) >= 2:
        code, definition = body.take(2)
        rows.append({name: f"{code:02X}", "def": f"{definition:02X}"})
    return rows


# Text frames (6.4): words between single spaces, a name before each value; M is missing.


def _text_body(frame: Frame) -> Row:
    body = Reader(frame.body)
    try:
        serial, sent = int(body.take(4), 16), bytes.fromhex(body.take(12).decode("ascii"))
    except ValueError as wrong:
        raise RemoteError("format", frame.body[:16].hex()) from wrong
    row: Row = {"serial": serial, "send_time": moment(sent)}
    items = words(body.all()).split()
    if items[:1] == ["ST"] and len(items) >= 2:
        row["station"], items = items[1], items[2:]
        if items and len(items[0]) == 1 and ord(items[0]) in CLASSES:
            row["class"] = CLASSES[ord(items.pop(0))]
    return row | ({"elements": [_item(*pair) for pair in zip(items[::2], items[1::2], strict=False)]} if items else {})


def _item(name: str, said: str) -> Row:
    code = BY_NAME.get(name)
    if name == "TT":
        digits = said if len(said) % 2 == 0 else "0" + said
        try:
            return {"id": "F0", "name": "观测时间", "value": moment(bytes.fromhex(digits))}
        except ValueError:
            return {"id": "F0", "name": "观测时间", "value": said}
    row: Row = {"id": name if code is None else f"{code:02X}", "name": name}
    if code is not None:
        known = ELEMENTS[code]
        row |= {"name": f"{known.name} {known.title}"} | ({"unit": known.unit} if known.unit else {})
    try:
        return row | {"value": None if said == "M" else float(said)}
    except ValueError:
        return row | {"value": said}
