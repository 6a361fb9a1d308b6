"""Where a warning applies, what it may sound, and which of several is heard."""

from dataclasses import replace

import pytest

from agent.alerts.decide import end
from agent.alerts.journal import MOST_ACTIVE
from agent.alerts.orders import Change
from agent.alerts.policy import Cap, Channel, Place, Policy, Quiet
from protocols.alert import ActionCode, Level, Local, chain_of
from protocols.area import Circle, Polygon
from tests.support.seals import COUNTY, T0, TOWNSHIP, VILLAGE
from tests.support.village import Village, channels, on

ALL = {"display", "voice", "siren", "lamp"}
QUIETLY = {"display", "voice", "lamp"}


# Area


@pytest.mark.parametrize("area", [0, 33, 3302, COUNTY, TOWNSHIP, VILLAGE])
def test_the_area_is_ours_or_an_ancestor_of_ours(area):
    assert Village().say(area=(area,)).outcome == "started"


@pytest.mark.parametrize("area", [34, 3303, 330206, 330205005, 330205004002])
def test_a_foreign_area_is_silent_and_leaves_no_trace(area):
    decision = Village().say("county bureau", area=(area,))
    assert (decision.outcome, decision.change, decision.entries) == ("foreign-area", Change.NONE, ())


def test_zeros_are_never_stripped_from_within_a_unit():
    lishui = Village(place=Place((331102001001,)))
    assert lishui.say(area=(3310,)).outcome == "foreign-area"


def test_a_station_has_a_list_of_codes():
    village = Village(place=Place((330205004001, 330206)))
    assert village.say(area=(330206,)).outcome == "started"
    assert village.say(area=(330206001,), seq=T0 + 1).outcome == "foreign-area"


def test_shapes_apply_by_position():
    circle = Circle(2_987_000, 12_155_000, 500)
    assert Village().say(area=(circle,)).outcome == "started"
    assert Village().say(area=(Circle(2_997_000, 12_155_000, 500),)).outcome == "foreign-area"
    around = Polygon(
        ((2_980_000, 12_150_000), (2_980_000, 12_160_000), (2_990_000, 12_160_000), (2_990_000, 12_150_000))
    )
    assert channels(Village().say("county bureau", area=(around,))) == ALL


def test_where_the_position_is_not_known_the_policy_says_what_a_shape_may_do():
    shape = (Circle(2_987_000, 12_155_000, 500),)
    nowhere = Place((VILLAGE,))
    shown = Village(place=nowhere).say("county bureau", area=shape)
    assert channels(shown) == {"display", "lamp"}
    assert shown.orders[0].withheld["siren"] == "no-position"
    silent = Village(place=nowhere, policy=Policy(unplaced=Channel.NONE)).say("county bureau", area=shape)
    assert silent.outcome == "no-position"
    assert channels(Village(place=nowhere).say("county bureau", area=(*shape, VILLAGE))) == ALL


# Sirens

FLASH, TYPHOON = "11A51", "11B01"


@pytest.mark.parametrize(
    ("event", "level", "action", "area", "why"),
    [
        (TYPHOON, Level.ORANGE, ActionCode.EVACUATE, VILLAGE, ""),
        (TYPHOON, Level.ORANGE, ActionCode.SHELTER, VILLAGE, ""),
        (TYPHOON, Level.BLUE, ActionCode.EVACUATE, VILLAGE, ""),
        (TYPHOON, Level.ORANGE, ActionCode.SHELTER, COUNTY, ""),
        (TYPHOON, Level.RED, ActionCode.INFORM, VILLAGE, "not-for-siren"),
        (TYPHOON, Level.RED, ActionCode.PREPARE, VILLAGE, "not-for-siren"),
        (FLASH, Level.RED, ActionCode.INFORM, TOWNSHIP, ""),
        (FLASH, Level.RED, ActionCode.PREPARE, VILLAGE, ""),
        (FLASH, Level.ORANGE, ActionCode.INFORM, VILLAGE, ""),
        (FLASH, Level.YELLOW, ActionCode.INFORM, VILLAGE, "not-for-siren"),
        (FLASH, Level.RED, ActionCode.INFORM, COUNTY, "wide-area"),
        (FLASH, Level.RED, ActionCode.ALL_CLEAR, VILLAGE, "not-for-siren"),
        ("11A03", Level.ORANGE, ActionCode.INFORM, TOWNSHIP, ""),
        ("11A04", Level.ORANGE, ActionCode.INFORM, TOWNSHIP, ""),
        ("11D01", Level.ORANGE, ActionCode.INFORM, TOWNSHIP, ""),
        ("11D02", Level.ORANGE, ActionCode.INFORM, TOWNSHIP, ""),
        ("11E01", Level.ORANGE, ActionCode.INFORM, TOWNSHIP, ""),
        ("12A07", Level.ORANGE, ActionCode.INFORM, TOWNSHIP, ""),
        ("flash-flood", Level.ORANGE, ActionCode.INFORM, TOWNSHIP, ""),
        ("11A01", Level.ORANGE, ActionCode.INFORM, TOWNSHIP, "not-for-siren"),
        ("11X99", Level.RED, ActionCode.INFORM, VILLAGE, "not-for-siren"),
        ("11X99", Level.ORANGE, ActionCode.EVACUATE, VILLAGE, ""),
    ],
)
def test_default_plans_sound_a_siren_only_for(event, level, action, area, why):
    decision = Village().say("county bureau", event=event, level=level, action=action, area=(area,))
    assert decision.orders[0].withheld.get("siren", "") == why
    assert channels(decision) >= {"display", "voice"}


def test_daily_caps_are_per_origin_and_never_apply_to_a_top_level_alert_of_two_holders():
    village = Village(policy=Policy(caps={"remote": Cap(2, 86_400), "local": Cap(1, 86_400)}))
    said = [village.say(seq=T0 + n, chain=chain_of("o", str(n)), level=Level.ORANGE) for n in range(3)]
    assert [{"siren": "cap"} in [order.withheld for order in one.orders] for one in said] == [False, False, True]
    red = village.say("county bureau", seq=T0 + 9, chain=chain_of("r", "1"))
    assert on(red, Channel.SIREN).level is Level.RED
    assert "siren" in channels(village.alarm(alarm(alone=True)))


def test_quiet_hours_withhold_the_voice_of_lesser_warnings_only():
    night = Policy(quiet=Quiet(22 * 60, 6 * 60, utc_offset=16 * 3600))  # T0 is 08:00 UTC: midnight there
    blue = {"level": Level.BLUE, "action": ActionCode.INFORM}
    assert Village(policy=night).say(**blue).orders[0].withheld["voice"] == "quiet-hours"
    assert "voice" in channels(Village(policy=night).say(level=Level.ORANGE))
    assert "voice" in channels(Village(policy=night, trusted=False).say(**blue))
    noon = Policy(quiet=Quiet(22 * 60, 6 * 60, utc_offset=4 * 3600))
    assert "voice" in channels(Village(policy=noon).say(**blue))


# Several at once


def test_the_higher_level_wins_and_the_lower_resumes():
    village = Village()
    village.say(level=Level.ORANGE, chain=chain_of("c", "1"))
    both = village.say("county bureau", seq=T0 + 1, chain=chain_of("c", "2"), expires=T0 + 60)
    assert on(both, Channel.SIREN).level is Level.RED
    assert on(both, Channel.DISPLAY).level is Level.RED
    after = village.later(60).due()
    assert (after.outcome, after.change) == ("ended", Change.STOP)
    assert on(after, Channel.SIREN).level is Level.ORANGE
    assert on(after, Channel.SIREN).seconds == 3540


def test_a_lower_level_does_not_interrupt():
    village = Village()
    village.say(level=Level.ORANGE)
    both = village.say(seq=T0 + 1, chain=chain_of("c", "2"), level=Level.BLUE)
    assert both.outcome == "started"
    assert on(both, Channel.DISPLAY).level is Level.ORANGE


def test_alerts_in_force_are_bounded_and_the_least_goes():
    village = Village()
    for number in range(MOST_ACTIVE):
        village.say(seq=T0 + number, chain=chain_of("c", str(number)), level=Level.YELLOW)
    over = village.say(seq=T0 + 100, chain=chain_of("c", "x"), level=Level.BLUE)
    assert over.outcome == "crowded"
    more = village.say(seq=T0 + 101, chain=chain_of("c", "y"), level=Level.ORANGE)
    assert more.outcome == "started"
    assert len(more.orders) == MOST_ACTIVE


# Local alarms


def alarm(**changed: object) -> Local:
    base = Local("river", (("river.stage", 27.9),), "11A51", Level.ORANGE, ActionCode.EVACUATE, "水位超警", 600)
    return replace(base, **changed)


def test_a_local_alarm_shows_and_speaks_and_sounds_on_two_series_or_alone_when_the_rule_says_so():
    assert channels(Village().alarm(alarm())) == QUIETLY
    same = alarm(evidence=(("river.stage", 27.9), ("river.stage", 28.0)))
    assert Village().alarm(same).orders[0].withheld == {"siren": "one-series"}
    assert channels(Village().alarm(alarm(evidence=(("river.stage", 27.9), ("rain.tips", 61.0))))) == ALL
    assert channels(Village().alarm(alarm(alone=True))) == ALL


def test_a_local_alarm_works_where_time_is_not_known():
    assert channels(Village(trusted=False, unix=0, floor=0).alarm(alarm(alone=True))) == ALL


def test_a_local_alarm_is_renewed_rarely_and_grows_when_it_says_more():
    village = Village()
    assert village.alarm(alarm()).outcome == "started"
    assert village.later(100).alarm(alarm()).entries == ()
    renewed = village.later(250).alarm(alarm())
    assert (renewed.outcome, renewed.orders[0].seconds) == ("renewed", 600)
    assert village.alarm(alarm(alone=True)).outcome == "upgraded"
    assert village.alarm(alarm(alone=True, level=Level.RED)).outcome == "upgraded"


def test_a_local_alarm_ends_by_itself_or_when_its_rule_says_so():
    village = Village()
    begun = village.alarm(alarm())
    assert village.later(600).due().outcome == "ended"
    village.alarm(alarm())
    over = village.take(end(village.journal, begun.identity, village.now))
    assert (over.outcome, over.change, over.orders) == ("ended", Change.STOP, ())
    assert end(village.journal, begun.identity, village.now).change is Change.NONE
