"""The grammar of local alarms: what it reads, what it refuses and where, and that it writes what it reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import rules
from protocols.errors import LocalError, RemoteError
from protocols.rule_parser import parse
from protocols.rules import And, Compare, Newest, Not, Number, Or, Over, relaxed, series_of, text

STAGE, TIPS = Newest("river.stage"), Over("sum", "rain.tips", 3600)

READ = {
    "river.stage > 27.8": Compare(STAGE, ">", Number(27.8)),
    "27.8<=river.stage": Compare(Number(27.8), "<=", STAGE),
    "river.stage > -1.5e1": Compare(STAGE, ">", Number(-15.0)),
    'sum(rain.tips, "1h") >= 60': Compare(TIPS, ">=", Number(60.0)),
    'sum ( rain.tips , "60 min" ) >= +60.': Compare(TIPS, ">=", Number(60.0)),
    'rate(river.stage, "30m") > .5': Compare(Over("rate", "river.stage", 1800), ">", Number(0.5)),
    'rise(rain.total, "3d") > 1': Compare(Over("rise", "rain.total", 259_200), ">", Number(1.0)),
    "river.stage > sum": Compare(STAGE, ">", Newest("sum")),
    "not a > 1": Not(Compare(Newest("a"), ">", Number(1.0))),
    "a > 1 or b > 1 and c > 1": Or(
        (Compare(Newest("a"), ">", Number(1.0)),
         And((Compare(Newest("b"), ">", Number(1.0)), Compare(Newest("c"), ">", Number(1.0)))))
    ),
    "(a > 1 or b > 1) and c > 1": And(
        (Or((Compare(Newest("a"), ">", Number(1.0)), Compare(Newest("b"), ">", Number(1.0)))),
         Compare(Newest("c"), ">", Number(1.0)))
    ),
}  # fmt: skip

REFUSED = {
    "": ("rule.expected_operand", 0),
    "river.stage": ("rule.expected_comparison", 11),
    "river.stage >": ("rule.expected_operand", 13),
    "river.stage = 3": ("rule.character", 12),
    "river.stage == 3": ("rule.character", 12),
    "river.stage ≥ 3": ("rule.character", 12),
    "river.stage > 3 m": ("rule.expected_end", 16),
    "River.Stage > 3": ("rule.expected_operand", 0),
    "1 < 2": ("rule.constant", 0),
    "1 < river.stage < 2": ("rule.expected_end", 16),
    "river.stage > 1e999": ("rule.number", 14),
    "river.stage > nan > 1": ("rule.expected_end", 18),
    "(river.stage > 3": ("rule.expected_close", 16),
    "river.stage > 3)": ("rule.expected_end", 15),
    "river.stage > 3 and": ("rule.expected_operand", 19),
    "river.stage > and": ("rule.expected_operand", 14),
    "river.stage + 1 > 3": ("rule.character", 12),
    'exec(river.stage, "1h") > 3': ("rule.function", 0),
    "sum(rain.tips) > 3": ("rule.expected_comma", 13),
    "sum(rain.tips, 1h) > 3": ("rule.expected_duration", 15),
    'sum(rain.tips, "1 hour") > 3': ("rule.expected_duration", 15),
    'sum(rain.tips, "5s") > 3': ("rule.window", 15),
    'sum(rain.tips, "4d") > 3': ("rule.window", 15),
    'sum("rain.tips", "1h") > 3': ("rule.expected_series", 4),
    'sum(rain.tips, "1h" > 3': ("rule.expected_close", 20),
    'sum(rain.tips, "1h': ("rule.character", 15),
    "(" * 17 + "a > 1" + ")" * 17: ("rule.deep", 16),
    "not " * 17 + "a > 1": ("rule.deep", 64),
    " or ".join(["a > 1"] * 17): ("rule.comparisons", 0),
    "a > 1" + " " * 500: ("rule.long", 500),
}  # fmt: skip


@pytest.mark.parametrize("written", READ)
def test_what_is_read(written):
    assert parse(written) == READ[written]
    assert parse(text(READ[written])) == READ[written]


@pytest.mark.parametrize("written", REFUSED)
def test_what_is_refused_and_where(written):
    with pytest.raises(RemoteError) as wrong:
        parse(written)
    assert (wrong.value.reason, wrong.value.offset) == REFUSED[written]


def test_a_margin_moves_the_threshold_against_the_alarm():
    assert text(relaxed(parse("river.stage > 27.8"), 0.3)) == "river.stage > 27.5"
    assert text(relaxed(parse("river.stage < 2"), 0.5)) == "river.stage < 2.5"
    assert text(relaxed(parse("2 > river.stage"), 0.5)) == "2.5 > river.stage"
    with pytest.raises(LocalError):
        relaxed(parse("a > 1 and b > 1"), 1)
    with pytest.raises(LocalError):
        relaxed(parse("a > b"), 1)


def test_series_are_named_once_in_order():
    assert series_of(parse('b > 1 and not (a > b or max(c, "1m") > 1)')) == ("b", "a", "c")


WORDS = ["river.stage", "27.8", "sum", "rate", "(", ")", ",", '"1h"', ">", ">=", "<", "and", "or", "not", " ", "é", '"']


@given(st.text(max_size=80) | st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join))
def test_nothing_but_a_named_error_escapes_and_what_is_read_is_written_alike(written):
    found = read(written)
    if isinstance(found, RemoteError):
        assert found.reason.startswith("rule.")
        assert 0 <= found.offset <= max(len(written), rules.MAX_TEXT)
    else:
        assert parse(text(found)) == found


def read(written):
    try:
        return parse(written)
    except RemoteError as wrong:
        return wrong


series = st.from_regex(r"[a-z][a-z0-9_]{0,6}(\.[a-z][a-z0-9_]{0,6})?", fullmatch=True).filter(
    lambda name: name not in rules.KEYWORDS
)
numbers = st.floats(-1e9, 1e9, allow_nan=False).map(lambda value: Number(value + 0.0))
windows = st.builds(Over, st.sampled_from(rules.FUNCTIONS), series, st.integers(rules.SHORTEST, rules.LONGEST))
operands = st.builds(Newest, series) | windows
compares = st.builds(Compare, operands, st.sampled_from(rules.OPERATORS), operands | numbers)


def longer(inner):
    two = st.lists(inner, min_size=2, max_size=3).map(tuple)
    ands = st.lists(inner.filter(lambda one: not isinstance(one, And)), min_size=2, max_size=3).map(tuple)
    ors = two.filter(lambda parts: not any(isinstance(one, Or) for one in parts))
    return st.builds(Not, inner) | st.builds(And, ands) | st.builds(Or, ors)


@given(st.recursive(compares, longer, max_leaves=6))
def test_a_tree_is_read_back_from_its_text(tree):
    found = read(text(tree))
    if isinstance(found, RemoteError):
        assert found.reason in ("rule.long", "rule.deep", "rule.comparisons")
    else:
        assert found == tree
