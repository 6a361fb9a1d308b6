"""JSPR: captured lines both ways, checks of captured messages, and noise."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import jspr
from protocols.errors import LocalError, RemoteError
from protocols.jspr import Request, Response, decode, encode, opened, originate, sealed, segment, segment_data

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "jspr.json").read_text())


@pytest.mark.parametrize("vector", VECTORS["crc"], ids=lambda vector: vector["text"])
def test_checks_of_captured_messages(vector):
    payload = vector["text"].encode()
    assert jspr.crc(payload).hex() == vector["crc"]
    assert opened(sealed(payload)) == payload


@pytest.mark.parametrize("vector", VECTORS["requests"], ids=lambda vector: vector["line"][:40])
def test_requests_both_ways(vector):
    line = vector["line"].encode()
    request = decode(line)
    assert isinstance(request, Request)
    assert request.fields == vector["fields"]
    assert encode(request) == line + b"\r"


@pytest.mark.parametrize("vector", VECTORS["responses"], ids=lambda vector: vector["line"][:40])
def test_responses(vector):
    response = decode(vector["line"].encode() + b"\r")
    assert response == Response(vector["code"], vector["target"], vector["fields"])
    assert response.code in jspr.CODES
    assert response.news == (vector["code"] == 299)


def test_a_message_as_it_was_captured():
    payload = VECTORS["segment"]["payload"].encode()
    assert originate(244, payload, 1) == decode(VECTORS["requests"][-1]["line"].encode())
    asked = decode(VECTORS["responses"][3]["line"].encode())
    assert asked.fields["segment_length"] == len(sealed(payload))
    answer = segment(asked, payload)
    start, data = segment_data(decode(encode(answer).strip()))
    assert (start, opened(data)) == (0, payload)
    assert answer.fields["data"] == VECTORS["segment"]["data"]


@given(st.binary(min_size=1, max_size=4000), st.integers(1, jspr.SEGMENT_MOST))
def test_any_message_in_segments(payload, size):
    message, got = sealed(payload), b""
    for start in range(0, len(message), size):
        length = min(size, len(message) - start)
        asked = Response(299, "messageOriginateSegment", {"segment_start": start, "segment_length": length})
        at, data = segment_data(decode(encode(segment(asked, payload)).strip()))
        assert at == len(got)
        got += data
    assert opened(got) == payload


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"segment_start": -1, "segment_length": 1},
        {"segment_start": 0, "segment_length": 99},
        {"segment_start": "0"},
    ],
)
def test_a_segment_that_is_none(fields):
    with pytest.raises(RemoteError):
        segment(Response(299, "messageOriginateSegment", fields), b"abc")


@pytest.mark.parametrize("fields", [{"segment_start": 0}, {"segment_start": 0, "data": "é"}, {"data": "AA=="}])
def test_segment_data_that_is_none(fields):
    with pytest.raises(RemoteError):
        segment_data(Response(299, "messageTerminateSegment", fields))


def test_bounds():
    with pytest.raises(LocalError):
        sealed(b"")
    with pytest.raises(LocalError):
        encode(Request("PUT", "x y"))
    with pytest.raises(LocalError):
        encode(Request("PUT", "x", {"a": "b" * 9000}))
    with pytest.raises(RemoteError):
        decode(b"200 x {" + b" " * 9000 + b"}")
    with pytest.raises(RemoteError):
        opened(b"ab")


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(lambda tail: b"299 x {" + tail)))
def test_noise_is_refused_and_nothing_worse(line):
    try:
        found = decode(line)
    except RemoteError:
        return
    assert isinstance(found, Request | Response)


def test_a_capture_of_lines():
    assert list(jspr.lines(b"405\r\r\n299 x {}\r")) == [b"405", b"299 x {}"]
