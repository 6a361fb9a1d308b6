"""A simulated speech chip: answers as SYN6288 and XFS5152CE do, and writes down what it would have said, and when.

`fault`: `dead` says nothing at all, `deaf` refuses every text, `mute` accepts texts and never speaks, `forgetful` never
says of itself that it has ended.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Literal

from protocols.speech_chip import SPEAK, STATUS, STOP, Chip, Command, Reply

MOST_SPOKEN = 1000  # texts remembered
SYLLABLE = 0.2  # seconds for two bytes of text

ChipFault = Literal["", "dead", "deaf", "mute", "forgetful"]


class SpeechChip:
    """`spoken` holds (start, text) by the chip's clock; `ends` is when it falls silent by itself."""

    def __init__(self, chip: Chip, fault: ChipFault = "", syllable: float = SYLLABLE) -> None:
        self.chip, self.fault, self.say = chip, fault, _nobody
        self.spoken: deque[tuple[float, str]] = deque(maxlen=MOST_SPOKEN)
        self.commands: deque[Command | None] = deque(maxlen=MOST_SPOKEN)
        self.ends = 0.0
        self._rest, self._syllable = b"", syllable
        self._timer: asyncio.TimerHandle | None = None

    say: Callable[[bytes], None]

    @property
    def speaking(self) -> bool:
        return time.monotonic() < self.ends

    def hear(self, data: bytes) -> None:
        commands, self._rest = self.chip.take(self._rest + data)
        for command in commands:
            self.commands.append(command)
            if self.fault != "dead":
                self._obey(command)

    def _obey(self, command: Command | None) -> None:
        if command is None or (command.code == SPEAK and self.fault == "deaf"):
            self._answer(Reply.REFUSED)
        elif command.code == STATUS:
            self._answer(Reply.BUSY if self.speaking else Reply.IDLE)
        else:
            self._answer(Reply.ACCEPTED)
            if command.code == SPEAK and self.fault != "mute":
                self._speak(command)
            elif command.code == STOP:
                self._end()

    def _speak(self, command: Command) -> None:
        self._end()
        lasts = len(command.text) / 2 * self._syllable
        self.spoken.append((time.monotonic(), command.text.decode("gbk", "replace")))
        self.ends = time.monotonic() + lasts
        if self.fault != "forgetful":
            self._timer = asyncio.get_running_loop().call_later(lasts, self._answer, Reply.IDLE)

    def _end(self) -> None:
        self.ends = min(self.ends, time.monotonic())
        if self._timer is not None:
            self._timer.cancel()

    def _answer(self, reply: Reply) -> None:
        self.say(bytes((reply,)))


def _nobody(_data: bytes) -> None:
    """No line is attached yet."""
