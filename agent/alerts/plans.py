"""What to do for a warning, and in which words: pattern, siren seconds, text. Data, looked up; no clock, no device.

A plan answers *how*. *Whether* a siren may sound is `agent.alerts.decide`'s answer, made before a plan is asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from protocols.alert import displayable
from protocols.codes import family

LEVELS = ("red", "orange", "yellow", "blue")
ACTIONS = ("inform", "prepare", "shelter", "evacuate", "all-clear")
ALL_CLEAR = "all-clear"
LEAST_SAID, MOST_SAID = 3, 10  # times: who is woken by the first hears the second; the third is understood
DRILL_CLIP = "exercise"  # the recorded 这是演练
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
