"""Signed acknowledgements: what is covered, what is not, and the one way to write JSON."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import event, receipt
from protocols.errors import LocalError
from protocols.key import Key
from protocols.receipt import canonical_json, covered, sign, verifies
from tests.support.receipt_vectors import vectors
from tests.support.seals import T0, private, public

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "receipt.json").read_text("utf-8"))
PUBLIC, KEY = public("station"), private("station")
FIELDS = {"alert": "00" * 32, "actuator": "siren", "reason": "", "evidence": {"coil": True, "seconds": 3.25}}


def sent(fields=FIELDS, kind="warning.ended", counter=5):
    """As a platform gets it."""
    proof = sign("s-1", kind, fields, counter=counter, said=T0, certain=True, key=KEY)
    stored = event.encode(kind, bytes(8), 5, {**fields, **proof})
    key = Key("s-1", "00112233445566ff", "alarm", 1, 1)
    return json.loads(event.to_wire(stored, key, lambda _boot, at: (at, True), floor=1, kind="backlog"))


def test_the_vectors_are_these():
    assert vectors() == VECTORS


@pytest.mark.parametrize("vector", VECTORS["events"], ids=lambda vector: vector["name"])
def test_vectors(vector):
    assert verifies(vector["event"], bytes.fromhex(VECTORS["public"]))
    assert covered("s-1", vector["event"]).decode() == vector["signed"]


def test_it_holds_however_it_travelled():
    message = sent()
    assert verifies(message, PUBLIC)
    assert verifies(message | {"kind": "resend", "floor": 9, "time": "x", "id": "y", "trusted": False, "at": 1}, PUBLIC)
    assert len(json.dumps({name: message[name] for name in ("counter", "said", "certain", "signature")})) < 170


@pytest.mark.parametrize(
    "change",
    [
        {"type": "warning.started"},
        {"station": "s-2"},
        {"alert": "11" * 32},
        {"reason": "x"},
        {"evidence": {"coil": True, "seconds": 3.5}},
        {"counter": 6},
        {"said": T0 + 1},
        {"certain": False},
        {"more": 1},
        {"signature": ""},
        {"signature": None},
        {"signature": "é"},
    ],
    ids=str,
)
def test_nothing_it_says_can_be_changed(change):
    assert not verifies(sent() | change, PUBLIC)
    message = sent()
    del message["reason"]
    assert not verifies(message, PUBLIC)
    assert not verifies(sent(), public("county"))


def test_what_json_cannot_say_is_not_signed():
    for wrong in ({"x": float("nan")}, {"x": "\ud800"}):
        with pytest.raises(LocalError):
            sign("s-1", "warning.ended", wrong, counter=1, said=T0, certain=True, key=KEY)
    for counter in (0, receipt.MAX_COUNTER + 1):
        with pytest.raises(LocalError):
            sign("s-1", "warning.ended", {}, counter=counter, said=T0, certain=True, key=KEY)


# RFC 8785, section 3.2.2.3 and appendix B
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740992.0, "9007199254740992"),
        (295147905179352830000.0, "295147905179352830000"),
        (1e21, "1e+21"),
        (9.999999999999997e22, "9.999999999999997e+22"),
        (999999999999999700000.0, "999999999999999700000"),
        (333333333.3333332, "333333333.3333332"),
        (0.000001, "0.000001"),
        (1e-7, "1e-7"),
        (1424953923781206.2, "1424953923781206.2"),
        (4.5, "4.5"),
        (2e-3, "0.002"),
        (1e-27, "1e-27"),
        (10.0, "10"),
        (100.5, "100.5"),
    ],
)
def test_numbers_as_rfc_8785_writes_them(value, text):
    assert canonical_json(value) == text


def test_names_stand_in_the_order_of_their_utf_16():
    text = canonical_json({"€": 1, "\r": 2, "\ufb33": 3, "1": 4, "😀": 5, "\x80": 6, "ö": 7})
    assert list(json.loads(text).values()) == [2, 4, 6, 7, 1, 5, 3]
    assert canonical_json({"a": [None, True, "\x0f\n€"], "": {}}) == '{"":{},"a":[null,true,"\\u000f\\n€"]}'


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_back_as_it_was(value):
    assert float(json.loads(canonical_json(value))) == value


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.floats() | st.none(), max_size=5))
def test_whatever_a_station_sends_is_judged(message):
    assert not verifies(message, PUBLIC)


def test_the_document_shows_the_first_vector():
    page = (Path(__file__).parents[2] / "docs" / "platform" / "acknowledgements.md").read_text("utf-8")
    vector = VECTORS["events"][0]
    assert f"```\n{vector['signed']}\n```" in page
    assert vector["event"]["signature"] in page
    assert VECTORS["public"] in page
