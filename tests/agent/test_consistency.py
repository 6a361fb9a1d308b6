"""What readings say of each other, and series that no longer come."""

from types import SimpleNamespace

from agent.consistency import AGAINST, Consistency, ConsistencyConfig, check_consistency
from agent.gaps import Gaps
from drivers.api import SeriesSpec
from protocols.quality import GOOD, Flag, flag_of, quality
from protocols.reading import Reading

DEW = ConsistencyConfig(holds="air.dew_point <= air.temperature")
GUST = ConsistencyConfig(holds="wind.gust >= wind.speed")


def reading(series, value, at=0, found=GOOD):
    return Reading(series, at, value, "Cel", found)


def qualities(readings):
    return [one.quality for one in readings]


def test_both_sides_of_a_contradiction_are_suspect():
    judge = Consistency([DEW, GUST]).judge
    assert qualities(judge([reading("air.temperature", 10), reading("air.dew_point", 9)])) == [GOOD, GOOD]
    assert qualities(judge([reading("air.temperature", 10), reading("air.dew_point", 11)])) == [AGAINST, AGAINST]
    assert qualities(judge([reading("air.temperature", 12, 1000), reading("rain.total", 1, 1000)])) == [GOOD, GOOD]


def test_what_came_shortly_before_speaks_and_what_is_old_does_not():
    judge = Consistency([GUST]).judge
    judge([reading("wind.speed", 8, 0)])
    assert qualities(judge([reading("wind.gust", 5, 30_000)])) == [AGAINST]
    assert qualities(judge([reading("wind.gust", 5, 90_000)])) == [GOOD]


def test_a_worse_flag_stays():
    judge = Consistency([DEW]).judge
    bad = quality(Flag.BAD)
    (found, _) = judge([reading("air.dew_point", 50, 0, bad), reading("air.temperature", 10)])
    assert flag_of(found.quality) is Flag.BAD


def test_check_names_what_cannot_be_compared():
    specs = {"a": SeriesSpec("m"), "b": SeriesSpec("m")}
    holds = ["a > b", "a >", "a > c", 'sum(a, "1h") > b']
    found = list(
        check_consistency(
            {f"consistency {place}": ConsistencyConfig(holds=one) for place, one in enumerate(holds, 1)}, specs
        )
    )
    assert [table for table, _ in found] == ["consistency 2", "consistency 3", "consistency 4"]
    assert [problem.key for _, problem in found] == ["holds"] * 3


def test_a_series_that_does_not_come_is_missed_once_and_welcomed_back():
    now, said, newest = [0], [], {}
    source = SimpleNamespace(name="s", interval=60.0, series={"a": SeriesSpec("m"), "b": SeriesSpec("m")})
    gaps = Gaps(newest, [source], report=lambda kind, facts: said.append((kind, facts["series"])), now=lambda: now[0])
    for second in range(0, 600, 5):
        now[0] = second * 1000
        if second % 60 == 0:
            newest["a"] = reading("a", 1, now[0])
        if second == 400:
            newest["b"] = reading("b", 1, now[0])
        gaps.look()
    assert said == [("series.missing", "b"), ("series.back", "b"), ("series.missing", "b")]
