"""`fengsui drill`: play an exercise on the spot, watch every step, and say whether all of it was seen to act."""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.cli.common import complain, load_to_ask, print_json, with_config, with_json

YES = "yes"
LONGEST_WORD = 32  # characters of a column


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "drill",
        description="Ask the running agent for an exercise: display, voice and lamp, with --siren the siren too. "
        "It takes the path of the real thing, is marked as an exercise, and any actual alert ends it.",
        epilog="Exit codes: 0 everything acted; 1 something did not, or the drill was refused; 2 wrong command, or no "
        "typed yes; 3 no agent answers.",
    )
    with_config(verb)
    with_json(verb)
    verb.add_argument("--siren", action="store_true", help="sound the siren too; asks for a typed yes")
    verb.add_argument("--typed", metavar="YES", help="the yes, instead of being asked for it")
    verb.add_argument("--seconds", type=int, default=30, help="how long (5 to 300, default: 30)")
    verb.add_argument("--event", default="flash-flood", help="event word or code (default: flash-flood)")
    verb.add_argument("--level", default="red", choices=("red", "orange", "yellow", "blue"))
    verb.add_argument("--action", default="evacuate", choices=("inform", "prepare", "shelter", "evacuate"))
    verb.add_argument("--plan", default="", help="a plan by its name (default: the one that fits)")
    verb.add_argument("--text", default="", help="text to show and speak")
    verb.add_argument("--stop", action="store_true", help="end the drill that is running")
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    config = load_to_ask(options.config, as_json=options.json)
    if config is None:
        return 2
    if options.stop:
        return _stop(config.sockets)
    if options.siren and not _sure(options.typed):
        complain("drill.not_typed")
        return 2
    return _drill(config.sockets, options)


def _sure(typed: str | None) -> bool:
    """A person says so: never a pipe that happens to have a yes in it."""
    from agent.say import say

    if typed is None and sys.stdin.isatty():
        typed = input(say("drill.asked"))
    return typed == YES


def _stop(sockets: Sequence[Path]) -> int:
    from agent.control import ask_any

    answer = ask_any(sockets, "drill.stop")
    if answer is None:
        complain("status.no_agent", socket=", ".join(map(str, sockets)))
        return 3
    complain("drill.stopped" if answer.get("stopped") else "drill.nothing")
    return 0


def _drill(sockets: Sequence[Path], options: argparse.Namespace) -> int:
    from agent.control import ask_any

    words = {name: getattr(options, name) for name in ("event", "level", "action", "plan", "text", "seconds", "siren")}
    begun = ask_any(sockets, "drill.start", **words, sure=options.siren)
    if begun is None:
        complain("status.no_agent", socket=", ".join(map(str, sockets)))
        return 3
    if "error" in begun:
        complain("drill.no_path" if begun["error"] == "control.unknown" else begun["error"], reason=_said(begun))
        return 1
    if not options.json:
        _print_begun(begun)
    result = _follow(sockets, as_json=options.json)
    if result is None:
        complain("drill.gone")
        return 3
    _print_result(result, as_json=options.json)
    return 0 if result.get("ok") else 1


def _follow(sockets: Sequence[Path], *, as_json: bool) -> Mapping[str, Any] | None:
    """Each step as it happens; the result, or None when nobody answers any more. Interrupted, the drill is ended."""
    from agent.control import ask_any

    began, after = time.monotonic(), 0
    try:
        while True:
            answer = ask_any(sockets, "drill.watch", after=after)
            if answer is None or "error" in answer:
                return None
            for step in answer["steps"]:
                _print_step(step, time.monotonic() - began, as_json=as_json)
            after += len(answer["steps"])
            if answer["result"]:
                return dict(answer["result"])
    except KeyboardInterrupt:
        ask_any(sockets, "drill.stop")
        raise


def _print_begun(begun: Mapping[str, Any]) -> None:
    from agent.say import say

    print(say("drill.begins", channels=", ".join(begun["channels"]), seconds=begun["seconds"]))
    for channel, reason in begun["withheld"].items():
        print(say("drill.withheld", channel=channel, reason=say(reason)))


def _print_step(step: Mapping[str, Any], after: float, *, as_json: bool) -> None:
    from agent.say import say

    if as_json:
        print_json({"after": round(after, 2), **step})
        return
    facts = step.get("evidence") or step.get("reason") or ""
    columns = {"step": f"{step['step'].removeprefix('warning.'):10}", "actuator": f"{step.get('actuator', ''):12}"}
    print(say("drill.step", after=f"{after:6.2f}", facts=facts, **columns), flush=True)


def _print_result(result: Mapping[str, Any], *, as_json: bool) -> None:
    from agent.say import say

    if as_json:
        print_json({"result": result})
        return
    rows = [
        {name: str(row[name]) for name in ("actuator", "channel", "result", "reason")} for row in result["actuators"]
    ]
    wide = {name: max((len(row[name]) for row in rows), default=0) for name in ("actuator", "channel", "result")}
    for row in rows:
        reason = say(row["reason"]) if row["reason"] else ""
        aligned = {name: row[name][:LONGEST_WORD].ljust(min(size, LONGEST_WORD)) for name, size in wide.items()}
        print(say("drill.row", **aligned, reason=reason))
    print(say("drill.good") if result["ok"] else say("drill.bad", ended=result["ended"]))


def _said(answer: Mapping[str, Any]) -> str:
    from agent.say import say

    return say(str(answer["reason"])) if "reason" in answer else ""
