"""Text for machines that read aloud: cleaned, cut where a reader breathes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.speech_text import encoded, pieces, readable, seconds

WARNING = "红色山洪预警，请立即转移到安全地点。过去1小时雨量达到100.5毫米，榆树村以下河段请在15:30以前撤离。"


def test_it_is_cut_after_punctuation_where_there_is_some():
    assert pieces(WARNING, 4.0) == [
        "红色山洪预警，",
        "请立即转移到安全地点。",
        "过去1小时雨量达到",
        "100.5毫米，",
        "榆树村以下河段请在",
        "15:30以前撤离。",
    ]


@given(st.text(max_size=600), st.floats(4.0, 20.0))
def test_nothing_is_lost_doubled_or_too_long(text, longest):
    shown = readable(text)
    found = pieces(shown, longest)
    assert "".join(found).replace(" ", "") == shown.replace(" ", "")
    assert all(seconds(piece) <= longest for piece in found)
    assert all(len(encoded(piece)) <= 2 * len(piece) for piece in found)


@given(st.text(st.characters(codec="gbk"), max_size=300))
def test_a_piece_fits_in_bytes_and_no_character_is_torn(text):
    for piece in pieces(readable(text), 10.0, lambda one: len(encoded(one)) <= 40):
        assert len(encoded(piece)) <= 40
        encoded(piece).decode("gbk")


def test_a_number_stays_whole():
    assert all("1500" in piece for piece in pieces("雨量1500毫米", 4.0))


@pytest.mark.parametrize("text", ["[v0]静音", "立即[m15]转移", "a]b["])
def test_a_text_cannot_command_the_chip(text):
    assert "[" not in readable(text)
    assert "]" not in readable(text)


def test_what_the_encoding_lacks_is_read_as_nothing():
    assert encoded("㐀山\N{PILE OF POO}洪") == " 山 洪".encode("gbk")
    assert encoded(readable("立即\x1b[2J转移\u202e到\x00")).decode("gbk") == "立即 （2J转移到"
