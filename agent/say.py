"""Every sentence an operator reads, by its stable code, in the language chosen for this process.

The catalogues are data, read by `agent.catalogue`; code names a sentence and hands over its facts. Codes never change with
the language, so that `--json` output and the platform see the same word everywhere.
"""

import os
from typing import Any

from agent.catalogue import filled, languages, plain, sentence

CAUSES = ("why", "error", "reason", "detail")  # facts that say why
_chosen = "en"


def choose(language: str | None = None) -> str:
    """Take `language`, else that of the locale (POSIX: LC_ALL, LC_MESSAGES, LANG in this order), else English."""
    global _chosen  # noqa: PLW0603  one process speaks one language
    wanted = language or next((v for n in ("LC_ALL", "LC_MESSAGES", "LANG") if (v := os.environ.get(n))), "")
    code = wanted.replace("-", "_").replace(".", "_").partition("_")[0].lower()
    _chosen = code if code in languages() else "en"
    return _chosen


def chosen() -> str:
    return _chosen


def _cause(name: str, value: Any, tongue: str) -> str:
    """A detail stands behind a reason that was told already; the others may begin with one."""
    from agent.why import phrased, told

    return phrased(str(value), tongue) if name == "detail" else told(value, tongue)


def say(code: str, /, **facts: Any) -> str:
    """The sentence of `code` in the chosen language; an unknown code is shown with its facts rather than hidden."""
    return say_in(_chosen, code, **facts)


def say_in(tongue: str, code: str, /, **facts: Any) -> str:
    """The same in a language that is not this process's own: what a station says to its village."""
    text = sentence(code, tongue)
    shown = {name: plain(_cause(name, value, tongue) if name in CAUSES else value) for name, value in facts.items()}
    if text is None:
        return f"{code}: " + ", ".join(f"{k}={v}" for k, v in shown.items())
    return filled(text, shown)
