"""Stored bodies as SenML packs (RFC 8428), in JSON and in CBOR.

Knows packed bodies, units and the labels of a record. Wall time is handed in as a function and stands in every record as
an absolute time. What the message says of itself stands in its first record under labels of our own, which a consumer
that does not know them passes over (RFC 8428 §4.4): `version`, `id`, `floor`, `kind`. `number` says which number of the
log begins with its record, `boot` and `at` its boot time where the wall time is not trusted; `q` is the quality where it is
not good. A body of another format, or one that is damaged, goes out untouched as the data value of one record.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import cbor2

from protocols import forms, units
from protocols.key import Key
from protocols.parts import Part, Wall, parts
from protocols.quality import GOOD
from protocols.sheet import Column, Sheet
from protocols.table import REMEMBERED, Table

__all__ = ["Wall", "encode_cbor", "encode_json"]

VERSION = 1  # of this contract, not SenML's, whose version 10 is the default and left out
BASE_NAME = "urn:fengsui:{}/"
FOREIGN = "packed/{}"  # name of a record with a whole body; no series can be called so
CBOR_LABELS = {"bn": -2, "n": 0, "u": 1, "v": 2, "t": 6, "vd": 8}  # RFC 8428 §6; all others keep their text
_TIME = "\0"  # where a row's time goes in its template; no printable name holds it
_compact = json.JSONEncoder(separators=(",", ":")).encode
REMEMBERED_TEXTS = 8192  # numbers of one scale with their text, 1 MB; forgotten all at once when full


def encode_json(key: Key, bodies: Sequence[bytes], wall: Wall, *, floor: int, kind: str) -> bytes:
    """One message for bodies that follow each other: `key` covers the numbers of all, `floor` is the lowest still pending."""
    text = "".join([_json(part) for part in parts(key, bodies, wall)])
    head = _compact(_about(key, floor, kind))
    return f"[{head[:-1]},{text[2:]}]".encode()


def encode_cbor(key: Key, bodies: Sequence[bytes], wall: Wall, *, floor: int, kind: str) -> bytes:
    """As `encode_json`, with the integer labels of RFC 8428 §6."""
    records = [record for part in parts(key, bodies, wall) for record in _records(part)]
    records[0] = _about(key, floor, kind) | records[0]
    return cbor2.dumps(
        [{CBOR_LABELS.get(label, label): value for label, value in record.items()} for record in records]
    )


def _about(key: Key, floor: int, kind: str) -> dict[str, Any]:
    station = BASE_NAME.format(key.station)
    return {"bn": station, "version": VERSION, "id": key.text, "floor": floor, "kind": kind}


def _foreign(body: bytes) -> str:
    return FOREIGN.format(body[0] if body else 0)


# JSON: one template for each shape of row, filled with the texts of its values


def _json(part: Part) -> str:
    """The records of a body, each after a comma."""
    body, sheet, times, labels = part
    if sheet is None:
        octets = urlsafe_b64encode(body).rstrip(b"=").decode()
        return f',{{"n":"{_foreign(body)}","vd":"{octets}"}}'
    templates, shifts = _layout(sheet.table)
    cells = [iter(_texts(*pair, sheet.quality)) for pair in zip(sheet.columns, shifts, strict=True)]
    rows = [[cells[index] for index in shape] for shape in sheet.table.shapes]
    texts = [
        templates[shape].replace(_TIME, f"{ms // 1000}.{ms % 1000:03d}") % tuple(map(next, rows[shape]))
        for shape, ms in zip(sheet.order, times, strict=True)
    ]
    for row, said in labels.items():
        texts[row] = f",{{{_compact(said)[1:-1]},{texts[row][2:]}"
    return "".join(texts)


@lru_cache(maxsize=REMEMBERED)
def _layout(table: Table) -> tuple[list[str], list[int]]:
    """The template of each shape, and how far the point of each series moves."""
    outside = [units.outside(code) for _, code in table.series]
    records = []
    for (name, _), (unit, _) in zip(table.series, outside, strict=True):
        start = _compact({"n": name, "u": unit})[:-1]
        records.append("," + start.replace("%", "%%") + f',"t":{_TIME},"v":%s}}')
    templates = ["".join([records[index] for index in shape]) for shape in table.shapes]
    return templates, [shift for _, shift in outside]


def _texts(column: Column, shift: int, quality: int) -> list[str]:
    """The text of each value as it stands in its record, with its quality behind it where that is not good."""
    form, numbers, qualities = column
    if form <= forms.MOST_DECIMALS:
        texts = list(map(_decimals(form - shift).__getitem__, numbers))
    else:
        texts = [repr(units.shifted(value, shift)) for value in forms.to_values(form, numbers)]
    if qualities:
        return [text if q == GOOD else f'{text},"q":{q}' for text, q in zip(texts, qualities, strict=True)]
    return texts if quality == GOOD else [f'{text},"q":{quality}' for text in texts]


class _Decimals(dict[int, str]):
    """number / 10**point as text, remembered: the values of a series keep coming back."""

    def __init__(self, point: int) -> None:
        super().__init__()
        self.point = point

    def __missing__(self, number: int) -> str:
        if len(self) >= REMEMBERED_TEXTS:
            self.clear()
        text = self[number] = _decimal(number, self.point)
        return text


@lru_cache(maxsize=16)
def _decimals(point: int) -> _Decimals:
    return _Decimals(point)


def _decimal(number: int, point: int) -> str:
    if point <= 0:
        return str(number * 10**-point)
    digits = f"{abs(number):0{point + 1}d}"
    text = f"{digits[:-point]}.{digits[-point:]}".rstrip("0").rstrip(".")
    return "-" + text if number < 0 else text


# CBOR: a map for each record


def _records(part: Part) -> Iterator[dict[str, Any]]:
    body, sheet, times, labels = part
    if sheet is None:
        yield {"n": _foreign(body), "vd": body}
        return
    cells = [_cells(sheet, index) for index in range(len(sheet.columns))]
    for row, (shape, ms) in enumerate(zip(sheet.order, times, strict=True)):
        head: dict[str, Any] = dict(labels.get(row, {}))
        for index in sheet.table.shapes[shape]:
            name, code = sheet.table.series[index]
            value, quality = next(cells[index])
            record = head | {"n": name, "u": units.outside(code)[0], "t": ms / 1000, "v": value}
            head = {}
            yield record if quality == GOOD else record | {"q": quality}


def _cells(sheet: Sheet, index: int) -> Iterator[tuple[float, int]]:
    column, shift = sheet.columns[index], units.outside(sheet.table.series[index][1])[1]
    values = forms.to_values(column.form, column.numbers)
    shown = [units.shifted(value, shift) for value in values] if shift else values
    return zip(shown, column.qualities or [sheet.quality] * len(shown), strict=True)
