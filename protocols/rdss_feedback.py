"""What a module says of a request to send (`BDFKI`), in the form of 2.1 and in that of BD-3, told apart by field 1.

Some BD-3 modules answer a 2.1 request in their own form: what counts is the sentence, not the protocol spoken.
"""

from typing import NamedTuple

from protocols.errors import RemoteError
from protocols.rdss import Sentence, seal

# 2.1 protocol, field 4; 4 by the firmware of several makers.
REASONS_21 = {0: "", 1: "inhibited", 2: "battery", 3: "silence", 4: "power"}
# BD-3 RSMC module manuals, field 4; 11 by one maker's.
REASONS_3 = {
    0: "",
    1: "early",
    2: "inhibited",
    3: "silence",
    4: "power",
    5: "no-card",
    6: "permission",
    11: "checksum",
}
_LONGEST_WAIT = 86_400.0  # seconds; no card waits longer than a day


class Feedback(NamedTuple):
    """`done`: transmitted, by the module's own word. `wait`: seconds until it would send again, 0 where it does not say.

    `clock` is the time field of BD-3, None in the form of 2.1, whose `rate` says whether the card's rate was kept.
    """

    command: str
    done: bool
    code: int
    wait: float
    rate: bool = True
    clock: str | None = None

    @property
    def reason(self) -> str:
        """A stable word: "" transmitted; why not; `doubtful` where the module says yes and names a reason against it."""
        known = REASONS_21 if self.clock is None else REASONS_3
        named = known.get(self.code, f"code-{self.code}")
        if self.done:
            return "doubtful" if named else ""
        early = self.clock is None and (not self.rate or self.wait > 0)
        return named or ("early" if early else "refused")

    @classmethod
    def parse(cls, sentence: Sentence) -> "Feedback":
        fields = sentence.fields(least=4)
        if fields[0][:1].isalpha():
            command, done, rate, code = fields[:4]
            return cls(command, _yes(done), _code(code), _mmss(_at(fields, 4)), _yes(rate))
        clock, command, done, code = fields[:4]
        return cls(command, _yes(done), _code(code), _seconds(_at(fields, 4)), clock=clock)

    def seal(self) -> bytes:
        yes = "Y" if self.done else "N"
        if self.clock is not None:
            return seal("BDFKI", self.clock, self.command, yes, str(self.code), f"{self.wait:g}")
        minutes, seconds = divmod(int(self.wait), 60)
        return seal(
            "BDFKI", self.command, yes, "Y" if self.rate else "N", str(self.code), f"{minutes:02d}{seconds:02d}"
        )


def _at(fields: list[str], index: int) -> str:
    return fields[index] if index < len(fields) else ""


def _yes(text: str) -> bool:
    if text not in ("Y", "N"):
        raise RemoteError("field", f"{text[:8]} is neither Y nor N")
    return text == "Y"


def _code(text: str) -> int:
    if text and not (text.isascii() and text.isdigit() and len(text) <= 3):
        raise RemoteError("field", f"reason {text[:8]}")
    return int(text or 0)


def _mmss(text: str) -> float:
    if text and not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise RemoteError("field", f"wait {text[:8]}")
    return min(60.0 * int(text[:-2] or 0) + int(text[-2:] or 0), _LONGEST_WAIT)


def _seconds(text: str) -> float:
    whole, _, fraction = text.partition(".")
    if not (whole + fraction).isdigit() or not text.isascii() or len(text) > 10:
        if text:
            raise RemoteError("field", f"wait {text[:8]}")
        return 0.0
    return min(float(text), _LONGEST_WAIT)
