import json
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.framing import Flaw
from protocols.nmea import LONGEST, NmeaStream, Sentence, parse, seal

HERE = Path(__file__).parent.parent
VECTORS = json.loads((HERE / "vectors/nmea.json").read_text())
VALID = [row["sentence"].encode() for row in VECTORS["valid"]]
CAPTURES = sorted((HERE / "captures").glob("*.log"))


def heard(data, size=1000000, **options):
    stream = NmeaStream(**options)
    return [event for n in range(0, len(data), size) for event in stream.receive(data[n : n + size])]


@pytest.mark.parametrize("line", VALID, ids=lambda line: line.decode())
def test_vector_whole_split_and_behind_garbage(line):
    (event,) = heard(line + b"\r\n")
    assert isinstance(event, Sentence)
    for at in range(len(line)):
        stream = NmeaStream()
        assert stream.receive(line[:at]) + stream.receive(line[at:] + b"\r\n") == [event]
    for noise in (b"\xff\x00", b"$GPGGA,0301", b"*7F", b"\x80" * 2000, b"$" * 9):
        assert heard(noise + line + b"\r\n")[-1] == event
    talker = event.talker + event.kind
    assert seal(",".join([talker, *event.fields])).rstrip() == line


@pytest.mark.parametrize(
    ("row", "reason"),
    list(zip(VECTORS["negative"], ["checksum", None, "checksum", "no-checksum"], strict=True)),
    ids=lambda value: value["note"] if isinstance(value, dict) else str(value),
)
def test_negative_vector(row, reason):
    events = heard(row["sentence"].encode() + b"\r\n")
    if reason:
        assert [event.reason for event in events] == [reason]
        return
    assert events[0] == Flaw("truncated", b"$GPGGA,030130")
    assert events[1].kind == "GLL"


def test_a_sentence_without_checksum_only_where_allowed():
    line = b"$WIMWV,57.5,R,13.0,N,A\r\n"
    assert heard(line, checksum=False) == [Sentence("WI", "MWV", ["57.5", "R", "13.0", "N", "A"])]
    assert heard(b"$WIMWV,57.5,R,13.0,N,A*27\r\n", checksum=False)[0].reason == "checksum"


def test_two_sentences_on_one_line_are_both_read():
    both = VALID[0] + VALID[5] + b"\r\n"
    assert [event.kind for event in heard(both)] == ["MWV", "ZDA"]


def test_makers_own_sentences_and_beidou_talkers():
    assert parse(b"$PSRFEPE,074150.799,V,,,,,*23").talker == "P"
    assert parse(b"$BDGSA,A,1,,,,,,,,,,,,,,,,*23").talker == "BD"


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_captures_are_read_alike_however_they_come(capture):
    data = capture.read_bytes()
    whole = heard(data)
    good = [event for event in whole if isinstance(event, Sentence)]
    assert len(good) >= 0.98 * sum(line.startswith(b"$") for line in data.splitlines())
    for size in (1, 7, 512):
        assert heard(data, size) == whole


@given(st.lists(st.binary(max_size=300), max_size=20), st.booleans())
def test_any_bytes_are_sentences_or_flaws_and_memory_is_bounded(chunks, required):
    stream = NmeaStream(checksum=required)
    for chunk in chunks:
        assert all(isinstance(event, Sentence | Flaw) for event in stream.receive(chunk))
        assert len(stream._lines._rest) <= LONGEST


TEXT = st.text(string.ascii_letters + string.digits + ".-", max_size=8)


@given(st.sampled_from(["WIMWV", "GNGGA", "BDGSV"]), st.lists(TEXT, max_size=12))
def test_what_is_sealed_is_read(address, fields):
    event = heard(seal(",".join([address, *fields])))[0]
    assert event == Sentence(address[:2], address[2:], fields)


@given(st.sampled_from(VALID), st.data())
def test_a_flipped_bit_is_never_a_sentence_of_the_same_kind(line, draw):
    """XOR sees every single flip inside the sentence."""
    at = draw.draw(st.integers(1, line.index(b"*") - 1))
    bit = draw.draw(st.integers(0, 7))
    broken = line[:at] + bytes([line[at] ^ 1 << bit]) + line[at + 1 :]
    assert not [event for event in heard(broken + b"\r\n") if isinstance(event, Sentence)]
