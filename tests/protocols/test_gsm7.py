import pytest
from hypothesis import given
from hypothesis import strategies as st
from smspdudecoder.codecs import GSM

from protocols import gsm7
from protocols.errors import LocalError

ALL = gsm7.BASIC.replace("\x1b", "") + "".join(gsm7.EXTENSION.values())
TEXT = st.text(ALL, max_size=160)


def test_the_tables_are_whole():
    assert len(gsm7.BASIC) == 128
    assert len(set(ALL)) == 127 + 10
    assert GSM.ALPHABET[0x1B] == gsm7.BASIC[0x1B]
    assert {place for place in range(128) if GSM.ALPHABET[place] != gsm7.BASIC[place]} <= {0x24}  # ¤ by TS 23.038
    assert GSM.ALPHABET_EXT == gsm7.EXTENSION


@pytest.mark.parametrize(
    ("text", "packed"),
    [
        ("hellohello", "E8329BFD4697D9EC37"),
        ("2 € par mois", "32D0A60C8287E5A0F63B3D07"),
        ("1234567", "31D98C56B3DD00"),
        ("", ""),
        ("@", "00"),
        ("AAAAAAAA", "C16030180C0683"),
    ],
)
def test_published_packings(text, packed):
    septets = gsm7.encode(text)
    assert gsm7.pack(septets).hex().upper() == packed
    assert gsm7.decode(gsm7.unpack(bytes.fromhex(packed), len(septets))) == text


@given(TEXT, st.integers(0, 6))
def test_any_text_comes_back(text, fill):
    septets = gsm7.encode(text)
    packed = gsm7.pack(septets, fill)
    assert len(packed) == gsm7.octets(len(septets), fill)
    assert gsm7.unpack(packed, len(septets), fill) == septets
    assert gsm7.decode(septets) == text
    assert gsm7.covers(text)


@given(TEXT.filter(lambda text: "¤" not in text))
def test_packed_as_another_packs(text):
    septets = gsm7.encode(text)
    if len(septets) % 8 != 7:  # the other takes the spare bits for one more character
        assert GSM.decode(gsm7.pack(septets).hex()) == text


@given(st.binary(max_size=200))
def test_any_septets_are_a_text(septets):
    assert isinstance(gsm7.decode(septets), str)


def test_escapes_that_lead_nowhere():
    assert gsm7.decode(b"\x1bA\x1b\x1bB\x1b") == "A B"


def test_what_has_no_place_says_where():
    with pytest.raises(LocalError) as wrong:
        gsm7.encode("ab雨")
    assert (wrong.value.reason, wrong.value.offset) == ("gsm7", 2)
    assert not gsm7.covers("雨")


def test_more_septets_than_octets():
    with pytest.raises(LocalError, match="septets"):
        gsm7.unpack(b"\x00", 2)
