"""`fengsui run`: the agent, until it is told to stop."""

import argparse
from typing import Any

from agent.cli.common import BEARABLE, complain, load_or_say, with_config, with_lenient


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "run",
        description="Run the station's agent until SIGTERM or Ctrl-C. Starts with or without a network.",
        epilog="Exit codes: 0 stopped as asked; 1 the core failed (systemd starts it again); 2 wrong configuration.",
    )
    with_config(verb)
    with_lenient(verb)
    verb.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    import faulthandler
    import logging
    import sys

    from agent.later import without

    with without("typing_extensions"):  # half a megabyte of what this Python has itself
        import msgspec  # noqa: F401 - the first import decides

    faulthandler.enable()  # systemd's watchdog ends a stalled agent with SIGABRT: every thread's stack goes to the journal

    logging.basicConfig(
        level=options.log_level.upper(), format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    config = load_or_say(options.config, forgive=BEARABLE, lenient=options.lenient)
    if config is None:
        return 2
    from agent.station import main
    from buffer.model import Locked

    try:
        config.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as wrong:
        complain("run.state", folder=config.state, why=wrong.strerror)
        return 2
    try:
        return main(config)
    except Locked as other:
        complain("run.locked", file=config.state, why=other)
        return 2
