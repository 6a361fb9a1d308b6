"""A microphone at the computer's sound card, through ALSA's `arecord`: blocks of samples, as long as somebody listens.

Nothing is kept: whoever asks gets blocks, and the recorder dies with the asking.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from drivers.actuators.child import Child
from drivers.within import within

RATE = 8000  # samples a second: the band ends at 3.4 kHz
BLOCK = 0.1  # seconds
BYTES = int(RATE * BLOCK) * 2
PATIENCE = 3.0  # seconds for a block: a card that was asleep takes one
COMMAND = ("arecord", "-q", "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", str(RATE), "-D")


class Deaf(Exception):
    """Why there is no sound to be had: a stable reason, and what was said."""

    def __init__(self, reason: str, why: str = "") -> None:
        super().__init__(reason)
        self.reason, self.why = reason, why


async def blocks(device: str, command: Sequence[str] = COMMAND) -> AsyncIterator[bytes]:
    """Until the caller has enough. Raises Deaf."""
    try:
        async with contextlib.aclosing(_read(device, command)) as heard:
            async for block in heard:
                yield block
    except FileNotFoundError:
        raise Deaf("recorder_missing", command[0]) from None
    except TimeoutError:
        raise Deaf("recorder_hangs", device) from None
    except OSError as wrong:
        raise Deaf("recorder_failed", str(wrong)[:200]) from wrong


async def _read(device: str, command: Sequence[str]) -> AsyncGenerator[bytes, None]:
    async with Child((*command, device)) as child:
        while True:
            try:
                yield await within(child.exactly(BYTES), PATIENCE)
            except asyncio.IncompleteReadError:
                code, words = await child.result()
                reason = (
                    "recorder_missing" if code == 127 else "recorder_failed"
                )  # as one that is bound to us by another says
                raise Deaf(reason, words) from None
