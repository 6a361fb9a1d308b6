"""What `fengsui check` says of rules: whether they can be read, fit their series and units, and fit into a station."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from agent.alerts.plans import ROOM_FOR_TEXT
from agent.spot.rules import Rule, RuleConfig, windows
from drivers.api import Problem, SeriesSpec
from protocols.errors import LocalError, RemoteError
from protocols.rule_parser import parse
from protocols.rules import Condition, Number, comparisons, operands, relaxed, unit_of

MOST_RULES = 64  # a village has some ten; each is looked at with every reading of its series
MOST_WINDOWS = 32  # of all rules together: kept twice, with 122 slots each, about 3 MB
LONGEST = 86_400.0  # seconds that a condition may have to hold, or a value be old


def check_rules(
    configs: Sequence[RuleConfig], specs: Mapping[str, SeriesSpec], plans: Collection[str]
) -> Iterator[tuple[str, Problem]]:
    """(table, what is wrong with it)."""
    faults = [(f"rule {one.name}", problem) for one in configs for problem in check_rule(one, specs, plans)]
    yield from faults
    if len(configs) > MOST_RULES:
        yield "", Problem("rule", "rule.many", {"count": len(configs), "most": MOST_RULES})
    if faults:
        return
    count = sum(len(spans) for spans in windows([Rule(one) for one in configs]).values())
    if count > MOST_WINDOWS:
        yield "", Problem("rule", "rule.windows", {"count": count, "most": MOST_WINDOWS})


def check_condition(key: str, written: str, specs: Mapping[str, SeriesSpec]) -> Iterator[Problem]:
    """A condition by itself, wherever one is written."""
    condition, problem = _read(key, written)
    if problem is not None:
        yield problem
    if condition is not None:
        yield from _typed(key, condition, specs)


def check_rule(config: RuleConfig, specs: Mapping[str, SeriesSpec], plans: Collection[str]) -> Iterator[Problem]:
    yield from check_condition("when", config.when, specs)
    when, _ = _read("when", config.when)
    yield from _clear(config, when, specs)
    if config.plan and config.plan not in plans:
        yield Problem("plan", "rule.plan", {"value": config.plan, "known": ", ".join(sorted(plans))})
    if not config.name or not config.event:
        yield Problem("event" if config.name else "name", "rule.empty")
    if len(config.text) > ROOM_FOR_TEXT:
        yield Problem("text", "rule.text", {"count": len(config.text), "most": ROOM_FOR_TEXT})
    for key, value, least in (("for", config.hold, 0.0), ("stale", config.stale, 1.0)):
        if not least <= value <= LONGEST:
            yield Problem(key, "value.range", {"value": value, "least": f"{least:g}s", "most": "1d"})


def _clear(config: RuleConfig, when: Condition | None, specs: Mapping[str, SeriesSpec]) -> Iterator[Problem]:
    if isinstance(config.clear, str):
        clear, problem = _read("clear", config.clear) if config.clear else (None, None)
        if problem is not None:
            yield problem
        if clear is not None:
            yield from _typed("clear", clear, specs)
    elif not 0 < config.clear < 1e9:
        yield Problem("clear", "rule.margin_range", {"value": config.clear})
    elif when is not None:
        try:
            relaxed(when, config.clear)
        except LocalError as wrong:
            yield Problem("clear", wrong.reason)


def _read(key: str, written: str) -> tuple[Condition | None, Problem | None]:
    try:
        return parse(written), None
    except RemoteError as wrong:
        facts = {"column": (wrong.offset or 0) + 1, "found": wrong.detail or "∅", "text": written[:200]}
        return None, Problem(key, wrong.reason, facts)


def _typed(key: str, condition: Condition, specs: Mapping[str, SeriesSpec]) -> Iterator[Problem]:
    """Every series is known, tested for its quality, and compared with what has its unit."""
    unknown = [one for one in dict.fromkeys(side.series for side in operands(condition)) if one not in specs]
    for series in unknown:
        yield Problem(key, "rule.series", {"series": series, "known": ", ".join(sorted(specs)) or "∅"})
    for series in dict.fromkeys(side.series for side in operands(condition)):
        if series in specs and not _tested(specs[series]):
            yield Problem(key, "rule.untested", {"series": series})
    for one in comparisons(condition):
        sides = [side for side in (one.left, one.right) if not isinstance(side, Number) and side.series in specs]
        units = [unit_of(side, specs[side.series].unit) for side in sides]
        if len(set(units)) > 1:
            yield Problem(key, "rule.units", {"left": units[0], "right": units[1]})


def _tested(spec: SeriesSpec) -> bool:
    """Only what passed a test is good, and only what is good may raise an alarm."""
    return bool(spec.span or spec.expect or spec.rate or spec.flat or spec.spike)
