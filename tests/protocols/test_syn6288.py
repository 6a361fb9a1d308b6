"""SYN6288 frames, by the data sheet's own examples."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalError
from protocols.speech_chip import PAUSE, RESUME, SPEAK, STATUS, STOP, Command
from protocols.syn6288 import CHIP

DATA_SHEET = [
    (CHIP.speak("宇音天下".encode("gb2312"), encoding=0), "fd 00 0b 01 00 d3 ee d2 f4 cc ec cf c2 c1"),
    (CHIP.command(STOP), "fd 00 02 02 fd"),
    (CHIP.command(PAUSE), "fd 00 02 03 fc"),
    (CHIP.command(RESUME), "fd 00 02 04 fb"),
    (CHIP.command(STATUS), "fd 00 02 21 de"),
]


@pytest.mark.parametrize(("frame", "expected"), DATA_SHEET)
def test_frames_are_the_data_sheets(frame, expected):
    assert frame.hex(" ") == expected


def test_two_hundred_bytes_and_no_more():
    assert len(CHIP.speak(b"a" * 200)) == 206
    for wrong in (b"a" * 201, b""):
        with pytest.raises(LocalError):
            CHIP.speak(wrong)


@given(st.lists(st.binary(min_size=1, max_size=200), max_size=4), st.data())
def test_the_chip_reads_what_we_write_however_it_is_cut(texts, data):
    stream = b"".join(CHIP.speak(text) for text in texts)
    at = data.draw(st.integers(0, len(stream)))
    first, rest = CHIP.take(stream[:at])
    second, rest = CHIP.take(rest + stream[at:])
    assert first + second == [Command(SPEAK, 1, text) for text in texts]
    assert rest == b""


@given(st.binary(min_size=1, max_size=100), st.integers(0, 30), st.integers(1, 255))
def test_a_flipped_byte_never_passes_as_a_text(text, place, flip):
    frame = bytearray(CHIP.speak(text))
    frame[3 + place % (len(frame) - 3)] ^= flip
    found, _ = CHIP.take(bytes(frame))
    assert found == [None]


@given(st.binary(max_size=300))
def test_any_bytes_are_bounded(data):
    _, rest = CHIP.take(data)
    assert len(rest) <= len(data)
