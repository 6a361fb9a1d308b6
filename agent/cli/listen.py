"""`fengsui listen`: the reference subscriber. Prints readings and events, counts what is missing and what came twice."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.broker_options import with_broker
from agent.cli.common import complain, print_json, seconds, with_json

if TYPE_CHECKING:
    from agent.subscriber.listen import Tracker

SAVE_EVERY = 10.0  # seconds: what a kill -9 makes a subscriber see twice


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "listen",
        description="Subscribe to stations, print readings and events, keep ranges of numbers, name every hole.",
        epilog="Exit codes: 0 complete; 1 holes, or the broker refused; 2 wrong options. Ends with Ctrl-C.",
    )
    verb.add_argument("--station", default="+", help="one station only (default: all)")
    verb.add_argument("--seconds", type=seconds, help="leave after so many seconds (default: until Ctrl-C)")
    verb.add_argument("--state", type=Path, help="keep the ranges in this file between runs")
    verb.add_argument("--heal", action="store_true", help="ask stations for what is missing, with patience")
    verb.add_argument(
        "--station-key",
        action="append",
        default=[],
        metavar="STATION=HEX",
        help="a station's public key, for its acknowledgements and accounts (default: believe the first one seen)",
    )
    verb.add_argument("--quiet", action="store_true", help="print only the summary at the end")
    with_broker(verb)
    with_json(verb)
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from agent.cli.broker import Client, Refused
    from agent.subscriber.audit import is_public
    from agent.subscriber.listen import Tracker

    tracker = Tracker(root=options.root)
    try:
        if options.state and options.state.exists():
            tracker.load(options.state.read_bytes())
    except (OSError, ValueError) as wrong:
        complain("listen.state", file=options.state, why=wrong)
        return 2
    for given in options.station_key:
        station, _, key = given.partition("=")
        if not is_public(key):
            complain("listen.options", why=f"--station-key {given[:100]}")
            return 2
        tracker.audit.see_key(station, key.lower())
    filters = [f"{options.root}/{options.station}/{kind}" for kind in ("readings", "events", "status", "digest")]
    try:
        with Client(options, f"listen-{os.getpid()}") as client:
            client.subscribe(filters)
            _follow(client, tracker, options)
    except Refused as wrong:
        complain("listen.refused", broker=options.broker, why=wrong)
        return 1
    except ValueError as wrong:
        complain("listen.options", why=wrong)
        return 2
    _save(options.state, tracker)
    return _sum_up(tracker, as_json=options.json)


def _follow(client: Any, tracker: "Tracker", options: argparse.Namespace) -> None:
    from time import monotonic

    from agent.subscriber.heal import Healer

    healer, save_at = Healer(tracker), monotonic() + SAVE_EVERY
    try:
        for message in client.messages(options.seconds):
            if monotonic() >= save_at:
                _save(options.state, tracker)
                save_at = monotonic() + SAVE_EVERY
            for topic, payload in healer.due() if options.heal else ():
                client.publish(topic, payload, retain=False)
            if message is None:
                continue
            for item in tracker.take(message.topic, message.payload, kept=message.retained):
                if not options.quiet:
                    print_json(item.as_json())
    except KeyboardInterrupt:
        return


def _save(file: Path | None, tracker: "Tracker") -> None:
    """Old or new, never half."""
    if file is None:
        return
    fresh = file.with_suffix(file.suffix + ".new")
    fresh.write_bytes(tracker.save())
    fresh.replace(file)


def _sum_up(tracker: "Tracker", *, as_json: bool) -> int:
    summary = tracker.summary()
    print_json(summary)
    if not as_json:
        for hole in summary["holes"]:
            complain("listen.gap", **hole)
        if summary["complete"]:
            complain("listen.complete")
        for proof in ("forged", "repeated"):
            if found := summary["acknowledgements"].get(proof):
                complain(f"listen.{proof}", count=found)
    genuine = not summary["acknowledgements"].keys() & {"forged", "repeated"}
    return 0 if summary["complete"] and genuine else 1
