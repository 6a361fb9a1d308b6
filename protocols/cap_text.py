"""Foreign text → text for people: no markup, no control or direction characters, bounded. Knows no message.

What is shown and spoken is cleaned once more by `alert.displayable`; here it is made such that nobody signs what he did
not see.
"""

import html
import re
import unicodedata

from protocols.cap import Notes

MAX_TEXT = 20_000  # characters of one element; the longest real description at hand has 4,100
MAX_NAME = 200  # characters of an identifier or a sender

# A tag as HTML writes it; `<5 mm` and `<警戒水位` are not one.
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
_ENTITY = re.compile(r"&(?:[A-Za-z]{2,8}|#\d{1,7}|#[xX][0-9A-Fa-f]{1,6});")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BREAKS = frozenset("\t\n\r")


def clean(text: str, notes: Notes) -> str:
    """Lines kept, other white space made single, everything that hides or acts taken out and noted."""
    if len(text) > MAX_TEXT:
        notes.add("text-cut", f"{len(text)} characters")
        text = text[:MAX_TEXT]
    text = _without_hidden(_without_markup(text, notes), notes)
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def cut(text: str, most_bytes: int) -> str:
    """As much as fits in UTF-8, no character broken."""
    return text.encode()[:most_bytes].decode(errors="ignore")


def _without_markup(text: str, notes: Notes) -> str:
    """Once only: what is still markup afterwards was escaped twice, and is shown as it stands."""
    plain = _TAG.sub(" ", html.unescape(text) if _ENTITY.search(text) else text)
    if plain != text:
        notes.add("markup-removed")
    return plain


def _without_hidden(text: str, notes: Notes) -> str:
    shown = "".join(c for c in text if c in _BREAKS or unicodedata.category(c) not in _HIDDEN)
    if shown != text:
        notes.add("hidden-characters")
    return shown
