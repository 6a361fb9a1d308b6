import json
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.cli import listen
from agent.cli.broker import Message
from agent.subscriber.listen import Tracker
from protocols import columns, event, resend, senml
from protocols.envelope import DEFAULT_ROOT, up
from protocols.quality import GOOD
from protocols.reading import Reading
from protocols.record import Key
from tests.support.stream import LOGS, STATION, bad_week, message, truth, wall
from tests.support.surfrad import BOOT

READINGS, EVENTS, STATUS = (up(DEFAULT_ROOT, STATION, kind) for kind in ("readings", "events", "status"))
LOG = LOGS[0]


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def told(number, floor=1, kind="device.down", **fields):
    body = event.encode(kind, BOOT, number, fields)
    return event.to_wire(body, Key(STATION, LOG, "event", number, number), wall, floor=floor, kind="live")


def status(**changed):
    body = {"version": 1, "station": STATION, "status": "online", "log": LOG, "floors": {"telemetry": 1}}
    body |= {"at": "2026-11-22T08:00:00.000Z", "next_by": "2026-11-22T08:01:30.000Z"}
    return json.dumps(body | changed).encode()


def missing(tracker):
    return {lane.lane: ranges.encode().decode() for lane, ranges in tracker.holdings.holes()}


# Readings


def test_readings_are_items_with_time_and_unit():
    tracker = Tracker()
    first, *_ = tracker.take(READINGS, message(LOG, 3, 3, 1))
    assert first.as_json() == {
        "kind": "reading",
        "station": STATION,
        "series": "a.x",
        "time": "2023-11-14T22:13:23.000Z",
        "value": 3.0,
        "unit": "m",
        "quality": GOOD,
    }
    assert first.event is None


def test_what_comes_again_is_dropped_and_counted():
    tracker = Tracker()
    assert len(tracker.take(READINGS, message(LOG, 1, 3, 1))) == 6
    assert tracker.take(READINGS, message(LOG, 2, 3, 1)) == []
    assert len(tracker.take(READINGS, message(LOG, 2, 5, 1))) == 2 + 3
    assert tracker.readings(STATION) == 11
    assert (tracker.repeated, tracker.duplicates, tracker.duplicates_in_effect) == (1, 8, 0)
    assert tracker.complete()


def test_a_hole_is_below_the_floor_and_above_it_nothing_is_missing():
    tracker = Tracker(whole=True)
    tracker.take(READINGS, message(LOG, 9, 9, 1))
    assert tracker.complete(STATION)
    tracker.take(READINGS, message(LOG, 3, 4, 5, kind="backlog"))
    assert missing(tracker) == {"telemetry": "1-2"}
    assert not tracker.complete(STATION)
    assert tracker.complete("another")
    assert tracker.summary()["holes"] == [{"station": STATION, "log": LOG, "lane": "telemetry", "holes": "1-2"}]
    tracker.take(READINGS, message(LOG, 1, 2, 5, kind="resend"))
    assert tracker.complete()
    assert tracker.summary()["complete"]


def test_who_comes_late_answers_for_nothing_before():
    tracker = Tracker()
    tracker.take(READINGS, message(LOG, 50, 50, 40))
    tracker.take(READINGS, message(LOG, 10, 12, 40, kind="resend"))
    assert tracker.complete()
    tracker.take(READINGS, message(LOG, 51, 51, 51))
    assert missing(tracker) == {"telemetry": "40-49"}


def test_a_new_log_of_a_known_station_is_wanted_whole():
    tracker = Tracker()
    tracker.take(READINGS, message(LOGS[0], 1, 1, 1))
    tracker.take(READINGS, message(LOGS[1], 5, 5, 5))
    assert missing(tracker) == {"telemetry": "1-4"}


def test_every_lane_of_the_log_met_first_begins_where_its_first_message_does():
    tracker = Tracker()
    tracker.take(READINGS, message(LOG, 50, 50, 50))
    tracker.take(EVENTS, told(7, floor=7))
    assert tracker.complete()


def test_a_status_that_the_broker_kept_says_nothing_of_what_was_missed():
    tracker = Tracker()
    tracker.take(STATUS, status(floors={"telemetry": 2}), kept=True)
    tracker.take(READINGS, message(LOG, 50, 50, 50))
    assert tracker.complete()


def test_a_body_of_a_later_version_is_shown_and_its_numbers_are_held():
    tracker = Tracker()
    payload = senml.encode_json(Key(STATION, LOG, "telemetry", 1, 3), [b"\x02later"], wall, floor=1, kind="live")
    (item,) = tracker.take(READINGS, payload)
    assert item.as_json() == {
        "kind": "foreign",
        "station": STATION,
        "id": f"{LOG}/telemetry/1-3",
        "version": "02",
        "bytes": 6,
    }
    assert tracker.take(READINGS, payload) == []


def test_an_overlap_that_does_not_tell_its_numbers_is_taken_and_admitted():
    tracker = Tracker()
    tracker.take(READINGS, message(LOG, 1, 2, 1))
    body = columns.pack(BOOT, [Reading("a.x", 1000, 1.0, "m", GOOD)])
    payload = senml.encode_json(Key(STATION, LOG, "telemetry", 1, 3), [body], wall, floor=1, kind="backlog")
    assert len(tracker.take(READINGS, payload)) == 1
    assert tracker.duplicates_in_effect == 1


# Events


def test_events_are_taken_once():
    tracker = Tracker()
    (item,) = tracker.take(EVENTS, told(1, device="gauge"))
    assert item.event["device"] == "gauge"
    assert item.as_json()["type"] == "device.down"
    assert tracker.take(EVENTS, told(1, device="gauge")) == []
    assert tracker.summary()["events"] == 1
    assert tracker.repeated == 1


@pytest.mark.parametrize("kind", ["buffer.shed", "buffer.unreadable"])
def test_what_the_station_gave_up_is_lost_and_no_hole(kind):
    tracker = Tracker(whole=True)
    tracker.take(READINGS, message(LOG, 9, 9, 9))
    assert missing(tracker) == {"telemetry": "1-8"}
    tracker.take(
        EVENTS, told(1, kind=kind, log=LOG, lane="telemetry", reason="space", numbers=6, ranges=[[1, 4], [6, 7]])
    )
    assert missing(tracker) == {"telemetry": "5,8"}


@pytest.mark.parametrize("ranges", ["x", [5], [[1]], [["a", "b"]], None, [[1, 2, 3]]])
def test_a_loss_told_badly_is_a_problem(ranges):
    tracker = Tracker()
    (item,) = tracker.take(EVENTS, told(1, kind="buffer.shed", log=LOG, lane="telemetry", ranges=ranges))
    assert (item.kind, item.facts["reason"]) == ("problem", "event.ranges")


# Status and silence


def test_status_floors_show_what_never_came():
    tracker = Tracker(whole=True)
    (item,) = tracker.take(STATUS, status(floors={"telemetry": 4, "alarm": 1}))
    assert item.as_json()["status"] == "online"
    assert missing(tracker) == {"telemetry": "1-3"}


def test_three_silent_periods_are_flagged():
    clock = Clock()
    tracker = Tracker(now=clock)
    tracker.take(STATUS, status())
    clock.now += 179
    assert tracker.silent() == []
    clock.now += 2
    assert tracker.silent() == tracker.summary()["silent"] == [STATION]
    tracker.take(READINGS, message(LOG, 1, 1, 1))
    assert tracker.silent() == []


def test_a_last_will_keeps_the_patience_of_the_status_before():
    clock = Clock()
    tracker = Tracker(now=clock)
    tracker.take(STATUS, status())
    tracker.take(STATUS, status(status="offline", next_by=None))
    assert tracker.summary()["stations"][STATION]["status"] == "offline"
    clock.now += 181
    assert tracker.silent() == [STATION]


# Healing


def test_requests_name_every_hole():
    tracker = Tracker(whole=True)
    for number in range(2, 1000, 2):
        tracker.take(READINGS, message(LOG, number, number, number))
    requests = list(tracker.requests())
    assert [topic for topic, _ in requests] == [f"{DEFAULT_ROOT}/{STATION}/command/resend"] * 2
    asked = [key.first for _, payload in requests for key in resend.decode(STATION, payload)]
    assert asked == list(range(1, 998, 2))


def test_state_survives_a_restart():
    arrivals, tracker = bad_week(3), Tracker(whole=True)
    for log, first, last, floor in arrivals:
        again = Tracker(whole=True)
        again.load(tracker.save())
        tracker = again
        tracker.take(READINGS, message(log, first, last, floor))
    held, floors = truth(arrivals)
    for lane, its in tracker.holdings:
        assert {n for first, last in its.numbers for n in range(first, last + 1)} == held[lane.log]
        assert its.floor == floors[lane.log]


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"{}",
        b"[]",
        b'{"version":2,"lanes":[]}',
        b'{"version":1,"lanes":[{}]}',
        b'{"version":1,"lanes":5}',
        b"[" * 50000,
        json.dumps(
            {
                "version": 1,
                "lanes": [
                    {"station": "a/b", "log": LOG, "lane": "event", "start": 1, "floor": 1, "numbers": "", "gone": ""}
                ],
            }
        ).encode(),
    ],
)
def test_a_state_that_is_none_is_refused(state):
    with pytest.raises(ValueError, match=r"."):
        Tracker().load(state)


# Strangers


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        ("other/topic", b"{}", "topic.foreign"),
        (READINGS, b"", "senml.cbor"),
        (READINGS, b"[]", "senml.shape"),
        (up(DEFAULT_ROOT, "demo-2", "readings"), message(LOG, 1, 1, 1), "record.station"),
        (up(DEFAULT_ROOT, "demo-2", "events"), told(1), "record.station"),
        (up(DEFAULT_ROOT, "demo-2", "status"), status(), "status.shape"),
        (EVENTS, b'{"type":"x"}', "key.malformed"),
        (EVENTS, told(1)[:-1] + b',"floor":-1}', "event.floor"),
        (STATUS, b"\xff", "status.json"),
        (STATUS, b"[]", "status.shape"),
        (STATUS, status(log="x"), "status.log"),
        (STATUS, status(floors={"other": 1}), "status.log"),
    ],
)
def test_what_is_outside_the_contract_is_a_problem_and_no_more(topic, payload, reason):
    tracker = Tracker()
    (item,) = tracker.take(topic, payload)
    assert (item.kind, item.facts["reason"]) == ("problem", reason)
    assert tracker.unreadable == 1
    assert tracker.summary()["readings"] == 0


TOPICS = st.sampled_from([READINGS, EVENTS, STATUS, up(DEFAULT_ROOT, STATION, "digest")]) | st.text(max_size=40)
PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=10)
FIELDS = st.sampled_from(
    ["type", "station", "id", "kind", "floor", "status", "floors", "log", "lane", "ranges", "at", "next_by"]
)
OBJECTS = st.dictionaries(FIELDS, PLAIN | st.dictionaries(st.text(max_size=5), PLAIN) | st.lists(PLAIN))


@given(TOPICS, st.binary(max_size=60) | OBJECTS.map(lambda found: json.dumps(found).encode()))
@settings(max_examples=300)
def test_nothing_a_stranger_sends_raises(topic, payload):
    for item in Tracker().take(topic, payload):
        json.dumps(item.as_json())


def test_a_digest_stands_outside():
    tracker = Tracker()
    (item,) = tracker.take(up(DEFAULT_ROOT, STATION, "digest"), b"\x01\x02")
    assert item.as_json() == {"kind": "digest", "station": STATION, "bytes": 2}
    assert not list(tracker.holdings)


def test_what_was_seen_is_on_disk_before_the_command_ends(tmp_path, monkeypatch):
    """A subscriber that is killed knows its ranges all the same."""
    state, known = tmp_path / "ranges.json", []

    class Client:
        def messages(self, _seconds):
            for number in (1, 2):
                yield Message(READINGS, message(LOG, number, number, 1), retained=False)
            yield None
            known.append(state.read_bytes())

    monkeypatch.setattr(listen, "SAVE_EVERY", 0.0)
    tracker = Tracker()
    listen._follow(Client(), tracker, SimpleNamespace(seconds=None, heal=False, quiet=True, state=state))
    again = Tracker()
    again.load(known[0])
    assert not list(again.take(READINGS, message(LOG, 1, 1, 1))), "it was seen, and would be taken twice"
