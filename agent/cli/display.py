"""`fengsui display`: the page for a kiosk browser, in a process of its own."""

import argparse
from pathlib import Path
from typing import Any

from agent.cli.common import complain

DEFAULT_PORT = 8737
WORDS = ("idle", "exercise", "left", "no_agent", "no_display")


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "display",
        description="Show the agent's warnings on one full-screen page, on this machine only. A process of its own.",
        epilog="Exit codes: 0 stopped as asked; 2 port or socket is taken.",
    )
    verb.add_argument("--socket", type=Path, help="where the agent finds it (default: as the driver `page` has it)")
    verb.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help=f"for the browser (default: {DEFAULT_PORT}; 0: any)"
    )
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    import asyncio

    from agent.display.serve import serve
    from agent.say import choose, say
    from drivers.actuators.page import SOCKET

    choose(options.lang or "zh")  # a service's locale is nobody's wish; a village reads Chinese
    words = {word: say(f"display.{word}") for word in WORDS}
    try:
        asyncio.run(serve(options.socket or Path(SOCKET), options.port, words))
    except (OSError, OverflowError) as wrong:  # the latter: a port beyond 65535
        complain("display.taken", why=wrong)
        return 2
    return 0
