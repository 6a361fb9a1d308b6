"""Vaisala captures as JSON rows, a line a row: `fengsui decode vaisala`. Pure."""

from typing import Any

from protocols.errors import RemoteError
from protocols.framing import Lines
from protocols.vaisala import LONGEST, Field, parse


def decode(data: bytes) -> list[dict[str, Any]]:
    return [_row(line) for line in Lines(LONGEST).feed(data + b"\n")]


def _row(line: bytes) -> dict[str, Any]:
    try:
        message = parse(line)
    except RemoteError as wrong:
        return {"error": wrong.reason, "line": line.decode("ascii", "backslashreplace")}
    numbers = {one.name: {"value": one.value, "unit": one.unit} for one in message.fields if isinstance(one, Field)}
    words = [one for one in message.fields if isinstance(one, str)]
    row: dict[str, Any] = {"address": message.address, "kind": message.kind, "crc": message.checked, "fields": numbers}
    return row | ({"text": words} if words else {})
