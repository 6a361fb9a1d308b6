import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import bits
from protocols.errors import ProtocolError, RemoteError

NUMBERS = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=80)
SMOOTH = st.lists(st.integers(-20, 20), min_size=1, max_size=80).map(
    lambda steps: [sum(steps[:n]) for n in range(len(steps))]
)


def again(numbers, behind="0110"):
    head, tail = bits.write(numbers)
    found, rest = bits.read(bits.read_head(bits.Reader(head)), len(numbers), tail + behind)
    assert rest == behind
    return found


@given(NUMBERS | SMOOTH)
def test_every_sequence_comes_back(numbers):
    assert again(numbers) == numbers


@pytest.mark.parametrize(
    ("numbers", "head", "tail"),
    [
        ([7], "fc 0e", ""),  # flat of order 0: 7, zigzag 14
        ([7, 7, 7], "fc 0e", ""),
        ([-1], "fc 01", ""),
        ([1000, 2000, 3000, 4000], "fe d00f d00f", ""),  # flat of order 2: first 1000, first step 1000
        ([0, 1, 0, 1], "00 00", "1011" + "01" + "0" + "0"),
    ],
)
def test_written_form(numbers, head, tail):
    found, bits_found = bits.write(numbers)
    assert found.hex() == head.replace(" ", "")
    if tail == "":
        assert bits_found == ""
    assert again(numbers) == numbers


@given(st.integers(0, 2**70 - 1))
def test_varint(number):
    assert bits.Reader(bits.varint(number)).varint() == number


@given(st.integers())
def test_zigzag(number):
    assert bits.zigzag(number) >= 0
    assert bits.unzigzag(bits.zigzag(number)) == number


def test_an_endless_varint_is_refused():
    with pytest.raises(RemoteError, match=r"packed\.varint"):
        bits.Reader(b"\xff" * 100).varint()


def test_a_sequence_cut_short_is_refused():
    head, tail = bits.write([5, 1, 9, -4, 30])
    opened = bits.read_head(bits.Reader(head))
    for end in range(len(tail)):
        with pytest.raises(RemoteError):
            bits.read(opened, 5, tail[:end])


def test_numbers_beyond_any_reading_are_refused_not_cut():
    with pytest.raises(ProtocolError, match=r"packed\.wide"):
        bits.write([0, 2**80, 1])
    with pytest.raises(RemoteError, match=r"packed\.wide"):
        bits.read(bits.Head(0, 0, (0,)), 1, "0" * 80 + "1" + "0" * 80)


def test_what_is_learnt_is_bounded():
    for number in range(5000):
        again([0, number * 7919 % 100_003, 3])
    assert bits._book.cache_info().currsize <= 16
    for k in range(12):
        for signed in (False, True):
            assert len(bits._book(k, signed)) < 1 << bits.LONGEST_LEARNT + 1
