import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import event
from protocols.errors import RemoteError
from protocols.record import Key

BOOT = bytes(range(8))
KEY = Key("s-1", "00112233445566ff", "alarm", 5, 5)
PLAIN = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text()
NAMES = st.text(min_size=1, max_size=20).filter(lambda name: name not in event.RESERVED)
FIELDS = st.dictionaries(
    NAMES,
    PLAIN.filter(lambda x: x not in (float("inf"), -float("inf")))
    | st.lists(PLAIN.filter(lambda x: not isinstance(x, float)), max_size=3),
    max_size=5,
)


def wall(_boot, at):
    return 1_700_000_000_007 + at, False


@given(st.text(min_size=1, max_size=40), st.integers(-(2**62), 2**62), FIELDS)
def test_fields_come_back(kind, at, fields):
    stored = event.decode(event.encode(kind, BOOT, at, fields))
    assert stored == {"type": kind, "boot": BOOT.hex(), "at": at, **fields}


def test_the_wire_form_adds_who_which_and_when():
    stored = event.encode("设备.down", BOOT, 993, {"device": "雨量计", "reason": "timeout"})
    assert stored.startswith(b"{")
    sent = event.to_wire(stored, KEY, wall, floor=4, kind="backlog")
    assert json.loads(sent) == {
        "version": 1,
        "type": "设备.down",
        "station": "s-1",
        "id": "00112233445566ff/alarm/5-5",
        "kind": "backlog",
        "floor": 4,
        "time": "2023-11-14T22:13:21.000Z",
        "trusted": False,
        "boot": "0001020304050607",
        "at": 993,
        "device": "雨量计",
        "reason": "timeout",
    }
    assert event.decode(sent)["type"] == "设备.down"


@pytest.mark.parametrize("name", sorted(event.RESERVED))
def test_an_event_cannot_speak_for_the_station(name):
    stored = event.decode(event.encode("x", BOOT, 1, {name: "mine"}))
    assert stored == {"type": "x", "boot": BOOT.hex(), "at": 1, f"{name}_": "mine"}


LOOP: list[object] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    "value",
    [float("nan"), [float("inf")], b"bytes", Path("a"), {5: "five"}, {(1, 2): 3}, "\ud800", LOOP, "x" * 100_000],
)
def test_telling_a_fault_never_fails(value):
    body = event.encode("x", BOOT, 1, {"value": value, "good": 5})
    assert event.decode(body)["type"] == "x"
    assert len(event.to_wire(body, KEY, wall, floor=1, kind="live")) < event.MAX_BODY


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"type":5}', b"\xff", b"[" * 50_000, b'{"type":"x"}' + b" " * event.MAX_BODY]
)
def test_what_is_no_event_is_refused(body):
    with pytest.raises(RemoteError, match=r"event\."):
        event.decode(body)


@pytest.mark.parametrize(
    "body", [b'{"type":"x"}', b'{"type":"x","boot":"zz","at":1}', b'{"type":"x","boot":"00","at":"1"}']
)
def test_a_body_without_its_moment_cannot_be_sent(body):
    with pytest.raises(RemoteError, match=r"event\.shape"):
        event.to_wire(body, KEY, wall, floor=1, kind="live")


@given(st.binary(max_size=200))
def test_noise_raises_nothing_else(noise):
    try:
        event.decode(noise)
    except RemoteError:
        return


@pytest.mark.parametrize(
    ("unix_ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000_007, "2023-11-14T22:13:20.007Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_iso(unix_ms, text):
    assert event.iso(unix_ms) == text
