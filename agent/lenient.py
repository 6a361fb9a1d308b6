"""What `--lenient` leaves out of a configuration, so that the rest of the station starts: sensors whose profile or keys are
wrong, and what is computed of them or judged by them.

Nothing else is ever left out. A station that believes somebody wrong, sounds a siren it does not know or sends to nowhere must
not start; one that lacks a thermometer should.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent.config_reader import label_of

if TYPE_CHECKING:
    from agent.config import Config
    from agent.finding import Finding

TABLES = ("sensor", "derived", "consistency", "rule")
FAST = "fast"  # a sensor goes on without what would hasten it
DIGEST = "narrow", "bearer.series"  # a digest goes on without a series that nothing gives
Data = Mapping[str, Any]
Check = Callable[[Data], "tuple[Config | None, list[Finding]]"]


def forgiving(data: Data, check: Check) -> "tuple[Config | None, list[Finding]]":
    """A configuration without what is wrong, and what that was; None, with everything that is wrong, where that cannot be.

    What leaves takes others with it (a rule on a derived series on a sensor), so it is looked at until nothing is wrong.
    """
    named: list[Finding] = []
    while True:
        config, findings = check(data)
        if config is not None:
            config.left_out.extend(named)
            return config, named
        slowed = [one for one in findings if _is_fast(one)]
        first = slowed or findings  # a rule that misses such a sensor's series has them again when it goes on without
        rest = without(data, first)
        if rest is None:
            return None, named + findings
        named += first
        data = rest


def without(data: Data, findings: "Sequence[Finding]") -> Data | None:
    """The tables without what is wrong with them; None where something else is, or nothing can be taken away."""
    wrong = [one for one in findings if (one.table, one.problem.code) != DIGEST]
    slow = {one.table for one in wrong if _is_fast(one)}
    out = {one.table for one in wrong if not _is_fast(one)}
    lists = {name: data[name] for name in TABLES if isinstance(data.get(name), list)}
    if not out | slow <= {label for name, tables in lists.items() for label in _labels(name, tables)}:
        return None
    rest: dict[str, Any] = {name: _kept(name, tables, out, slow) for name, tables in lists.items()}
    unknown = {one.problem.facts["series"] for one in findings if one not in wrong}
    if unknown:
        narrow = data["narrow"]
        rest["narrow"] = {**narrow, "series": [one for one in narrow["series"] if one not in unknown]}
    left: Data = {**data, **rest}
    return left if left != data else None


def _is_fast(finding: "Finding") -> bool:
    return finding.problem.key.partition(".")[0] == FAST


def _labels(name: str, tables: Sequence[Any]) -> list[str]:
    return [label_of(name, place, one) for place, one in enumerate(tables, 1) if isinstance(one, dict)]


def _kept(name: str, tables: Sequence[Any], out: set[str], slow: set[str]) -> list[Any]:
    """In their places, by which those without a name are called."""

    def kept(place: int, table: dict[str, Any]) -> dict[str, Any] | None:
        label = label_of(name, place, table)
        if label in out:
            return None
        return {key: value for key, value in table.items() if key != FAST} if label in slow else table

    return [one if one is None else kept(place, one) for place, one in enumerate(tables, 1)]
