"""How the station is: one object, small enough for a metered link, whole enough for a technician."""

import json
from enum import Enum
from typing import NamedTuple

import pytest

from agent.clock import Clock
from agent.health import Health, flash_bytes, jsonable, resident_bytes
from agent.links.route import RouteConfig
from agent.record import Recorder
from buffer.model import Lane, RouteSpec
from buffer.store import Buffer
from tests.contract.documents import errors


class Colour(Enum):
    RED = 1


class Pair(NamedTuple):
    one: Colour
    other: bytes


class Device:
    """As a source or an actuator: it only says how it is."""

    def __init__(self, name, **status):
        self.name, self._status = name, status

    def status(self):
        return self._status


@pytest.fixture
def health(tmp_path):
    buffer = Buffer.open(tmp_path / "buffer.db", routes=[RouteSpec("p")])
    clock = Clock("system")
    recorder = Recorder(buffer, clock)
    yield Health("s1", buffer, clock, recorder, [Device("gauge", state="up")], [Device("siren", state="down")])
    buffer.close()


def test_online_is_what_the_schema_says_and_small(health):
    route = RouteConfig(name="p", url="mqtt://x")
    body = health.online(route, "0011223344556677", {"p": {"accepted": 1, "refused": {}}}, {})
    assert errors("status.json", json.loads(body)) == []
    assert len(body) < 1500
    assert json.loads(body)["sensors"] == {"gauge": "up"}
    assert json.loads(body)["actuators"] == {"siren": "down"}


def test_the_last_will_is_what_the_schema_says(health):
    assert errors("status.json", json.loads(health.offline("0011223344556677"))) == []


def test_the_floors_are_the_lowest_that_is_owed(health):
    health.buffer.append(Lane.EVENT, b"{}", now=True).committed.result(10)
    assert health.floors("p") == {"alarm": 1, "event": 1, "telemetry": 1, "bulk": 1}
    health.buffer.settle("p", health.buffer.log, Lane.EVENT, 1, 1)
    assert health.floors("p")["event"] == 2


def test_the_whole_of_it_is_json(health):
    whole = health.whole({"p": {"up": False}}, {"active": [Pair(Colour.RED, b"\1")]})
    again = json.loads(json.dumps(whole, default=str))
    assert again["station"] == "s1"
    assert again["warnings"]["active"][0]["one"] == "red"
    assert again["buffer"]["pending"] == {"p": 0}


def test_plain_json_of_whatever_a_status_holds():
    assert jsonable({Lane.ALARM: [Colour.RED, (1, 2), {3}]}) == {"alarm": ["red", [1, 2], [3]]}


def test_what_it_costs_is_read_from_the_kernel(health):
    assert resident_bytes() > 1 << 20
    assert flash_bytes() is None or flash_bytes() >= 0
    assert health.flash_per_reading() is None  # nothing has been committed
