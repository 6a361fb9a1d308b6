"""`fengsui warn`: keys, key-sets, seals, beacons and their publication, for platforms and for drills. The steps' work stands in
`warn_keys`, `warn_seal` and `warn_publish`; this file is what a person types.

An exercise is another word than the real thing, and the real thing asks for its area's name to be typed: a drill and a warning that
look alike at the desk were sent for each other (Hawaii, 2018).
"""

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any

ACTIONS = ("inform", "prepare", "shelter", "evacuate", "all-clear")
LEVELS = ("red", "orange", "yellow", "blue")
NAMES = "/etc/fengsui/areas.toml"


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "warn",
        description="The issuer's side: for platforms, and for drills. A station believes only what its key-set says.",
        epilog="Exit codes: 0 done; 1 the broker refused; 2 wrong input. Example: fengsui warn key new county.pem",
    )
    steps = verb.add_subparsers(dest="step", required=True, metavar="STEP")
    for add_step in (_key, _keyset, _exercise, _sign, _countersign, _cancel, _allclear, _publish, _beacon):
        add_step(steps)


def _key(steps: Any) -> None:
    key = steps.add_parser(
        "key", help="make a private key", description="Make a key of Ed25519; print its public half."
    )
    key.add_argument("what", choices=("new",))
    key.add_argument("file", type=Path, help="a new file, written with mode 0600; never overwritten")
    key.add_argument("--sm2", action="store_true", help="of SM2 instead, where the law asks for it (extra: sm)")
    _done_by(key, "warn_keys", "make")


def _keyset(steps: Any) -> None:
    keyset = steps.add_parser(
        "keyset",
        help="sign a key-set",
        description="Sign the key-set that a TOML file describes, with two of the three root keys.",
        epilog='The file: number = 1; [[holder]] name = "county", issuers = [1]; [[key]] holder, public (hex), '
        'may = ["display", "siren", …], areas = ["3301"], level = "red", days = 365.',
    )
    keyset.add_argument("file", type=Path, help="the description")
    keyset.add_argument("--root", type=Path, action="append", required=True, help="a root key's file; twice")
    keyset.add_argument("-o", "--out", type=Path, required=True, help="where the key-set goes")
    _done_by(keyset, "warn_keys", "make_keyset")


def _sign(steps: Any) -> None:
    sign = steps.add_parser(
        "sign",
        help="seal a real alert",
        description="Seal a real alert from options, or from a JSON file with the same names, or from a CAP 1.2 file.",
        epilog="Two --key make it the word of two holders; a second holder elsewhere joins with countersign. "
        "For a drill: fengsui warn exercise.",
    )
    sign.add_argument("--test", action="store_true", help="a technical test: checked everywhere, never shown or heard")
    _typed(sign)
    _words(sign)
    _done_by(sign, "warn_seal", "sign")


def _exercise(steps: Any) -> None:
    exercise = steps.add_parser(
        "exercise",
        help="seal a drill",
        description="Seal an exercise: the whole way of a warning, played and shown as a drill.",
        epilog="From options, a JSON file with the same names, or a CAP 1.2 file, whatever status that gives.",
    )
    _words(exercise)
    _done_by(exercise, "warn_seal", "exercise")


def _words(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--key", type=Path, action="append", required=True, help="a private key's file; may come twice")
    verb.add_argument("--from", dest="source", type=Path, help="a JSON or CAP file to start from; options go before it")
    verb.add_argument("--issuer", type=int, help="the issuer's number in the key-set")
    verb.add_argument("--area", action="append", help="administrative code, or all; may come several times")
    verb.add_argument("--event", help="event code, as 11A51 (flash flood)")
    verb.add_argument("--level", choices=LEVELS)
    verb.add_argument("--action", choices=ACTIONS)
    verb.add_argument("--type", dest="msg_type", choices=("alert", "update"))
    verb.add_argument("--sender", help="who first said it (with --identifier: names the event)")
    verb.add_argument("--identifier", help="identifier of the event's first message")
    verb.add_argument("--text", help="what is shown and spoken")
    verb.add_argument("--minutes", type=float, help="how long it holds (default: 60)")
    verb.add_argument("--seq", type=int, help="number of the message (default: the time, or one more than --last)")
    verb.add_argument("--last", type=int, help="the issuer's last number")
    verb.add_argument("--compact", action="store_true", help="ten bytes less, and no second holder can join")
    _out(verb)


def _countersign(steps: Any) -> None:
    step = steps.add_parser(
        "countersign",
        help="add a second holder's signature",
        description="Show what a sealed alert says, and add a signature to it. A real one asks for its area.",
    )
    step.add_argument("file", type=Path, help="the sealed bytes")
    step.add_argument("--key", type=Path, required=True, help="the second holder's private key")
    _typed(step)
    _out(step)
    _done_by(step, "warn_seal", "countersign")


def _cancel(steps: Any) -> None:
    _follow(steps, "cancel", "take an alert back", "Make the cancel of a sealed alert. One holder is enough.")


def _allclear(steps: Any) -> None:
    _follow(steps, "allclear", "say that the danger has passed", "Make the all-clear of a sealed alert.")


def _follow(steps: Any, name: str, short: str, long: str) -> None:
    """Nothing is asked: stopping must be easier than starting."""
    step = steps.add_parser(name, help=short, description=f"{long} Nothing is asked; then publish it.")
    step.add_argument("file", type=Path, help="the sealed bytes of the alert")
    step.add_argument("--key", type=Path, action="append", required=True, help="a private key's file")
    step.add_argument("--issuer", type=int, help="who says so (default: the alert's own issuer)")
    step.add_argument("--last", type=int, default=0, help="that issuer's last number")
    step.add_argument("--text", default="", help="what is shown and spoken")
    _out(step)
    _done_by(step, "warn_seal", name)


def _publish(steps: Any) -> None:
    from agent.cli.broker_options import with_broker

    publish = steps.add_parser(
        "publish",
        help="publish a sealed alert, a beacon or a key-set",
        description="Publish sealed bytes, retained; an alert until it expires. A real alert asks for its area.",
    )
    publish.add_argument("file", type=Path, help="the sealed bytes")
    publish.add_argument("--area", action="append", help="where a beacon is heard (default: all)")
    _typed(publish)
    with_broker(publish)
    _done_by(publish, "warn_publish", "publish")


def _beacon(steps: Any) -> None:
    from agent.cli.broker_options import with_broker

    beacon = steps.add_parser(
        "beacon",
        help="publish a sign of life",
        description="Seal a beacon (time, key-set number, alerts in force) and publish it. Do so every hour.",
    )
    beacon.add_argument("by", type=Path, metavar="KEYFILE", help="the issuer's private key")
    beacon.add_argument("--issuer", type=int, required=True, help="the issuer's number in the key-set")
    number = beacon.add_mutually_exclusive_group(required=True)
    number.add_argument("--keyset", type=Path, help="the newest key-set, for its number")
    number.add_argument("--number", type=int, help="the newest key-set's number")
    beacon.add_argument("--active", type=Path, action="append", default=[], help="an alert in force; may come again")
    beacon.add_argument("--area", action="append", help="where it is heard (default: all)")
    _out(beacon)
    with_broker(beacon, required=False)
    _done_by(beacon, "warn_keys", "make_beacon")


def _typed(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--typed", metavar="AREA", help="the area's name (or code), instead of being asked for it")
    verb.add_argument("--names", type=Path, help=f"names of areas, as TOML (default: {NAMES}, where it is)")


def _out(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("-o", "--out", type=Path, help="where the sealed bytes go (default: hexadecimal on the screen)")


def _done_by(verb: argparse.ArgumentParser, module: str, name: str) -> None:
    """Loaded when it is run: `--help` need not pay for cryptography."""

    def run(options: argparse.Namespace) -> int:
        return int(getattr(import_module(f"agent.cli.{module}"), name)(options))

    verb.set_defaults(run=run)
