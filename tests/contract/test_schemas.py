import json

import jsonschema
import pytest

from protocols import columns, event, resend, senml
from protocols.record import Key
from tests.contract.documents import SCHEMAS, blocks, errors
from tests.support.surfrad import BOOT, minutes

KEY = Key("demo-1", "00112233445566ff", "telemetry", 1, 60)
EVENTS = {name: schema for name, schema in SCHEMAS["events.json"]["$defs"].items() if name != "common"}
# A value of each kind of field, as a reporter might give it.
SAMPLE = {"string": "x", "integer": 5, "number": 0.5, "boolean": True, "object": {}}


def wall(_boot, at):
    return 1_700_000_000_000 + at, at % 120_000 == 0


def trusted(boot, at):
    return wall(boot, at)[0], True


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_schemas(name):
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize("when", [trusted, wall])
def test_readings_of_a_real_hour(when):
    body = columns.merge([columns.pack(BOOT, row) for row in minutes()[:60]])
    for bodies in ([body], [body, b"\x02later"]):
        pack = json.loads(senml.encode_json(KEY, bodies, when, floor=1, kind="backlog"))
        assert errors("readings.json", pack) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"t": 5},
        {"t": None},
        {"v": "1"},
        {"u": ""},
        {"q": 1},
        {"n": "A b"},
        {"number": 0},
        {"vd": "x"},
        {"boot": "0" * 16},
        {"id": "x"},
        {"floor": -1},
        {"kind": "old"},
        {"bn": "urn:x"},
        {"version": 2},
    ],
)
def test_what_is_no_message_of_readings(changed):
    head = {"bn": "urn:fengsui:demo-1/", "version": 1, "id": KEY.text, "floor": 1, "kind": "live"}
    good = head | {"n": "x", "u": "m", "t": 1_700_000_000.5, "v": 1}
    assert errors("readings.json", [good]) == []
    assert errors("readings.json", [good | changed])


def sample(schema):
    if "examples" in schema:
        return schema["examples"][0]
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "array":
        return [] if "prefixItems" in schema.get("items", {}) else ["x"]
    pattern = schema.get("pattern", "")
    return "0011223344556677" if "0-9a-f" in pattern else SAMPLE[schema["type"]]


@pytest.mark.parametrize("name", EVENTS)
def test_every_type_of_event(name):
    fields = {field: sample(its) for field, its in EVENTS[name]["properties"].items() if field != "type"}
    stored = event.encode(name, BOOT, 5, fields)
    sent = json.loads(event.to_wire(stored, KEY._replace(lane="event", last=1), wall, floor=1, kind="live"))
    assert errors("events.json", sent) == []
    for field in EVENTS[name]["required"]:
        assert errors("events.json", {key: value for key, value in sent.items() if key != field})


def test_a_type_of_a_later_version_is_an_event():
    stored = event.encode("moon.rose", BOOT, 5, {"phase": 0.5})
    sent = json.loads(event.to_wire(stored, KEY._replace(lane="alarm", last=1), wall, floor=1, kind="live"))
    assert errors("events.json", sent) == []
    assert errors("events.json", sent | {"time": "yesterday"})


def test_resend():
    assert errors("resend.json", json.loads(resend.encode([KEY, KEY]))) == []
    for wrong in (
        {"version": 1, "ranges": []},
        {"version": 1, "ranges": ["1-2"]},
        {"version": 1, "ranges": [KEY.text] * 257},
    ):
        assert errors("resend.json", wrong)


def test_the_examples_in_the_text_are_true():
    readings, status, command = (json.loads(block) for block in blocks("topics.md", "json"))
    assert errors("readings.json", readings) == []
    assert errors("status.json", status) == []
    assert errors("resend.json", command) == []


def test_a_last_will_is_a_status():
    (_, status, _) = (json.loads(block) for block in blocks("topics.md", "json"))
    will = {name: status[name] for name in ("version", "station", "log", "session", "at", "trusted")}
    assert errors("status.json", will | {"status": "offline", "next_by": None}) == []
    assert errors("status.json", will | {"status": "online", "next_by": None})
