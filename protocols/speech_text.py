"""Text for a machine that reads aloud a little at a time: cleaned, split where a reader would breathe, in its encoding.

Knows how long speech takes, roughly; knows no chip, port or clock.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from protocols.alert import displayable

# A number or a word with its unit is read as one; split, "1500" would be read as fifteen and two noughts.
_TOKEN = re.compile(r"[0-9A-Za-z.:%+-]{1,10}|.")
_PAUSES = frozenset("。！？；，、：,!?;")
# Seconds a character takes, on the slow side of ordinary reading (four to five syllables a second).
_ASCII_SECONDS, _PAUSE_SECONDS, _OTHER_SECONDS = 0.4, 0.35, 0.25
# In square brackets stand the chips' own commands, volume 0 among them: a text must not be able to give one.
_BRACKETS = str.maketrans("[]", "（）")


def readable(text: str, most: int = 500) -> str:
    """One bounded line without control characters and without anything a chip would take for a command."""
    return displayable(text.translate(_BRACKETS), most)


def encoded(text: str) -> bytes:
    """GBK; what it lacks becomes a space, which is read as nothing (a question mark is read aloud)."""
    return b"".join(_gbk(character) for character in text)


def _gbk(character: str) -> bytes:
    try:
        return character.encode("gbk")
    except UnicodeEncodeError:
        return b" "


def seconds(text: str) -> float:
    """About how long it takes to read this."""
    return sum(_seconds_of(character) for character in text)


def _seconds_of(character: str) -> float:
    if character in _PAUSES:
        return _PAUSE_SECONDS
    return _ASCII_SECONDS if character.isascii() and not character.isspace() else _OTHER_SECONDS


def pieces(text: str, longest: float, fits: Callable[[str], bool] = lambda _piece: True) -> list[str]:
    """The text in pieces that take about `longest` seconds at most and that `fits` agrees to, cut after punctuation
    where there is some, else between characters, never inside a number.
    """
    return [piece for piece in _cut(text, lambda one: seconds(one) <= longest and fits(one)) if piece.strip()]


def _cut(text: str, fits: Callable[[str], bool]) -> Iterator[str]:
    tokens: list[str] = []
    for token in _TOKEN.findall(text):
        while tokens and not fits("".join((*tokens, token))):
            end = _breath(tokens)
            yield "".join(tokens[:end])
            tokens = tokens[end:]
        tokens.append(token)
    yield "".join(tokens)


def _breath(tokens: Sequence[str]) -> int:
    """How many tokens to say before breathing: up to the last punctuation, or all."""
    return next((end for end in range(len(tokens), 0, -1) if tokens[end - 1] in _PAUSES), len(tokens))
