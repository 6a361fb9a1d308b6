"""Recorded receivers against what gpsd reads out of them: every position, every moment, every height."""

import gzip
import json
from pathlib import Path

import pytest

from protocols.nmea import NmeaStream, Sentence
from protocols.nmea_decode import KINDS, decode
from protocols.nmea_time import ReceiverTime, unix_ms

CAPTURES = Path(__file__).parent.parent / "captures"
NAMES = {  # capture: what gpsd says of it, the year it was made in, and how many positions and moments that is at least
    "beidou-bd.log": ("beidou-bd.log.chk", 2015, 5, 4),
    "bundg_zeus_9.whole.log.gz": ("bundg_zeus_9.whole.log.chk.gz", 2018, 190, 140),
    "nmea-fuzzy-cases.log": ("nmea-fuzzy-cases.log.chk", 2020, 14, 14),
    "nmea-rtk.log": ("nmea-rtk.log.chk", 2020, 100, 100),
    "quectel-l76k-nmea.log": ("quectel-l76k-nmea.log.chk.gz", 2026, 1, 140),
}
CLOSE = 1.1e-9  # degrees: gpsd prints nine decimals


def data(name):
    raw = (CAPTURES / name).read_bytes()
    return gzip.decompress(raw) if name.endswith(".gz") else raw


def heard(name):
    year = NAMES[name][1]
    sentences = [one for one in NmeaStream().receive(data(name) + b"\n") if isinstance(one, Sentence)]
    return [(one, decode(one, year)) for one in sentences if one.talker != "P" and one.kind in KINDS]


def told(name):
    lines = data(NAMES[name][0]).splitlines()
    rows = [json.loads(line) for line in lines if line.startswith(b"{")]
    return [row for row in rows if row["class"] == "TPV"]


@pytest.mark.parametrize("name", NAMES)
def test_every_position_is_gpsds(name):
    ours = {(round(row["lat"], 9), round(row["lon"], 9)) for _, row in heard(name) if row.get("lat") is not None}
    theirs = {(row["lat"], row["lon"]) for row in told(name) if "lat" in row}
    assert len(theirs) >= NAMES[name][2]
    lost = [one for one in theirs if one not in ours and not _near(one, ours)]
    assert not lost, lost[:3]


def _near(one, others):
    return any(abs(one[0] - lat) <= CLOSE and abs(one[1] - lon) <= CLOSE for lat, lon in others)


@pytest.mark.parametrize("name", NAMES)
def test_every_moment_is_gpsds(name):
    """gpsd joins the date of RMC or ZDA with the time of any other sentence."""
    rows = heard(name)
    days = {row["utc"][:10] for _, row in rows if row.get("utc")}
    times = {_of_day(row["time"]) for _, row in rows if row.get("time")}
    theirs = [row["time"] for row in told(name) if "time" in row]
    assert len(set(theirs)) >= NAMES[name][3]
    assert {one[:10] for one in theirs} <= days
    assert {_of_day(one[11:-1]) for one in theirs} <= times


def _of_day(text):
    hours, minutes, seconds = text.split(":")
    return round((int(hours) * 60 + int(minutes)) * 60 + float(seconds), 2)


@pytest.mark.parametrize("name", NAMES)
def test_every_height_is_gpsds(name):
    ours = [row["height_m"] for _, row in heard(name) if row.get("height_m") is not None]
    theirs = {row["altHAE"] for row in told(name) if "altHAE" in row and "lat" in row}
    assert all(any(abs(one - mine) < 1.1e-3 for mine in ours) for one in theirs)


def test_a_receiver_with_a_fix_tells_the_time_of_its_capture():
    clock, at = ReceiverTime(), 0
    for sentence, row in heard("quectel-l76k-nmea.log"):
        at += 50
        if sentence.kind in ("RMC", "ZDA", "GGA"):
            clock.take(sentence.kind, row, at)
    assert clock.newest is not None
    assert clock.newest.unix_ms == unix_ms(max(row["time"] for row in told("quectel-l76k-nmea.log")))  # the newest


def test_one_without_a_fix_tells_none_until_it_has_one():
    """Its clock runs before it knows where it is, and may be any."""
    clock, fixed = ReceiverTime(), False
    for n, (sentence, row) in enumerate(heard("beidou-bd.log")):
        if sentence.kind in ("RMC", "ZDA", "GGA"):
            clock.take(sentence.kind, row, 100 * n)
            fixed = fixed or bool(row.get("valid"))
        assert (clock.newest is not None) == fixed
    assert fixed
    assert clock.newest.unix_ms == unix_ms("2015-02-25T07:41:59.799Z")
