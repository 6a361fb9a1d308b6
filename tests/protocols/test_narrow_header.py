"""Headers of narrow datagrams: every combination there and back, and whatever a radio can deliver."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalError, RemoteError
from protocols.narrow import header
from protocols.narrow.decode import decode as decode_frame
from protocols.narrow.header import Frame, Kind, Piece

pieces = st.integers(2, 64).flatmap(
    lambda total: st.builds(Piece, st.integers(0, total - 1) | st.integers(64, 127), st.just(total))
)
frames = st.builds(
    Frame,
    st.sampled_from(Kind),
    st.integers(0, 0xFFFF),
    st.binary(min_size=1, max_size=340),
    st.none() | pieces,
    st.booleans(),
    st.just(b"") | st.binary(min_size=3, max_size=3),
)


@given(frames)
def test_what_goes_in_comes_out(frame):
    data = header.encode(frame)
    assert header.decode(data) == frame
    assert len(data) == header.overhead(piece=frame.piece is not None, addressed=bool(frame.address)) + len(frame.body)


def test_three_bytes_whole_five_a_piece():
    assert header.encode(Frame(Kind.EVENT, 0x1234, b"x")) == bytes.fromhex("48123478")
    assert header.encode(Frame(Kind.DATA, 0x1234, b"x", Piece(3, 15), wanted=True)) == bytes.fromhex("531234030f78")
    assert header.encode(Frame(Kind.SEALED, 1, b"x", address=b"abc")) == b"\x7cabc\0\1x"


@pytest.mark.parametrize(
    ("data", "reason", "offset"),
    [
        ("", "frame.short", 0),
        ("00123478", "frame.version", 0),
        ("c8123478", "frame.version", 0),
        ("481234", "frame.short", 3),
        ("4a123401", "frame.short", 4),
        ("4a12340f0f78", "frame.piece", 3),  # the sixteenth of fifteen
        ("4a12340001" + "78", "frame.piece", 3),  # a piece of one
        ("4a123400" + "4178", "frame.piece", 3),  # of sixty-five
        ("4a123480" + "0278", "frame.piece", 3),
        ("4c6162631234", "frame.short", 6),
    ],
)
def test_what_is_no_frame_says_where(data, reason, offset):
    with pytest.raises(RemoteError) as wrong:
        header.decode(bytes.fromhex(data))
    assert (wrong.value.reason, wrong.value.offset) == (reason, offset)


@pytest.mark.parametrize(
    "frame",
    [
        Frame(Kind.EVENT, 1 << 16, b"x"),
        Frame(Kind.EVENT, 1, b""),
        Frame(Kind.EVENT, 1, b"x", address=b"ab"),
        Frame(Kind.EVENT, 1, b"x", Piece(2, 2)),
        Frame(Kind.EVENT, 1, b"x", Piece(0, 65)),
        Frame(Kind.EVENT, 1, b"x", Piece(128, 2)),
    ],
)
def test_what_no_header_can_say_is_refused(frame):
    with pytest.raises(LocalError):
        header.encode(frame)


@given(st.binary(max_size=400))
def test_noise_is_a_frame_or_a_refusal(data):
    try:
        frame = header.decode(data)
    except RemoteError as wrong:
        assert wrong.offset is not None  # noqa: PT017 - the other outcome of the same call
        return
    assert header.encode(frame) == data


@given(st.binary(max_size=400))
def test_noise_taken_apart_is_a_row_or_a_refusal(data):
    try:
        assert decode_frame(data)["bytes"] == len(data)
    except RemoteError as wrong:
        assert wrong.offset is not None  # noqa: PT017 - the other outcome of the same call
        assert 0 <= wrong.offset <= len(data)  # noqa: PT017 - as above


def test_an_address_differs_by_station_and_by_way():
    said = {header.address(station, up=up) for station in ("a", "b") for up in (True, False)}
    assert len(said) == 4
    assert {len(one) for one in said} == {3}
