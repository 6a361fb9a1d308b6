"""What the verbs share: how a configuration is loaded for them, how a mistake is shown, how data is printed."""

import argparse
import math
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.config import Config

DEFAULT_CONFIG = "/etc/fengsui/station.toml"

# What `check` names and a start lives with: an adapter that died must not keep the siren deaf, nor a damaged key-set keep
# the readings back. The station reports each by itself (`bus.down`, `keyring.refused`) and mends when they are back.
BEARABLE = ("port.missing", "trust.unreadable", "trust.keyset")


def with_config(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--config", type=Path, default=Path(DEFAULT_CONFIG), help=f"the station's file (default: {DEFAULT_CONFIG})"
    )


def with_lenient(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--lenient",
        action="store_true",
        help="leave out sensors, derived series and rules that are wrong, name each, and go on with the rest",
    )


def with_json(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--json", action="store_true", help="print JSON and nothing else")


def seconds(text: str) -> float:
    """For argparse: a span of time that is one."""
    with wanted("option.seconds", text):
        value = float(text)
        if not 0 < value < math.inf:
            raise ValueError(text)
        return value


@contextmanager
def wanted(code: str, text: str) -> Iterator[None]:
    """What an option takes, said by its sentence where `text` is none of it (ValueError)."""
    from agent.say import say

    try:
        yield
    except ValueError:
        raise argparse.ArgumentTypeError(say(code, value=text)) from None


def told(wrong: Exception) -> str:
    """Why something failed, as a person says it: the file, and the system's word."""
    if isinstance(wrong, OSError) and wrong.strerror:
        return f"{wrong.filename}: {wrong.strerror}" if wrong.filename else wrong.strerror
    return str(wrong) or type(wrong).__name__


def load_or_say(
    file: Path, *, as_json: bool = False, forgive: Collection[str] = (), lenient: bool = False
) -> "Config | None":
    """The configuration; or None, after every mistake in it has been shown, but for what the command is there to mend.
    `lenient`: what was left out of it is shown, too.
    """
    from agent.config_load import load

    config, findings = load(file, forgive, lenient=lenient)
    if findings and as_json and config is None:
        print_json({"ok": False, "findings": [finding.as_json() for finding in findings]})
    elif findings:
        for finding in findings:
            print(finding, file=sys.stderr)
        complain("config.findings" if config is None else "config.left_out", count=len(findings), file=file)
    return config


def load_to_ask(file: Path, *, as_json: bool = False) -> "Config | None":
    """For whoever asks a running agent: all that can be used, since the agent may have started without the rest."""
    from agent.config_load import load

    config, _ = load(file, BEARABLE, lenient=True)
    return load_or_say(file, as_json=as_json) if config is None else config


def complain(code: str, **facts: Any) -> None:
    """One sentence on standard error: what, where, what to do."""
    from agent.say import say

    print(say(code, **facts), file=sys.stderr)


def print_json(data: Any) -> None:
    """One line; in ASCII where the console has no more, for JSON can write any character so."""
    import json

    plain = (sys.stdout.encoding or "ascii").replace("-", "").lower() != "utf8"
    print(json.dumps(data, ensure_ascii=plain, indent=None, default=str))
