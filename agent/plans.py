"""What to do for a warning, and in which words: pattern, siren seconds, text. Data, looked up; no clock, no device.

A plan answers *how*. *Whether* a siren may sound is `agent.decide`'s answer, made before a plan is asked.
"""

import re
import string
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from drivers.api import Problem
from drivers.collect import collect
from protocols.alert import displayable
from protocols.codes import family

SHIPPED = Path(__file__).parent / "data" / "plans"
LEVELS = ("red", "orange", "yellow", "blue")
ACTIONS = ("inform", "prepare", "shelter", "evacuate", "all-clear")
ALL_CLEAR = "all-clear"
TABLES = ("plan", "unheard")
LONGEST_SIREN = 600.0  # seconds; the driver's own limit is usually lower (motor sirens: 5 to 10 min a start)
LEAST_SAID, MOST_SAID = 3, 10  # times: who is woken by the first hears the second; the third is understood
DRILL_CLIP = "exercise"  # the recorded 这是演练
CLIP = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
MOST_SHOWN = 500  # characters: a 12379 text stays below 350, and a village panel shows some lines
ROOM_FOR_TEXT = MOST_SHOWN - 120  # left to the alert's text beside our own sentences


class Siren(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pattern: str
    seconds: float
    drill: float = 10.0


class Voice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often it is said, and by which recorded clip; without one, and where it is missing, the sentence is spoken."""

    clip: str = ""
    repeat: int = LEAST_SAID


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fits where each key that is there fits. `event`: families (`flash-flood`) or code prefixes ("11A" is all water).
    `lamp` is a signal as a siren's; `actuators` names those that take part, all where it is absent.
    """

    name: str
    event: tuple[str, ...] = ()
    level: tuple[str, ...] = ()
    action: tuple[str, ...] = ()
    siren: Siren | None = None
    voice: Voice = Voice()
    lamp: str = "steady"
    actuators: tuple[str, ...] = ()

    def fits(self, event: str, level: str, action: str) -> bool:
        return (
            (not self.event or family(event) in self.event or event.startswith(self.event))
            and (not self.level or level in self.level)
            and (not self.action or action in self.action)
        )


class Unheard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a lamp does while an issuer has been silent for a day, and no warning has the lamp."""

    lamp: str


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One language: sentences with {event} {level} {action} {issuer} {text} {warning}, and the names that fill them."""

    warning: str
    exercise: str
    all_clear: str
    exercise_over: str
    unknown_event: str
    levels: dict[str, str]
    actions: dict[str, str]
    events: dict[str, str]

    def event(self, code: str) -> str:
        """The most exact name there is for a code or word; unknown ones are normal (senders extend the table)."""
        parts = (code, family(code), *(code[:length] for length in range(len(code) - 1, 1, -1)))
        return next((self.events[part] for part in parts if part in self.events), self.unknown_event)


@dataclass(frozen=True, slots=True)
class How:
    """The answer: which plan, the siren's pattern ("" for none) and seconds, the text to show and speak, the clips that may
    be played instead of speaking, how often it is said, the lamp's signal, and who takes part (nobody named: all).
    """

    plan: str
    pattern: str
    seconds: float
    text: str
    clips: tuple[str, ...] = ()
    repeat: int = LEAST_SAID
    lamp: str = "steady"
    actuators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plans:
    plans: Sequence[Plan]
    words: Mapping[str, Words]
    languages: Sequence[str] = ("zh",)
    unheard: str = "steady"
    _none: Plan = field(default=Plan("none"), init=False)

    def how(
        self,
        event: str,
        level: str,
        action: str,
        *,
        exercise: bool = False,
        issuer: str = "",
        text: str = "",
        named: str = "",
    ) -> How:
        """`named`: the plan that a rule asks for by name goes before those that fit."""
        chosen = (plan for plan in self.plans if plan.name == named) if named else iter(())
        plan = next(chosen, None) or next((plan for plan in self.plans if plan.fits(event, level, action)), self._none)
        shown = self.text(event, level, action, exercise=exercise, issuer=issuer, text=text)
        pattern, seconds = "", 0.0
        if plan.siren is not None:
            pattern, seconds = plan.siren.pattern, plan.siren.drill if exercise else plan.siren.seconds
        clips = _clips(plan.voice.clip, exercise=exercise)
        return How(plan.name, pattern, seconds, shown, clips, plan.voice.repeat, plan.lamp, plan.actuators)

    def text(self, event: str, level: str, action: str, *, exercise: bool, issuer: str, text: str) -> str:
        """What is shown, in each language of the station. The alert's own text is displayable and short enough that our
        sentences, the exercise marks above all, stay whole.
        """
        room = ROOM_FOR_TEXT // len(self.languages)
        own = displayable(text, room)
        spoken = []
        for place, language in enumerate(self.languages):
            words = self.words[language]
            facts = {
                "event": words.event(event),
                "level": words.levels.get(level, ""),
                "action": words.actions.get(action, words.actions["inform"]),
                "issuer": displayable(issuer, 40),
                "text": own if place == 0 else "",  # one language's text is said once
            }
            spoken.append(_sentence(words, facts, action, exercise=exercise))
        return displayable(" ".join(spoken), MOST_SHOWN)


def _clips(clip: str, *, exercise: bool) -> tuple[str, ...]:
    """A drill begins and ends as one, in clips too."""
    if not clip:
        return ()
    return (DRILL_CLIP, clip, DRILL_CLIP) if exercise else (clip,)


def _sentence(words: Words, facts: Mapping[str, str], action: str, *, exercise: bool) -> str:
    if action == ALL_CLEAR:
        return words.exercise_over if exercise else words.all_clear.format(**facts)
    warning = words.warning.format(**facts)
    return words.exercise.format(**facts, warning=warning) if exercise else warning


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
