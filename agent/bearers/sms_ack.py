"""Whether a text from a telephone is the acknowledgement of a contact. Pure: the caller knows what stands and who is asked.

A number can be spoofed, so the word does no more than stop the calls, as the button at the station does. It is the whole
text that must be the word: "not OK" acknowledges nothing.
"""

import unicodedata
from collections.abc import Iterable

from agent.spot.contacts import Person
from protocols.sms_numbers import international

LONGEST = 40  # characters of a text that can be an answer
WORDS = frozenset(
    {
        "1", "ok", "okay", "yes", "y", "ack", "received", "roger",
        "收到", "已收到", "收悉", "知道了", "已知悉", "明白", "好", "好的", "是",
    }
)  # fmt: skip
_COURTESY = ("谢谢", "thanks", "thank you")


def acknowledges(sender: str, text: str, people: Iterable[Person], country: str = "86") -> Person | None:
    """The person who answered, or None: an unknown number, or another text."""
    if not is_word(text):
        return None
    number = international(sender, country)
    return next((one for one in people if one.number and international(one.number, country) == number), None)


def is_word(text: str) -> bool:
    """One of the words, however it is written: full-width, in capitals, with a full stop or a word of thanks."""
    if len(text) > LONGEST:
        return False
    plain = unicodedata.normalize("NFKC", text).casefold()
    for courtesy in _COURTESY:
        plain = plain.replace(courtesy, " ")
    return "".join(c for c in plain if unicodedata.category(c)[0] in "LN") in WORDS
