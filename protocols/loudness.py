"""Has something begun to sound? The energy of a band of a microphone's signal, and whether it rises above what was there.

Samples are signed 16 bit, little-endian, one channel. A band-pass of two sections in a plain loop: no transform, no library.
"""

import math
import struct
from collections.abc import Sequence
from typing import Final

LOW, HIGH = 300.0, 3400.0  # Hz: speech over a horn loudspeaker; sirens have their fundamental at 400 to 1200
FULL_SCALE: Final = 32768.0
SILENCE: Final = 1e-12  # of full scale squared: -120 dB, below any microphone
QUIETEST: Final = 0.9  # of the background's blocks are quieter than what counts as the background
SECTIONS = 2  # 12 dB an octave on either side: wind and rumble lie three octaves below


class Band:
    """Energy in a band, block after block; the filter's state goes on from one to the next."""

    def __init__(self, rate: int, low: float = LOW, high: float = HIGH) -> None:
        """Coefficients after R. Bristow-Johnson, Cookbook formulae for audio EQ biquad filters (band-pass, 0 dB at the peak)."""
        centre = math.sqrt(low * high)
        turn = 2 * math.pi * centre / rate
        slope = math.sin(turn) * (high - low) / (2 * centre)
        scale = 1 / (1 + slope)
        self._gain, self._once, self._twice = slope * scale, -2 * math.cos(turn) * scale, (1 - slope) * scale
        self._states = [(0.0, 0.0) for _ in range(SECTIONS)]

    def energy(self, block: bytes) -> float:
        """Mean square in the band, of full scale: a full sine has 0.5."""
        samples = _samples(block)
        if not samples:
            return 0.0
        values: Sequence[float] = [sample / FULL_SCALE for sample in samples]
        for number, state in enumerate(self._states):
            values, self._states[number] = self._section(values, state)
        return sum(value * value for value in values) / len(values)

    def _section(self, values: Sequence[float], state: tuple[float, float]) -> tuple[list[float], tuple[float, float]]:
        """One biquad in transposed direct form II; the middle coefficient of a band-pass is zero."""
        gain, once, twice = self._gain, self._once, self._twice
        first, second = state
        out = []
        for value in values:
            made = gain * value + first
            first, second = second - once * made, -gain * value - twice * made
            out.append(made)
        return out, (first, second)


class Hearing:
    """Blocks of a sound against those of the background before it. `needed` loud blocks are a sound, one after the other or
    not: most signals pause.
    """

    def __init__(self, background: Sequence[float], margin: float, needed: int) -> None:
        """`margin` in decibels."""
        self.background = quiet(background)
        self.loudest = 0.0
        self._threshold, self._needed, self._loud = self.background * 10 ** (margin / 10), needed, 0

    def take(self, energy: float) -> bool:
        """Has it been heard by now?"""
        self.loudest = max(self.loudest, energy)
        self._loud += energy > self._threshold
        return self._loud >= self._needed


def quiet(blocks: Sequence[float]) -> float:
    """What the background is: a bird or a passing car does not raise it, rain does."""
    ordered = sorted(blocks)
    return max(SILENCE, ordered[min(len(ordered) - 1, int(len(ordered) * QUIETEST))]) if ordered else SILENCE


def decibels(energy: float) -> float:
    """Of full scale."""
    return 10 * math.log10(max(SILENCE, energy))


def _samples(block: bytes) -> tuple[int, ...]:
    count = len(block) // 2
    return struct.unpack(f"<{count}h", block[: 2 * count])
