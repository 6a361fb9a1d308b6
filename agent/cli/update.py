"""`fengsui update`: a newer release from a bundle, with no network; back by itself when it does not come up."""

import argparse
import os
from pathlib import Path
from typing import Any

from agent.cli.common import complain


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "update",
        description="Prove a bundle by the keys that this station trusts, then install it beside the release in force and "
        "put it in force. When it does not come up, the release before it is back.",
        epilog="Exit codes: 0 the new release is in force; 1 it is not, and what was in force still is; 2 wrong input.",
    )
    verb.add_argument("bundle", type=Path, help="the archive")
    proof = verb.add_mutually_exclusive_group()
    proof.add_argument("--key", type=Path, help="hold it against this public key, not against those of the station")
    proof.add_argument("--unsigned", action="store_true", help="whoever made it")
    verb.add_argument("--allow-downgrade", action="store_true", help="also an older release")
    verb.add_argument("--root", type=Path, help="rehearse in this folder: nothing of this machine is touched")
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from agent.release.install import trusted, update
    from agent.release.manifest import read_public
    from protocols.errors import LocalError

    if options.root is None and os.geteuid() != 0:
        complain("update.not_root")
        return 2
    root = options.root or Path("/")
    further = ["--allow-downgrade"] if options.allow_downgrade else []
    further += ["--root", str(options.root)] if options.root else []
    try:
        keys = [read_public(options.key)] if options.key else trusted(root)
        code = update(options.bundle, keys, root, further, unsigned=options.unsigned)
    except LocalError as wrong:
        complain("update.refused", file=options.bundle, why=str(wrong))
        return 2 if wrong.reason == "bundle-key" else 1
    except OSError as wrong:
        complain("update.failed", file=options.bundle, why=str(wrong))
        return 2
    return 1 if code else 0
