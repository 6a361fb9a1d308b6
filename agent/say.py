"""Every sentence an operator reads, by its stable code, in the language chosen for this process.

The catalogues are data (`locale/<language>/LC_MESSAGES/*.mo`, made of the `.po` beside them by `make messages`) and read by
the standard library's gettext; code names a sentence and hands over its facts. Codes never change with the language, so
that `--json` output and the platform see the same word everywhere.
"""

import os
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Any

# Two domains whose keys are English texts: what argparse prints, and what is said of causes (`agent.why`). Neither is read
# before it is needed.
HELP, PHRASES = "help", "phrases"
CAUSES = ("why", "error", "reason", "detail")  # facts that say why
SHIPPED = Path(__file__).parent / "locale"
ADDED = Path("/etc/fengsui/locale")  # a further language of the operator's own, which an update leaves alone

_chosen = "en"


@cache
def languages() -> tuple[str, ...]:
    """Those there is a folder of, as `en`, `zh`."""
    return tuple(sorted({path.parent.name for folder in (SHIPPED, ADDED) for path in folder.glob("*/LC_MESSAGES")}))


def choose(language: str | None = None) -> str:
    """Take `language`, else that of the locale (POSIX: LC_ALL, LC_MESSAGES, LANG in this order), else English."""
    global _chosen  # noqa: PLW0603  one process speaks one language
    wanted = language or next((v for n in ("LC_ALL", "LC_MESSAGES", "LANG") if (v := os.environ.get(n))), "")
    code = wanted.replace("-", "_").replace(".", "_").partition("_")[0].lower()
    _chosen = code if code in languages() else "en"
    return _chosen


def chosen() -> str:
    return _chosen


def folder_of(language: str, area: str) -> Path | None:
    """Where this language's file of one area lies: the operator's before ours."""
    folders = (ADDED, SHIPPED)
    return next((one for one in folders if (one / language / "LC_MESSAGES" / f"{area}.mo").exists()), None)


@cache
def catalogue(language: str) -> NullTranslations:
    """All sentences of one language, its areas chained; what stands in the operator's folder comes first."""
    chain = NullTranslations()
    for folder in (ADDED, SHIPPED):
        for file in sorted((folder / language / "LC_MESSAGES").glob("*.mo")):
            if file.stem not in (HELP, PHRASES):
                with file.open("rb") as compiled:
                    chain.add_fallback(GNUTranslations(compiled))
    return chain


def sentence(code: str, language: str) -> str | None:
    """What stands for `code` in that language, else in English."""
    for one in dict.fromkeys((language, "en")):  # English is not read before something is missing
        if (text := catalogue(one).gettext(code)) != code:
            return text
    return None


class _Facts(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def plain(value: Any) -> str:
    """A fact as one harmless line: control characters from outside never reach a terminal."""
    text = value if isinstance(value, str) else str(value)
    return "".join(c if c.isprintable() else "·" for c in text)


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
    return text.format_map(_Facts(shown))
