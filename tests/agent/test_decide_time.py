"""Expiry, onset, replay, an untrusted clock, restart: what time does to a warning."""

from agent.alerts.decide import next_change, resume
from agent.alerts.journal import SEEN_PER_ISSUER
from agent.alerts.journal_entries import Seen, Spent
from agent.alerts.orders import Change
from agent.alerts.policy import Channel
from protocols.alert import chain_of
from tests.support.seals import T0
from tests.support.village import Village, channels, on

ALL = {"display", "voice", "siren", "lamp"}
QUIETLY = {"display", "voice", "lamp"}


# Time


def test_what_has_expired_is_refused():
    assert Village(unix=T0 + 3599).say().outcome == "started"
    assert Village(unix=T0 + 3600).say().outcome == "expired"


def test_what_expired_before_the_time_floor_is_always_refused():
    for trusted in (True, False):
        village = Village(unix=T0 + 9999, floor=T0 + 3600, trusted=trusted)
        assert village.say().outcome == "expired"
    assert Village(unix=T0 + 9999, floor=T0 + 3599, trusted=False).say().outcome == "started"


def test_an_alert_stands_no_longer_than_the_policy_allows():
    absurd = Village().say(expires=T0 + 10 * 365 * 86_400)
    assert absurd.orders[0].seconds == 3 * 86_400


def test_clock_untrusted_a_number_must_exceed_the_issuers_mark_as_at_boot():
    village = Village()
    village.say(seq=T0 + 10, chain=chain_of("c", "1"))
    village.reboot(trusted=False)
    assert village.say(seq=T0 + 9, chain=chain_of("c", "2")).outcome == "replayed"
    assert village.say(seq=T0 + 12, chain=chain_of("c", "3")).outcome == "started"
    assert village.say(seq=T0 + 11, chain=chain_of("c", "4")).outcome == "started"  # late, but newer than at boot


def test_a_restart_of_the_agent_is_not_a_boot():
    village = Village()
    village.reboot(trusted=False)
    village.say(seq=T0 + 10, chain=chain_of("c", "1"))
    village.take(resume(village.journal, village.now, village.policy.longest))
    assert village.say(seq=T0 + 9, chain=chain_of("c", "2")).outcome == "started"


def test_clock_trusted_an_older_number_is_only_late():
    village = Village()
    village.say(seq=T0 + 10, chain=chain_of("c", "1"))
    village.reboot()
    assert village.say(seq=T0 + 9, chain=chain_of("c", "2"), expires=T0 + 9000).outcome == "started"


def test_only_the_issuers_own_signature_moves_its_mark():
    village = Village()
    village.say("bureau", seq=T0 + 1000)
    village.reboot(trusted=False)
    assert village.journal.marks == {}
    assert village.say("county", seq=T0 + 10, chain=chain_of("c", "2")).outcome == "started"


def test_untrusted_and_no_marks_display_and_voice_only_until_time_comes():
    village = Village(trusted=False)
    begun = village.say("county bureau")
    assert channels(begun) == QUIETLY
    assert begun.orders[0].withheld == {"siren": "clock-untrusted"}
    village.trusted = True
    timely = village.due()
    assert (timely.outcome, timely.change) == ("upgraded", Change.UPGRADE)
    assert channels(timely) == ALL


def test_untrusted_and_no_marks_a_replay_stays_silent_when_time_comes():
    village = Village(trusted=False, unix=0, floor=T0 - 86_400)
    village.say("county bureau")
    village.unix, village.trusted = T0 + 9999, True
    timely = village.due()
    assert (timely.outcome, timely.change, timely.orders) == ("ended", Change.STOP, ())


def test_untrusted_with_marks_the_siren_sounds():
    village = Village()
    village.say(seq=T0 - 100, chain=chain_of("c", "1"))
    village.reboot(trusted=False, unix=0)
    assert channels(village.say("county bureau")) == ALL


def test_clock_at_1970_an_alert_lasts_from_receipt():
    village = Village(trusted=False, unix=0, floor=0)
    assert village.say().orders[0].seconds == 3600


def test_an_identity_is_remembered_until_its_expiry_and_a_day():
    village = Village()
    village.say()
    identity = village.written[0].identity
    village.later(3600 + 86_399).say(seq=T0 + 1, chain=chain_of("c", "2"), expires=T0 + 10**6)
    assert village.journal.find(1, identity)
    village.later(1).say(seq=T0 + 2, chain=chain_of("c", "3"), expires=T0 + 10**6)
    assert not village.journal.find(1, identity)
    assert village.say().outcome == "expired"


def test_a_thousand_identities_per_issuer_and_what_is_forgotten_is_refused():
    village = Village()
    entries = [Seen(n.to_bytes(32, "big"), 1, T0 + 1 + n, bytes(8), T0 + 9, True, ()) for n in range(SEEN_PER_ISSUER)]
    village.say()
    village.journal = village.journal.fold(entries)
    assert len(village.journal.seen[1]) == SEEN_PER_ISSUER
    assert village.say("bureau county").outcome == "replayed"
    assert village.say(seq=T0 - 5, chain=chain_of("c", "9")).outcome == "replayed"
    assert village.say("bureau", issuer=2, chain=chain_of("c", "9")).outcome == "started"


def test_an_onset_in_the_future_is_scheduled():
    village = Village()
    waits = village.say("county bureau", onset=T0 + 600)
    assert (waits.outcome, waits.change, waits.orders) == ("scheduled", Change.NONE, ())
    assert village.later(599).due().orders == ()
    begins = village.later(1).due()
    assert (begins.outcome, begins.change) == ("begun", Change.START)
    assert channels(begins) == ALL
    assert begins.orders[0].seconds == 3000


def test_what_has_no_onset_begins_now_whatever_a_float_makes_of_the_sum():
    """A boot time of some thousand seconds has digits that Unix seconds have no room for."""
    for thousandths in range(5_717_380, 5_717_480):
        assert Village(monotonic=thousandths / 1000 + 1e-7).say("county bureau").outcome == "started"


def test_what_time_changed_names_its_alert_and_of_several_each():
    village = Village()
    one = village.say("county bureau", onset=T0 + 600)
    assert village.later(600).due().identity == one.identity
    for number in (1, 2):
        village.say("county bureau", onset=T0 + 1200, seq=T0 + number, chain=chain_of("c", str(number)))
    begins = village.later(600).due()
    assert (begins.identity, len(begins.facts["alerts"])) == (b"", 2)


def test_a_scheduled_alert_is_kept_over_a_reboot():
    village = Village()
    village.say("county bureau", onset=T0 + 1800)
    assert village.reboot().orders == ()
    assert village.later(1199).due().orders == ()
    assert channels(village.later(1).due()) == ALL


def test_an_onset_after_its_own_expiry_says_nothing():
    assert Village().say(onset=T0 + 7200).outcome == "started"


def test_an_onset_with_an_untrusted_clock_is_waited_for_from_the_issuers_number():
    village = Village(trusted=False, unix=0, floor=0)
    assert village.say(onset=T0 + 600).outcome == "scheduled"
    assert village.later(600).due().outcome == "begun"


# Restart


def test_after_a_restart_the_remaining_time_resumes_not_the_whole():
    from agent.alerts.journal_entries import Spent

    village = Village()
    begun = village.say("county bureau")
    village.journal = village.journal.fold([Spent(begun.identity, 100.0, 100.0)])
    village.later(100)
    same_boot = village.take(resume(village.journal, village.now, village.policy.longest))
    assert (same_boot.orders[0].seconds, same_boot.orders[0].siren_seconds) == (3500, 80)
    rebooted = village.reboot()
    assert (rebooted.outcome, rebooted.orders[0].seconds, rebooted.orders[0].siren_seconds) == ("resumed", 2900, 80)


def test_after_a_power_cut_with_an_untrusted_clock_the_time_used_up_counts():
    village = Village()
    begun = village.say("county bureau")
    village.journal = village.journal.fold([Spent(begun.identity, 180.0, 3000.0)])
    back = village.reboot(trusted=False, unix=0)
    assert back.orders[0].seconds == 600
    assert on(back, Channel.SIREN) is None


def test_what_expired_while_the_power_was_off_does_not_resume():
    village = Village()
    village.say("county bureau", expires=T0 + 300)
    assert village.reboot().orders == ()
    assert village.journal.active == {}


def test_next_change_is_when_something_begins_or_ends():
    village = Village()
    assert next_change(village.journal, village.now) is None
    village.say(onset=T0 + 600)
    assert next_change(village.journal, village.now) == 1600.0
    village.later(600).due()
    assert next_change(village.journal, village.now) == 1000.0 + 3600
