"""Files of plans and words → plans that can be followed, or everything that is wrong with them: the station's own before the shipped.

Follows none: see `agent.alerts.plans`.
"""

import re
import string
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.alerts.plans import ACTIONS, LEAST_SAID, LEVELS, MOST_SAID, Plan, Plans, Siren, Unheard, Voice, Words
from drivers.api import Problem
from drivers.collect import collect

SHIPPED = Path(__file__).parents[1] / "data" / "plans"
TABLES = ("plan", "unheard")
LONGEST_SIREN = 600.0  # seconds; the driver's own limit is usually lower (motor sirens: 5 to 10 min a start)
CLIP = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def load(
    own: Path | None = None, *, languages: Sequence[str] = ("zh",), patterns: Collection[str] = ()
) -> tuple[Plans | None, list[Problem]]:
    """The shipped plans, with the station's `own` file before them, or everything that is wrong. `patterns`: the names
    the station's sirens know; empty where nobody asked.
    """
    problems: list[Problem] = []
    files = [(path.name, _read(path, problems)) for path in (own, SHIPPED / "default.toml") if path is not None]
    plans = [plan for name, data in files for plan in _plans(name, data, problems)]
    unheard = next((found for name, data in files if (found := _unheard(data, problems))), None)
    words = _words(SHIPPED / "words.toml", problems)
    problems += [
        Problem(f"plan {p.name}.{key}", code, facts) for p in plans for key, code, facts in _faults(p, patterns)
    ]
    problems += [Problem("language", "plan.language", {"language": one}) for one in languages if one not in words]
    if unheard is None or (patterns and unheard.lamp not in patterns):
        value = unheard.lamp if unheard else ""
        problems.append(Problem("unheard.lamp", "plan.choice", {"value": value, "known": ", ".join(sorted(patterns))}))
        return None, problems
    return (None if problems else Plans(plans, words, languages, unheard.lamp)), problems


def _read(path: Path, problems: list[Problem]) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as wrong:
        problems.append(Problem("plans", "plan.unreadable", {"file": path.name, "why": str(wrong)}))
        return {}


def _unheard(data: Mapping[str, Any], problems: list[Problem]) -> Unheard | None:
    table = data.get("unheard")
    if not isinstance(table, dict):
        return None
    found, wrong = collect(Unheard, table)
    problems += [Problem(f"unheard.{one.key}", one.code, one.facts) for one in wrong]
    return found


def _plans(name: str, data: Mapping[str, Any], problems: list[Problem]) -> Iterator[Plan]:
    problems += [Problem(key, "plan.unknown_table", {"file": name}) for key in data if key not in TABLES]
    tables = data.get("plan", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problems.append(Problem("plan", "plan.not_a_list", {"file": name}))
        return
    for place, table in enumerate(tables, 1):
        plan, found = collect(Plan, table)
        label = f"plan {table.get('name', place)}"
        problems += [Problem(f"{label}.{one.key}", one.code, one.facts) for one in found]
        if plan is not None:
            yield plan


def _faults(plan: Plan, patterns: Collection[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for level in plan.level:
        if level not in LEVELS:
            yield "level", "plan.choice", {"value": level, "known": ", ".join(LEVELS)}
    for action in plan.action:
        if action not in ACTIONS:
            yield "action", "plan.choice", {"value": action, "known": ", ".join(ACTIONS)}
    yield from _voice_faults(plan.voice)
    if patterns and plan.lamp not in patterns:
        yield "lamp", "plan.choice", {"value": plan.lamp, "known": ", ".join(sorted(patterns))}
    if plan.siren is not None:
        yield from _siren_faults(plan.siren, patterns)


def _voice_faults(voice: Voice) -> Iterator[tuple[str, str, dict[str, Any]]]:
    if voice.clip and CLIP.fullmatch(voice.clip) is None:
        yield "voice.clip", "plan.clip", {"clip": voice.clip}
    if not LEAST_SAID <= voice.repeat <= MOST_SAID:
        yield "voice.repeat", "plan.repeat", {"value": voice.repeat, "least": LEAST_SAID, "most": MOST_SAID}


def _siren_faults(siren: Siren, patterns: Collection[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    if patterns and siren.pattern not in patterns:
        yield "siren.pattern", "plan.choice", {"value": siren.pattern, "known": ", ".join(sorted(patterns))}
    for key, seconds in (("seconds", siren.seconds), ("drill", siren.drill)):
        if not 1 <= seconds <= LONGEST_SIREN:
            yield f"siren.{key}", "plan.seconds", {"value": seconds, "most": LONGEST_SIREN}


def _words(path: Path, problems: list[Problem]) -> dict[str, Words]:
    words = {}
    for language, table in _read(path, problems).items():
        one, found = collect(Words, table)
        problems += [Problem(f"words {language}.{p.key}", p.code, p.facts) for p in found]
        if one is not None:
            problems += [Problem(f"words {language}", "plan.placeholder", {"name": name}) for name in _strangers(one)]
            words[language] = one
    return words


def _strangers(words: Words) -> set[str]:
    """Placeholders that nothing fills: they would fail on the day of the flood."""
    known = {"event", "level", "action", "issuer", "text", "warning"}
    sentences = (words.warning, words.exercise, words.all_clear, words.exercise_over)
    return {name for one in sentences for _, name, _, _ in string.Formatter().parse(one) if name is not None} - known
