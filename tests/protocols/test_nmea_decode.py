import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import RemoteError
from protocols.nmea import NmeaStream, Sentence, parse, seal
from protocols.nmea_decode import KINDS, decode, decode_all
from protocols.nmea_map import Pick
from protocols.scale import Scale

HERE = Path(__file__).parent.parent
VALID = {row["sentence"]: row["decoded"] for row in json.loads((HERE / "vectors/nmea.json").read_text())["valid"]}
BUILD_YEAR = 2025

# What the vectors call a field, where we call it otherwise.
NAMES = {
    "angle": "angle_deg",
    "ms": "speed_ms",
    "inHg": "pressure_inhg",
    "bar": "pressure_bar",
    "air_C": "air_cel",
    "rh": "humidity_rh",
    "dew_C": "dew_point_cel",
    "wind_true": "wind_true_deg",
    "wind_mag": "wind_magnetic_deg",
    "diff_age": "correction_age_s",
    "heading_true": "heading_true_deg",
    "water_temp": "water_cel",
    "course": "course_deg",
}
SAME = {"utc", "valid", "lat", "lon", "station", "text", "fix", "pdop", "hdop", "vdop", "mode"} | {
    "sigma_lat_m",
    "sigma_lon_m",
    "sigma_alt_m",
}


def said(line, build_year=BUILD_YEAR):
    return decode(parse(line.encode()), build_year)


@pytest.mark.parametrize("line", VALID, ids=str)
def test_vector_says_what_is_written(line):
    decoded, checked = said(line), 0
    wind = "wind_ms" if "MDA" in line else "speed_ms"
    for name, value in VALID[line].items():
        ours = wind if name == "ms" else NAMES.get(name, name if name in SAME else None)
        if ours is None:
            continue
        checked += 1
        assert decoded[ours] == (pytest.approx(value, abs=6e-8) if isinstance(value, float) else value), name
    assert checked or {"quality", "note", "quads", "sv"} & VALID[line].keys()


def test_fix_quality():
    qualities = {line: value["quality"] for line, value in VALID.items() if "quality" in value}
    for line, text in qualities.items():
        assert said(line)["quality"] == int(text[0])
    assert {said(line)["fix"] for line in qualities} == {"dgps", "rtk-float", "none"}


def test_rows_of_transducers_and_satellites():
    line = next(line for line in VALID if "XDR" in line)
    rows = [[row["type"], row["value"], row["unit"], row["name"]] for row in said(line)["transducers"]]
    assert rows == VALID[line]["quads"]
    line = next(line for line in VALID if "GSV" in line)
    decoded = said(line)
    assert [list(row.values()) for row in decoded["satellites"]] == VALID[line]["sv"]
    assert decoded["signal"] == "0"


def test_ellipsoidal_height():
    line = "$GNGGA,133900.00,4134.50180323,N,09345.03586581,W,4,19,0.7,280.827,M,-31.442,M,6.0,0002*61"
    assert said(line)["height_m"] == 249.385
    assert said(line)["fix"] == "rtk-fixed"


@pytest.mark.parametrize(
    ("body", "date"),
    [
        ("GPZDA,,,,,00,00", None),
        ("GPZDA,,00,01,1900,00,00", "1900-01-00"),
        ("GPZDA,000427.00,22,08,1999,,", "1999-08-22"),
        ("GPZDA,120000.00,31,02,2026,00,00", "2026-02-31"),
        ("GPZDA,235960.00,31,12,2026,00,00", "2026-12-31"),
        ("GPZDA,120000.00,01,01,2046,00,00", "2046-01-01"),
        ("GPRMC,120000,A,,,,,,,220806,,,A", "2006-08-22"),
        ("GPRMC,120000,A,,,,,,,220899,,,A", "1999-08-22"),
    ],
)
def test_a_date_that_cannot_be_is_shown_and_not_believed(body, date):
    decoded = said(seal(body).decode().strip())
    assert (decoded["utc"], decoded["date"]) == (None, date)


def test_a_date_is_believed_for_twenty_years_from_the_build():
    line = seal("GPZDA,120000.50,01,01,2026,00,00").decode().strip()
    assert said(line, 2026)["utc"] == "2026-01-01T12:00:00.5Z"
    assert said(line, 2006)["utc"] is not None
    assert said(line, 2005)["utc"] is None
    assert said(line, 2027)["utc"] is None


def test_a_rolled_over_receiver_is_1024_weeks_in_the_past():
    assert said(seal("GPRMC,120000,A,,,,,,,201206,,,A").decode().strip())["utc"] is None


@pytest.mark.parametrize(
    "body",
    ["WIMWV,nan,T,1,N,A", "WIMWV,1e5,T,1,N,A", "WIMWV,1,T,5,X,A", "GPGGA,1,9901,N,1,E,1", "GPGGA,x,,,,,1", "GPXXX,1"],
)
def test_a_field_that_is_not_what_it_should_be_is_refused(body):
    with pytest.raises(RemoteError):
        said(seal(body).decode().strip())


@pytest.mark.parametrize(
    ("body", "name", "value"),
    [
        ("IIMTW,68.0,F", "water_cel", 20.0),
        ("WIMTA,14.0,F", "air_cel", -10.0),
        ("WIMDA,,,,,50.0,F,,,,,,,,,,,10.0,N,,", "air_cel", 10.0),
        ("WIMDA,,,,,50.0,F,,,,,,,,,,,10.0,N,,", "wind_ms", 5.144),
        ("GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230326,003.1,W", "variation_deg", -3.1),
        ("GNRMC,123519,A,4807.038,N,01131.000,E,022.4,,230326,,,D,V", "navigation", "V"),
        ("GPZDA,172809.456,12,07,2026,08,30", "zone_hours", 8),
        ("GPZDA,172809.456,12,07,2026,-03,30", "zone_hours", -3),
    ],
)
def test_fields_that_few_instruments_fill(body, name, value):
    assert said(seal(body).decode().strip())[name] == value


@pytest.mark.parametrize(
    ("row", "hpa"),
    [
        ("P,1.0132,B,Barometer", 1013.2),
        ("P,101320,P,Baro", 1013.2),
        ("P,1013.2,H,0", 1013.2),
        ("P,1013.2,H,Baro", 1013.2),
        ("P,29.92,I,0", 1013.21),
        ("P,760,M,0", 1013.25),
        ("P,55,P,TANK", None),
    ],
)
def test_pressure_of_a_transducer_by_its_unit_or_its_name(row, hpa):
    assert said(seal(f"WIXDR,{row}").decode().strip())["transducers"][0].get("hpa") == hpa


def test_zero_padded_numbers():
    assert said(seal("WIMWV,002.10,R,000.50,M,A").decode().strip())["angle_deg"] == 2.1


def test_positions_are_those_that_gpsd_reads():
    sentences = NmeaStream().receive((HERE / "captures/nmea-rtk.log").read_bytes())
    ours = [decode(one, 2020) for one in sentences if one.kind == "GGA"]
    lines = (HERE / "captures/nmea-rtk.log.chk").read_text().splitlines()
    reports = [json.loads(line) for line in lines if line.startswith("{")]
    theirs = [one for one in reports if one["class"] == "TPV" and "altHAE" in one]
    assert len(theirs) > 100
    for one in theirs:
        assert any(
            (mine["lat"], mine["lon"]) == pytest.approx((one["lat"], one["lon"]), rel=0, abs=1.1e-9)
            and mine["height_m"] == pytest.approx(one["altHAE"], abs=1e-3)
            for mine in ours
        ), one


def test_a_capture_in_json():
    rows = decode_all((HERE / "captures/beidou-bd.log").read_bytes(), 2015)
    json.dumps(rows)
    assert {row.get("system") for row in rows} >= {"BeiDou", "GPS", "several"}
    assert rows[-1].keys()


def test_picks_take_rows_and_conditions():
    pick = Pick("tilt.x", "XDR", "value", {"name": ["PITCH"], "type": ["A"]}, Scale(0.1))
    line = next(line for line in VALID if "XDR" in line)
    assert list(pick.values(said(line))) == [17.1]
    true_wind = Pick("wind.speed", "MWV", "speed_ms", {"reference": ["T"]})
    assert list(true_wind.values(said("$WIMWV,57.5,R,13.0,N,A*26"))) == []
    with pytest.raises(RemoteError, match="missing"):
        list(Pick("w", "MTW", "water_cel").values(said("$SDMTW,,C*1A")))


@given(st.sampled_from(sorted(KINDS)), st.lists(st.text(max_size=10), max_size=24), st.integers(1970, 2100))
def test_any_fields_are_understood_or_the_remote_ends_fault(kind, fields, build_year):
    try:
        json.dumps(decode(Sentence("GN", kind, fields), build_year))
    except RemoteError:
        return
