"""`fengsui watch`: the running station on a full screen: series with their last minute, bearers, buffer, warnings."""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from agent.cli.common import complain, load_to_ask, print_json, seconds, with_config, with_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from agent.config import Config
    from agent.watch_frame import History

GONE = 3  # exit code: no agent answers
PATIENCE = 2.0  # seconds for an answer: an agent that hangs must not take the keyboard along
LOOK = 0.2  # seconds between two looks at the size of the terminal
LEAVE = ("q", "Q", "\x04")  # and Ctrl-D; Esc begins what an arrow key says


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "watch",
        description="Series with sparklines, sensors, bearers, buffer and warnings of the running station. q or Ctrl-C leaves.",
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
    elif options.once or not sys.stdout.isatty() or os.environ.get("TERM") in (None, "dumb"):
        print("\n".join(frame(status, history)))
    else:
        return _live(config, options.every, history, status)
    return 0


def _status(config: "Config") -> dict[str, Any] | None:
    from agent.control import ask_any

    return ask_any(config.sockets, "status", timeout=PATIENCE)


def _live(config: "Config", every: float, history: "History", status: dict[str, Any] | None) -> int:
    """Until a key or Ctrl-C. An agent that restarts is waited for, its last picture standing."""
    from rich.live import Live

    last, due = status or {}, time.monotonic() + every
    drawn: object = None
    with _keys() as pressed, Live(screen=True, auto_refresh=False) as screen:
        while True:
            wanted = due, screen.console.size
            if wanted != drawn:  # one picture a look: the line to this terminal may be a slow one
                drawn = wanted
                screen.update(_picture(screen.console, last, history, here=status is not None), refresh=True)
            if pressed(min(LOOK, max(due - time.monotonic(), 0.0))) in LEAVE:
                return 0
            if time.monotonic() >= due:
                status, due = _status(config), time.monotonic() + every
                if status is not None:
                    history.take(last := status)


def _picture(console: "Console", status: dict[str, Any], history: "History", *, here: bool) -> "Text":
    """As large as the terminal is now."""
    from rich.text import Text

    from agent.say import say
    from agent.watch_frame import fitted

    head = [] if here else [say("watch.waiting")]
    lines = fitted(status, history, console.width, console.height - len(head))
    return Text("\n".join([*head, *lines]), no_wrap=True, overflow="ellipsis")


@contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """A function that waits so many seconds for a key, and returns it. Where no keyboard is, only the wait is left."""
    import select
    import sys
    import termios
    import tty

    def silent(wait: float) -> str:
        time.sleep(wait)
        return ""

    def pressed(wait: float) -> str:
        ready, _, _ = select.select([keyboard], [], [], wait)
        return os.read(keyboard, 1).decode("latin-1") if ready else ""

    if not sys.stdin.isatty():
        yield silent
        return
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    tty.setcbreak(keyboard)
    try:
        yield pressed
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
