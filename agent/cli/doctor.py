"""`fengsui doctor`: what is wrong with this station, and what to do; a line each."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agent.cli.common import load_to_ask, print_json, with_config, with_json

if TYPE_CHECKING:
    from agent.doctor.line import Line

MARKS = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "doctor",
        description="Look at clock, disk, card, power, ports, files, sockets, brokers, keyring, beacons, bearers, sensors, "
        "fonts and actuators, and say what to do. Beside a running agent it asks that agent; it changes nothing and is silent.",
        epilog="Exit codes: 0 nothing has failed; 1 something has; 2 wrong configuration.",
    )
    with_config(verb)
    with_json(verb)
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    config = load_to_ask(options.config, as_json=options.json)
    if config is None:
        return 2
    from agent.doctor.examine import examine
    from agent.doctor.gather import gather
    from agent.doctor.line import State, fail

    left = [fail("settings", "doctor.left_out", finding=str(one)) for one in config.left_out]
    lines = [*left, *examine(gather(config))]
    good = all(line.state is not State.FAIL for line in lines)
    if options.json:
        print_json({"ok": good, "station": config.station.id, "lines": [line.as_json() for line in lines]})
    else:
        show(lines)
    return 0 if good else 1


def show(lines: Sequence["Line"]) -> None:
    from collections import Counter

    from agent.say import say

    for line in lines:
        print(f"{MARKS[line.state.value]}  {line.check:<12} {line}")
    counts = Counter(line.state.value for line in lines)
    print(say("doctor.sum", good=counts["ok"], warned=counts["warn"], failed=counts["fail"]))
