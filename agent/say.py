"""Every sentence an operator reads, by its stable code, in English and Chinese.

The catalogues are data (`messages/*.toml`); code names a sentence and hands over its facts. Codes never change with the
language, so that `--json` output and the platform see the same word everywhere.
"""

import os
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = ("en", "zh")
_chosen = "en"


def choose(language: str | None = None) -> str:
    """Take `language`, else that of the locale (POSIX: LC_ALL, LC_MESSAGES, LANG in this order), else English."""
    global _chosen  # noqa: PLW0603  one process speaks one language
    wanted = language or next((v for n in ("LC_ALL", "LC_MESSAGES", "LANG") if (v := os.environ.get(n))), "")
    _chosen = wanted[:2].lower() if wanted[:2].lower() in LANGUAGES else "en"
    return _chosen


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """All sentences of one language; the files of `messages/<language>*.toml` together."""
    files = sorted((Path(__file__).parent / "messages").glob(f"{language}*.toml"))
    return {code: text for file in files for code, text in tomllib.loads(file.read_text("utf-8")).items()}


class _Facts(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def plain(value: Any) -> str:
    """A fact as one harmless line: control characters from outside never reach a terminal."""
    text = value if isinstance(value, str) else str(value)
    return "".join(c if c.isprintable() else "·" for c in text)


def say(code: str, **facts: Any) -> str:
    """The sentence of `code` in the chosen language; an unknown code is shown with its facts rather than hidden."""
    text = catalogue(_chosen).get(code) or catalogue("en").get(code)
    shown = {name: plain(value) for name, value in facts.items()}
    if text is None:
        return f"{code}: " + ", ".join(f"{k}={v}" for k, v in shown.items())
    return text.format_map(_Facts(shown))
