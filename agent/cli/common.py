"""What the verbs share: how a configuration is loaded for them, how a mistake is shown, how data is printed."""

import argparse
import json
import math
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.config import Config

DEFAULT_CONFIG = "/etc/fengsui/station.toml"


def with_config(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--config", type=Path, default=Path(DEFAULT_CONFIG), help=f"the station's file (default: {DEFAULT_CONFIG})"
    )


def with_json(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--json", action="store_true", help="print JSON and nothing else")


def seconds(text: str) -> float:
    """For argparse: a span of time that is one."""
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError(text)
    return value


def load_or_say(file: Path, *, as_json: bool = False, forgive: Collection[str] = ()) -> "Config | None":
    """The configuration; or None, after every mistake in it has been shown, but for what the command is there to mend."""
    from agent.config import load
    from agent.say import choose

    config, findings = load(file, forgive)
    if findings and as_json:
        print_json({"ok": False, "findings": [finding.as_json() for finding in findings]})
    elif findings:
        for finding in findings:
            print(finding, file=sys.stderr)
        complain("config.findings", count=len(findings), file=file)
    if config is not None and config.station.language:
        choose(config.station.language)
    return config


def complain(code: str, **facts: Any) -> None:
    """One sentence on standard error: what, where, what to do."""
    from agent.say import say

    print(say(code, **facts), file=sys.stderr)


def print_json(data: Any) -> None:
    print(json.dumps(data, ensure_ascii=False, indent=None, default=str))
