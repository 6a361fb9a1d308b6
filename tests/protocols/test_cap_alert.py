"""From what was read to what can be signed: chain, level, action, time, area, text, and when it is refused."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import alert_cbor
from protocols.alert import ActionCode, Level, Status, chain_of, digest_of
from protocols.alert import MsgType as Sealed
from protocols.area import Circle as OurCircle
from protocols.area import Polygon, Position, covers
from protocols.camf import read_camf
from protocols.cap import Area, Circle, Family, Imported, Info, MsgType, Pair, Point, Reference, Severity
from protocols.cap_alert import Desk, to_alert
from protocols.cap_expiry import HOUR, LATEST_ONSET, SPANS
from protocols.cap_xml import read_cap
from protocols.cn12379 import read_12379
from protocols.cn12379_list import read_list
from protocols.ebm import read_ebd
from protocols.errors import RemoteError
from tests.support.refusal import attempt
from tests.support.samples import sample

SENT = 1786503845
VILLAGE = Area(geocodes=(Pair("GB/T 2260", "331124001002"),))
RAIN = Info(
    language="zh-CN",
    event="暴雨",
    event_codes=(Pair("GB/T 35965.1", "11B03"),),
    level=Level.RED,
    expires=SENT + 6 * HOUR,
    headline="暴雨红色预警",
    description="请注意",
    areas=(VILLAGE,),
)
FIRST = "33112441600000_20260812110405"
MESSAGE = Imported(Family.CN12379, FIRST, "33112441600000", SENT, Status.ACTUAL, MsgType.ALERT, infos=(RAIN,))
TYPHOON = read_12379(sample("cn-12379/33000041600000_20121025091026_11B01_BLUE_ALERT.xml"))


def draft(message=MESSAGE, desk=None, now=None, **info):
    if info:
        message = replace(message, infos=(replace(message.infos[0], **info),))
    return to_alert(message, 7, 1, message.sent + 60 if now is None else now, desk)


def reason(*args, **kwargs):
    with pytest.raises(RemoteError) as caught:
        draft(*args, **kwargs)
    assert str(caught.value).isprintable()
    return caught.value.reason


def codes(made):
    return [note.code for note in made.notes]


def test_the_plain_case():
    made = draft()
    alert = made.alert
    assert (alert.issuer, alert.seq, alert.status, alert.msg_type) == (7, 1, Status.ACTUAL, Sealed.ALERT)
    assert (alert.event, alert.level, alert.action) == ("11B03", Level.RED, ActionCode.INFORM)
    assert (alert.onset, alert.expires, alert.area) == (None, SENT + 6 * HOUR, (331124001002,))
    assert made.text == "暴雨红色预警\n请注意"
    assert alert.text_digest == digest_of(made.text)
    assert alert_cbor.decode(alert_cbor.encode(alert)) == alert
    assert made.notes == ()


# Chain


def test_all_messages_of_an_event_have_one_chain():
    expected = chain_of("33112441600000", FIRST)
    update = replace(
        MESSAGE,
        identifier="33112441600000_20260812120000",
        msg_type=MsgType.UPDATE,
        references=(Reference("33112441600000", FIRST),),
    )
    cancel = replace(update, identifier="33112441600000_20260812130000", msg_type=MsgType.CANCEL)
    by_cap = replace(
        update,
        family=Family.CAP_1_2,
        sender="relay@province",
        references=(
            Reference("relay@province", "33112441600000_20260812113000", SENT + 9),
            Reference("relay@province", FIRST, SENT),
        ),
    )
    first_by_cap = replace(MESSAGE, family=Family.CAP_1_2, sender="relay@province")
    found = {draft(one).alert.chain for one in (MESSAGE, update, cancel, by_cap, first_by_cap)}
    assert found == {expected}


def test_the_public_list_and_the_xml_agree():
    alert, cancel = read_list(sample("cn-12379/zhuhai_alert_cancel_pair_20210830.json"))
    area = Desk(area=(440400,))
    assert reason(alert) == "no-area"
    assert reason(cancel, area) == "no-references"
    linked = replace(area, area=(4404,), first=Reference(alert.sender, alert.identifier))
    chains = {draft(alert, replace(area, area=(4404,))).alert.chain, draft(cancel, linked).alert.chain}
    assert chains == {chain_of("44040041600000", "44040041600000_20210830130023")}


def test_an_ebm_cancel_agrees_with_its_message():
    text = sample("cn-ebm/SYNTHETIC_EBDB_EBM.xml").decode()
    stop = text.replace("<MsgType>1<", "<MsgType>2<").replace(
        "<EBMID/>", "<EBMID>010333112400000001201806260001</EBMID>"
    )
    stop = stop.replace(
        "<EBMID>010333112400000001201806260001</EBMID>", "<EBMID>010333112400000001201806260002</EBMID>", 1
    )
    made = [draft(read_ebd(one.encode()).message) for one in (text, stop)]
    assert made[0].alert.chain == made[1].alert.chain
    assert (made[1].alert.msg_type, made[1].alert.action) == (Sealed.CANCEL, ActionCode.ALL_CLEAR)
    assert made[0].alert.area == (331124, 331126)


def test_caps_earliest_reference_is_the_first():
    noaa = draft(read_cap(sample("cap-feeds/NOAA_MultiplePolygons.txt")))
    assert noaa.alert.chain == chain_of("w-nws.webmaster@noaa.gov", "NWS-IDP-PROD-4410291-3675936")
    assert "several-first" in codes(noaa)


def test_a_cancel_fills_in_from_what_it_cancels():
    cancel = read_cap(sample("cap-feeds/no_info_tag.cap"))
    assert reason(cancel) == "no-info"
    original = replace(draft().alert, expires=cancel.sent + 40 * HOUR)
    made = draft(cancel, Desk(original=original)).alert
    assert (made.event, made.level, made.area) == (original.event, original.level, original.area)
    assert (made.onset, made.expires, made.action) == (None, original.expires, ActionCode.ALL_CLEAR)
    assert made.chain == chain_of("AtHoc", "1017033100951096-517189320160225203219800")


# What it says


@pytest.mark.parametrize(
    ("level", "severity", "expected"),
    [
        (Level.RED, Severity.MODERATE, Level.RED),
        (Level.BLUE, Severity.EXTREME, Level.BLUE),
        (None, Severity.EXTREME, Level.RED),
        (None, Severity.SEVERE, Level.ORANGE),
        (None, Severity.MODERATE, Level.YELLOW),
        (None, Severity.MINOR, Level.BLUE),
        (None, Severity.UNKNOWN, Level.BLUE),
    ],
)
def test_the_national_colour_comes_before_caps_severity(level, severity, expected):
    made = draft(level=level, severity=severity)
    assert made.alert.level is expected
    assert ("level-unknown" in codes(made)) == (level is None and severity is Severity.UNKNOWN)


def test_taiwans_red_is_red():
    assert draft(read_cap(sample("cap-feeds/taiwan.cap")), Desk(area=(43,))).alert.level is Level.RED


@pytest.mark.parametrize("asked", ["Shelter", "Evacuate", "AllClear"])
def test_no_message_asks_for_more_than_inform(asked):
    made = draft(response_types=(asked,))
    assert made.alert.action is ActionCode.INFORM
    assert codes(made) == ["action-suggested"]
    assert draft(desk=Desk(action=ActionCode.EVACUATE)).alert.action is ActionCode.EVACUATE


def test_a_person_may_set_event_level_and_area():
    made = draft(desk=Desk(event="11A51", level=Level.ORANGE, area=(331124,))).alert
    assert (made.event, made.level, made.area) == ("11A51", Level.ORANGE, (331124,))


@pytest.mark.parametrize(
    ("pairs", "event"),
    [
        ((Pair("GB/T 35965.1", "11B101"),), "11B101"),
        ((Pair("SAME", "FFW"),), "11A51"),
        ((Pair("SAME", "CAE"),), "10000"),
        ((Pair("profile:x", "11B03"),), "10000"),
        ((Pair("GB/T 35965.1", "11B03; rm"),), "10000"),
        ((), "10000"),
    ],
)
def test_events(pairs, event):
    made = draft(event_codes=pairs)
    assert made.alert.event == event
    assert ("event-unknown" in codes(made)) == (event == "10000")


@pytest.mark.parametrize("status", list(Status))
def test_status_is_never_changed(status):
    assert draft(replace(MESSAGE, status=status)).alert.status is status


@pytest.mark.parametrize(("kind", "scope", "why"), [("Ack", "Public", "not-a-warning"), ("Error", "Public", "not-a-warning"),
    ("Alert", "Restricted", "not-public"), ("Alert", "Private", "not-public")])  # fmt: skip
def test_what_is_not_for_the_public_is_not_passed_on(kind, scope, why):
    assert reason(replace(MESSAGE, msg_type=MsgType(kind), scope=scope, references=(Reference("a", "b"),))) == why


def test_chinese_is_chosen_then_the_first_language():
    english = replace(RAIN, language="en", headline="rain")
    assert draft(replace(MESSAGE, infos=(english, RAIN))).text.startswith("暴雨")
    assert draft(replace(MESSAGE, infos=(english, replace(RAIN, language="fr")))).text.startswith("rain")
    amber = read_cap(sample("cap-oasis/A4_amber_multilingual.xml"))
    assert draft(amber, Desk(area=(43,))).text.startswith("Amber Alert")
    assert draft(amber, Desk(area=(43,), language="es")).text.startswith("Alerta")


def test_infos_that_differ_are_for_a_person_to_choose():
    message = replace(MESSAGE, infos=(RAIN, replace(RAIN, level=Level.BLUE)))
    assert reason(message) == "several-infos"
    assert draft(message, Desk(info=1)).alert.level is Level.BLUE
    assert reason(message, Desk(info=2)) == reason(message, Desk(info=-1)) == "no-info"
    both = replace(MESSAGE, infos=(RAIN, replace(RAIN, areas=(Area(geocodes=(Pair("GB/T 2260", "331126"),)),))))
    assert draft(both).alert.area == (331124001002, 331126)


def test_a_long_text_is_cut_at_a_character():
    made = draft(description="水" * 5_000)
    assert len(made.text.encode()) <= 4096
    assert codes(made) == ["text-cut"]
    assert made.alert.text_digest == digest_of(made.text)


# From when to when


@pytest.mark.parametrize(
    ("event", "expires", "lasts", "note"),
    [
        ("11B03", SENT + HOUR, HOUR, None),
        ("11B03", None, 24 * HOUR, "expiry-missing"),
        ("11B03", SENT, 24 * HOUR, "expiry-absurd"),
        ("11B03", SENT - 5, 24 * HOUR, "expiry-absurd"),
        ("11B03", SENT + 73 * HOUR, 72 * HOUR, "expiry-capped"),
        ("11B03", SENT + 10**10, 72 * HOUR, "expiry-capped"),
        ("11A51", None, 6 * HOUR, "expiry-missing"),
        ("11A51", SENT + 30 * HOUR, 24 * HOUR, "expiry-capped"),
        ("19999", None, 24 * HOUR, "expiry-missing"),
    ],
)
def test_expiry(event, expires, lasts, note):
    made = draft(expires=expires, event_codes=(Pair("GB/T 35965.1", event),))
    assert made.alert.expires == SENT + lasts
    assert codes(made) == ([note] if note else [])


def test_an_expiry_before_the_onset_is_when_the_text_lapses():
    made = draft(onset=SENT + 30 * HOUR, expires=SENT + 10 * HOUR)
    assert (made.alert.onset, made.alert.expires) == (SENT + 30 * HOUR, SENT + 54 * HOUR)
    assert codes(made) == ["expiry-before-onset"]


def test_onset():
    assert draft(onset=SENT + HOUR).alert.onset == SENT + HOUR
    assert draft(effective=SENT + HOUR).alert.onset == SENT + HOUR
    assert draft(onset=SENT, effective=SENT + HOUR).alert.onset is None
    assert reason(onset=SENT + LATEST_ONSET + 1) == "onset-absurd"


def test_the_standards_own_example_ends_by_itself():
    made = draft(TYPHOON)
    assert made.alert.expires == TYPHOON.sent + 24 * HOUR
    assert codes(made) == ["expiry-absurd"]


def test_old_and_future_messages_are_refused():
    assert reason(now=SENT + 6 * HOUR) == "expired"
    assert reason(now=SENT - 3601) == "sent-in-future"
    assert draft(now=SENT - 3600).alert.expires == SENT + 6 * HOUR


def test_nothing_lasts_longer_than_a_station_lets_it():
    assert all(span.default <= span.longest <= 72 for span in SPANS.values())


# Where


def area(**parts):
    return draft(areas=(Area(**parts),))


@pytest.mark.parametrize(
    ("written", "item"),
    [
        ("331124", 331124),
        ("331000", 3310),
        ("330000", 33),
        ("331124001000", 331124001),
        ("330205004001", 330205004001),
        ("62102300000000", 621023),
        ("331124001", 331124001),
    ],
)
def test_codes_are_taken_by_whole_units(written, item):
    assert area(geocodes=(Pair("GB/T 2260", written),)).alert.area == (item,)


@pytest.mark.parametrize("written", ["3311245", "33112x", "000000", "0", "all", "012345", "１２３４５６"])
def test_a_code_that_is_none_is_dropped_and_told(written):
    geocodes = (Pair("GB/T 2260", written), Pair("GB/T 2260", "331124"))
    made = area(geocodes=geocodes)
    assert (made.alert.area, codes(made)) == ((331124,), ["code-dropped"])
    assert reason(areas=(Area(geocodes=geocodes[:1]),)) == "no-area"


@pytest.mark.parametrize("registry", ["SAME", "FIPS6", "Taiwan_Geocode_100", "EMMA_ID"])
def test_other_countries_codes_mean_nothing_here(registry):
    assert reason(areas=(Area(geocodes=(Pair(registry, "331124"),)),)) == "no-area"


def test_circles_in_metres_and_points_dropped():
    made = area(circles=(Circle(28.45, 119.92, 1500.4), Circle(28.45, 119.92, 0.0)))
    assert made.alert.area == (OurCircle(2_845_000, 11_992_000, 1501),)
    assert codes(made) == ["point-dropped"]


def test_a_line_has_no_inside():
    assert reason(areas=(Area(lines=((Point(28, 119), Point(28, 120), Point(29, 120)),)),)) == "no-area"


def square(south, west, north, east):
    return (Point(south, west), Point(south, east), Point(north, east), Point(north, west))


def test_a_polygon_over_the_antimeridian():
    made = area(polygons=(square(10, 179, 12, -179),))
    (polygon,) = made.alert.area
    assert polygon == Polygon(
        ((1_000_000, 17_900_000), (1_000_000, 18_100_000), (1_200_000, 18_100_000), (1_200_000, 17_900_000))
    )
    for lon, inside in ((179.5, True), (-179.5, True), (178.9, False), (0.0, False)):
        assert covers(polygon, (), Position(11, lon)) is inside


def test_a_polygon_round_a_pole_is_refused():
    ring = tuple(Point(80.0, float(lon)) for lon in (-180, -90, 0, 90))
    assert reason(areas=(Area(polygons=(ring,)),)) == "around-pole"


def test_a_polygon_at_a_pole_is_kept():
    assert len(area(polygons=(square(89, -10, 90, 10),)).alert.area) == 1


def test_a_long_border_is_thinned_and_says_by_how_much():
    import math

    ring = tuple(
        Point(28 + math.cos(turn / 400 * math.tau) * (1 + 0.01 * (turn % 2)), 119 + math.sin(turn / 400 * math.tau))
        for turn in range(400)
    )
    made = area(polygons=(ring,))
    (polygon,) = made.alert.area
    assert len(polygon.points) == 100
    assert codes(made) == ["polygon-thinned"]
    assert len(alert_cbor.encode(made.alert)) <= alert_cbor.MAX_PAYLOAD
    moved = float(made.notes[0].detail.split()[-2])
    assert 0 < moved < 2_000
    assert covers(polygon, (), Position(28, 119))
    assert not covers(polygon, (), Position(28, 120.05))


def test_a_bow_tie_is_told():
    assert codes(area(polygons=((Point(0, 0), Point(1, 1), Point(1, 0), Point(0, 1)),))) == ["polygon-crossing"]
    assert codes(area(polygons=(square(0, 0, 1, 1),))) == []


def test_too_many_areas_are_refused():
    geocodes = tuple(Pair("GB/T 2260", f"3311240010{n:02}") for n in range(10, 27))
    assert len(area(geocodes=geocodes[:16]).alert.area) == 16
    assert reason(areas=(Area(geocodes=geocodes),)) == "too-many-areas"


def test_many_small_polygons_fit_or_are_refused():
    def squares(count):
        return tuple(square(20 + n * 0.1, 110 + n * 0.1, 20.05 + n * 0.1, 110.05 + n * 0.1) for n in range(count))

    assert len(area(polygons=squares(16)).alert.area) == 16
    assert reason(areas=(Area(polygons=squares(17)),)) == "too-many-areas"


def test_every_corner_twice_and_the_same_code_twice_cost_nothing():
    assert area(geocodes=(Pair("GB/T 2260", "331124"), Pair("GB/T 2260", "331124000000"))).alert.area == (331124,)


# CAMF


def test_a_camf_all_clear_needs_a_person_to_say_of_what():
    """Japan's typhoon of the vectors, as an all clear: nothing in CAMF names the event."""
    typhoon = int("4de4a56089434f6c7999524b7ce52980", 16)
    message = read_camf((typhoon | 3 << 126).to_bytes(16, "big"), SENT)
    assert message.msg_type is MsgType.CANCEL
    assert reason(message) == "no-references"
    made = draft(message, Desk(first=Reference("camf-111-4", "x"))).alert
    assert (made.event, made.action) == ("11B01", ActionCode.ALL_CLEAR)


POINTS = st.builds(Point, st.floats(-90, 90), st.floats(-180, 180))
AREAS = st.builds(
    Area,
    polygons=st.lists(st.lists(POINTS, min_size=3, max_size=60).map(tuple), max_size=3).map(tuple),
    circles=st.lists(st.builds(Circle, st.floats(-90, 90), st.floats(-180, 180), st.floats(0, 2.5e6)), max_size=3).map(
        tuple
    ),
    geocodes=st.lists(st.builds(Pair, st.just("GB/T 2260"), st.text("0123456789", max_size=14)), max_size=3).map(tuple),
)
TIMES = st.none() | st.integers(0, 1 << 33)


@settings(max_examples=200)
@given(AREAS, TIMES, TIMES, TIMES, st.text(max_size=40), st.integers(0, 1 << 33))
def test_whatever_was_read_becomes_an_alert_that_can_be_sealed_or_is_refused(
    where, effective, onset, expires, text, sent
):
    info = replace(RAIN, areas=(where,), effective=effective, onset=onset, expires=expires, headline=text)
    message = replace(MESSAGE, infos=(info,), sent=sent)
    made = attempt(to_alert, message, 7, 1, sent)
    if made:
        alert_cbor.encode(made.alert)
        begins = made.alert.onset or sent
        assert begins < made.alert.expires <= begins + 72 * HOUR
