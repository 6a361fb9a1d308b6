"""The command `fengsui`. One short file a verb; each imports what it needs when it runs.

Exit codes: 0 done; 1 it was tried and failed (a reading lost, an alert refused, a device silent); 2 the command or the
configuration is wrong and nothing was started; 3 no running agent answers; 130 interrupted.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from agent import __version__

DONE, FAILED, WRONG, NO_AGENT, INTERRUPTED = 0, 1, 2, 3, 130

VERBS = (
    "run",
    "check",
    "read",
    "status",
    "listen",
    "warn",
    "trust",
    "decode",
    "buffer",
    "demo",
    "display",
    "plan",
    "drill",
)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="fengsui",
        description="Field-station agent: sensors → buffer → platform; a sealed warning → siren and display.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong command or configuration, 3 no agent answers, 130 interrupted.",
    )
    top.add_argument("--lang", choices=("en", "zh"), help="language of messages (default: the locale's)")
    top.add_argument("--version", action="store_true", help="print the version and leave")
    verbs = top.add_subparsers(dest="verb", metavar="COMMAND")
    for name in VERBS:
        import_module(f"agent.cli.{name}").add(verbs)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    top = parser()
    options = top.parse_args(arguments)
    if options.version:
        print(__version__)
        return DONE
    if options.verb is None:
        top.print_help()
        return WRONG
    from agent.say import choose

    choose(options.lang)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `fengsui … | head`
        sys.stderr.close()
        return DONE
