"""Speech on the computer itself, by espeak-ng: the last resort, and always there. Text in, a bounded WAV out.

The voice is `cmn-latn-pinyin`: the plain `cmn` of espeak-ng 1.51 falls into English in the middle of a sentence.
"""

import asyncio
import shutil

from drivers.actuators.child import Child
from drivers.actuators.speaking import Unsaid
from drivers.actuators.wav import MOST_BYTES, Sound, speech

PROGRAM = "espeak-ng"
MANDARIN = "cmn-latn-pinyin"
BROKEN_VOICES = ("cmn", "zh", "zh-cmn")  # names of the voice that says "hao two mi three" for a millimetre
PIECE = 12.0  # seconds of speech rendered at once: some 600 kB, ready in 20 ms on a PC and 0.2 s on the smallest Pi
PATIENCE = 5.0  # seconds


def installed() -> bool:
    return shutil.which(PROGRAM) is not None


async def render(text: str, voice: str, words_a_minute: int) -> Sound:
    """Unsaid when there is no synthesiser, or it hangs, or says nothing. The text goes in by its standard input: nothing in
    it can be an option.
    """
    command = [PROGRAM, "-b", "1", "-v", voice, "-s", str(words_a_minute), "--stdin", "--stdout"]
    try:
        async with asyncio.timeout(PATIENCE), Child(command) as child:
            feeding = asyncio.create_task(child.feed(text.encode() + b"\n"))
            try:
                data = await child.output(MOST_BYTES)
                await feeding
            finally:
                feeding.cancel()
            code, words = await child.result()
    except FileNotFoundError:
        raise Unsaid("speech_missing", {"program": PROGRAM}) from None
    except TimeoutError:
        raise Unsaid("speech_hangs", {"program": PROGRAM}) from None
    except (OSError, ValueError) as wrong:
        raise Unsaid("speech_failed", {"why": str(wrong)[:200]}) from wrong
    return _judged(code, words, data)


def _judged(code: int, words: str, data: bytes) -> Sound:
    """A program that was bound to us by another says 127 when it is not there."""
    if code == 127:
        raise Unsaid("speech_missing", {"program": PROGRAM})
    if code:
        raise Unsaid("speech_failed", {"exit": code, "why": words})
    try:
        return speech(data)
    except ValueError as wrong:
        raise Unsaid("speech_failed", {"why": str(wrong)[:200]}) from wrong
