"""Every mistake at once, each with its key."""

import msgspec
import pytest

from agent.finding import Finding
from drivers.collect import collect
from drivers.values import Duration, Size


class Table(msgspec.Struct, kw_only=True):
    name: str
    count: int = 1
    every: Duration = Duration(10.0)
    size: Size = Size(10)
    words: list[str] = []


def codes(data):
    return {problem.key: problem.code for problem in collect(Table, data)[1]}


def test_a_good_table_is_typed():
    table, problems = collect(Table, {"name": "a", "every": "5min", "size": "64MiB"})
    assert problems == []
    assert (table.every, table.size) == (300.0, 64 << 20)


def test_all_mistakes_come_together():
    data = {"cuont": 3, "count": "three", "every": "soon", "words": [1], "size": -1}
    assert codes(data) == {
        "cuont": "config.unknown_key_near",
        "name": "config.missing_key",
        "count": "config.wrong_value",
        "every": "config.wrong_value",
        "words": "config.wrong_value",
        "size": "config.wrong_value",
    }


def test_an_unknown_key_alone_still_gives_the_table_but_is_told():
    table, problems = collect(Table, {"name": "a", "zzz": 1})
    assert table is not None
    assert [p.code for p in problems] == ["config.unknown_key"]


@pytest.mark.parametrize(("text", "seconds"), [("500ms", 0.5), ("10s", 10), ("2h", 7200), (3, 3), ("1.5 min", 90)])
def test_durations(text, seconds):
    assert collect(Table, {"name": "a", "every": text})[0].every == seconds


@pytest.mark.parametrize("text", ["", "10", "s", "-1s", "1 year", True, [], {}, "1e3s"])
def test_what_is_no_duration(text):
    assert codes({"name": "a", "every": text}) == {"every": "config.wrong_value"}


def test_a_finding_says_file_table_and_key():
    problem = collect(Table, {"name": "a", "count": "x"})[1][0]
    text = str(Finding("station.toml", "bus rs485", problem))
    assert text.startswith("station.toml: [bus rs485] count: ")
    assert "'x'" in text
