"""The bodies of one message, opened for encoding: dated by wall time, numbered, and doubted where the time is untrusted.

Knows packed bodies and no outside form. Each row's wall time is asked for once.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple

from protocols import forms
from protocols.errors import RemoteError
from protocols.key import Key
from protocols.quality import Reason
from protocols.sheet import Column, Sheet, lay_open

Wall = Callable[[bytes, int], tuple[int, bool]]
"""`wall(boot, at)`: Unix milliseconds of a boot time, and whether a trusted anchor says so."""

EARLIEST_MS = (1 << 28) * 1000  # a SenML time below 2**28 s counts from now (RFC 8428 §4.5.3)
CLOCK = int(Reason.CLOCK) << 4


class Part(NamedTuple):
    """One body: laid open (None: foreign or damaged), with the Unix ms of its rows, and what the first record of a row says."""

    body: bytes
    sheet: Sheet | None
    times: list[int]
    labels: dict[int, dict[str, int | str]]


def parts(key: Key, bodies: Sequence[bytes], wall: Wall) -> list[Part]:
    """Rows are numbered only where the bodies hold just as many numbers as the key says."""
    sheets = [_opened(body) for body in bodies]
    holds = sum(len(sheet.counts) if sheet else 0 for sheet in sheets)
    first = key.first if holds == key.numbers else None
    found = []
    for body, sheet in zip(bodies, sheets, strict=True):
        found.append(_dated(body, sheet, first, wall) if sheet else Part(body, None, [], {}))
        first = first + len(sheet.counts) if sheet and first is not None else None
    return found


def _dated(body: bytes, sheet: Sheet, first: int | None, wall: Wall) -> Part:
    moments = [wall(sheet.boot, at) for at in sheet.times]
    trusted = [good for _, good in moments]
    times = [max(ms, EARLIEST_MS) for ms, _ in moments]
    labels = {} if first is None else _numbers(sheet, first)
    if all(trusted):
        return Part(body, sheet, times, labels)
    return Part(body, _doubted(sheet, trusted), times, _boot_times(sheet, labels))


def _opened(body: bytes) -> Sheet | None:
    try:
        sheet = lay_open(body)
        for form, numbers, _ in sheet.columns:
            if form > forms.MOST_DECIMALS:  # a decimal is always a value
                forms.to_values(form, numbers)
    except RemoteError:
        return None
    return sheet


def _numbers(sheet: Sheet, first: int) -> dict[int, dict[str, int | str]]:
    """Which row begins which number; a number with no rows left begins none."""
    rows = accumulate(sheet.counts, initial=0)
    counted = enumerate(zip(rows, sheet.counts, strict=False))
    return {row: {"number": first + place} for place, (row, count) in counted if count}


def _boot_times(sheet: Sheet, labels: dict[int, dict[str, int | str]]) -> dict[int, dict[str, int | str]]:
    """An untrusted wall time is corrected later by an anchor: so the boot time goes with it."""
    boot = sheet.boot.hex()
    return {row: labels.get(row, {}) | {"boot": boot, "at": at} for row, at in enumerate(sheet.times)}


def _doubted(sheet: Sheet, trusted: list[bool]) -> Sheet:
    """Rows of an untrusted time have that among the reasons of their quality."""
    doubts: list[list[int]] = [[] for _ in sheet.columns]
    for shape, good in zip(sheet.order, trusted, strict=True):
        for index in sheet.table.shapes[shape]:
            doubts[index].append(0 if good else CLOCK)
    return sheet._replace(columns=[_worse(sheet, *pair) for pair in zip(sheet.columns, doubts, strict=True)])


def _worse(sheet: Sheet, column: Column, doubts: list[int]) -> Column:
    qualities = column.qualities or [sheet.quality] * len(doubts)
    return column._replace(qualities=[quality | doubt for quality, doubt in zip(qualities, doubts, strict=True)])
