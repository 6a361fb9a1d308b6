"""What a host asks of a BeiDou module besides sending: its card, its reports, its beams. Both directions, pure."""

from typing import NamedTuple

from protocols.errors import LocalError, RemoteError
from protocols.rdss import Sentence, integer, seal

CARD_21 = seal("CCICA", "0", "00")
CARD_3 = seal("CCICR", "0", "00")
ON, OFF = "2", "1"  # mode of RMO; 3 all off, 4 all on


class Rmo(NamedTuple):
    """Whether a sentence is to come, and how often: seconds, 0 once."""

    kind: str
    mode: str = ON
    period: str = "0"

    @classmethod
    def parse(cls, sentence: Sentence) -> "Rmo":
        kind, mode, *rest = sentence.fields(least=2)
        period = rest[0] if rest else "0"
        integer(mode), integer(period)
        return cls(kind, mode, period)

    def seal(self) -> bytes:
        return seal("CCRMO", self.kind, self.mode, self.period)


class Bss(NamedTuple):
    """Which beam to answer by and which to take the time from; empty is the module's own choice."""

    response: str = ""
    timing: str = ""

    @classmethod
    def parse(cls, sentence: Sentence) -> "Bss":
        response, timing, *_ = sentence.fields(least=2)
        if not (_beam(response) and _beam(timing)):
            raise RemoteError("field", f"beams {response[:8]}, {timing[:8]}")
        return cls(response, timing)

    def seal(self) -> bytes:
        if not all(_beam(text) for text in self):
            raise LocalError("field", f"beams {self.response[:8]}, {self.timing[:8]}")
        return seal("CCBSS", self.response, self.timing)


def _beam(text: str) -> bool:
    return text == "" or (text.isascii() and text.isdigit() and len(text) <= 2)
