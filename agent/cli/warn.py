"""`fengsui warn`: keys, key-sets, seals and their publication, for platforms and for drills."""

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.common import complain, print_json

if TYPE_CHECKING:
    from protocols.alert import Alert

ACTIONS = ("inform", "prepare", "shelter", "evacuate", "all-clear")
LEVELS = ("red", "orange", "yellow", "blue")
STATUSES = ("exercise", "test", "actual")


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "warn",
        help="make keys, seal an alert, publish it",
        description="The issuer's side: for platforms, and for drills. A station believes only what its key-set says.",
        epilog="Exit codes: 0 done; 1 the broker refused; 2 wrong input. Example: fengsui warn key county.pem",
    )
    steps = verb.add_subparsers(dest="step", required=True, metavar="STEP")
    _add_key(steps)
    _add_keyset(steps)
    _add_sign(steps)
    _add_publish(steps)


def _add_key(steps: Any) -> None:
    key = steps.add_parser("key", help="make a private key", description="Make an Ed25519 key; print its public half.")
    key.add_argument("file", type=Path, help="a new file, written with mode 0600; never overwritten")
    key.set_defaults(run=make)


def _add_keyset(steps: Any) -> None:
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
    keyset.set_defaults(run=make_keyset)


def _add_sign(steps: Any) -> None:
    sign = steps.add_parser(
        "sign",
        help="seal an alert",
        description="Seal an alert from options, or from a JSON file with the same names, or from a CAP 1.2 file.",
        epilog="Without --status it is an exercise. Two --key make it the word of two holders.",
    )
    sign.add_argument("--key", type=Path, action="append", required=True, help="a private key's file; may come twice")
    sign.add_argument("--from", dest="source", type=Path, help="a JSON or CAP file to start from; options go before it")
    sign.add_argument("--issuer", type=int, help="the issuer's number in the key-set")
    sign.add_argument("--area", action="append", help="administrative code, or all; may come several times")
    sign.add_argument("--event", help="event code, as 11A51 (flash flood)")
    sign.add_argument("--level", choices=LEVELS)
    sign.add_argument("--action", choices=ACTIONS)
    sign.add_argument("--status", choices=STATUSES)
    sign.add_argument("--type", dest="msg_type", choices=("alert", "update", "cancel"))
    sign.add_argument("--sender", help="who first said it (with --identifier: names the event)")
    sign.add_argument("--identifier", help="identifier of the event's first message")
    sign.add_argument("--text", help="what is shown and spoken")
    sign.add_argument("--minutes", type=float, help="how long it holds (default: 60)")
    sign.add_argument("--seq", type=int, help="number of the message (default: the time, or one more than --last)")
    sign.add_argument("--last", type=int, help="the issuer's last number")
    sign.add_argument("-o", "--out", type=Path, help="where the sealed bytes go (default: hexadecimal on the screen)")
    sign.set_defaults(run=sign_alert)


def _add_publish(steps: Any) -> None:
    from agent.cli.broker_options import with_broker

    publish = steps.add_parser(
        "publish",
        help="publish a sealed alert",
        description="Publish sealed bytes, retained, until they expire. A real alert asks for the area to be typed.",
    )
    publish.add_argument("file", type=Path, help="the sealed bytes")
    publish.add_argument("--typed", metavar="AREA", help="the area's code, instead of being asked for it")
    with_broker(publish)
    publish.set_defaults(run=publish_alert)


def make(options: argparse.Namespace) -> int:
    from agent.keys import make_key, public_of
    from protocols.keyring import fingerprint

    try:
        public = public_of(make_key(options.file))
    except FileExistsError:
        complain("warn.key_exists", file=options.file)
        return 2
    except OSError as wrong:
        complain("warn.key", file=options.file, why=wrong.strerror)
        return 2
    print_json({"file": str(options.file), "public": public.hex(), "fingerprint": fingerprint(public)})
    return 0


def make_keyset(options: argparse.Namespace) -> int:
    from agent.issue import keyset_from, load_keys
    from protocols.errors import LocalError
    from protocols.keyring import seal_keyset

    try:
        roots = load_keys(options.root)
        keyring = keyset_from(options.file, int(time.time()))
        options.out.write_bytes(seal_keyset(keyring, roots))
    except (LocalError, ValueError, OSError) as wrong:
        complain("warn.keyset", file=options.file, why=wrong)
        return 2
    print_json({"file": str(options.out), "number": keyring.number, "keys": len(keyring.keys)})
    return 0


def sign_alert(options: argparse.Namespace) -> int:
    from agent.issue import WORDS, draft, load_keys
    from protocols.errors import ProtocolError
    from protocols.seal import carry, seal
    from protocols.seal_json import decode_sealed

    try:
        keys = load_keys(options.key)
        given = {name: value for name, value in vars(options).items() if name in WORDS and value is not None}
        alert, text = draft(options.source, given, int(time.time()))
        sealed = carry(seal(alert, keys), text)
        if options.out is not None:
            options.out.write_bytes(sealed)
    except (ProtocolError, ValueError, OSError) as wrong:
        complain("warn.alert", why=wrong)
        return 2
    if options.out is None:
        print(sealed.hex())
    else:
        print_json(decode_sealed(sealed) | {"file": str(options.out), "bytes": len(sealed)})
    return 0


def publish_alert(options: argparse.Namespace) -> int:
    from agent.cli.broker import Client, Refused
    from agent.issue import read_sealed, topics_of
    from protocols.errors import ProtocolError

    try:
        sealed = options.file.read_bytes()
        alert = read_sealed(sealed)
        topics = topics_of(alert, options.root)
    except (ProtocolError, OSError) as wrong:
        complain("warn.alert", why=wrong)
        return 2
    if not _meant(alert, options.typed):
        complain("warn.not_typed")
        return 2
    left = alert.expires - int(time.time())
    try:
        with Client(options, f"warn-{alert.issuer}-{alert.seq}") as client:
            for topic in topics:
                client.publish(topic, sealed, retain=True, expiry=left)
                complain("warn.published", topic=topic, bytes=len(sealed))
    except Refused as wrong:
        complain("listen.refused", broker=options.broker, why=wrong)
        return 1
    except ValueError as wrong:
        complain("listen.options", why=wrong)
        return 2
    return 0


def _meant(alert: "Alert", typed: str | None) -> bool:
    """A real alert is typed for: a drill and the real thing must not look alike (Hawaii, 2018)."""
    from agent.issue import areas_of
    from agent.say import say
    from protocols.alert import Status

    if alert.status is not Status.ACTUAL:
        return True
    areas = areas_of(alert)
    if typed is None and sys.stdin.isatty():
        typed = input(say("warn.typed", area=", ".join(areas)))
    return typed in areas
