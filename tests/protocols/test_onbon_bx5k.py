"""BX-5K frames, against those that an independent program for these cards documents."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import onbon_bx5k as bx
from protocols.errors import LocalError, RemoteError

PING = "a5a5a5a5a5a5a5a5 01000080000000000000fe02 0500 a200010000 68f8 5a"
# Text scrolls left in an area of 192 x 32 pixels. That program writes 2D where the protocol has a reserved byte.
DISPLAY = (
    "a5a5a5a5a5a5a5a5 01000080000000000000fe02 3200 a306012d00 0001 2900"
    "00 00000000 1800 2000 00 00 00 0200 00 00 00 02 02 03 00 04 05 0e000000"
    "3031323334355152535454562742 a87d 5a"
)


def packet(frame):
    (found,) = bx.Frames().feed(frame)
    return bx.decode(found)


def test_a_ping_is_the_documented_one():
    assert bx.ping() == bytes.fromhex(PING)


def test_the_documented_display_frame_is_read():
    found = packet(bytes.fromhex(DISPLAY))
    assert found.command == bx.DYNAMIC_AREAS
    area = bx.Area(b"012345QRSTTV'B", width=24, height=32, timeout=2, effect=bx.LEFTWARDS, speed=4, stay=5)
    assert bx.unpacked(found.data) == ([], [area])


def test_ours_differs_from_it_only_in_the_reserved_byte_and_in_what_ends_the_text():
    area = bx.Area(b"012345QRSTTV'B", width=24, height=32, timeout=2, effect=bx.LEFTWARDS, speed=4, stay=5)
    ours, theirs = packet(bx.update(area)).data, packet(bytes.fromhex(DISPLAY)).data
    differing = [at for at, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one != other]
    assert differing == [1, 18]
    assert ours[18] == bx.RUN_UNTIL_STALE


AREAS = st.builds(
    bx.Area,
    st.binary(max_size=bx.MOST_TEXT),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.integers(0, 255),
    st.integers(0, 0xFFFF),
)


@given(AREAS, st.integers(0, 0xFFFF), st.data())
def test_a_card_reads_what_we_write_however_it_is_cut_and_whatever_came_before(area, screen, data):
    frame = bx.update(area, screen)
    noise = data.draw(st.binary(max_size=20))
    at = data.draw(st.integers(0, len(frame)))
    frames = bx.Frames()
    found = [*frames.feed(noise + b"\x5a" + frame[:at]), *frames.feed(frame[at:])]
    read = bx.decode(found[-1])
    assert (read.command, read.screen) == (bx.DYNAMIC_AREAS, screen)
    assert bx.unpacked(read.data) == ([], [area])


@given(AREAS)
def test_nothing_inside_a_frame_looks_like_its_begin_or_end(area):
    inside = bx.update(area)[8:-1]
    assert 0xA5 not in inside
    assert 0x5A not in inside


def test_areas_are_deleted_by_number():
    assert bx.unpacked(packet(bx.delete((0, 3))).data) == ([0, 3], [])


@given(st.binary(max_size=80))
def test_any_bytes_are_a_packet_or_refused(data):
    for frame in bx.Frames().feed(data + b"\x5a"):
        try:
            bx.unpacked(bx.decode(frame).data)
        except RemoteError:
            continue


@given(st.integers(0, 40), st.integers(1, 255))
def test_a_flipped_byte_is_refused(place, flip):
    (frame,) = bx.Frames().feed(bx.update(bx.Area("红色山洪预警".encode("gb2312"))))
    broken = bytearray(frame)
    broken[place % len(broken)] ^= flip
    with pytest.raises(RemoteError):
        bx.decode(bytes(broken))


def test_a_flood_without_an_end_stays_bounded():
    frames = bx.Frames()
    frames.feed(b"\xa5")
    for _ in range(100):
        assert frames.feed(b"x" * 1000) == []
        assert len(frames._rest) <= bx.MOST_FRAME + 2
    assert frames.feed(b"\x5a") == []
    assert bx.decode(frames.feed(bx.ping())[0]).command == bx.PING


def test_a_text_is_cut_at_a_character_and_cannot_command_the_card():
    assert len(bx.readable("洪" * 1000)) == bx.MOST_TEXT
    assert bx.readable("a" + "洪" * 1000).decode("gb2312").endswith("洪")
    assert bx.readable("红\\C1色\\FE000").decode("gb2312") == "红＼C1色＼FE000"
    with pytest.raises(LocalError):
        bx.update(bx.Area(b"x" * (bx.MOST_TEXT + 1)))
