"""The words and the dialogue of SBD modems: transcripts whole, split anywhere, behind garbage."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalError, RemoteError
from protocols.sbd_dialogue import Ask, Dialogue, Indicator, Note, Reply, Ring
from protocols.sbd_status import STATUSES, Fate, meaning
from protocols.sbd_words import (
    bars,
    buffers,
    counted,
    imei,
    numbers,
    read_counted,
    registration,
    session,
    ticks,
    write_code,
    written,
)

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "sbd.json").read_text())
TRANSCRIPTS = VECTORS["transcripts"]
READERS = {"session": session, "buffers": buffers, "registration": registration}


def test_messages_and_their_sums():
    for vector in VECTORS["written"]:
        assert written(bytes.fromhex(vector["data"])).hex() == vector["bytes"]
    for vector in VECTORS["counted"]:
        data, frame = bytes.fromhex(vector["data"]), bytes.fromhex(vector["bytes"])
        assert counted(data) == frame
        assert read_counted(frame + b"\r\nOK") == (data, len(frame))
        assert all(read_counted(frame[:end]) is None for end in range(len(frame)))


@pytest.mark.parametrize("length", [0, 341])
def test_a_message_has_its_bounds(length):
    with pytest.raises(LocalError):
        written(bytes(length))


@given(st.binary(max_size=340))
def test_any_message_comes_back(data):
    assert read_counted(counted(data)) == (data, len(data) + 4)


@pytest.mark.parametrize(("frame", "reason", "offset"), [("ffff", "length", 0), ("000161 0062", "checksum", 3)])
def test_a_frame_that_lies(frame, reason, offset):
    with pytest.raises(RemoteError) as wrong:
        read_counted(bytes.fromhex(frame))
    assert (wrong.value.reason, wrong.value.offset) == (reason, offset)


@pytest.mark.parametrize("vector", VECTORS["lines"], ids=lambda vector: vector["line"])
@pytest.mark.parametrize("before", [b"", b"\xfe", b"\x80\xff junk "])
def test_result_lines(vector, before):
    lines, fields = [before + vector["line"].encode()], vector["fields"]
    match vector["is"]:
        case "signal":
            assert bars(lines) == fields[0]
        case "time":
            assert ticks(lines) == fields[0]
        case "indicator":
            assert numbers(lines, b"+CIEV", 2) == tuple(fields)
        case kind:
            assert tuple(READERS[kind](lines)) == tuple(fields)
    if "fate" in vector:
        assert meaning(fields[0]).fate == Fate(vector["fate"])


@pytest.mark.parametrize(
    "line",
    [
        b"+SBDIX: 1\xb8, 24, 2, 0, 0, 0",  # 18 with a bit turned over is no 1
        b"+SBDIX: 0, 23, 1, 237, 5",
        b"+SBDIX: 0, 23, 1, 237, 5, 0, 0",
        b"+SBDIX: 0, 23, 1, 237, 5, ",
        b"+SBDIX: 999999, 23, 1, 237, 5, 0",
    ],
)
def test_a_damaged_result_is_none(line):
    assert session([line]) is None


def test_other_words():
    assert imei([b"300234010753370"]) == "300234010753370"
    assert imei([b"9300234010753370"]) == ""
    assert bars([b"+CSQ:9"]) is None
    assert write_code([b"", b"2"]) == 2
    assert write_code([b"22", b"OK"]) is None
    assert ticks([b"-MSSTM: no network service"]) is None


def test_the_table_of_statuses():
    assert {code for code, status in STATUSES.items() if status.fate is Fate.SENT} == {0, 1, 2, 3, 4}
    assert {code for code, status in STATUSES.items() if status.fate is Fate.UNKNOWN} == {10, 13, 17, 18, 19}
    assert {code for code, status in STATUSES.items() if status.fate is Fate.FATAL} == {12, 14}
    assert meaning(36).wait == 180
    assert meaning(25).fate is meaning(-1).fate is meaning(999).fate is Fate.NOT_SENT


def ask(vector):
    dialogue = Dialogue()
    text = vector["say"].encode("latin-1")
    dialogue.ask(Ask(text, counted=text == b"AT+SBDRB\r"), 0.0)
    return dialogue


def expect(heard, vector):
    replies = [one for one in heard if isinstance(one, Reply)]
    lines = tuple(line.encode() for line in vector["lines"])
    data = bytes.fromhex(vector["data"]) if "data" in vector else None
    assert replies == [Reply(vector["final"], lines, data, vector.get("echoed", False))]
    assert sum(isinstance(one, Ring) for one in heard) == vector.get("rings", 0)
    indicators = [list(one) for one in heard if isinstance(one, Indicator)]
    assert indicators == vector.get("indicators", [])


@pytest.mark.parametrize("vector", TRANSCRIPTS, ids=lambda vector: repr(vector["hear"])[:60])
def test_a_reply_whole_and_split_at_every_byte(vector):
    hear = vector["hear"].encode("latin-1")
    expect(ask(vector).receive(hear), vector)
    for cut in range(1, len(hear)):
        dialogue = ask(vector)
        expect([*dialogue.receive(hear[:cut]), *dialogue.receive(hear[cut:])], vector)
    dialogue = ask(vector)
    expect([one for byte in hear for one in dialogue.receive(bytes([byte]))], vector)


@pytest.mark.parametrize("vector", TRANSCRIPTS, ids=lambda vector: repr(vector["hear"])[:60])
@pytest.mark.parametrize("garbage", [b"\xff\xfe\x80", b"\r\n\xf0\r\n", bytes(range(0x80, 0x100)) * 20, b"\r" * 400])
def test_a_reply_behind_garbage(vector, garbage):
    dialogue = ask(vector)
    heard = [*dialogue.receive(garbage + b"\r"), *dialogue.receive(vector["hear"].encode("latin-1"))]
    replies = [one for one in heard if isinstance(one, Reply)]
    assert [(one.final, one.data) for one in replies] == [
        (vector["final"], bytes.fromhex(vector["data"]) if "data" in vector else None)
    ]
    assert all(line.encode() in replies[0].lines for line in vector["lines"])


def test_patience():
    dialogue = Dialogue()
    dialogue.ask(Ask(b"AT\r", 5.0), 10.0)
    dialogue.receive(b"half a li")
    assert dialogue.deadline == 15.0
    assert dialogue.tick(14.9) == []
    assert dialogue.tick(15.0) == [Reply("")]
    assert dialogue.deadline is None
    assert dialogue.tick(99.0) == []
    assert dialogue.receive(b"\r\nOK\r\n") == [Note("stray")]


@given(st.lists(st.binary(max_size=600), max_size=20), st.booleans())
def test_anything_is_bounded_and_never_breaks(chunks, count):
    dialogue = Dialogue()
    dialogue.ask(Ask(b"AT+SBDRB\r", counted=count), 0.0)
    for chunk in chunks:
        for heard in dialogue.receive(chunk):
            assert isinstance(heard, Reply | Ring | Indicator | Note)
        assert len(dialogue._held) <= 2 * 340 + 600
        assert len(dialogue._lines) <= 32
