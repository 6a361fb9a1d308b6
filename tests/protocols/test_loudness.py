"""The energy of a band: sines inside and outside of it, blocks of any length, and what counts as heard."""

import math
import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.loudness import SILENCE, Band, Hearing, decibels, quiet

RATE, BLOCK = 8000, 1600  # bytes: a tenth of a second


def sine(frequency, level=0.5, seconds=0.5):
    values = (level * math.sin(2 * math.pi * frequency * n / RATE) for n in range(int(RATE * seconds)))
    return b"".join(struct.pack("<h", round(32767 * value)) for value in values)


def settled(frequency, level=0.5):
    """The band's energy of a tone once the filter has settled."""
    band = Band(RATE)
    band.energy(sine(frequency, level))
    return band.energy(sine(frequency, level))


@pytest.mark.parametrize("frequency", [800, 1000, 1010, 1300])
def test_the_middle_of_the_band_passes(frequency):
    assert decibels(settled(frequency)) == pytest.approx(decibels(0.5**2 / 2), abs=1)


@pytest.mark.parametrize(("frequency", "least"), [(50, 24), (100, 12), (3900, 12)])
def test_rumble_and_hiss_do_not(frequency, least):
    assert decibels(settled(1000)) - decibels(settled(frequency)) >= least


@pytest.mark.parametrize("frequency", [420, 650, 2000])
def test_sirens_and_speech_lie_in_it(frequency):
    assert decibels(settled(1000)) - decibels(settled(frequency)) <= 6


def test_a_tone_ten_times_as_loud_is_twenty_decibels_more():
    assert decibels(settled(1000, 0.5)) - decibels(settled(1000, 0.05)) == pytest.approx(20, abs=0.1)


@given(st.binary(max_size=2000), st.integers(1, 400))
def test_blocks_of_any_length_are_one_signal(data, size):
    """Whole, or cut anywhere between samples: the same energy; and any bytes at all are bounded."""
    data = data[: len(data) // 2 * 2]
    whole, band = Band(RATE).energy(data), Band(RATE)
    cut = [data[at : at + 2 * size] for at in range(0, len(data), 2 * size)]
    energies = [(band.energy(block), len(block)) for block in cut]
    assert 0 <= whole <= 4
    assert whole == pytest.approx(sum(e * n for e, n in energies) / len(data) if data else 0.0, abs=1e-12)


def test_half_a_sample_and_nothing_are_nothing():
    assert Band(RATE).energy(b"") == Band(RATE).energy(b"\x01") == 0.0


def noise(seed, level, blocks):
    chance, band = random.Random(seed), Band(RATE)
    for _ in range(blocks):
        yield band.energy(b"".join(struct.pack("<h", round(chance.gauss(0, level))) for _ in range(BLOCK // 2)))


def test_a_siren_with_pauses_is_heard_above_the_rain():
    rain = list(noise(1, 300, 30))
    hearing, band = Hearing(rain, 10.0, 10), Band(RATE)
    verdicts = []
    for second in range(8):  # 2 s on, 4 s off
        for _ in range(10):
            on = second % 6 < 2
            verdicts.append(hearing.take(band.energy(sine(600, 0.1, 0.1)) if on else rain[0]))
    assert verdicts.index(True) < 12
    assert decibels(hearing.loudest) - decibels(hearing.background) > 10


def test_more_rain_is_no_siren_and_a_door_is_none_either():
    hearing = Hearing(list(noise(1, 300, 30)), 10.0, 10)
    assert not any(hearing.take(energy) for energy in noise(2, 500, 150))
    assert not any(hearing.take(1.0) for _ in range(9))
    assert hearing.take(1.0)


def test_a_bird_does_not_raise_the_background():
    blocks = [1e-6] * 28 + [0.1, 0.1]
    assert quiet(blocks) == 1e-6
    assert quiet([]) == quiet([0.0]) == SILENCE
