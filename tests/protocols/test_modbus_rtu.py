import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import modbus_tcp
from protocols.errors import LocalError, RemoteError
from protocols.modbus_decode import decode
from protocols.modbus_pdu import (
    MOST,
    READS_BITS,
    READS_WORDS,
    WRITES_ONE,
    Refusal,
    Reply,
    Request,
    decode_reply,
    decode_request,
    encode,
)
from protocols.modbus_rtu import Frame, Garbage, RtuStream, readings, seal, unseal

VECTORS = json.loads((Path(__file__).parent.parent / "vectors/modbus.json").read_text())
FRAMES = [bytes.fromhex(row["frame"]) for row in VECTORS["rtu"]]
NOISE = [b"", b"\x00", b"\xff\xfe\x00", bytes.fromhex("0103"), bytes(range(1, 30)), FRAMES[0][:-1] + b"\x00"]

words = st.integers(0, 0xFFFF)


@st.composite
def requests(draw):
    function = draw(st.sampled_from(sorted(MOST) + sorted(WRITES_ONE)))
    count = draw(st.integers(1, min(MOST.get(function, 1), 60)))
    address = draw(st.integers(0, 0xFFFF - count))
    if function in READS_BITS | READS_WORDS:
        return Request(function, address, count)
    values = st.integers(0, 1) if function == 15 else words
    return Request(function, address, count, tuple(draw(st.lists(values, min_size=count, max_size=count))))


def heard(data, pieces=1):
    stream = RtuStream()
    found = [event for n in range(0, len(data), pieces) for event in stream.receive(data[n : n + pieces], 0.0)]
    return found + stream.flush()


@pytest.mark.parametrize("row", VECTORS["rtu"], ids=lambda row: row["frame"])
def test_vector_whole_and_both_ways(row):
    frame = bytes.fromhex(row["frame"])
    unit, pdu = unseal(frame)
    assert heard(frame, len(frame)) == [Frame(unit, pdu)]
    assert [encode(one) for one in readings(pdu)] == [pdu] * len(readings(pdu))
    assert seal(unit, pdu) == frame


@pytest.mark.parametrize("frame", FRAMES, ids=bytes.hex)
@pytest.mark.parametrize("noise", NOISE, ids=bytes.hex)
def test_vector_byte_by_byte_behind_noise(frame, noise):
    found = heard(noise + frame)
    assert [one for one in found if isinstance(one, Frame)][-1] == Frame(frame[0], frame[1:-2])
    garbage = b"".join(one.data for one in found if isinstance(one, Garbage))
    assert garbage == noise


@pytest.mark.parametrize("frame", FRAMES, ids=bytes.hex)
def test_vector_split_at_every_byte(frame):
    for at in range(1, len(frame)):
        stream = RtuStream()
        assert stream.receive(frame[:at], 0.0) == []
        assert stream.receive(frame[at:], 0.0) == [Frame(frame[0], frame[1:-2])]


def test_all_vectors_in_one_stream():
    assert [seal(*one) for one in heard(b"".join(FRAMES), 7)] == FRAMES


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("010300010001D5CB", "crc"),
        ("02030605A1000800BA8879", "crc"),
        ("02030605A10008", "truncated"),
        ("5003", "truncated"),
        ("deadbeefdeadbeefdead", "garbage"),
    ],
)
def test_garbage_is_called_by_its_name(data, reason):
    assert decode(bytes.fromhex(data)) == [{"error": reason, "bytes": data.lower()}]


def test_decode_says_what_a_frame_may_be():
    assert decode(bytes.fromhex("018302C0F1")) == [
        {"unit": 1, "function": 3, "is": "exception", "code": 2, "meaning": "illegal address"}
    ]
    both = decode(bytes.fromhex("01050000FF008C3A"))[0]
    assert both["is"] == "request or reply"
    assert both["request"] == {"address": 0, "count": 1, "values": [0xFF00]}


def test_a_reply_is_told_with_what_was_asked():
    """Words, bits without their padding, a write whose echo looks like itself, a refusal, and what nobody asked."""
    words, bits, write = Request(3, 7, 2), Request(1, 4, 3), Request(6, 5, 1, (9,))
    line = [
        *((4, encode(words)), (4, bytes.fromhex("030400010002"))),
        *((4, encode(bits)), (4, bytes.fromhex("010105"))),
        *((4, encode(write)), (4, encode(write))),
        *((4, encode(words)), (9, bytes.fromhex("030400010002")), (4, bytes.fromhex("8302"))),
    ]
    rows = decode(b"".join(seal(*one) for one in line))
    assert [(row["is"], row.get("address")) for row in rows] == [
        ("request", 7), ("reply", 7), ("request", 4), ("reply", 4), ("request or reply", None), ("reply", 5),
        ("request", 7), ("reply", None), ("exception", 7),
    ]  # fmt: skip
    assert rows[1]["values"] == [1, 2]
    assert rows[3]["values"] == [1, 0, 1]


def test_silence_ends_a_frame():
    stream = RtuStream(silence=0.05)
    assert stream.receive(FRAMES[2][:5], 10.0) == []
    assert stream.deadline == 10.05
    assert stream.tick(10.01) == []
    assert stream.tick(10.05) == [Garbage("truncated", FRAMES[2][:5])]
    assert stream.deadline is None


@given(requests())
def test_requests_come_back(request_):
    assert decode_request(encode(request_)) == request_


@given(st.sampled_from(sorted(READS_WORDS)), st.lists(words, min_size=1, max_size=125))
def test_words_come_back(function, values):
    reply = Reply(function, tuple(values))
    assert decode_reply(encode(reply)) == reply


@given(st.integers(1, 6), st.integers(0, 255))
def test_refusals_come_back(function, code):
    assert decode_reply(encode(Refusal(function, code))) == Refusal(function, code)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_pdu_or_the_remote_ends_fault(data):
    for read in (decode_request, decode_reply):
        try:
            read(data)
        except RemoteError:
            continue


@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from(FRAMES)), max_size=12), st.integers(1, 64))
def test_no_byte_is_lost_and_memory_is_bounded(parts, size):
    data = b"".join(parts)
    stream, found = RtuStream(), []
    for n in range(0, len(data), size):
        found += stream.receive(data[n : n + size], 0.0)
        assert len(stream._data) <= 256 + size
    found += stream.flush()
    assert b"".join(one.data if isinstance(one, Garbage) else seal(*one) for one in found) == data


@pytest.mark.parametrize(
    "bad", [Request(3, 0, 126), Request(1, 0, 2001), Request(3, 0xFFFF, 2), Request(6, 0, 1, (70000,)), Request(7, 0)]
)
def test_we_do_not_send_what_breaks_the_rule(bad):
    with pytest.raises(LocalError):
        encode(bad)


@pytest.mark.parametrize("row", VECTORS["tcp"], ids=lambda row: row["frame"])
def test_tcp_vectors(row):
    frame, said = bytes.fromhex(row["frame"]), row["decoded"]
    (adu,), rest = modbus_tcp.split(frame)
    assert (adu.transaction, adu.unit, rest) == (said["tid"], said.get("unit", 1), b"")
    assert modbus_tcp.wrap(*adu) == frame
    if "regs" in said:
        assert decode_reply(adu.pdu).values == tuple(said["regs"])
    else:
        assert decode_request(adu.pdu) == Request(said["fc"], said["addr"], said["count"])


@given(st.binary(max_size=600))
def test_any_bytes_are_adus_or_the_remote_ends_fault(data):
    try:
        found, rest = modbus_tcp.split(data)
    except RemoteError:
        return
    assert b"".join(modbus_tcp.wrap(*adu) for adu in found) + rest == data
