"""A player that takes its time: `python -m tests.support.player FILE [SPEED]` reads a WAV from its standard input as fast as it
would sound, and writes to FILE, line by line, how many seconds it has played.
"""

import io
import sys
import time
import wave
from pathlib import Path

STEP = 0.05  # seconds


def main(file: Path, speed: float) -> int:
    head = sys.stdin.buffer.read(44)
    with wave.open(io.BytesIO(head)) as sound:
        rate = sound.getframerate() * sound.getsampwidth() * sound.getnchannels()
    played = 0
    with file.open("a", buffering=1) as log:
        while data := sys.stdin.buffer.read(int(rate * STEP)):
            time.sleep(len(data) / rate / speed)
            played += len(data)
            log.write(f"{played / rate:.2f}\n")
        log.write("end\n")
    return 0


sys.exit(main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 1.0))
