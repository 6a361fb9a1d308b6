"""`fengsui plan`: are the plans sound, and what would happen for such a warning."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.common import complain, load_or_say, print_json, with_json
from agent.cli.facts import named
from drivers.api import Problem

if TYPE_CHECKING:
    from agent.alerts.plans import Plans
    from agent.config import Config


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "plan",
        description="Plans say how a warning sounds and reads. Nothing here starts or sounds anything.",
        epilog="Exit codes: 0 sound; 1 something in the plans is wrong; 2 wrong configuration.",
    )
    verb.set_defaults(run=lambda _options: verb.print_help() or 2)
    kinds = verb.add_subparsers(dest="what", metavar="WHAT")
    check = kinds.add_parser("check", help="every mistake in the station's plans, its clips and actuators included")
    check.set_defaults(run=run_check)
    show = kinds.add_parser("show", help="what is done for such a warning: fengsui plan show 11B03 red")
    show.add_argument("event", help="code or word: 11B03, flash-flood")
    show.add_argument("level", choices=("red", "orange", "yellow", "blue"))
    show.add_argument(
        "action", nargs="?", default="inform", choices=("inform", "prepare", "shelter", "evacuate", "all-clear")
    )
    show.add_argument("--exercise", action="store_true", help="as a drill")
    show.add_argument("--text", default="", help="the alert's own text")
    show.add_argument("--issuer", default="", help="who says so; an all-clear names them")
    show.set_defaults(run=run_show)
    for one in (check, show):
        one.add_argument("--config", type=Path, help="the station's file; the shipped plans alone where none is given")
        with_json(one)


def run_check(options: argparse.Namespace) -> int:
    if (loaded := _load(options)) is None:
        return 2
    config, problems, plans = loaded
    if config is not None and plans is not None:
        problems += [*_strangers(config, plans), *_clips(config, plans)]
    if options.json:
        rows = [{"key": one.key, "code": one.code, **one.facts} for one in problems]
        print_json({"ok": not problems, "problems": rows, "plans": len(plans.plans) if plans else 0})
        return 1 if problems else 0
    from agent.say import say

    for one in problems:
        print(f"[{one.key}] {say(one.code, **one.facts)}")
    if problems or plans is None:
        complain("plan.bad", count=len(problems))
        return 1
    print(say("plan.good", count=len(plans.plans)))
    return 0


def run_show(options: argparse.Namespace) -> int:
    if (loaded := _load(options)) is None:
        return 2
    _config, problems, plans = loaded
    if plans is None:
        from agent.say import say

        for one in problems:
            print(f"[{one.key}] {say(one.code, **one.facts)}")
        complain("plan.bad", count=len(problems))
        return 1
    from msgspec import to_builtins

    how = to_builtins(
        plans.how(
            options.event,
            options.level,
            options.action,
            exercise=options.exercise,
            issuer=options.issuer,
            text=options.text,
        )
    )
    if options.json:
        print_json(how)
    else:
        for name, value in how.items():
            print(f"{named(name)}: {', '.join(value) if isinstance(value, tuple | list) else named(value)}")
    return 0


def _load(options: argparse.Namespace) -> "tuple[Config | None, list[Problem], Plans | None] | None":
    """The plans of a station, in its language, against the signals that its actuators know; None where its configuration is
    wrong, which was said.
    """
    from agent.alerts.plan_file import load
    from drivers.actuators.patterns import shipped

    config = load_or_say(options.config, as_json=options.json) if options.config else None
    if options.config and config is None:
        return None
    own = config.path(config.warnings.plans) if config and config.warnings and config.warnings.plans else None
    language = config.language if config else (options.lang or "zh")
    signals = set(shipped())
    for one in config.actuators if config else ():
        signals |= set(getattr(one.config, "patterns", ()))
    plans, problems = load(own, languages=[language], patterns=signals)
    return config, problems, plans


def _strangers(config: "Config", plans: "Plans") -> Iterator[Problem]:
    """Names in a plan that no actuator has any more."""
    known = [one.name for one in config.actuators]
    for plan in plans.plans:
        for name in plan.actuators:
            if name not in known:
                facts = {"actuator": name, "known": ", ".join(known) or "-"}
                yield Problem(f"plan {plan.name}.actuators", "plan.actuator", facts)


def _clips(config: "Config", plans: "Plans") -> Iterator[Problem]:
    """Clips that a plan names and a speaker has not, or could not play; the drill's marks with them."""
    from agent.alerts.plans import DRILL_CLIP

    named = sorted({plan.voice.clip for plan in plans.plans if plan.voice.clip})
    for speaker, folder in _speakers(config):
        for name in (*named, DRILL_CLIP) if named else ():
            file = folder / f"{name}.wav"
            if why := _unusable(file):
                facts = {"speaker": speaker, "file": file, "why": why}
                yield Problem(f"actuator {speaker}.clips", "plan.no_clip", facts)


def _speakers(config: "Config") -> Iterator[tuple[str, Path]]:
    """Names and clip folders of the loudspeakers, those behind an amplifier included."""
    for one in config.actuators:
        table = getattr(one.config, "voice", None)
        if one.driver == "speaker":
            yield one.name, config.path(one.config.clips)
        elif isinstance(table, dict) and table.get("driver") == "speaker":
            yield one.name, config.path(str(table.get("clips", "clips")))


def _unusable(file: Path) -> str:
    from drivers.actuators.wav import MOST_BYTES, clip

    try:
        with file.open("rb") as opened:
            clip(opened.read(MOST_BYTES + 1))
    except (OSError, ValueError) as wrong:
        return str(getattr(wrong, "strerror", "") or wrong)
    return ""
