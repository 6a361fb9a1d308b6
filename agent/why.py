"""Why something failed, in an operator's words: our own errors by their reason code, others' by the patterns of the
catalogue's domain `phrases`, where `{1}` stands for anything. What nobody translated stays as it was said.
"""

import re
from functools import cache

from agent import po
from agent.catalogue import PHRASES, filled, folder_of, plain, sentence

_REASON = re.compile(r"(?P<code>[a-z][\w.-]*)(?: at byte (?P<offset>\d+))?(?:: (?P<detail>.+))?", re.DOTALL)
_PLACE = re.compile(r"\{(\d)\}")


def told(cause: object, tongue: str) -> str:
    """The cause in that language; the code of a reason stands behind it, for whoever looks it up."""
    text = str(cause)
    return _by_reason(text, tongue) or phrased(text, tongue)


def phrased(text: str, tongue: str) -> str:
    """A text that is no reason: whole, or behind what it is about (`name: text`)."""
    about, colon, rest = text.partition(": ")
    if colon and (reason := _by_reason(rest, tongue)):
        return f"{about}: {reason}"
    for pattern, translation in _patterns(tongue):
        if found := pattern.fullmatch(text):
            parts = {str(nth): told(part, tongue) for nth, part in enumerate(found.groups(), 1)}
            return filled(translation, parts)
    if colon and (better := told(rest, tongue)) != rest:
        return f"{about}: {better}"
    return text


def _by_reason(text: str, tongue: str) -> str:
    found = _REASON.fullmatch(text)
    what = sentence(f"reason.{found['code']}", tongue) if found else None
    if found is None or what is None:
        return ""
    offset, detail = found["offset"], found["detail"]
    where = _said(tongue, "why.where", offset=offset) if offset else ""
    more = _said(tongue, "why.more", detail=plain(phrased(detail, tongue))) if detail else ""
    return _said(tongue, "why.reason", what=plain(what), where=plain(where), more=plain(more), code=found["code"])


def _said(tongue: str, key: str, /, **facts: str) -> str:
    return filled(sentence(key, tongue) or key, facts)


@cache
def _patterns(tongue: str) -> list[tuple[re.Pattern[str], str]]:
    """The most particular first."""
    folder = folder_of(tongue, PHRASES)
    if folder is None:
        return []
    pairs = po.decompiled((folder / tongue / "LC_MESSAGES" / f"{PHRASES}.mo").read_bytes())
    known = {_template(key): text for key, text in pairs if key}
    return [(re.compile(one, re.DOTALL), known[one]) for one in sorted(known, key=lambda one: -len(_loose(one)))]


def _template(key: str) -> str:
    return "".join("(.+?)" if _PLACE.fullmatch(part) else re.escape(part) for part in re.split(r"(\{\d\})", key))


def _loose(template: str) -> str:
    return template.replace("(.+?)", "")
