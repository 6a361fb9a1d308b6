"""XFS5152CE frames: no checksum, longer texts."""

import pytest

from protocols.errors import LocalError
from protocols.speech_chip import SPEAK, STATUS, STOP, Command
from protocols.xfs5152 import CHIP


def test_frames_are_the_data_sheets():
    assert CHIP.speak("科大讯飞".encode("gbk")).hex(" ") == "fd 00 0a 01 01 bf c6 b4 f3 d1 b6 b7 c9"
    assert CHIP.command(STOP).hex(" ") == "fd 00 01 02"
    assert CHIP.command(STATUS).hex(" ") == "fd 00 01 21"


def test_noise_before_a_frame_is_passed_over():
    assert CHIP.take(b"\x00\x41" + CHIP.speak(b"ab") + CHIP.command(STOP)) == (
        [Command(SPEAK, 1, b"ab"), Command(STOP)],
        b"",
    )


def test_long_texts_are_refused():
    with pytest.raises(LocalError):
        CHIP.speak(b"a" * 4001)
