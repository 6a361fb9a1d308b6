"""DirectIP: the guide's examples both ways, and whatever else a socket may deliver."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import directip
from protocols.directip import HEAD, Location, Mo, MoConfirmed, Mt, MtConfirmed, decode, encode, length
from protocols.errors import LocalError, RemoteError

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "directip.json").read_text())

imeis = st.text("0123456789", min_size=15, max_size=15)
payloads = st.binary(max_size=1960)
u16, u32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
places = st.builds(
    lambda north, east, radius: Location(north / 60_000, east / 60_000, radius),
    st.integers(-90 * 60_000, 90 * 60_000),
    st.integers(-180 * 60_000, 180 * 60_000),
    u32,
)
messages = st.one_of(
    st.builds(Mo, imeis, u16, u32, payloads, st.integers(0, 255), u16, u32, st.one_of(st.none(), places)),
    st.builds(MoConfirmed, st.booleans()),
    st.builds(Mt, imeis, payloads, st.binary(min_size=4, max_size=4), u16, st.one_of(st.none(), st.integers(1, 5))),
    st.builds(MtConfirmed, st.binary(min_size=4, max_size=4), imeis, u32, st.integers(-32768, 32767)),
)


def fields(message):
    plain = {}
    for name, value in message._asdict().items():
        plain[name] = value.hex() if isinstance(value, bytes) else value
    return plain


def flaw(data):
    """Where it is wrong; None where it is right."""
    try:
        encode(decode(data))
    except RemoteError as wrong:
        return wrong.offset
    return None


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda vector: vector["bytes"][:30])
def test_examples_both_ways(vector):
    data = bytes.fromhex(vector["bytes"])
    message = decode(data)
    found = fields(message)
    assert type(message).__name__ == vector["is"]
    expected = dict(vector["fields"])
    if "location" in expected:
        assert tuple(found["location"]) == pytest.approx(expected.pop("location"))
    assert {name: found[name] for name in expected} == expected
    assert encode(message) == data
    assert length(data[:HEAD]) == len(data) - HEAD


@pytest.mark.parametrize("vector", VECTORS["wrong"], ids=lambda vector: vector["bytes"])
def test_what_is_wrong_and_where(vector):
    with pytest.raises(RemoteError) as wrong:
        decode(bytes.fromhex(vector["bytes"]))
    assert (wrong.value.reason, wrong.value.offset) == (vector["reason"], vector["offset"])


@given(messages)
def test_any_message_comes_back(message):
    data = encode(message)
    found = decode(data)
    assert encode(found) == data
    if isinstance(message, Mo) and message.location is not None:
        assert found.location == pytest.approx(message.location)
    else:
        assert found == message


@given(st.binary(max_size=200))
def test_noise_is_refused_and_nothing_worse(data):
    for attempt in (data, b"\1" + len(data).to_bytes(2, "big") + data):
        offset = flaw(attempt)
        assert offset is None or 0 <= offset <= len(attempt)


@given(messages, st.data())
def test_a_damaged_message(message, data):
    good = encode(message)
    cut = data.draw(st.integers(0, len(good) - 1))
    with pytest.raises(RemoteError):
        decode(good[:cut])
    turned = bytearray(good)
    turned[cut] ^= data.draw(st.integers(1, 255))
    flaw(bytes(turned))


def test_elements_in_any_order_and_unknown_ones():
    payload, header, unknown = (
        "02 0002 6869",
        "01 001c 00000000" + b"300234010753370".hex() + "00 0001 0000 00000000",
        "77 0001 00",
    )
    body = bytes.fromhex(unknown + payload + header)
    assert decode(b"\1" + len(body).to_bytes(2, "big") + body).payload == b"hi"


def test_what_cannot_be_said():
    with pytest.raises(LocalError):
        encode(Mt("123"))
    with pytest.raises(LocalError):
        encode(Mt("300234010753370", bytes(1961)))


def test_every_status_has_a_name():
    assert set(directip.MT_STATUSES) == set(range(-11, 1))
    assert MtConfirmed(b"1234", "300234010753370", 1, 50).queued
    assert not MtConfirmed(b"1234", "300234010753370", 0, -5).queued
