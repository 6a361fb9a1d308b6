"""The subscriber of the text, in SQL and in Python, through bad weeks: each reading once, every hole named."""

import json
import sqlite3
from collections import Counter

import pytest

from agent.subscriber.listen import Tracker
from protocols import record, senml
from protocols.envelope import DEFAULT_ROOT, up
from tests.contract.documents import blocks, text
from tests.support.scale import count
from tests.support.stream import LOGS, STATION, bad_week, message, readings, truth

SEEDS = range(count(400))
FORMS = (senml.encode_json, senml.encode_cbor, record.encode_packed)


def expected(arrivals):
    held, floors = truth(arrivals)
    taken = Counter((r.series, r.value) for log in LOGS for number in held[log] for r in readings(log, number))
    missing = {log: set(range(1, floors[log])) - held[log] for log in LOGS}
    return taken, missing


def spread(ranges):
    return {number for first, last in ranges for number in range(first, last + 1)}


class Text:
    """The thirty lines, as they stand."""

    def __init__(self):
        self.names = {}
        exec(blocks("subscriber.md", "python")[0], self.names)  # noqa: S102 - the document is what is tested

    def take(self, payload):
        return [(series, v) for _, series, _, v, _, _ in self.names["take"](payload)]

    def missing(self, log):
        return spread(self.names["holes"]((STATION, log, "telemetry")))


class Sql:
    """The statements, as they stand."""

    def __init__(self):
        self.database = sqlite3.connect(":memory:")
        create, self.insert, self.hold, self.raise_floor, self.holes = blocks("subscriber.md", "sql")
        self.database.executescript(create)

    def take(self, payload):
        records = json.loads(payload)
        log, lane, span = records[0]["id"].split("/")
        first, last = map(int, span.split("-"))
        terms = {
            "station": STATION,
            "log": log,
            "lane": lane,
            "first": first,
            "last": last,
            "floor": records[0]["floor"],
        }
        before = self.database.execute("SELECT count(*) FROM reading").fetchone()[0]
        for entry in records:
            terms["number"] = entry.get("number", terms.get("number"))
            its = {"series": entry["n"], "t": entry["t"], "v": entry["v"], "unit": entry["u"], "q": entry.get("q", 1)}
            self.database.execute(self.insert, terms | its)
        self.database.execute(self.hold, terms)
        self.database.execute(self.raise_floor, terms)
        return self.database.execute("SELECT series, v FROM reading LIMIT -1 OFFSET ?", (before,)).fetchall()

    def missing(self, log):
        rows = self.database.execute(self.holes).fetchall()
        return spread((first, last) for _, its, _, first, last in rows if its == log)


class Reference:
    def __init__(self):
        self.tracker = Tracker(whole=True)

    def take(self, payload):
        items = self.tracker.take(up(DEFAULT_ROOT, STATION, "readings"), payload)
        assert {item.kind for item in items} <= {"reading"}
        return [(item.facts["series"], item.facts["value"]) for item in items]

    def missing(self, log):
        return {n for lane, ranges in self.tracker.holdings.holes() if lane.log == log for n in spread(ranges)}


@pytest.mark.parametrize("subscriber", [Text, Sql, Reference])
@pytest.mark.parametrize("seed", SEEDS)
def test_each_reading_once_and_every_hole_named(subscriber, seed):
    arrivals, its = bad_week(seed), subscriber()
    taken = Counter()
    for log, first, last, floor in arrivals:
        taken.update(its.take(message(log, first, last, floor)))
    wanted, missing = expected(arrivals)
    assert taken == wanted
    assert {log: its.missing(log) for log in LOGS} == missing


@pytest.mark.parametrize("encode", FORMS)
def test_the_reference_takes_every_form_alike(encode):
    arrivals, its = bad_week(7), Reference()
    taken = Counter()
    for log, first, last, floor in arrivals:
        taken.update(its.take(message(log, first, last, floor, encode=encode)))
    assert taken == expected(arrivals)[0]
    assert its.tracker.duplicates_in_effect == 0


def test_it_is_thirty_lines():
    lines = [line for line in blocks("subscriber.md", "python")[0].splitlines() if line.strip()]
    assert len(lines) <= 32
    assert "thirty lines" in text("subscriber.md")
