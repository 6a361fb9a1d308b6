"""One row of an acceptance: what was tried, what came of it, and what was seen. Plain data, JSON both ways."""

from enum import Enum
from typing import Any

import msgspec


class Result(Enum):
    PASS = "pass"  # noqa: S105 - a verdict, no password
    WARN = "warn"  # to look at; no reason to refuse the station
    FAIL = "fail"
    NOT_FITTED = "not-fitted"


class Trace(msgspec.Struct):
    """A series for a plot: seconds from the first sample, and values."""

    name: str
    unit: str
    points: list[tuple[float, float]]


class Row(msgspec.Struct):
    """`code` names the sentence, as everywhere; `reason` is a person's own, where something is not fitted."""

    check: str
    name: str
    result: Result
    code: str
    facts: dict[str, Any] = {}
    reason: str = ""
    traces: list[Trace] = []


def passed(check: str, name: str, code: str, **facts: Any) -> Row:
    return Row(check, name, Result.PASS, code, facts)


def failed(check: str, name: str, code: str, **facts: Any) -> Row:
    return Row(check, name, Result.FAIL, code, facts)


def absent(check: str, reason: str = "", code: str = "accept.absent") -> Row:
    return Row(check, "", Result.NOT_FITTED, code, {}, reason)
