from functools import reduce
from operator import xor

from hypothesis import given
from hypothesis import strategies as st

from protocols.checksums import crc16, lrc, sum8, xor8


def test_known_values():
    assert crc16(b"123456789") == 0x4B37
    assert crc16(bytes.fromhex("010300010001")).to_bytes(2, "little").hex() == "d5ca"
    assert lrc(bytes.fromhex("0B0400000002")) == 0xEF
    assert sum8(b"\xff\x02") == 1
    assert xor8(b"WIMWV,57.5,R,13.0,N,A") == 0x26


def test_a_frame_with_its_crc_behind_it_leaves_nothing():
    assert crc16(bytes.fromhex("010300010001D5CA")) == 0


@given(st.binary(max_size=300))
def test_folding_is_xor(data):
    assert xor8(data) == reduce(xor, data, 0)


@given(st.binary(min_size=1, max_size=64), st.data())
def test_every_single_bit_error_is_seen(data, draw):
    at = draw.draw(st.integers(0, 8 * len(data) - 1))
    broken = (int.from_bytes(data, "big") ^ 1 << at).to_bytes(len(data), "big")
    assert crc16(broken) != crc16(data)
