"""`fengsui accept`: the station proves itself row by row, and leaves a signed report; or such a report is verified."""

import argparse
import errno
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.common import complain, load_or_say, print_json, seconds, told, with_config, with_json

if TYPE_CHECKING:
    from agent.config import Config
    from agent.site.acceptance.bench import Bench
    from agent.site.acceptance.run import Progress

YES = ("yes", "是")
NO_AGENT = 3  # exit code
SKIPPABLE = ("sensor", "bearer", "beacon", "drill", "forgery", "actuator", "audible", "supply", "power-cut")


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "accept",
        description="Read every sensor, prove every bearer, hear a beacon and the platform's drill, see a forgery refused, try "
        "every actuator, cut the power, and write one signed HTML report. Interrupted, it goes on where it was.",
        epilog="Exit codes: 0 accepted, or the report is genuine; 1 not accepted, not finished, or not genuine; 2 wrong command "
        "or configuration; 3 no agent answers.",
    )
    with_config(verb)
    with_json(verb)
    verb.add_argument("--out", type=Path, default=Path(), help="folder for the report (default: here)")
    verb.add_argument("--yes-audible", action="store_true", help="the siren may sound for ten seconds (else: asked)")
    verb.add_argument(
        "--patience", type=seconds, default=300.0, metavar="SECONDS", help="what comes from outside is waited for"
    )
    verb.add_argument(
        "--without", action="append", default=[], metavar="STEP=REASON", help=f"not fitted: {', '.join(SKIPPABLE)}"
    )
    verb.add_argument("--afresh", action="store_true", help="begin again, whatever an earlier run found")
    verb.add_argument("--verify", type=Path, metavar="REPORT", help="verify a report; needs no configuration")
    verb.add_argument("--key", default="", help="the station's public key, from the register, to verify against")
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if options.verify:
        return _verify(options)
    without = dict(one.partition("=")[::2] for one in options.without)
    if any(name not in SKIPPABLE or not reason.strip() for name, reason in without.items()):
        complain("accept.without", known=", ".join(SKIPPABLE))
        return 2
    config = load_or_say(options.config, as_json=options.json)
    return 2 if config is None else _accept(config, options, without)


def _accept(config: "Config", options: argparse.Namespace, without: dict[str, str]) -> int:
    """From the first row to the report, or to the plug that is to be pulled."""
    from agent.clock import this_boot
    from agent.site.acceptance.bench import OnSpot
    from agent.site.acceptance.run import Progress, go_on, load
    from protocols.errors import LocalError

    progress = (None if options.afresh else load(config.state)) or Progress(int(time.time()))
    bench = OnSpot(config, options.patience, complain)
    try:
        if code := _lacking(bench, progress, options.out):
            return code
        heard = "audible" not in progress.done and _may_sound(config, options, without)
        if not go_on(bench, progress, without=without, audible=heard, boot=this_boot().hex()):
            complain("accept.pull")
            return 1
        return _finish(config, progress, options)
    except PermissionError:
        raise
    except (OSError, LocalError) as wrong:
        complain("accept.failed", why=told(wrong))
        return 2


def _lacking(bench: "Bench", progress: "Progress", out: Path) -> int:
    """What would waste the visit, said before anything sounds or is waited for; the exit code."""
    out.mkdir(parents=True, exist_ok=True)
    if not os.access(out, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(out))
    if progress.done:
        complain("accept.goes_on", count=len(progress.done), hours=round((time.time() - progress.began) / 3600, 1))
    elif bench.ask("status") is None:
        complain("accept.no_agent")
        return NO_AGENT
    return 0


def _may_sound(config: "Config", options: argparse.Namespace, without: dict[str, str]) -> bool:
    """A person says so: never a pipe that happens to have a yes in it."""
    from agent.say import say

    if options.yes_audible or "audible" in without or not config.actuators or not sys.stdin.isatty():
        return bool(options.yes_audible)
    return input(say("accept.asked")).strip().lower() in YES


def _finish(config: "Config", progress: "Progress", options: argparse.Namespace) -> int:
    from agent import __version__
    from agent.site.acceptance.report import Report, render, seal, sentence
    from agent.site.acceptance.run import STATE_FILE, accepted
    from agent.site.identity import make_identity
    from agent.station_key import KEY_FILE, open_key

    identity = make_identity(config.station.id, config.state)
    report = Report(
        config.station.id, config.station.name, config.station.timezone, progress.began, int(time.time()), __version__,
        identity.fingerprint, progress.rows,
    )  # fmt: skip
    page = seal(render(report, config.language), open_key(config.state / KEY_FILE))
    file = (
        options.out / f"acceptance-{config.station.id}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(report.ended))}.html"
    )
    file.write_bytes(page)
    (config.state / STATE_FILE).unlink(missing_ok=True)
    good = accepted(progress.rows)
    rows = [
        {"check": r.check, "name": r.name, "result": r.result.value, "code": r.code, "text": sentence(r)}
        for r in progress.rows
    ]
    if options.json:
        print_json({"ok": good, "report": str(file), "key": identity.key, "rows": rows})
    else:
        _show(rows, file, good=good)
    return 0 if good else 1


def _show(rows: list[dict[str, str]], file: Path, *, good: bool) -> None:
    from agent.say import say

    for row in rows:
        print(f"{row['result']:<10}  {row['check']:<9} {row['name']:<14} {row['text']}")
    print(say("accept.verdict.good" if good else "accept.verdict.bad"))
    print(say("accept.written", file=file))


def _verify(options: argparse.Namespace) -> int:
    from agent.say import say
    from agent.site.acceptance.report import LARGEST, verify
    from protocols.errors import LocalError

    try:
        with options.verify.open("rb") as stream:
            key = verify(stream.read(LARGEST)).hex()
    except OSError as wrong:
        complain("accept.failed", why=told(wrong))
        return 2
    except LocalError:
        complain("accept.not_genuine", file=options.verify)
        return 1
    expected = options.key.strip().lower()
    if expected and expected != key:
        complain("accept.other_station", file=options.verify, key=key)
        return 1
    if options.json:
        print_json({"ok": True, "key": key, "compared": bool(expected)})
    else:
        print(say("accept.genuine" if expected else "accept.genuine_by", file=options.verify, key=key))
    return 0
