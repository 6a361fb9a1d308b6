"""`fengsui headend`: the program beside the platform that speaks to stations over narrow bearers."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.common import complain

if TYPE_CHECKING:
    from agent.headend.config import HeadendConfig

DEFAULT = "/etc/fengsui/headend.toml"


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "headend",
        description="Take in datagrams of narrow bearers (satellite, SMS, LoRa, CoAP), publish what stations said, "
        "acknowledge it, and send warnings and commands down.",
        epilog="Exit codes: 0 stopped as asked, or nothing wrong; 1 its state is used by another or cannot be written; "
        "2 wrong configuration. Example: fengsui headend --config headend.toml --check",
    )
    verb.add_argument("--config", type=Path, default=Path(DEFAULT), help=f"the headend's file (default: {DEFAULT})")
    verb.add_argument("--check", action="store_true", help="say what is wrong with the file, and leave")
    verb.add_argument("--key", action="store_true", help="print the public key that stations need, and leave")
    verb.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from agent.headend.config import load
    from agent.say import say

    config, findings = load(options.config)
    for finding in findings:
        print(finding, file=sys.stderr)
    if config is None:
        complain("config.findings", count=len(findings), file=options.config)
        return 2
    if options.key:
        return _key(config)
    if options.check:
        print(say("headend.good", file=options.config, stations=len(config.stations), bearers=len(config.bearers)))
        return 0
    return _serve(config, options.log_level)


def _key(config: "HeadendConfig") -> int:
    """The public key; the private one is made when there is none."""
    from agent.bearers.keeper import open_private
    from protocols.errors import LocalError
    from protocols.narrow.keys import public_of

    file = config.base / config.headend.key
    try:
        print(public_of(open_private(file)).hex())
    except (OSError, LocalError) as wrong:
        complain("headend.key", file=file, why=wrong)
        return 1
    return 0


def _serve(config: "HeadendConfig", level: str) -> int:
    import asyncio
    import logging
    import sqlite3

    from agent.headend.service import Headend
    from agent.supervisor import CoreFault
    from protocols.errors import LocalError

    logging.basicConfig(level=level.upper(), format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        asyncio.run(Headend(config).run())
    except (OSError, sqlite3.Error, LocalError, CoreFault) as wrong:
        complain("headend.failed", why=wrong)
        return 1
    return 0
