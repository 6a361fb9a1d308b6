"""CAMF against its published tables, against an independent decoder's answers, and by hand."""

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import camf_guidance, camf_names
from protocols.alert import Status
from protocols.camf import (
    _WIDTHS,
    BITS,
    SEVERITIES,
    TYPES,
    Ellipse,
    corners,
    decode_camf,
    ellipse,
    guidance,
    onset_of,
    read_camf,
    unpack,
)
from protocols.cap import MsgType, Severity
from protocols.errors import RemoteError
from tests.support.refusal import attempt
from tests.support.samples import SAMPLES, names
from tests.support.tree import ROOT

VECTORS = json.loads((ROOT / "tests" / "vectors" / "camf.json").read_text(encoding="utf-8"))
MONDAY = 1786320000  # 2026-08-10 00:00 UTC
FIELDS = [
    "type",
    "country",
    "provider",
    "hazard",
    "severity",
    "week",
    "minute",
    "duration",
    "library",
    "version",
    "guidance",
    "lat",
    "lon",
    "major",
    "minor",
    "azimuth",
    "subject",
    "specific",
]
FLOOD = {"type": 1, "country": 43, "provider": 1, "hazard": 68, "severity": 3, "minute": 1, "duration": 1}


def pack(**values):
    number = 0
    for name, width in zip(FIELDS, _WIDTHS, strict=True):
        number = number << width | values.get(name, 0)
    return (number << 6).to_bytes(16, "big")


def table(name):
    codes = json.loads((SAMPLES / "camf" / f"{name}.json").read_text(encoding="utf-8-sig"))["code"]
    return {row["dec"]: row["param"] for row in codes}


def english(name):
    return {code: said["en"] for code, said in table(name).items() if said["en"]}


def test_the_fields_are_122_bits_in_the_order_of_the_index():
    rows = json.loads((SAMPLES / "camf" / "index.json").read_text())
    assert [row["bits"] for row in rows if row["field"][0] == "A"] == list(_WIDTHS[:17])
    assert sum(_WIDTHS) == BITS


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (camf_names.COUNTRIES, "CountryRegionName"),
        (camf_names.HAZARDS, "HazardCategoryAndType"),
        (camf_guidance.LIST_A, "GuidanceToReactLibrary_IC-A"),
        (camf_guidance.LIST_B, "GuidanceToReactLibrary_IC-B"),
        (camf_guidance.JAPAN, "GuidanceToReactLibrary_JP"),
    ],
)
def test_tables_are_the_published_ones(ours, theirs):
    assert ours == english(theirs)


def test_small_tables_too():
    assert list(english("MessageType").values()) == list(TYPES)
    assert [said.split(" - ")[0] for said in english("Severity").values()] == [word.value for word in SEVERITIES]
    for code, km in table("EllipseSemiMajorMinorAxis").items():
        assert ellipse(unpack(pack(**FLOOD, major=code, subject=3))).major_km == pytest.approx(km, abs=1e-3)
    for code, degrees in table("EllipseAzimuthAngle").items():
        assert ellipse(unpack(pack(**FLOOD, azimuth=code))).azimuth == pytest.approx(degrees, abs=0.006)


@pytest.mark.parametrize(
    ("name", "field", "ends"),
    [("EllipseCentreLatitude", "lat", (-90, 90)), ("EllipseCentreLongitude", "lon", (-180, 180))],
)
def test_both_ends_of_a_range(name, field, ends):
    rows = json.loads((SAMPLES / "camf" / f"{name}.json").read_text())["range"]
    found = [getattr(ellipse(unpack(pack(**FLOOD, subject=3, **{field: row["dec"]}))), field) for row in rows]
    assert tuple(found) == tuple(row["param"] for row in rows) == ends


def test_every_table_that_was_published_is_looked_at():
    """Those of QZSS's own extension, and of fields that need no table, are named so that none is forgotten."""
    read = {"CountryRegionName", "HazardCategoryAndType", "MessageType", "Severity", "EllipseAzimuthAngle"}
    read |= {"GuidanceToReactLibrary_IC-A", "GuidanceToReactLibrary_IC-B", "GuidanceToReactLibrary_JP", "index"}
    read |= {"EllipseSemiMajorMinorAxis", "EllipseCentreLatitude", "EllipseCentreLongitude"}
    plain = {"HazardDuration", "HazardOnsetTimeOfTheWeek", "HazardOnsetWeekNumber", "MainSubjectForSpecificSettings"}
    plain |= {"SelectionOfGuidanceToReactLibrary", "VersionOfLibrary", "GuidanceToReactLibrary_IC"}
    qzss = {"AdditionalEllipseAzimuth", "AdditionalEllipseCentreLatitude", "AdditionalEllipseCentreLongitude"}
    qzss |= {"EvacuateDirectionType", "TargetAreaCodeListType", "ProviderIdentifier"}
    found = {name.removesuffix(".json") for name in names("camf") if name.endswith(".json")}
    assert found == read | plain | qzss


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda vector: vector["hex"])
def test_an_independent_decoder_agrees(vector):
    fields = unpack(bytes.fromhex(vector["hex"]))
    told = decode_camf(bytes.fromhex(vector["hex"]), VECTORS["received"])
    shape = ellipse(fields)
    assert told["type"] == vector["type"]
    assert told["hazard"].endswith(vector["hazard"].replace(" / ", "/"))
    assert onset_of(fields, VECTORS["received"]) == vector["onset"]
    for name in ("lat", "lon", "major_km", "minor_km", "azimuth"):
        assert getattr(shape, name) == pytest.approx(vector[name], abs=2e-5)
    values = told["specific"]["values"]
    if "hazard_lat" in vector:
        assert shape.lat + values["north_deg"] == pytest.approx(vector["hazard_lat"], abs=2e-6)
        assert shape.lon + values["east_deg"] == pytest.approx(vector["hazard_lon"], abs=2e-6)
    if "second" in vector:
        assert [values["shift_axes"], values["factor"], values["turn_deg"]] == vector["second"]
    for ours, theirs in zip(values.values(), vector.get("detail", {}).values(), strict=False):
        assert "undefined" in ours or "visibility" in theirs or figures(ours) <= figures(theirs)


def figures(text):
    """The numbers and words that a scale is told by."""
    return {float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)} | set(
        re.findall("minor|moderate|major|record", text.lower())
    )


def test_a_flood_by_hand():
    message = read_camf(pack(**FLOOD, guidance=1 << 5 | 14, major=3, minor=3, lat=43144, lon=109190), MONDAY + 3600)
    info = message.infos[0]
    assert (message.status, message.msg_type, message.sent) == (Status.ACTUAL, MsgType.ALERT, MONDAY + 3600)
    assert (info.event, info.categories, info.severity) == ("Flood", ("Met",), Severity.EXTREME)
    assert (info.onset, info.expires) == (MONDAY, MONDAY + 6 * 3600)
    assert info.instruction.startswith("You are in the danger zone")
    assert info.areas[0].circles[0].radius_m == pytest.approx(535, abs=1)


@pytest.mark.parametrize(("week", "minute", "onset"), [(0, 0, None), (0, 1, 0), (1, 1, 604_800), (0, 10_080, 604_740)])
def test_onset_counts_from_monday(week, minute, onset):
    fields = unpack(pack(**{**FLOOD, "week": week, "minute": minute}))
    for received in (MONDAY, MONDAY + 604_799):
        assert onset_of(fields, received) == (None if onset is None else MONDAY + onset)


@pytest.mark.parametrize("values", [{"type": 0}, {"hazard": 13}, {"hazard": 113}, {"guidance": 29 << 5}])
def test_a_test_is_a_test(values):
    assert read_camf(pack(**{**FLOOD, **values}), MONDAY).status is Status.TEST


def test_all_clear_and_update():
    assert read_camf(pack(**{**FLOOD, "type": 3}), MONDAY).msg_type is MsgType.CANCEL
    assert read_camf(pack(**{**FLOOD, "type": 2}), MONDAY).msg_type is MsgType.UPDATE


def test_libraries_we_do_not_have_say_nothing():
    assert guidance(unpack(pack(**FLOOD, library=1, guidance=128))) == ()
    assert guidance(unpack(pack(**FLOOD, version=1, guidance=1 << 5))) == ()
    assert "Missile launched" in guidance(unpack(pack(**{**FLOOD, "country": 111}, library=1, guidance=128)))[0]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "camf-length"),
        (bytes(15), "camf-length"),
        (bytes(17), "camf-length"),
        (bytes(16), "camf-reserved"),
        (pack(**{**FLOOD, "hazard": 114}), "camf-reserved"),
        (pack(**{**FLOOD, "minute": 10_081}), "bad-time"),
        (pack(**FLOOD)[:15] + b"\x01", "camf-padding"),
    ],
)
def test_refused(data, why):
    with pytest.raises(RemoteError) as caught:
        unpack(data)
    assert caught.value.reason == why


@pytest.mark.parametrize("lon", [0.0, 179.99, -180.0])
def test_corners_lie_on_the_ellipse(lon):
    ring = corners(Ellipse(45.0, lon, 10.0, 5.0, 90.0))
    east, north = ring[0], ring[len(ring) // 4]
    span = (east.lon - lon + 540) % 360 - 180
    assert span == pytest.approx(10 / (111.195 * math.cos(math.radians(45))), rel=1e-3)
    assert abs(north.lat - 45) == pytest.approx(5 / 111.195, rel=1e-3)
    assert all(abs(point.lon) <= 180 for point in ring)


@given(st.binary(min_size=15, max_size=17), st.integers(0, 1 << 33))
def test_any_bits_raise_nothing_but_a_refusal(data, received):
    json.dumps(attempt(decode_camf, data, received))


@given(st.integers(0, (1 << BITS) - 1))
def test_any_message_can_be_told(bits):
    json.dumps(attempt(decode_camf, (bits << 6).to_bytes(16, "big"), MONDAY), allow_nan=False)
