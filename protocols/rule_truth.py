"""Is a condition true, false, or not to be told from what is known (Kleene's three values)? Pure.

What is known of an operand is an interval: a value is a point, nothing known is everything, and the rain of a window
with a hole in it is "at least this much". So a heavy rain is believed in spite of the hole, and its end is not.
"""

from collections.abc import Callable
from math import inf
from typing import NamedTuple

from protocols.rules import And, Compare, Condition, Newest, Not, Number, Operand, Or, Over


class Interval(NamedTuple):
    low: float
    high: float


UNKNOWN = Interval(-inf, inf)
Look = Callable[[Newest | Over], Interval]
"""What is known of an operand now."""

_OPPOSITE = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}


def point(value: float) -> Interval:
    return Interval(value, value)


def normal(condition: Condition, *, negated: bool = False) -> Condition:
    """The same condition without "not": each comparison then speaks for the whole or does not."""
    match condition:
        case Compare(left, operator, right):
            return Compare(left, _OPPOSITE[operator], right) if negated else condition
        case Not(what):
            return normal(what, negated=not negated)
        case And(parts) | Or(parts):
            inner = tuple(normal(part, negated=negated) for part in parts)
            return And(inner) if isinstance(condition, And) is not negated else Or(inner)


def truth(condition: Condition, look: Look) -> bool | None:
    match condition:
        case Compare():
            return holds(condition, look)
        case Not(what):
            inner = truth(what, look)
            return None if inner is None else not inner
        case And(parts):
            return _joined(parts, look, decisive=False)
        case Or(parts):
            return _joined(parts, look, decisive=True)


def _joined(parts: tuple[Condition, ...], look: Look, *, decisive: bool) -> bool | None:
    """The first part that decides ends the looking: windows cost time."""
    found: bool | None = not decisive
    for part in parts:
        one = truth(part, look)
        if one is decisive:
            return decisive
        found = None if one is None else found
    return found


def holds(compare: Compare, look: Look) -> bool | None:
    left, right = _known(compare.left, look), _known(compare.right, look)
    if compare.operator in ("<", "<="):
        left, right = right, left
    strict = compare.operator in (">", "<")
    if left.low > right.high or (left.low == right.high and not strict):
        return True
    if left.high < right.low or (left.high == right.low and strict):
        return False
    return None


def _known(operand: Operand, look: Look) -> Interval:
    return point(operand.value) if isinstance(operand, Number) else look(operand)
