"""The closed grammar of local alarms: what a condition over series may say, and its one written form. Knows no readings.

    condition  = both { "or" both }
    both       = one { "and" one }
    one        = "not" one | "(" condition ")" | comparison
    comparison = operand ( ">" | ">=" | "<" | "<=" ) operand
    operand    = number | series | function "(" series "," '"' duration '"' ")"

There is no arithmetic and no equality: a threshold is a number a person can check against the gauge board.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from protocols.errors import LocalError

FUNCTIONS = ("sum", "min", "max", "mean", "rate", "rise")
OPERATORS = (">", ">=", "<", "<=")
KEYWORDS = ("and", "or", "not")
UNITS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}  # seconds; "min" is read as "m"

MAX_TEXT = 500  # characters; two lines of a configuration
MAX_DEPTH = 16  # of parentheses and "not"
MAX_COMPARISONS = 16
SHORTEST, LONGEST = 10, 3 * 86_400  # seconds of a window: antecedent rain is counted over three days


@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest value of a series."""

    series: str


@dataclass(frozen=True, slots=True)
class Over:
    """A function over the last `seconds` of a series. `rate` is the slope per hour; `rise` what a counter gained."""

    function: str
    series: str
    seconds: int


Operand = Number | Newest | Over


@dataclass(frozen=True, slots=True)
class Compare:
    left: Operand
    operator: str
    right: Operand


@dataclass(frozen=True, slots=True)
class Not:
    what: "Condition"


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple["Condition", ...]


Condition = Compare | Not | And | Or


def comparisons(condition: Condition) -> Iterator[Compare]:
    """From left to right."""
    match condition:
        case Compare():
            yield condition
        case Not(what):
            yield from comparisons(what)
        case And(parts) | Or(parts):
            for part in parts:
                yield from comparisons(part)


def operands(condition: Condition) -> Iterator[Newest | Over]:
    """Whatever looks at a series, from left to right."""
    for one in comparisons(condition):
        yield from (side for side in (one.left, one.right) if not isinstance(side, Number))


def series_of(condition: Condition) -> tuple[str, ...]:
    """Each series once, in the order of mention."""
    return tuple(dict.fromkeys(operand.series for operand in operands(condition)))


def text(condition: Condition) -> str:
    """The condition as it would be written; `rule_parser.parse` reads the same condition from it."""
    match condition:
        case Compare(left, operator, right):
            return f"{_operand(left)} {operator} {_operand(right)}"
        case Not(what):
            return f"not {_inside(what, And, Or)}"
        case And(parts):
            return " and ".join(_inside(part, And, Or) for part in parts)
        case Or(parts):
            return " or ".join(_inside(part, Or) for part in parts)


def _inside(condition: Condition, *wrapped: type) -> str:
    return f"({text(condition)})" if isinstance(condition, wrapped) else text(condition)


def _operand(operand: Operand) -> str:
    match operand:
        case Number(value):
            return f"{value:.0f}" if value == int(value) else repr(value)
        case Newest(series):
            return series
        case Over(function, series, seconds):
            return f'{function}({series}, "{duration(seconds)}")'


def duration(seconds: int) -> str:
    """`90m`, `1h`: in the largest unit that leaves no rest."""
    letter = next(letter for letter, size in UNITS.items() if seconds % size == 0)
    return f"{seconds // UNITS[letter]}{letter}"


def unit_of(operand: Newest | Over, unit: str) -> str:
    """What the operand is counted in, where the series is in `unit`."""
    return f"{unit}/h" if isinstance(operand, Over) and operand.function == "rate" else unit


def relaxed(condition: Condition, margin: float) -> Compare:
    """The one comparison with its threshold moved by `margin`, so that it holds for longer: the hysteresis of a rule."""
    match condition:
        case Compare(left, operator, Number(value)):
            return Compare(left, operator, Number(value - margin if operator in (">", ">=") else value + margin))
        case Compare(Number(value), operator, right):
            return Compare(Number(value + margin if operator in (">", ">=") else value - margin), operator, right)
    raise LocalError("rule.margin", "a margin needs a single comparison with a number")
