import json
from pathlib import Path

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import columns, record, resolve, senml
from protocols.errors import RemoteError
from protocols.parts import EARLIEST_MS
from protocols.quality import GOOD, Reason
from protocols.reading import Reading
from protocols.record import Key
from tests.protocols.test_columns import NUMBERS
from tests.support.surfrad import BOOT, minutes

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "senml.json").read_text(encoding="utf-8"))
BOOTED = 1_700_000_000_123  # Unix ms


def wall(_boot, at):
    return BOOTED + at, True


def lost(_boot, at):
    return BOOTED + at, at % 2 == 0


def key(numbers, first=7):
    return Key("s-1", "00112233445566ff", "telemetry", first, first + numbers - 1)


def message(encode, numbers, when=wall):
    bodies = [columns.merge([columns.pack(BOOT, readings) for readings in numbers])]
    return encode(key(len(numbers)), bodies, when, floor=3, kind="live")


FORMS = [senml.encode_json, senml.encode_cbor, record.encode_packed]


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda vector: vector["name"])
def test_vectors(vector):
    def said(boot, at):
        unix_ms, trusted = vector["wall"][boot.hex()]
        return unix_ms + at, trusted

    its = record.parse_key(vector["station"], vector["id"])
    bodies = [bytes.fromhex(body) for body in vector["bodies"]]
    terms = {"floor": vector["floor"], "kind": vector["kind"]}
    assert json.loads(senml.encode_json(its, bodies, said, **terms)) == vector["json"]
    assert senml.encode_json(its, bodies, said, **terms).decode() == vector["text"]
    assert senml.encode_cbor(its, bodies, said, **terms).hex() == vector["cbor"]
    assert record.encode_packed(its, bodies, said, **terms).hex() == vector["packed"]


@given(NUMBERS)
@settings(max_examples=60)
def test_three_forms_say_the_same(readings):
    readings = [reading._replace(at=reading.at % 10**9, quality=reading.quality % 0x7FF or 1) for reading in readings]
    heard = [record.decode(message(encode, [readings])) for encode in FORMS]
    assert heard[0] == heard[1] == heard[2]
    assert heard[0].key == key(1)
    assert [m.name for m in heard[0].measurements] == [reading.series for reading in readings]
    assert {m.number for m in heard[0].measurements} == {7}


def test_values_are_the_readings_own():
    rows = minutes()[700:730]
    for encode in FORMS:
        heard = record.decode(message(encode, rows)).measurements
        assert [m.value for m in heard] == [r.value for row in rows for r in row]
        assert [m.time for m in heard] == [(BOOTED + r.at) / 1000 for row in rows for r in row]
        assert [m.number for m in heard] == [7 + n for n, row in enumerate(rows) for _ in row]


def test_json_holds_short_numbers():
    text = message(senml.encode_json, [[Reading("x", 0, 23.1, "kPa", GOOD), Reading("y", 0, 5.0, "m", GOOD)]]).decode()
    assert '"u":"Pa","t":1700000000.123,"v":23100}' in text
    assert '"u":"m","t":1700000000.123,"v":5}' in text


def test_quality_stands_where_it_is_not_good():
    found = json.loads(message(senml.encode_json, [[Reading("x", 0, 1.0, "m", GOOD), Reading("y", 0, 1.0, "m", 3)]]))
    assert [entry.get("q") for entry in found] == [None, 3]


@pytest.mark.parametrize("encode", FORMS[:2])
def test_an_untrusted_time_is_marked_row_by_row(encode):
    rows = [[Reading("x", 0, 1.0, "m", GOOD)], [Reading("x", 1, 1.0, "m", 3)]]
    heard = record.decode(message(encode, rows, lost)).measurements
    assert [m.quality for m in heard] == [GOOD, 3 | Reason.CLOCK << 4]


def test_an_untrusted_boot_is_marked_in_the_packed_form():
    rows = [[Reading("x", 0, 1.0, "m", GOOD)]]
    heard = record.decode(message(record.encode_packed, rows, lambda _boot, at: (BOOTED + at, False))).measurements
    assert [m.quality for m in heard] == [GOOD | Reason.CLOCK << 4]


@pytest.mark.parametrize("encode", FORMS[:2])
def test_no_time_counts_from_boot(encode):
    heard = record.decode(message(encode, [[Reading("x", 5, 1.0, "m", GOOD)]], lambda _boot, at: (at, False)))
    assert heard.measurements[0].time == EARLIEST_MS / 1000 == 2**28


@pytest.mark.parametrize("encode", FORMS)
def test_a_body_of_another_format_goes_out_untouched(encode):
    good = columns.pack(BOOT, [Reading("x", 5, 1.0, "m", GOOD)])
    damaged = good[:-1]
    payload = encode(key(3), [good, b"\x02later", damaged], wall, floor=1, kind="backlog")
    heard = record.decode(payload)
    assert heard.foreign == [b"\x02later", damaged]
    assert [(m.name, m.number) for m in heard.measurements] == [("x", None)]


def test_several_blocks_are_one_message():
    bodies = [columns.pack(BOOT, row) for row in minutes()[:4]]
    for encode in FORMS:
        heard = record.decode(encode(key(4), bodies, wall, floor=1, kind="backlog"))
        assert sorted({m.number for m in heard.measurements}) == [7, 8, 9, 10]


def test_a_consumer_that_knows_only_the_standard_reads_it():
    """RFC 8428 §4.6: resolved records of the standard's labels alone."""
    payload = message(senml.encode_json, [[Reading("air.pressure", 1000, 773.5, "hPa", 2)]])
    (only,) = resolve.resolve(resolve.read_json(payload))
    assert (only.name, only.unit, only.value, only.time) == (
        "urn:fengsui:s-1/air.pressure",
        "hPa",
        773.5,
        1_700_000_001.123,
    )


# Reading what others write


@pytest.mark.parametrize("vector", VECTORS["published"], ids=lambda vector: vector["name"])
def test_published_packs(vector):
    if "cbor" in vector:
        records = resolve.read_cbor(bytes.fromhex(vector["cbor"]))
    else:
        records = resolve.read_json(json.dumps(vector["json"]).encode())
    found = [[m.name, m.unit, m.value, m.time] for m in resolve.resolve(records, vector.get("now"))]
    assert found == vector["resolved"]


@pytest.mark.parametrize(
    ("pack", "reason"),
    [
        ({}, "shape"),
        ([], "shape"),
        ([1], "shape"),
        ([{"n": 1, "v": 1}], "type"),
        ([{"n": "a", "v": "1"}], "type"),
        ([{"n": "a", "v": True}], "type"),
        ([{"n": "a", "vb": 1}], "type"),
        ([{"n": "a", "v": 1, "t": "now"}], "type"),
        ([{"n": "a", "v": 1, "q": "bad"}], "number"),
        ([{"n": "a", "v": 1, "bver": 11}], "number"),
        ([{"n": "a", "v": 1, "shape_": 1}], "must"),
        ([{"n": "", "v": 1}], "name"),
        ([{"n": "a b", "v": 1}], "name"),
        ([{"n": "-a", "v": 1}], "name"),
        ([{"n": "a", "v": 1, "t": -5}], "relative"),
        ([{"n": "a", "v": 1, "t": 1e15}], "time"),
        ([{"n": "a", "vd": "é"}], "data"),
    ],
)
def test_packs_outside_the_standard_are_refused(pack, reason):
    for read, write in (
        (resolve.read_json, lambda found: json.dumps(found).encode()),
        (resolve.read_cbor, cbor2.dumps),
    ):
        with pytest.raises(RemoteError, match=rf"senml\.{reason}"):
            list(resolve.resolve(read(write(pack))))


@pytest.mark.parametrize("text", [b"", b"[", b"[{}]x", b"[NaN]", b'[{"n":"a","v":Infinity}]', b"\xff", b"[" * 5000])
def test_what_is_not_json_is_refused(text):
    with pytest.raises(RemoteError, match=r"senml\.json"):
        resolve.read_json(text)


@pytest.mark.parametrize(
    "octets", ["", "81", "9bffffffffffffffff", "81" * 3000 + "00", "5bffffffffffffffff", "80ff", "9f"]
)
def test_what_is_not_cbor_is_refused(octets):
    with pytest.raises(RemoteError, match=r"senml\.cbor"):
        resolve.read_cbor(bytes.fromhex(octets))


@given(st.binary(max_size=300))
@settings(max_examples=300)
def test_noise_raises_nothing_else(noise):
    for read in (resolve.read_json, resolve.read_cbor, record.decode, record.decode_record):
        try:
            read(noise)
        except RemoteError:
            continue


LABELS = st.sampled_from(
    ["bn", "bt", "bu", "bv", "n", "u", "v", "vs", "vb", "vd", "t", "q", "s", "id", "number", "floor"]
)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=20)


@given(st.lists(st.dictionaries(LABELS | st.integers(-9, 9), PLAIN | st.lists(PLAIN, max_size=2)), max_size=4))
@settings(max_examples=300)
def test_strange_packs_raise_nothing_else(pack):
    try:
        list(resolve.resolve(resolve.read_cbor(cbor2.dumps(pack)), 1.7e9))
    except RemoteError:
        return
