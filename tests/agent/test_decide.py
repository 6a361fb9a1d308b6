"""Whether a message is believed, and by whose authority: the rules of trust, sentence by sentence."""

import pytest

from agent.alerts.orders import Change
from agent.alerts.policy import Channel, Place, Policy
from protocols.alert import ActionCode, Level, MsgType, Permission, Status, chain_of, digest_of
from tests.support.seals import COUNTY, T0, TEXT, key, keyring, sealed
from tests.support.village import Village, channels, on

UPDATE, CANCEL = MsgType.UPDATE, MsgType.CANCEL
ALL = {"display", "voice", "siren", "lamp"}
QUIETLY = {"display", "voice", "lamp"}


# Status


@pytest.mark.parametrize(
    ("status", "outcome"), [(Status.TEST, "test"), (Status.SYSTEM, "system"), (Status.DRAFT, "draft")]
)
def test_a_test_never_sounds_nor_shows(status, outcome):
    decision = Village().say("county bureau", TEXT, status=status)
    assert (decision.outcome, decision.change, decision.entries, decision.orders) == (outcome, Change.NONE, (), ())


def test_a_genuine_warning_for_this_place_acts():
    decision = Village().say("county bureau", TEXT)
    assert (decision.outcome, decision.change) == ("started", Change.START)
    assert channels(decision) == ALL
    order = on(decision, Channel.SIREN)
    assert order is not None
    assert (order.text, order.who, order.exercise) == (TEXT, ("bureau", "county"), False)
    assert (order.seconds, order.siren_seconds) == (3600, 180)


def test_an_exercise_needs_a_holder_who_may_hold_one():
    assert Village().say("county", status=Status.EXERCISE).outcome == "started"
    assert Village().say("watch", status=Status.EXERCISE, issuer=3).outcome == "no-authority"


def test_an_exercise_sounds_only_where_the_configuration_says_so():
    quiet = Village().say("county bureau", status=Status.EXERCISE)
    assert channels(quiet) == QUIETLY
    assert quiet.orders[0].withheld == {"siren": "exercise-silent"}
    loud = Village(policy=Policy(exercise_siren=True)).say("county bureau", status=Status.EXERCISE)
    assert channels(loud) == ALL
    assert loud.orders[0].exercise


def test_an_exercise_has_a_weekly_cap():
    village = Village(policy=Policy(exercise_siren=True))
    outcomes = []
    for week_day in range(9):
        drill = village.say(
            "county bureau",
            status=Status.EXERCISE,
            seq=T0 + week_day * 86_400,
            chain=chain_of("drill", str(week_day)),
            expires=village.unix + 600,
        )
        outcomes.append("siren" in channels(drill))
        village.later(86_400)
    assert outcomes == [True, True, False, False, False, False, False, True, True]


def test_any_actual_alert_ends_an_exercise():
    village = Village(policy=Policy(exercise_siren=True))
    village.say("county bureau", status=Status.EXERCISE, chain=chain_of("drill", "1"))
    real = village.say("county", seq=T0 + 1, level=Level.BLUE, action=ActionCode.INFORM)
    assert real.outcome == "started"
    assert not any(order.exercise for order in real.orders)


def test_a_drill_during_the_real_thing_does_not_begin():
    village = Village()
    village.say("county")
    drill = village.say("county bureau", status=Status.EXERCISE, seq=T0 + 1, chain=chain_of("drill", "1"))
    assert drill.outcome == "exercise-yields"
    assert not any(order.exercise for order in drill.orders)


def test_an_exercise_touches_no_real_alert_of_its_chain():
    village = Village()
    village.say("county bureau")
    for sort in (UPDATE, CANCEL):
        drill = village.say("county bureau", status=Status.EXERCISE, msg_type=sort, seq=T0 + 1 + sort)
        assert channels(drill) == ALL
        assert not drill.orders[0].exercise


# Authority


def test_authority_is_the_union_of_holders_over_the_same_payload_in_any_order():
    for first, second in (("county", "bureau"), ("bureau", "county")):
        village = Village()
        begun = village.say(first)
        assert channels(begun) == QUIETLY
        assert begun.orders[0].withheld == {"siren": "second-holder"}
        joined = village.say(second)
        assert (joined.outcome, joined.change) == ("upgraded", Change.UPGRADE)
        assert channels(joined) == ALL
        assert joined.orders[0].who == ("bureau", "county")
        assert joined.orders[0].withheld == {}


def test_two_signers_over_two_payloads_are_not_two_holders():
    village = Village()
    village.say("county")
    other = village.say("bureau", issuer=2, seq=T0 + 1)
    assert "siren" not in channels(other)


def test_a_second_holder_who_may_not_sound_adds_no_siren():
    village = Village()
    village.say("county")
    joined = village.say("watch")
    assert (joined.outcome, joined.change) == ("countersigned", Change.NONE)
    assert channels(joined) == QUIETLY


def test_a_second_copy_after_expiry_adds_nothing():
    village = Village()
    village.say("county")
    assert village.later(3600).say("bureau").outcome == "expired"


def test_the_upgrade_survives_in_the_journal_across_a_reboot():
    village = Village()
    village.say("county")
    village.reboot()
    assert channels(village.say("bureau")) == ALL


def test_the_top_level_wants_two_holders_and_every_other_one():
    assert channels(Village().say("county", level=Level.RED)) == QUIETLY
    assert channels(Village().say("county", level=Level.ORANGE)) == ALL


def test_a_key_acts_only_in_its_area():
    decision = Village().say("far", issuer=4)
    assert (decision.outcome, decision.orders) == ("no-authority", ())
    ring = keyring(key("county", areas=(COUNTY,)), key("bureau", areas=(330206,)))
    village = Village(ring=ring)
    assert channels(village.say("county bureau", level=Level.ORANGE)) == ALL
    assert "siren" not in channels(Village(ring=ring).say("county bureau"))


def test_a_key_of_a_county_may_warn_the_province_and_is_heard_in_its_county():
    ring = keyring(key("county", areas=(COUNTY,)))
    assert channels(Village(ring=ring).say(area=(33,), level=Level.ORANGE)) == ALL
    elsewhere = Village(ring=ring, place=Place((330206001001,)))
    assert elsewhere.say(area=(33,)).outcome == "no-authority"


def test_a_key_acts_only_up_to_its_level():
    assert Village().say("small", issuer=5, level=Level.RED).outcome == "no-authority"
    assert channels(Village().say("small", issuer=5, level=Level.ORANGE)) == ALL


def test_a_key_does_only_what_it_may():
    decision = Village().say("watch", issuer=3, level=Level.ORANGE)
    assert channels(decision) == QUIETLY
    assert decision.orders[0].withheld == {"siren": "no-authority"}
    mute = Village(ring=keyring(key("county", Permission.DISPLAY))).say(level=Level.ORANGE)
    assert channels(mute) == {"display", "lamp"}


def test_an_expired_key_shows_and_does_not_sound():
    village = Village(ring=keyring(key("county", not_after=T0)))
    assert channels(village.say(level=Level.ORANGE)) == {"display", "lamp"}


def test_the_same_number_over_another_payload_is_equivocation():
    village = Village()
    village.say("county")
    twin = village.say("county bureau", level=Level.ORANGE)
    assert (twin.outcome, twin.change, twin.entries) == ("equivocation", Change.NONE, ())
    assert channels(twin) == QUIETLY
    assert village.say("bureau").outcome == "upgraded"  # the first payload stands


# Duplicates


def test_a_duplicate_is_silent():
    village = Village()
    first = village.say("county bureau", TEXT)
    for _ in range(3):
        again = village.hear(sealed("county bureau", TEXT))
        assert (again.outcome, again.change, again.entries) == ("duplicate", Change.NONE, ())
        assert again.orders == first.orders


def test_a_retained_repeat_is_silent_after_it_has_ended_and_after_a_reboot():
    village = Village()
    village.say("county bureau", expires=T0 + 7 * 86_400)
    village.later(4 * 86_400).due()
    village.reboot()
    again = village.say("county bureau", expires=T0 + 7 * 86_400)
    assert (again.outcome, again.orders) == ("duplicate", ())


def test_a_copy_brings_the_text_that_a_narrow_bearer_dropped():
    village = Village()
    bare = village.say("county", text_digest=digest_of(TEXT))
    assert bare.orders[0].text == ""
    full = village.say("county", TEXT)
    assert (full.outcome, full.change, full.orders[0].text) == ("completed", Change.UPGRADE, TEXT)
    assert village.say("county", TEXT).outcome == "duplicate"
