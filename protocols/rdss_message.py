"""Messages in the sentences of both protocols: asked for by the host (`CCTXA`, `CCTCQ`), come in (`BDTXR`, `BDTCI`)."""

from typing import NamedTuple

from protocols.errors import LocalError, RemoteError
from protocols.rdss import Sentence, card_name, is_card, seal
from protocols.rdss_content import Form, read

FORMS_21 = {"0": Form.HANZI, "1": Form.CODE, "2": Form.MIXED}
FORMS_3 = {
    "1": Form.HANZI,
    "2": Form.CODE,
    "3": Form.MIXED,
    "4": Form.COMPRESSED_HANZI,
    "5": Form.COMPRESSED_CODE,
}
ORDINARY = "1"  # kind of communication; 0 is express, of at most 188 bits
BROADCAST = "3"  # category of what comes in: from the commander to all its subordinates (通播)
CATEGORIES = {"0": "express", "1": "ordinary", "2": "express", "3": "broadcast", "4": "stored", "5": "queried"}
_DIGIT_21 = {form: digit for digit, form in FORMS_21.items()}
_DIGIT_3 = {form: digit for digit, form in FORMS_3.items()}


class Txa(NamedTuple):
    """A message to be sent, 2.1."""

    to: str
    form: Form
    content: bytes
    category: str = ORDINARY

    @classmethod
    def parse(cls, sentence: Sentence) -> "Txa":
        (to, category, form), content = _texts(sentence, 4)
        # one maker's examples have an empty field before the content
        return cls(_card(to), _form(FORMS_21, form), content.removeprefix(b","), category)

    def seal(self) -> bytes:
        if not is_card(self.to):
            raise LocalError("address", self.to[:16])
        return seal("CCTXA", self.to, self.category, _DIGIT_21[self.form], self.content)


class Tcq(NamedTuple):
    """A message to be sent, BD-3. `confirm`: 1 none, 2 a confirmation of the way in is wanted. `period`: 0 is once."""

    to: str
    point: str
    confirm: str
    form: Form
    content: bytes
    period: str = "0"
    swapped: bool = False  # one firmware wants period and content the other way round

    @classmethod
    def parse(cls, sentence: Sentence) -> "Tcq":
        (to, point, confirm, form), rest = _texts(sentence, 5)
        head, comma, tail = rest.partition(b",")
        swapped = bool(comma) and head in (b"", b"0") and len(tail) > 1
        content, _, period = (tail, comma, head) if swapped else rest.rpartition(b",")
        if not comma:
            raise RemoteError("truncated", "TCQ without its last field")
        return cls(_card(to), point, confirm, _form(FORMS_3, form), content, period.decode("ascii", "replace"), swapped)

    def seal(self) -> bytes:
        if not is_card(self.to):
            raise LocalError("address", self.to[:16])
        last = (self.period, self.content) if self.swapped else (self.content, self.period)
        return seal("CCTCQ", self.to, self.point, self.confirm, _DIGIT_3[self.form], *last)


class Txr(NamedTuple):
    """A message that came in, 2.1. `clock` (hhmm) belongs to stored ones; some modules give it always, or never."""

    category: str
    sender: str
    form: Form
    clock: str
    content: bytes

    @classmethod
    def parse(cls, sentence: Sentence) -> "Txr":
        (category, sender, form, clock), content = _texts(sentence, 5)
        return cls(category, _card(sender), _form(FORMS_21, form), clock, content)

    def seal(self) -> bytes:
        return seal("BDTXR", self.category, self.sender, _DIGIT_21[self.form], self.clock, self.content)

    @property
    def payload(self) -> bytes:
        return read(self.form, self.content)


class Tci(NamedTuple):
    """A message that came in, BD-3. The sender may have a nought too many in front."""

    sender: str
    to: str
    point: str
    clock: str
    form: Form
    flag: str
    content: bytes

    @classmethod
    def parse(cls, sentence: Sentence) -> "Tci":
        (sender, to, point, clock, form, flag), content = _texts(sentence, 7)
        return cls(_card(sender), to, point, clock, _form(FORMS_3, form), flag, content)

    def seal(self) -> bytes:
        form = _DIGIT_3[self.form]
        return seal("BDTCI", self.sender, self.to, self.point, self.clock, form, self.flag, self.content)

    @property
    def payload(self) -> bytes:
        return read(self.form, self.content)

    def broadcast_to(self, number: str) -> bool:
        """Whether it went to the number that all terminals of one commander hear."""
        return bool(number) and is_card(self.to) and card_name(self.to) == number


def _texts(sentence: Sentence, count: int) -> tuple[list[str], bytes]:
    """So many fields: text, and as the last one all the rest, raw."""
    parts = sentence.parts(count)
    if len(parts) < count:
        raise RemoteError("truncated", f"{sentence.address} has {len(parts)} of {count} fields")
    try:
        return [part.decode("ascii") for part in parts[:-1]], parts[-1]
    except UnicodeDecodeError:
        raise RemoteError("field", sentence.address) from None


def _card(text: str) -> str:
    if not is_card(text):
        raise RemoteError("field", f"card {text[:16]}")
    return text


def _form(forms: dict[str, Form], text: str) -> Form:
    if text not in forms:
        raise RemoteError("field", f"form {text[:8]}")
    return forms[text]
