"""The catalogues of sentences, read: which languages there are, what stands for a code in one of them, and its facts filled in.

Data (`locale/<language>/LC_MESSAGES/*.mo`, made of the `.po` beside them by `make messages`), read by the standard library's
gettext. Knows no language that was chosen: `agent.say` does.
"""

from collections.abc import Mapping
from functools import cache
from gettext import GNUTranslations, NullTranslations, translation
from pathlib import Path
from typing import Any

# Domains whose keys are English texts: what argparse prints, what is said of causes (`agent.why`), names of facts in listings
# (`agent.cli.facts`). None is read before it is needed.
HELP, PHRASES, FACTS = BY_TEXT = ("help", "phrases", "facts")
SHIPPED = Path(__file__).parent / "locale"
ADDED = Path("/etc/fengsui/locale")  # a further language of the operator's own, which an update leaves alone


@cache
def languages() -> tuple[str, ...]:
    """Those there is a folder of, as `en`, `zh`."""
    return tuple(sorted({path.parent.name for folder in (SHIPPED, ADDED) for path in folder.glob("*/LC_MESSAGES")}))


def folder_of(language: str, area: str) -> Path | None:
    """Where this language's file of one area lies: the operator's before ours."""
    folders = (ADDED, SHIPPED)
    return next((one for one in folders if (one / language / "LC_MESSAGES" / f"{area}.mo").exists()), None)


@cache
def texts(language: str, area: str) -> NullTranslations:
    """One area of texts by their English; where a language has none, English stays."""
    folder = folder_of(language, area)
    return translation(area, folder, [language]) if folder else NullTranslations()


@cache
def chain(language: str) -> NullTranslations:
    """All sentences of one language, its areas chained; what stands in the operator's folder comes first."""
    linked = NullTranslations()
    for folder in (ADDED, SHIPPED):
        for file in sorted((folder / language / "LC_MESSAGES").glob("*.mo")):
            if file.stem not in BY_TEXT:
                with file.open("rb") as compiled:
                    linked.add_fallback(GNUTranslations(compiled))
    return linked


def sentence(code: str, language: str) -> str | None:
    """What stands for `code` in that language, else in English."""
    for one in dict.fromkeys((language, "en")):  # English is not read before something is missing
        if (text := chain(one).gettext(code)) != code:
            return text
    return None


class _Facts(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def plain(value: Any) -> str:
    """A fact as one harmless line: control characters from outside never reach a terminal."""
    text = value if isinstance(value, str) else str(value)
    return "".join(c if c.isprintable() else "·" for c in text)


def filled(text: str, facts: Mapping[str, str]) -> str:
    """A sentence with its facts; one that is missing is shown, not raised."""
    return text.format_map(_Facts(facts))
