"""What can be wrong with a simulated BeiDou module and its line, and how it garbles what is said. Knows no sentence."""

from collections import deque
from dataclasses import dataclass, field
from random import Random


@dataclass
class Faults:
    """What is wrong at present; each can be changed at any time."""

    refusals: deque[tuple[int, float]] = field(default_factory=deque)  # (reason, wait) of the next sends
    silent: deque[bool] = field(default_factory=deque)  # of the next sends: no feedback; True: sent all the same
    repeat: float = 0.0  # share of messages that it says twice
    beams: bool = True  # False: no satellite is heard
    noise: float = 0.0  # share of lines with bytes of it in front
    torn: bool = False  # what is said comes in pieces of any size
    pwi_fields: int = 4  # of a record: 3 or 4, by firmware
    restart: bool = False  # loses power in the middle of the next send, once
    decimal: bool = False  # firmware that takes decimal digits only, and makes noughts of others
    raw: bool = False  # hands out mixed content as raw bytes behind `A4`, where it is no control character
    echo: bool = False  # repeats what the host says
    words: bool = False  # says `TCQ OK!` before the feedback
    third: bool = False  # answers a 2.1 request in the form of BD-3
    noughts: bool = False  # writes a nought before the sender's number
    clock: bool = True  # False: has no time yet
    mute: bool = False  # does not answer at all


def garbled(lines: list[bytes], faults: Faults, chance: Random) -> list[bytes]:
    """The pieces in which so many lines are heard."""
    noisy = [_noise(chance) + line if chance.random() < faults.noise else line for line in lines]
    data = b"".join(noisy)
    if not faults.torn:
        return [data] if data else []
    pieces = []
    while data:
        size = chance.randint(1, 16)
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def _noise(chance: Random) -> bytes:
    """What an open line picks up, or half a sentence."""
    if chance.random() < 0.5:
        return b"$BDTXR,1,0242"
    return bytes(chance.randrange(0x80, 0x100) for _ in range(chance.randint(1, 8)))
