"""Displacement of a GNSS antenna: which fixes count, from where it is measured, and what a restart must not forget."""

import json
from math import cos, radians
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.derive.config import parse
from agent.derive.displacement import MOST_SAMPLES, Displacement, DisplacementConfig
from agent.derive.geodesy import SEMI_MAJOR, Place, offset
from agent.derive.level import Rate, RateConfig
from agent.derive.model import PARTIAL, Moment
from drivers.collect import collect
from protocols.nmea import NmeaStream
from protocols.nmea_decode import decode
from protocols.quality import GOOD, Flag, flag_of, quality
from protocols.reading import Reading

CAPTURES = Path(__file__).parent.parent / "captures"
HOME = Place(29.0, 103.0, 500.0)
DEGREE = 111_000  # m of one of latitude, about


class Antenna:
    def __init__(self, **keys):
        config, problems = collect(
            DisplacementConfig, {"reference": list(HOME), "every": "10s", "window": "60s"} | keys
        )
        assert problems == []
        self.config, self.derived, self.at = config, Displacement(config), 0
        self.said = []

    def fix(self, north=0.0, east=0.0, up=0.0, fix=4, sigma=0.01, age=1.0, after=1000, found=GOOD):
        """One fix; displaced by so many metres."""
        self.at += after
        lat, lon = HOME.lat + north / 110_858.0, HOME.lon + east / (111_320.0 * cos(radians(HOME.lat)))
        rows = {
            "gnss.quality": fix, "position.lat": lat, "position.lon": lon, "position.height": HOME.height + up,
            "gnss.correction.age": age, **{f"gnss.sigma.{one}": sigma for one in ("lat", "lon", "height")},
        }  # fmt: skip
        moment = Moment(self.at, self.at, True)
        for name, value in rows.items():
            if value is not None and name in self.derived.inputs:
                self.said += self.derived.take(Reading(name, self.at, value, "m", found), moment)
        self.said += self.derived.tick(Moment(self.at + 500, self.at, True))

    def newest(self, part):
        return [one for one in self.said if one.series == f"gnss.{part}"][-1]


def test_it_says_how_far_it_has_moved_east_north_and_up():
    antenna = Antenna()
    for _ in range(80):
        antenna.fix(north=0.30, east=-0.10, up=-0.05)
    values = {part: antenna.newest(part).value for part in ("east", "north", "up", "displacement")}
    assert values["north"] == pytest.approx(0.30, abs=0.002)
    assert values["east"] == pytest.approx(-0.10, abs=0.002)
    assert values["up"] == pytest.approx(-0.05, abs=0.0005)
    assert values["displacement"] == pytest.approx(0.3202, abs=0.002)
    assert antenna.newest("up").quality == GOOD
    assert antenna.said[0].quality == PARTIAL  # the window had not been watched from its beginning
    assert antenna.newest("up").unit == "m"


def test_the_horizon_is_that_of_the_reference():
    assert offset(HOME, HOME) == (0, 0, 0)
    north = offset(HOME._replace(lat=HOME.lat + 1e-6), HOME)
    assert north.north == pytest.approx(0.1108445, abs=1e-7)  # (M + h) of 29° in radians
    assert abs(north.east) < 1e-9
    east = offset(Place(0, 1e-6, 0), Place(0, 0, 0))
    assert east.east == pytest.approx(SEMI_MAJOR * radians(1e-6), rel=1e-9)
    assert offset(HOME._replace(height=507.5), HOME).up == pytest.approx(7.5, abs=1e-8)


@given(st.floats(-89, 89), st.floats(-180, 180), st.floats(-100, 6000), st.tuples(*[st.floats(-1e-4, 1e-4)] * 2))
def test_a_distance_is_the_same_from_both_ends(lat, lon, height, by):
    one, other = Place(lat, lon, height), Place(lat + by[0], lon + by[1], height)
    assert offset(one, other).length == pytest.approx(offset(other, one).length, abs=1e-6)


@pytest.mark.parametrize(
    ("fix", "counts"),
    [
        ({"fix": 4}, True),
        ({"fix": 5}, True),
        ({"fix": 5, "sigma": 0.2}, False),
        ({"fix": 5, "sigma": None}, False),
        ({"fix": 4, "sigma": None}, True),
        ({"fix": 4, "sigma": 0.2}, False),
        ({"fix": 4, "age": 11.0}, False),
        ({"fix": 4, "age": None}, True),
        *[({"fix": one}, False) for one in (0, 1, 2, 3, 6, 7, 8)],
        ({"found": quality(Flag.BAD)}, False),
    ],
    ids=str,
)
def test_which_fixes_count(fix, counts):
    antenna = Antenna()
    for _ in range(30):
        antenna.fix(**fix)
    assert bool(antenna.said) is counts


def test_a_receiver_without_gst_is_told_so():
    antenna = Antenna(sigma=0, age=0)
    assert antenna.derived.inputs == ("position.lat", "position.lon", "position.height", "gnss.quality")
    for _ in range(30):
        antenna.fix(fix=5)
    assert not antenna.said
    for _ in range(30):
        antenna.fix(fix=4)
    assert antenna.said


def test_a_wrong_ambiguity_of_some_seconds_moves_nothing():
    antenna = Antenna()
    for n in range(120):
        antenna.fix(up=0.8 if 70 <= n < 90 else 0.0)
    assert max(abs(one.value) for one in antenna.said) < 0.001


def test_the_reference_is_the_median_of_the_first_while_and_outlives_a_restart():
    antenna = _averaged()
    for n in range(70):
        antenna.fix(north=(n % 3 - 1) * 0.01 + (50 if n == 7 else 0))
    assert antenna.derived.reference == pytest.approx(HOME, abs=1e-8)
    saved = json.loads(json.dumps(antenna.derived.save(None)))
    assert antenna.derived.save(None) is None  # once
    again = _averaged()
    again.derived.load(saved, None)
    for _ in range(10):
        again.fix(north=0.2)
    assert again.newest("north").value == pytest.approx(0.2, abs=0.001)
    other = _averaged(era="after the repair")
    other.derived.load(saved, None)
    assert other.derived.reference is None


def _averaged(**keys):
    config, problems = collect(DisplacementConfig, {"average": "60s", "every": "10s", "window": "60s"} | keys)
    assert problems == []
    antenna = Antenna()
    antenna.config, antenna.derived = config, Displacement(config)
    return antenna


def test_a_configured_reference_is_not_kept():
    antenna = Antenna()
    antenna.fix()
    assert antenna.derived.save(None) is None
    antenna.derived.load({"era": "", "reference": [1, 2, 3]}, None)
    assert antenna.derived.reference == HOME


def test_the_rate_of_a_creeping_slope():
    antenna, rate = Antenna(), Rate(RateConfig(of="gnss.north", series="gnss.north.rate", window=600.0))
    found = []
    for n in range(700):
        antenna.fix(north=n * 0.001 / 60)  # 1 mm a minute
    for one in antenna.said:
        if one.series == "gnss.north":
            found += rate.take(one, None)
    assert found[-1].value == pytest.approx(0.06, abs=0.001)


def test_memory_is_bounded():
    antenna = Antenna(window="1d", every="1d")
    for _ in range(MOST_SAMPLES + 50):
        antenna.fix()
    assert len(antenna.derived._offsets) == MOST_SAMPLES


def test_a_recorded_receiver_in_rtk():
    """Trimble, first without and then with a fix: only the fixed positions count, and they stand still."""
    reference = [41.575030054, -93.750597764, 249.385]
    config = DisplacementConfig(reference=reference, window=60.0, every=10.0, least=3)
    derived, said, at = Displacement(config), [], 0
    for one in NmeaStream().receive((CAPTURES / "nmea-rtk.log").read_bytes()):
        if one.kind != "GGA":
            continue
        row, at = decode(one, 2020), at + 100
        values = {
            "position.lat": row["lat"], "position.lon": row["lon"], "position.height": row["height_m"],
            "gnss.quality": row["quality"], "gnss.correction.age": row["correction_age_s"],
        }  # fmt: skip
        for name, value in values.items():
            said += derived.take(Reading(name, at, value, "1", GOOD), Moment(at, at, True))
    said += derived.tick(Moment(at + 1000, at, True))
    assert derived.rejected > 50
    assert said
    assert all(abs(one.value) < 0.01 for one in said)
    assert all(flag_of(one.quality) is Flag.SUSPECT for one in said)  # a window of some seconds


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"reference": [91, 0, 0]}, "reference"),
        ({"average": "1s"}, "average"),
        ({"every": "2d"}, "every"),
        ({"sigma": -1}, "sigma"),
        ({"least": 0}, "least"),
    ],
)
def test_what_check_says(keys, key):
    table, problems = parse({"kind": "displacement", **keys})
    assert problems == []
    assert [one.key for one in table.config.check()] == [key]
