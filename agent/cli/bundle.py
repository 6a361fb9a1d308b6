"""`fengsui bundle`: a release in one file, for stations that have no network. For the office."""

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.common import complain, print_json, with_json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "bundle",
        description="Make a release in one file for stations without a network; make the key that signs it; check one.",
        epilog="Exit codes: 0 done; 1 the bundle is not to be believed; 2 wrong input, or something is missing.",
    )
    steps = verb.add_subparsers(dest="step", required=True, metavar="STEP")
    make = steps.add_parser("make", help="one archive, from the source tree and a package index")
    make.add_argument("--arch", required=True, help="processor of the stations, as in aarch64 or x86_64")
    make.add_argument("--python", required=True, help="their Python, as in 311")
    signing = make.add_mutually_exclusive_group(required=True)
    signing.add_argument("--key", type=Path, help="the key that signs (`fengsui bundle key`)")
    signing.add_argument("--unsigned", action="store_true", help="sign nothing: nobody can tell who made it")
    make.add_argument("--out", type=Path, default=Path("dist"), help="a folder for it (default: dist)")
    make.add_argument("--source", type=Path, default=Path(__file__).parents[2], help="the source tree")
    key = steps.add_parser("key", help="a new key: FILE, and FILE.pub for the stations")
    key.add_argument("file", type=Path, help="where the private key goes")
    verify = steps.add_parser("verify", help="whether a bundle is whole, and by whom")
    verify.add_argument("bundle", type=Path, help="the archive")
    verify.add_argument("--key", type=Path, required=True, help="the public key to hold it against")
    for step, run in ((make, make_bundle), (key, make_key), (verify, verify_bundle)):
        with_json(step)
        step.set_defaults(run=run)


def make_bundle(options: argparse.Namespace) -> int:
    from agent.release.build import build
    from agent.release.target import Target
    from agent.say import say
    from protocols.errors import LocalError

    try:
        key = _signer(options.key)
        made = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())  # reproducible-builds.org
        built = build(options.source, Target.parse(options.arch, options.python), key, options.out, made)
    except (LocalError, OSError, ValueError) as wrong:
        complain("bundle.failed", why=str(wrong))
        return 2
    except ModuleNotFoundError as wrong:
        complain("bundle.failed", why=f"{wrong}: pip install 'fengsui[bundle]'")
        return 2
    for extra in built.left_out:
        complain("bundle.left_out", extra=extra, arch=options.arch, python=options.python)
    signed_by = _fingerprint(key)
    if options.json:
        facts = {"file": str(built.file), "wheels": built.wheels, "left_out": built.left_out, "signed_by": signed_by}
        print_json({"ok": True, **facts})
        return 0
    print(say("bundle.made", file=built.file, wheels=built.wheels, megabytes=f"{built.file.stat().st_size / 1e6:.1f}"))
    print(say("bundle.signed", fingerprint=signed_by) if signed_by else say("bundle.unsigned"))
    return 0


def make_key(options: argparse.Namespace) -> int:
    from agent.keys import make_key as make
    from agent.keys import public_of
    from agent.release.manifest import public_pem
    from agent.say import say

    public = options.file.with_name(f"{options.file.name}.pub")
    try:
        key = make(options.file)
        with public.open("xb") as file:
            file.write(public_pem(public_of(key)))
    except OSError as wrong:
        complain("bundle.failed", why=str(wrong))
        return 2
    if options.json:
        print_json({"ok": True, "key": str(options.file), "public": str(public), "fingerprint": _fingerprint(key)})
        return 0
    print(say("bundle.key", file=options.file, public=public, fingerprint=_fingerprint(key)))
    return 0


def verify_bundle(options: argparse.Namespace) -> int:
    from agent.release.archive import unpack
    from agent.release.manifest import read_public
    from agent.say import say
    from protocols.errors import LocalError

    try:
        public = read_public(options.key)
        with options.bundle.open("rb") as stream:
            opened = unpack(stream, None, [public])
    except (LocalError, OSError) as wrong:
        complain("bundle.refused", file=options.bundle, why=str(wrong))
        return 1 if isinstance(wrong, LocalError) and wrong.reason != "bundle-key" else 2
    if options.json:
        print_json({"ok": True, "signed_by": opened.signed_by, "files": len(opened.sums)})
        return 0
    print(say("bundle.good", file=options.bundle, files=len(opened.sums), fingerprint=opened.signed_by))
    return 0


def _signer(file: Path | None) -> "Ed25519PrivateKey | None":
    from agent.keys import load_key

    return load_key(file) if file else None


def _fingerprint(key: "Ed25519PrivateKey | None") -> str:
    from agent.keys import public_of
    from protocols.keyring import fingerprint

    return fingerprint(public_of(key)) if key else ""
