"""`fengsui watch`: the running station on a full screen: series with their last minute, bearers, buffer, warnings."""

import argparse
import time
from typing import TYPE_CHECKING, Any

from agent.cli.common import complain, load_to_ask, print_json, seconds, with_config, with_json

if TYPE_CHECKING:
    from agent.config import Config

GONE = 3  # exit code: no agent answers


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "watch",
        description="Series with sparklines, sensors, bearers, buffer and warnings of the running station. Ctrl-C leaves.",
        epilog="Exit codes: 0 done; 2 wrong configuration; 3 no agent answers. Example: fengsui watch --once",
    )
    with_config(verb)
    with_json(verb)
    verb.add_argument(
        "--once", action="store_true", help="print one frame and leave; so it is where there is no terminal"
    )
    verb.add_argument("--every", type=seconds, default=1.0, metavar="SECONDS", help="time between looks (default: 1)")
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    import sys

    config = load_to_ask(options.config, as_json=options.json)
    if config is None:
        return 2
    from agent.watch_frame import History, frame

    status = _status(config)
    if status is None:
        complain("watch.gone", socket=", ".join(map(str, config.sockets)) or "-")
        return GONE
    history = History()
    history.take(status)
    if options.json:
        print_json(status)
    elif options.once or not sys.stdout.isatty():
        print("\n".join(frame(status, history)))
    else:
        return _live(config, options.every, history, status)
    return 0


def _status(config: "Config") -> dict[str, Any] | None:
    from agent.control import ask_any

    return ask_any(config.sockets, "status")


def _live(config: "Config", every: float, history: Any, status: dict[str, Any] | None) -> int:
    """Until Ctrl-C. An agent that restarts is waited for, its last picture standing."""
    from rich.live import Live
    from rich.text import Text

    from agent.say import say
    from agent.watch_frame import frame

    lines = [""]
    with Live(screen=True, auto_refresh=False) as screen:
        while True:
            if status is not None:
                history.take(status)
                lines = list(frame(status, history))
            head = [] if status is not None else [say("watch.waiting")]
            screen.update(Text("\n".join(head + lines), no_wrap=True, overflow="ellipsis"), refresh=True)
            time.sleep(every)
            status = _status(config)
