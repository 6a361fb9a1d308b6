import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalError
from protocols.lora_airtime import LONGEST_PACKET, Modulation, airtime, longest

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "lora-airtime.json").read_text())
ROWS = [(int(sf), int(n), ms) for sf, row in VECTORS["rows_ms"].items() for n, ms in row.items()]
MOST = [
    (int(sf), int(band.removesuffix("k")) * 1000, length)
    for band, row in VECTORS["max_phy_payload_le_1s"].items()
    for sf, length in row.items()
]

modulations = st.builds(
    Modulation,
    st.integers(5, 12),
    st.sampled_from([62_500, 125_000, 250_000, 500_000]),
    st.integers(5, 8),
    st.integers(6, 64),
    st.booleans(),
    st.booleans(),
)


@pytest.mark.parametrize(("spreading", "length", "milliseconds"), ROWS)
def test_time_on_air(spreading, length, milliseconds):
    assert airtime(Modulation(spreading, 125_000), length) == pytest.approx(milliseconds, abs=0.051)


@pytest.mark.parametrize(("spreading", "bandwidth", "length"), MOST)
def test_the_longest_packet_of_a_second(spreading, bandwidth, length):
    modulation = Modulation(spreading, bandwidth)
    assert longest(modulation, 1000) == length
    assert airtime(modulation, length) <= 1000
    assert length == LONGEST_PACKET or airtime(modulation, length + 1) > 1000


def test_the_fast_spreading_factors_have_a_formula_of_their_own():
    """SX1262 datasheet §6.1.4: SF6, 125 kHz, 4/5, preamble 12, 10 bytes: 12 + 6.25 + 8 + 5 * ceil(92 / 24) symbols."""
    assert airtime(Modulation(6, 125_000, preamble=12), 10) == pytest.approx((12 + 6.25 + 8 + 5 * 4) * 0.512)


@given(modulations, st.integers(0, LONGEST_PACKET - 1))
def test_a_longer_packet_is_never_shorter_on_the_air(modulation, length):
    assert airtime(modulation, length) <= airtime(modulation, length + 1)


@given(modulations, st.floats(0, 20_000))
def test_longest_is_the_inverse(modulation, milliseconds):
    length = longest(modulation, milliseconds)
    assert length < 0 or airtime(modulation, length) <= milliseconds
    assert length == LONGEST_PACKET or airtime(modulation, length + 1) > milliseconds


@pytest.mark.parametrize(
    "modulation", [Modulation(4, 125_000), Modulation(13, 125_000), Modulation(7, 0), Modulation(7, 125_000, 9)]
)
def test_a_modulation_that_does_not_exist(modulation):
    with pytest.raises(LocalError):
        airtime(modulation, 1)


@pytest.mark.parametrize("length", [-1, 256])
def test_a_length_that_does_not_exist(length):
    with pytest.raises(LocalError):
        airtime(Modulation(7, 125_000), length)
