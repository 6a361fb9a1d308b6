import json

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import columns, event, record, resend, senml
from protocols.errors import LocalError, RemoteError
from protocols.reading import Reading
from protocols.record import Key, joined, parse_key
from tests.support.surfrad import BOOT

LOG = "00112233445566ff"


@given(st.integers(1, 2**63 - 1), st.integers(1, 2**63 - 1), st.sampled_from(record.LANES))
def test_keys_come_back(one, other, lane):
    key = Key("s-1", LOG, lane, min(one, other), max(one, other))
    assert parse_key("s-1", key.text) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        f"{LOG}/telemetry/1",
        f"{LOG}/telemetry/0-1",
        f"{LOG}/telemetry/2-1",
        f"{LOG}/telemetry/-1-1",
        f"{LOG}/telemetry/1-{2**63}",
        f"{LOG}/telemetry/01-1",
        f"{LOG}/other/1-1",
        f"{LOG.upper()}/telemetry/1-1",
        f"{LOG}/telemetry/1-1\n",
        f"{LOG}/telemetry/1-1" + "0" * 10000,
        f"{LOG}/telemetry/١-٢",
    ],
)
def test_anything_else_is_no_key(text):
    with pytest.raises(RemoteError, match=r"key\."):
        parse_key("s-1", text)


@pytest.mark.parametrize("station", ["", "a/b", "+", "#", "a" * 33, "é"])
def test_a_key_needs_a_station(station):
    with pytest.raises(RemoteError, match=r"key\.malformed"):
        parse_key(station, f"{LOG}/telemetry/1-1")


def test_keys_join_without_gaps_only():
    one, two, four = (Key("s", LOG, "telemetry", n, n) for n in (1, 2, 4))
    assert joined([one, two]) == Key("s", LOG, "telemetry", 1, 2)
    for pair in ([one, four], [one, two._replace(log=LOG[::-1])], [one, two._replace(lane="event")]):
        with pytest.raises(LocalError, match=r"key\.gap"):
            joined(pair)


# The packed message

PARTS = [1, "s", bytes.fromhex(LOG), 2, 1, 1, 0, 1, [BOOT, 1_700_000_000_000, True], []]


def packed(**changed):
    names = ("version", "station", "log", "lane", "first", "last", "kind", "floor", "anchor", "bodies")
    return cbor2.dumps([changed.get(name, part) for name, part in zip(names, PARTS, strict=True)])


def test_the_packed_form_is_ten_parts():
    body = columns.pack(BOOT, [Reading("x", 5, 1.0, "m", 1)])
    sent = record.encode_packed(
        Key("s", LOG, "telemetry", 1, 1), [body], lambda _b, at: (1_700_000_000_000 + at, True), floor=1, kind="live"
    )
    assert sent == packed(bodies=[body])
    assert len(sent) - len(body) < 60


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 2},
        {"version": True, "station": 5},
        {"station": "a/b"},
        {"log": b"short"},
        {"lane": 4},
        {"lane": -1},
        {"first": 0},
        {"first": 2},
        {"last": 2**63},
        {"kind": 3},
        {"floor": -1},
        {"floor": 2**64},
        {"anchor": "x"},
        {"bodies": [5]},
        {"bodies": None},
    ],
)
def test_packed_messages_outside_the_contract_are_refused(changed):
    with pytest.raises(RemoteError):
        record.decode(packed(**changed))


@pytest.mark.parametrize(
    "anchor", [None, [], [BOOT], [BOOT[::-1], 1_700_000_000_000, True], [BOOT, 2**60, True], [BOOT, "x", True]]
)
def test_a_body_without_its_anchor_is_kept_undated(anchor):
    body = columns.pack(BOOT, [Reading("x", 5, 1.0, "m", 1)])
    heard = record.decode(packed(anchor=anchor, bodies=[body]))
    assert (heard.measurements, heard.foreign) == ([], [body])


def test_many_small_bodies_that_unfold_are_refused():
    still = columns.pack(BOOT, [Reading("x", 1000 * n, 1.0, "m", 1) for n in range(4000)])
    assert len(still) < 40
    with pytest.raises(RemoteError, match=r"record\.long"):
        record.decode(packed(bodies=[still] * 400))


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ({"bn": "urn:dev:mac:1"}, "head"),
        ({"version": 2}, "head"),
        ({"kind": "old"}, "head"),
        ({"id": "x"}, "key.malformed"),
        ({"floor": -1}, "floor"),
        ({"floor": True}, "floor"),
        ({"number": 9}, "number"),
    ],
)
def test_senml_messages_outside_the_contract_are_refused(head, reason):
    good = {"bn": "urn:fengsui:s/", "version": 1, "id": f"{LOG}/telemetry/1-2", "floor": 1, "kind": "live"}
    good |= {"n": "x", "u": "m", "t": 1_700_000_000, "v": 1}
    assert record.decode(json.dumps([good]).encode()).floor == 1
    with pytest.raises(RemoteError, match=reason):
        record.decode(json.dumps([good | head]).encode())


# For people: `decode record`


def test_every_form_can_be_shown():
    body = columns.pack(BOOT, [Reading("x", 5, 1.5, "kPa", 1)])
    key = Key("s", LOG, "telemetry", 1, 1)

    def wall(_boot, at):
        return 1_700_000_000_000 + at, True

    shown = record.decode_record(body)
    assert shown["boot"] == BOOT.hex()
    assert shown["readings"] == [{"series": "x", "at": 5, "value": 1.5, "unit": "kPa", "quality": 1}]
    for encode in (senml.encode_json, senml.encode_cbor, record.encode_packed):
        shown = record.decode_record(encode(key, [body, b"\x02"], wall, floor=1, kind="resend"))
        assert (shown["id"], shown["kind"], shown["foreign"]) == (key.text, "resend", ["02"])
        assert shown["readings"][0]["value"] == 1500.0
        json.dumps(shown)
    assert record.decode_record(event.encode("device.down", BOOT, 5, {"device": "a"}))["device"] == "a"
    assert record.decode_record(b"\x02later") == {
        "form": "packed",
        "version": 2,
        "foreign": ["026c61746572"],
        "readings": [],
    }
    with pytest.raises(RemoteError):
        record.decode_record(b"")


# The resend command

WANTED = [Key("s", LOG, "telemetry", 5, 9), Key("s", LOG, "event", 1, 1)]


def test_resend_comes_back():
    assert resend.decode("s", resend.encode(WANTED)) == WANTED


@pytest.mark.parametrize("ranges", [[], WANTED * 200])
def test_resend_is_bounded_where_it_is_made(ranges):
    with pytest.raises(LocalError, match=r"resend\.ranges"):
        resend.encode(ranges)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "resend.json"),
        (b"[]", "resend.version"),
        (b"{}", "resend.version"),
        (b'{"version":2,"ranges":[]}', "resend.version"),
        (b'{"version":1}', "resend.ranges"),
        (b'{"version":1,"ranges":[]}', "resend.ranges"),
        (b'{"version":1,"ranges":[5]}', "resend.ranges"),
        (b'{"version":1,"ranges":["-5--1"]}', "key.malformed"),
        (f'{{"version":1,"ranges":["{LOG}/telemetry/9-5"]}}'.encode(), "key.range"),
        (f'{{"version":1,"ranges":["{LOG}/telemetry/1-{2**63}"]}}'.encode(), "key.range"),
        (b'{"version":1,"ranges":[' + b'"x",' * 10_000 + b'"x"]}', "resend.ranges"),
        (b'{"version":1,"ranges":[' + b'"x",' * 1_000_000 + b'"x"]}', "resend.long"),
        (b"[" * 60_000, "resend.json"),
    ],
)
def test_absurd_requests_get_one_clear_reason(payload, reason):
    with pytest.raises(RemoteError) as caught:
        resend.decode("s", payload)
    assert caught.value.reason == reason
