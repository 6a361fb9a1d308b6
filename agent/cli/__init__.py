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

VERBS = {
    "run": "run the agent",
    "check": "find every mistake in a configuration",
    "read": "poll the configured sensors and print",
    "status": "how the running station is",
    "listen": "what a platform sees: complete, or the holes",
    "warn": "make keys, seal an alert, publish it",
    "trust": "whom the station believes",
    "decode": "bytes → JSON",
    "buffer": "look into the buffer: stats, tail, export, verify, salvage",
    "demo": "see the main job on real input, in about a minute",
    "display": "serve the page that a screen shows",
    "init": "set a station up: configuration, keys, certificate request",
    "provision": "one signed site pack a station, for the office",
    "accept": "the station proves itself and leaves a signed report",
    "doctor": "what is wrong with this station, and what to do",
    "plan": "check the plans, or show what one does",
    "drill": "play an exercise and watch every step",
    "profile": "which devices are known, and what they give",
    "watch": "the running station on a full screen",
    "scan": "find serial ports, and what hangs on them",
    "monitor": "what goes over a line, decoded live",
    "modbus": "read registers of one device, or write them after a typed yes",
    "headend": "the other end of narrow bearers, beside the platform",
    "bundle": "a release in one file for stations without a network, for the office",
    "update": "a newer release from a bundle, without a network",
    "completion": "complete commands at a TAB: a script for the shell",
    "manual": "the manual page",
}


def parser(arguments: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The command line as far as `arguments` need it: only the verb they name is imported."""
    from agent.catalogue import languages
    from agent.cli.parse import Parser

    top = Parser(
        prog="fengsui",
        description="Field-station agent: sensors → buffer → platform; a sealed warning → siren and display.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong command or configuration, 3 no agent answers, 130 interrupted.",
    )
    top.add_argument(
        "--lang", choices=languages(), help="language of all texts (default: the configuration's, else the locale's)"
    )
    top.add_argument("--version", action="store_true", help="print the version and leave")
    verbs = top.add_subparsers(dest="verb", metavar="COMMAND")
    chosen = _chosen(arguments)
    for name, summary in VERBS.items():
        if name == chosen:
            import_module(f"agent.cli.{name}").add(verbs)
        else:
            verbs.add_parser(name, help=summary, add_help=False)
    return top


def _chosen(arguments: Sequence[str]) -> str | None:
    """The verb, unless help on all of them is asked for before it."""
    for word in arguments:
        if word in VERBS:
            return word
        if word in ("-h", "--help"):
            return None
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    from agent.cli import language

    given = language.first(sys.argv[1:] if arguments is None else arguments)
    wanted, said = language.configured(given), language.asked(given)
    language.forgive_consoles()
    language.speak(said or wanted, insisted=bool(said))
    top = parser(given)
    with language.argparse_too():
        options = top.parse_args(given)
    options.lang = options.lang or wanted
    if options.version:
        print(__version__)
        return DONE
    if options.verb is None:
        top.print_help()
        return WRONG
    del top  # the words of every verb would stay in memory for as long as the agent runs
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `fengsui … | head`
        sys.stderr.close()
        return DONE
    except OSError as wrong:
        if not _said(wrong):
            raise
        return WRONG


def _said(wrong: OSError) -> bool:
    """A file that was named and cannot be: anything else is a mistake of ours, and stays one."""
    from errno import EACCES, ENAMETOOLONG, EPERM

    from agent.cli.common import complain

    code = {EACCES: "bench.barred", EPERM: "bench.barred", ENAMETOOLONG: "bench.too_long"}.get(wrong.errno or 0)
    if code:
        complain(code, file=str(wrong.filename or wrong)[-200:])
    return code is not None
