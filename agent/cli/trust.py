"""`fengsui trust`: whom this station believes. Add a key-set, show it with fingerprints to compare, check it."""

import argparse
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.common import complain, load_or_say, print_json, with_config, with_json

if TYPE_CHECKING:
    from agent.config import Config
    from agent.keyset_check import Found
    from protocols.keyring import Key


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "trust",
        description="The key-set in force: add a newer one, show it with its fingerprints, check it.",
        epilog="Exit codes: 0 good; 1 refused, or something about it is wrong; 2 wrong input or configuration. "
        "Example: fengsui trust show",
    )
    steps = verb.add_subparsers(dest="step", required=True, metavar="STEP")
    _step(steps, "add", "take a newer key-set, now", add_keyset).add_argument("file", type=Path, help="the key-set")
    _step(steps, "show", "holders, keys, fingerprints", show)
    check = _step(steps, "check", "what is wrong with it, or will be", check_trust)
    check.add_argument("file", type=Path, nargs="?", help="another key-set than the one in force")


def _step(steps: Any, name: str, short: str, run: Any) -> argparse.ArgumentParser:
    step: argparse.ArgumentParser = steps.add_parser(name, help=short, description=f"{short[0].upper()}{short[1:]}.")
    with_config(step)
    with_json(step)
    step.set_defaults(run=run)
    return step


def add_keyset(options: argparse.Namespace) -> int:
    """Through the running agent, which takes it at once; into its state directory where none runs."""
    config = _config(options)
    if config is None:
        return 2
    from agent.control import ask_any
    from agent.keyset_check import in_force, judged, unusable
    from agent.trust.keyrings import read
    from protocols.alert import Refusal

    data = read(options.file)
    if isinstance(data, str):
        complain("trust.refused", why=f"{options.file}: {data}")
        return 2
    found = judged(config, data, in_force(config).keyring)
    if isinstance(found, Refusal):
        complain("trust.refused", why=f"{found.reason}: {found.detail}")
        _roots_missing(config)
        return 1
    answer = ask_any(config.sockets, "keyset", data=data.hex())
    if answer is None:
        try:
            _store(config, data)
        except OSError as wrong:
            complain("trust.refused", why=f"{config.state}: {wrong.strerror}")
            return 1
    elif "error" in answer:
        complain("trust.refused", why=f"{answer['error']}: {answer.get('detail', '')}")
        return 1
    complain("trust.added", number=found.number)
    for facts in unusable(found):
        complain("trust.sm2_missing", **facts)
    return 0


def _store(config: "Config", data: bytes) -> None:
    """For the next start, as the owner of the state directory will read it."""
    from agent.trust.keyrings import replace
    from agent.trust.keyset import KEPT

    config.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace(config.state / KEPT, data)
    if os.geteuid() == 0:
        owner = config.state.stat()
        os.chown(config.state / KEPT, owner.st_uid, owner.st_gid)


def show(options: argparse.Namespace) -> int:
    config = _config(options)
    if config is None:
        return 2
    from agent.keyset_check import in_force, roots_fingerprint
    from agent.say import say
    from protocols.alert import Refusal

    found = in_force(config)
    if options.json:
        print_json(_facts(config, found))
        return 1 if isinstance(found.keyring, Refusal) else 0
    print(say("trust.fingerprint", fingerprint=roots_fingerprint(config)))
    if isinstance(found.keyring, Refusal):
        complain("trust.refused", why=f"{found.file}: {found.keyring.reason}")
        complain("trust.nothing")
        return 1
    ring = found.keyring
    print(say("trust.in_force", number=ring.number, issued=_date(ring.issued), source=found.file))
    for key in ring.keys:
        print("  " + say("trust.key", **_key(key)))
    return 0


def check_trust(options: argparse.Namespace) -> int:
    """Exit code 1 for what is wrong now; what will be is only said."""
    config = _config(options)
    if config is None:
        return 2
    from agent.keyset_check import Found, faults, in_force, judged
    from agent.trust.keyrings import read
    from protocols.alert import Refusal

    found = in_force(config)
    if options.file is not None:
        data = read(options.file)
        ring = Refusal("keyset-unreadable", data) if isinstance(data, str) else judged(config, data, found.keyring)
        found = Found(ring, options.file)
    if isinstance(found.keyring, Refusal):
        complain("trust.refused", why=f"{found.file}: {found.keyring.reason} {found.keyring.detail}")
        _roots_missing(config)
        return 1
    findings = list(faults(config, found.keyring, int(time.time())))
    if options.json:
        print_json({"number": found.keyring.number, "findings": [{"code": code, **facts} for code, facts in findings]})
    for code, facts in findings:
        complain(code, **facts)
    if any(code != "trust.expires" for code, _ in findings):
        return 1
    complain("trust.good")
    return 0


def _roots_missing(config: "Config") -> None:
    """Why two good signatures may not be enough here."""
    from agent.trust.keyset import roots_of
    from protocols import sm2
    from protocols.keyring import fingerprint

    assert config.warnings is not None  # noqa: S101 - `_config` has seen to it
    for root in roots_of(config.warnings.roots):
        if sm2.is_public(root) and not sm2.usable(root):
            complain("trust.sm2_missing", holder="root", fingerprint=fingerprint(root))


def _config(options: argparse.Namespace) -> "Config | None":
    """With its [warnings]; the key-set may be missing still, and is then to be added."""
    config = load_or_say(options.config, as_json=options.json, forgive=("trust.unreadable", "trust.keyset"))
    if config is not None and config.warnings is None:
        complain("trust.none")
        return None
    return config


def _facts(config: "Config", found: "Found") -> dict[str, Any]:
    from agent.keyset_check import roots_fingerprint
    from protocols.alert import Refusal

    head = {"roots": roots_fingerprint(config), "file": str(found.file)}
    if isinstance(found.keyring, Refusal):
        return head | {"error": found.keyring.reason, "detail": found.keyring.detail}
    ring = found.keyring
    holders = [{"holder": holder.name, "issuers": list(holder.issuers)} for holder in ring.holders]
    keys = [_key(key) for key in ring.keys]
    return head | {"number": ring.number, "issued": _date(ring.issued), "holders": holders, "keys": keys}


def _key(key: "Key") -> dict[str, str]:
    from protocols.alert import Permission
    from protocols.area import code_text
    from protocols.keyring import fingerprint

    may = [str(one.name).lower() for one in Permission if one and one in key.permissions]
    return {
        "holder": key.holder,
        "may": ", ".join(may),
        "areas": ", ".join(code_text(area) for area in key.areas),
        "level": key.level.name.lower(),
        "since": _date(key.not_before),
        "until": _date(key.not_after),
        "fingerprint": fingerprint(key.public),
    }


def _date(unix: int) -> str:
    try:
        return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d")
    except (ValueError, OverflowError, OSError):
        return f"@{unix}"
