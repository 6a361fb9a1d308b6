"""Updates and cancels in either order: what one message does to those before and after it."""

import msgspec
import pytest

from agent.alerts.journal import MOST_TOMBSTONES, Journal
from agent.alerts.journal_entries import Entry, Seen, Spent, Tombstone
from agent.alerts.orders import Change
from agent.alerts.policy import Channel
from protocols.alert import ActionCode, Level, MsgType, Permission, Status, chain_of
from tests.support.seals import COUNTY, T0, TEXT, WARN, key, keyring
from tests.support.village import Village, channels, on

UPDATE, CANCEL = MsgType.UPDATE, MsgType.CANCEL
ALL = {"display", "voice", "siren", "lamp"}
QUIETLY = {"display", "voice", "lamp"}


# Updates


def test_an_update_replaces():
    village = Village()
    village.say(level=Level.ORANGE)
    update = village.say(msg_type=UPDATE, seq=T0 + 60, level=Level.YELLOW)
    assert (update.outcome, update.change) == ("replaced", Change.REPLACE)
    assert [order.level for order in update.orders] == [Level.YELLOW]


def test_an_update_before_its_alert_stands_and_the_alert_is_superseded():
    village = Village()
    assert village.say(msg_type=UPDATE, seq=T0 + 60, level=Level.YELLOW).outcome == "started"
    late = village.say(level=Level.ORANGE)
    assert (late.outcome, late.change) == ("superseded", Change.NONE)


def test_an_update_that_leaves_this_place_out_stops():
    village = Village()
    village.say("county bureau")
    update = village.say(msg_type=UPDATE, seq=T0 + 60, area=(330206,))
    assert (update.outcome, update.change, update.orders) == ("left-area", Change.STOP, ())


def test_an_update_that_leaves_this_place_out_counts_also_before_its_alert():
    village = Village()
    assert village.say(msg_type=UPDATE, seq=T0 + 60, area=(330206,)).outcome == "foreign-area"
    assert village.say("county bureau").outcome == "cancelled-before"
    again = village.say(msg_type=UPDATE, seq=T0 + 60, area=(330206,))
    assert again.entries == ()


def test_anothers_update_stands_beside_unless_it_could_cancel():
    village = Village()
    village.say("county bureau")
    beside = village.say("watch", issuer=3, msg_type=UPDATE, seq=T0 + 60, level=Level.BLUE)
    assert beside.outcome == "started"
    assert on(beside, Channel.SIREN).level is Level.RED
    instead = village.say("bureau", issuer=2, msg_type=UPDATE, seq=T0 + 61, level=Level.BLUE, action=ActionCode.INFORM)
    assert (instead.outcome, [order.level for order in instead.orders]) == ("replaced", [Level.BLUE])


def test_anothers_update_elsewhere_stops_nothing():
    village = Village()
    village.say("county bureau")
    assert village.say("bureau", issuer=2, msg_type=UPDATE, seq=T0 + 60, area=(330206,)).outcome == "foreign-area"
    assert "siren" in channels(village.due())


def test_an_update_in_anothers_name_replaces_when_the_issuer_has_signed_it_too():
    village = Village()
    village.say("county", level=Level.ORANGE)
    alone = village.say("watch", msg_type=UPDATE, seq=T0 + 60, level=Level.YELLOW)
    assert [order.level for order in alone.orders] == [Level.ORANGE, Level.YELLOW]
    both = village.say("county", msg_type=UPDATE, seq=T0 + 60, level=Level.YELLOW)
    assert [order.level for order in both.orders] == [Level.YELLOW]


def test_an_update_that_takes_nothing_back_leaves_the_siren_until_its_second_holder_signs():
    village = Village()
    village.say("county bureau")
    update = village.say("county", TEXT, msg_type=UPDATE, seq=T0 + 60)
    assert on(update, Channel.DISPLAY).text == TEXT
    assert on(update, Channel.SIREN).text == ""
    signed = village.say("bureau", TEXT, msg_type=UPDATE, seq=T0 + 60)
    assert [order.text for order in signed.orders] == [TEXT]
    assert channels(signed) == ALL


def test_an_update_that_lowers_silences_the_siren_at_once():
    village = Village()
    village.say("county bureau")
    lower = village.say("county", msg_type=UPDATE, seq=T0 + 60, level=Level.BLUE, action=ActionCode.INFORM)
    assert lower.outcome == "replaced"
    assert channels(lower) == QUIETLY


def test_an_all_clear_is_shown_and_said_and_never_sounds():
    village = Village()
    village.say("county bureau")
    clear = village.say("county", msg_type=UPDATE, seq=T0 + 60, action=ActionCode.ALL_CLEAR)
    assert clear.outcome == "replaced"
    assert channels(clear) == {"display", "voice"}
    assert clear.orders[0].seconds == 600


def test_two_importers_of_one_alert_sound_once():
    village = Village()
    one = village.say("county", level=Level.ORANGE)
    village.journal = village.journal.fold([Spent(one.identity, 100.0, 100.0)])
    two = village.say("bureau", issuer=2, seq=T0 + 1, level=Level.ORANGE)
    assert [order.siren_seconds for order in two.orders] == [80.0, 80.0]
    village.journal = village.journal.fold([Spent(two.identity, 180.0, 120.0)])
    assert on(village.due(), Channel.SIREN) is None
    higher = village.say("county bureau", seq=T0 + 2, msg_type=UPDATE)
    assert on(higher, Channel.SIREN).siren_seconds == 180


def test_a_scheduled_update_replaces_when_it_begins():
    village = Village()
    village.say(level=Level.ORANGE)
    village.say(msg_type=UPDATE, seq=T0 + 60, level=Level.YELLOW, onset=T0 + 600)
    assert [order.level for order in village.due().orders] == [Level.ORANGE]
    assert [order.level for order in village.later(600).due().orders] == [Level.YELLOW]


def test_a_moved_onset_replaces_what_has_not_begun():
    village = Village()
    village.say(onset=T0 + 600)
    village.say(msg_type=UPDATE, seq=T0 + 60, onset=T0 + 1200)
    assert len(village.journal.active) == 1
    assert village.later(600).due().orders == ()


# Cancels


def test_a_cancel_wants_one_holder_acts_at_once_and_says_the_all_clear():
    village = Village()
    village.say("county bureau")
    over = village.say("county", TEXT, msg_type=CANCEL, seq=T0 + 60)
    assert (over.outcome, over.change) == ("cancelled", Change.STOP)
    assert channels(over) == {"display", "voice"}
    clear = over.orders[0]
    assert (clear.action, clear.who, clear.text) == (ActionCode.ALL_CLEAR, ("county",), TEXT)
    assert village.later(600).due().orders == ()


def test_a_cancelled_alert_does_not_come_back():
    village = Village()
    village.say("county")
    village.say("county", msg_type=CANCEL, seq=T0 + 60)
    assert village.say("county").outcome == "duplicate"
    assert village.say("bureau").outcome == "duplicate"  # not even when the second holder signs
    assert village.say("county", msg_type=CANCEL, seq=T0 + 60).outcome == "duplicate"


def test_a_holder_with_cancel_authority_here_may_cancel_anothers():
    village = Village()
    village.say("county")
    assert village.say("bureau", issuer=2, msg_type=CANCEL, seq=T0 + 60).outcome == "cancelled"
    assert village.say("watch").outcome == "duplicate"


def test_cancel_authority_has_no_level():
    village = Village(ring=keyring(key("county", WARN), key("small", Permission.CANCEL, level=Level.BLUE)))
    village.say("county")
    assert village.say("small", issuer=5, msg_type=CANCEL, seq=T0 + 60).outcome == "cancelled"


@pytest.mark.parametrize("who", ["watch", "far"])
def test_nobody_else_may_cancel(who):
    village = Village()
    village.say("county bureau")
    issuer = {"watch": 3, "far": 4}[who]
    refused = village.say(who, issuer=issuer, msg_type=CANCEL, seq=T0 + 60)
    assert (refused.outcome, refused.change) == ("no-authority", Change.NONE)
    assert channels(refused) == ALL
    in_its_name = village.say(who, msg_type=CANCEL, seq=T0 + 61)
    assert in_its_name.outcome == "no-authority"


def test_a_cancel_before_its_alert_leaves_a_tombstone():
    village = Village()
    early = village.say("county", msg_type=CANCEL, seq=T0 + 60)
    assert (early.outcome, early.change, early.orders) == ("tombstone", Change.NONE, ())
    assert village.say("county bureau").outcome == "cancelled-before"


def test_tombstones_only_by_their_own_issuer():
    village = Village()
    assert village.say("bureau", issuer=2, msg_type=CANCEL, seq=T0 + 60).outcome == "tombstone"
    assert village.say("bureau", msg_type=CANCEL, seq=T0 + 61).outcome == "nothing-to-cancel"  # in the county's name
    assert village.say("county bureau").outcome == "started"


def test_an_issuers_tombstone_stands_also_while_another_importers_alert_sounds():
    village = Village()
    village.say("bureau", issuer=2)
    assert village.say("county", msg_type=CANCEL, seq=T0 + 60).outcome == "no-authority"
    assert village.say("county", seq=T0 + 1).outcome == "cancelled-before"


def test_a_cancel_never_blocks_a_later_alert():
    village = Village()
    village.say("county")
    village.say("county", msg_type=CANCEL, seq=T0 + 60)
    assert village.say("county bureau", seq=T0 + 61).outcome in {"started", "replaced"}
    late = village.say("bureau", issuer=2, msg_type=CANCEL, seq=T0 + 50)  # was on its way for long
    assert late.outcome in {"no-authority", "tombstone"}
    assert "siren" in channels(late)


def test_an_older_cancel_of_the_issuer_does_not_reach_its_later_alert():
    village = Village()
    village.say("county", seq=T0 + 60)
    assert village.say("county", msg_type=CANCEL, seq=T0 + 30).outcome == "superseded"
    assert village.due().orders


def test_a_cancel_for_another_area_ends_nothing_here():
    village = Village()
    village.say("county", area=(COUNTY,))
    assert village.say("county", msg_type=CANCEL, seq=T0 + 60, area=(330206,)).outcome == "foreign-area"
    assert village.due().orders


def test_a_cancel_countersigned_later_by_one_who_may():
    village = Village()
    village.say("county")
    assert village.say("watch", issuer=3, msg_type=CANCEL, seq=T0 + 60).outcome == "no-authority"
    assert village.say("bureau", issuer=3, msg_type=CANCEL, seq=T0 + 60).outcome == "cancelled"


def test_a_scheduled_alert_is_cancelled_without_a_word():
    village = Village()
    village.say(onset=T0 + 600)
    over = village.say(msg_type=CANCEL, seq=T0 + 60)
    assert (over.outcome, over.orders) == ("cancelled", ())
    assert village.later(600).due().orders == ()


def test_an_exercises_cancel_says_that_the_exercise_is_over():
    village = Village()
    village.say(status=Status.EXERCISE)
    over = village.say(status=Status.EXERCISE, msg_type=CANCEL, seq=T0 + 60)
    assert over.outcome == "cancelled"
    assert over.orders[0].exercise


def test_an_all_clear_never_covers_what_still_stands():
    village = Village()
    village.say(level=Level.BLUE, chain=chain_of("c", "2"))
    village.say("county bureau", seq=T0 + 1)
    over = village.say(msg_type=CANCEL, seq=T0 + 60)
    assert on(over, Channel.DISPLAY).level is Level.BLUE


def test_foreign_updates_leave_a_bounded_memory():
    stones = [Tombstone(n.to_bytes(8, "big"), 1, 1, n) for n in range(MOST_TOMBSTONES + 5)]
    journal = Journal().fold(stones)
    assert len(journal.tombstones) == MOST_TOMBSTONES
    assert min(stone.until for stone in journal.tombstones.values()) == 5


DRILL = {"status": Status.EXERCISE, "seq": T0 + 100}


def test_a_later_drill_of_the_same_event_does_not_make_the_real_alert_old():
    village = Village()
    assert village.say("county bureau", **DRILL).outcome == "started"
    heard = village.say("county bureau")
    assert heard.outcome == "replaced"
    assert Channel.SIREN in heard.orders[0].channels
    assert [order.exercise for order in heard.orders] == [False], "and the drill ends"


def test_a_drills_cancel_leaves_no_tombstone_for_the_real_alert():
    village = Village()
    assert village.say("county", msg_type=MsgType.CANCEL, **DRILL).outcome == "tombstone"
    assert village.say("county", **DRILL | {"seq": T0 + 50}).outcome == "cancelled-before"
    assert village.say("county bureau").outcome == "started"


def test_a_drills_update_that_leaves_this_place_out_says_nothing_of_the_real_alert():
    village = Village()
    village.say("county", msg_type=MsgType.UPDATE, area=(620102,), **DRILL)
    assert village.say("county bureau").outcome == "started"


def test_what_an_older_program_remembered_is_read_as_real():
    seen, stone = Seen(bytes(32), 1, 5, bytes(8), 9, True, ()), Tombstone(bytes(8), 1, 5, 9)
    plain = msgspec.msgpack.decode(msgspec.msgpack.encode([seen, stone]))
    older = msgspec.msgpack.encode([entry[:-1] for entry in plain])
    assert msgspec.msgpack.decode(older, type=list[Entry]) == [seen, stone]
