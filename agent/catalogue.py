"""The catalogues of sentences, read: which languages there are, what stands for a code in one of them, and its facts filled in.

Data (`locale/<language>/LC_MESSAGES/*.mo`, made of the `.po` beside them by `make messages`), read by the standard library's
gettext. Knows no language that was chosen: `agent.say` does.
"""

import logging
import re
import struct
from collections.abc import Mapping
from functools import cache
from gettext import NullTranslations, translation
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

# Domains whose keys are English texts: what argparse prints, what is said of causes (`agent.why`), names of facts in listings
# (`agent.cli.facts`). None is read before it is needed.
HELP, PHRASES, FACTS = BY_TEXT = ("help", "phrases", "facts")
_BRACES = re.compile(r"\{\{|\}\}|\{(\w+)\}")
SHIPPED = Path(__file__).parent / "locale"
ADDED = Path("/etc/fengsui/locale")  # a further language of the operator's own, which an update leaves alone


@cache
def languages() -> tuple[str, ...]:
    """Those there is a folder of, as `en`, `zh`."""
    return tuple(sorted({path.parent.name for folder in (SHIPPED, ADDED) for path in folder.glob("*/LC_MESSAGES")}))


def folder_of(language: str, area: str) -> Path | None:
    """Where this language's file of one area lies: the operator's before ours."""
    return next((one for one in (ADDED, SHIPPED) if _read(one, language, area)), None)


@cache
def _read(folder: Path, language: str, area: str) -> NullTranslations | None:
    """None where there is no file, or one that we may not see (/etc/fengsui is not everybody's) or that is broken: no siren
    waits for a sentence.
    """
    try:
        return translation(area, folder, [language])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, struct.error) as wrong:
        log.warning("%s: the %s of %s is passed over: %s", folder, area, language, wrong)
        return None


@cache
def texts(language: str, area: str) -> NullTranslations:
    """One area of texts by their English; where a language has none, English stays."""
    folder = folder_of(language, area)
    return (folder and _read(folder, language, area)) or NullTranslations()


@cache
def chain(language: str) -> NullTranslations:
    """All sentences of one language, its areas chained; what stands in the operator's folder comes first."""
    linked = NullTranslations()
    for folder in (ADDED, SHIPPED):
        for file in sorted((folder / language / "LC_MESSAGES").glob("*.mo")):
            if file.stem not in BY_TEXT and (one := _read(folder, language, file.stem)):
                linked.add_fallback(one)
    return linked


def sentence(code: str, language: str) -> str | None:
    """What stands for `code` in that language, else in English."""
    for one in dict.fromkeys((language, "en")):  # English is not read before something is missing
        if (text := chain(one).gettext(code)) != code:
            return text
    return None


def plain(value: Any) -> str:
    """A fact as one harmless line: control characters from outside never reach a terminal."""
    text = value if isinstance(value, str) else str(value)
    return "".join(c if c.isprintable() else "·" for c in text)


def filled(text: str, facts: Mapping[str, str]) -> str:
    """A sentence with its facts; one that is missing is shown, not raised, and so is whatever else a translator put in braces:
    `str.format` would raise, or do as it is told ({x.__class__}, {x:>999999999}).
    """
    return _BRACES.sub(lambda found: facts.get(found[1], found[0]) if found[1] else found[0][0], text)
