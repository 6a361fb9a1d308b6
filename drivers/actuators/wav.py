"""Sound as the loudspeaker gets it: WAV, checked and bounded. Knows no process and no device."""

import io
import wave
from typing import NamedTuple

LONGEST = 60.0  # seconds of one clip or one piece of speech
MOST_BYTES = 6 << 20  # half a minute of CD quality, a minute in mono: held in memory while it plays
SHORTEST = 0.2  # seconds: less is a click, and no speech
_STREAM_HEAD = 44  # bytes of the header that a synthesiser writes before it knows the length


class Sound(NamedTuple):
    """A whole WAV file and how long it plays."""

    data: bytes
    seconds: float


def clip(data: bytes) -> Sound:
    """ValueError says why this file is not played."""
    if len(data) > MOST_BYTES:
        raise ValueError(f"larger than {MOST_BYTES} bytes")
    try:
        with wave.open(io.BytesIO(data)) as file:
            frames = min(file.getnframes(), len(data) // max(1, file.getsampwidth() * file.getnchannels()))
            seconds = frames / file.getframerate()
    except (wave.Error, EOFError, ZeroDivisionError) as wrong:
        raise ValueError(f"no PCM WAV file: {wrong}") from wrong
    return _bounded(Sound(data, seconds))


def speech(streamed: bytes) -> Sound:
    """What a synthesiser wrote to a pipe: its header says nothing true of the length, so it gets a new one."""
    try:
        with wave.open(io.BytesIO(streamed)) as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
    except (wave.Error, EOFError) as wrong:
        raise ValueError(f"no PCM WAV: {wrong}") from wrong
    samples = streamed[_STREAM_HEAD:]
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples[: len(samples) // (channels * width) * channels * width])
    return _bounded(Sound(out.getvalue(), len(samples) / (channels * width * rate)))


def _bounded(sound: Sound) -> Sound:
    if not SHORTEST <= sound.seconds <= LONGEST:
        raise ValueError(f"plays {sound.seconds:.1f} s; {SHORTEST} to {LONGEST:.0f} s")
    return sound
