"""The envelope: every vector whole, split anywhere and behind noise; what has no end; any bytes at all."""

import json
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import rdss
from protocols.checksums import xor8
from protocols.rdss import LONGEST, Flaw, Sentence, Sentences, Text, card_name, is_card, seal, split

VECTORS = json.loads((Path(__file__).parent.parent / "vectors/beidou.json").read_text(encoding="utf-8"))
VALID = [row["sentence"].encode("gbk") for row in VECTORS["sentences"] if row["valid"]]
BROKEN = [row["sentence"].encode("gbk") for row in VECTORS["sentences"] if not row["valid"]]
NOISE = (
    b"\xff\x00\x80",
    b"$BDTXR,1,0412",
    b"*7F",
    b"\x80" * 5000,
    b"$" * 9,
    b"$BDFKI,TXA,Y,Y,0,0040*00",
    "北斗".encode("gbk"),
)


def heard(data, size=1 << 20):
    sentences = Sentences()
    return [found for n in range(0, len(data), size) for found in sentences.feed(data[n : n + size])]


@pytest.mark.parametrize("line", VALID, ids=lambda line: line[:24].decode("ascii", "replace"))
def test_vector_whole_split_and_behind_garbage(line):
    (sentence,) = heard(line + b"\r\n")
    assert isinstance(sentence, Sentence)
    assert seal(sentence.address, sentence.body).rstrip() == line
    assert heard(line + b"\r\n", 1) == [sentence]
    for at in range(len(line)):
        sentences = Sentences()
        assert sentences.feed(line[:at]) + sentences.feed(line[at:] + b"\r\n") == [sentence]
    for noise in NOISE:
        assert heard(noise + line + b"\r\n")[-1] == sentence
    assert heard(line[1:] + b"\r\n") == [sentence]  # without its $, as some firmware writes it
    assert [found for found in heard(line + VALID[0] + b"\r\n") if isinstance(found, Sentence)][-2:] == [
        sentence,
        *heard(VALID[0] + b"\n"),
    ]


@pytest.mark.parametrize("line", BROKEN, ids=lambda line: line[:24].decode("ascii", "replace"))
def test_what_does_not_add_up_is_a_flaw_with_its_place(line):
    (flaw,) = heard(line + b"\r\n")
    assert isinstance(flaw, Flaw)
    assert flaw.reason in ("checksum", "no-checksum")
    assert line[flaw.offset : flaw.offset + 1] == b"*"


def test_a_sentence_cut_off_by_the_next_costs_only_itself():
    found = heard(b"$BDTXR,1,0412$BDFKI,TXA,Y,Y,0,0040*17\r\n")
    assert found == [Flaw("truncated", b"$BDTXR,1,0412", 13), Sentence("BDFKI", b"TXA,Y,Y,0,0040")]


def test_text_may_hold_what_looks_like_a_sentence_and_its_checksum():
    words = "转发：$BDFKI,TXA,N,Y,0,0000*04 与 *FF，完".encode("gbk")
    line = seal("BDTXR", "1", "0412159", "2", "", b"A4" + words)
    assert heard(line) == [Sentence("BDTXR", b"1,0412159,2,,A4" + words)]


def test_plain_words_are_words():
    assert heard(b"TCQ OK!\r\nREADY FOR TRANSMISSION\r\n\r\n") == [Text("TCQ OK!"), Text("READY FOR TRANSMISSION")]


def test_a_line_without_end_is_bounded():
    sentences = Sentences()
    for _ in range(100):
        assert sentences.feed(b"$BDTXR," * 1000) == []
        assert len(sentences._lines._rest) <= LONGEST
    assert sentences.feed(b"\r\n" + VALID[0] + b"\r\n")[-1].address == "CCICA"


@pytest.mark.parametrize("hostile", [b"*0" * 2048, b"*00" * 1365, b"$BDTXR,*00" * 409, b"$BDTXR," * 585])
def test_a_hostile_line_costs_little(hostile, monkeypatch):
    summed = []
    monkeypatch.setattr(rdss, "xor8", lambda data: summed.append(len(data)) or xor8(data))
    assert not any(isinstance(found, Sentence) and found.kind == "FKI" for found in split(hostile))
    assert sum(summed) <= 100 * len(hostile)


def test_numbers_of_cards():
    assert card_name("04204986") == card_name("4204986") == "4204986"
    assert card_name("242286") == "0242286"
    assert card_name("15240507") == "15240507"
    assert [is_card(text) for text in ("0242286", "0", "", "12a", "٣", "1" * 11)] == [True, *[False] * 5]


@given(st.lists(st.binary(max_size=300), max_size=12))
def test_any_bytes_are_something_and_memory_is_bounded(chunks):
    sentences = Sentences()
    for chunk in chunks:
        assert all(isinstance(found, Sentence | Flaw | Text) for found in sentences.feed(chunk))
        assert len(sentences._lines._rest) <= LONGEST


@given(st.lists(st.sampled_from([*VALID, *BROKEN, *NOISE, b"\r\n", b"$", b"*"]), max_size=12), st.integers(1, 40))
def test_how_bytes_come_in_changes_nothing(pieces, size):
    data = b"".join(pieces) + b"\r\n"
    assert heard(data, size) == heard(data) or len(data) > LONGEST


RAW = st.binary(max_size=80).filter(lambda data: not {10, 13} & set(data) and b"$" not in data)


@given(st.sampled_from(["BDTXR", "CCTCQ", "BDICP"]), st.text(string.ascii_uppercase + string.digits, max_size=8), RAW)
def test_what_is_sealed_is_read_whatever_it_holds(address, field, raw):
    assert heard(seal(address, field, raw)) == [Sentence(address, field.encode() + b"," + raw)]
