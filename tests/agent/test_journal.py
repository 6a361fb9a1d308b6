"""The journal is what its entries fold to; a compacted one folds to the same; and whole histories keep the rules."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.alerts.journal import MOST_SIREN_STARTS, SEEN_PER_ISSUER, Journal
from agent.alerts.journal_entries import Boot, Entry, Mark, Seen, SirenStart, Spent
from agent.alerts.policy import Channel
from protocols.alert import ActionCode, Level, MsgType, Status, chain_of
from tests.support.seals import T0, VILLAGE
from tests.support.village import Village, channels


def seen(number: int, *, own: bool = True) -> Seen:
    return Seen(number.to_bytes(32, "big"), 1, number, bytes(8), T0, own, (("county", 7),))


def test_marks_only_rise_and_those_of_the_boot_stand_still():
    journal = Journal().fold([Boot("a"), Mark(1, 5), Mark(1, 3), seen(9), seen(20, own=False)])
    assert (journal.marks, journal.boot_marks) == ({1: 9}, {})
    journal = journal.fold([Boot("a")])
    assert journal.boot_marks == {}
    journal = journal.fold([Boot("b"), Mark(1, 11)])
    assert (journal.marks, journal.boot_marks) == ({1: 11}, {1: 9})


def test_identities_are_bounded_and_the_oldest_number_is_forgotten_for_good():
    journal = Journal().fold(seen(number) for number in range(SEEN_PER_ISSUER + 3))
    assert len(journal.seen[1]) == SEEN_PER_ISSUER
    assert journal.forgotten == {1: 2}


def test_siren_starts_are_bounded():
    journal = Journal().fold(SirenStart("remote", number) for number in range(MOST_SIREN_STARTS + 9))
    assert len(journal.siren_starts) == MOST_SIREN_STARTS
    assert journal.siren_starts[0].at == 9


def test_what_is_not_in_force_cannot_be_spent():
    assert Journal().fold([Spent(b"x", 1.0, 1.0)]) == Journal()


def test_a_fold_leaves_the_old_journal_as_it_was():
    old = Journal().fold([seen(1)])
    old.fold([seen(2), Boot("b")])
    assert len(old.seen[1]) == 1
    assert old.boot == ""


messages = st.fixed_dictionaries(
    {
        "signers": st.sampled_from(["county", "bureau", "watch", "county bureau", "far", "small"]),
        "issuer": st.sampled_from([1, 2, 3, 5]),
        "seq": st.integers(T0, T0 + 6),
        "msg_type": st.sampled_from(MsgType),
        "status": st.sampled_from([Status.ACTUAL, Status.ACTUAL, Status.EXERCISE, Status.TEST]),
        "chain": st.sampled_from([chain_of("c", "1"), chain_of("c", "2")]),
        "level": st.sampled_from([Level.RED, Level.ORANGE, Level.BLUE]),
        "action": st.sampled_from(ActionCode),
        "area": st.sampled_from([(VILLAGE,), (330206,), (330205,)]),
        "expires": st.sampled_from([T0 + 300, T0 + 3600]),
    }
)
happenings = st.lists(
    messages | st.sampled_from(["reboot", "lost", "due"]) | st.integers(1, 900), min_size=1, max_size=12
)


def happen(village: Village, thing: object) -> None:
    if isinstance(thing, dict):
        village.say(**thing)
        again = village.say(**thing)
        assert (again.change.value, again.entries) == ("none", ()), again.outcome
    elif isinstance(thing, int):
        village.later(thing).due()
    elif thing == "due":
        village.due()
    else:
        village.reboot(trusted=thing != "lost")


@settings(max_examples=200, deadline=None)
@given(happenings)
def test_whatever_happens_the_rules_hold(things):
    """Repeats change nothing, nobody sounds alone at the top level, tests leave nothing, time runs out."""
    village = Village()
    signed: dict[tuple[object, ...], set[str]] = {}
    for thing in things:
        happen(village, thing)
        if isinstance(thing, dict):
            key = tuple(value for name, value in thing.items() if name != "signers")
            signed.setdefault(key, set()).update(thing["signers"].split())
        for order in village.due().orders:
            assert order.seconds > 0
            assert order.siren_seconds <= min(180.0, order.seconds)
            if Channel.SIREN in order.channels and order.level is Level.RED:
                assert {"county", "bureau"} <= set(order.who)
            assert not (order.exercise and Channel.SIREN in order.channels)
    assert any({"county", "bureau"} <= who for who in signed.values()) or not _red_siren(village)
    assert "siren" not in channels(village.later(3600).due())


def _red_siren(village: Village) -> bool:
    return any(o.level is Level.RED and Channel.SIREN in o.channels for o in village.due().orders)


@settings(max_examples=100, deadline=None)
@given(happenings)
def test_a_compacted_journal_is_the_same_journal(things):
    village = Village()
    for thing in things:
        happen(village, thing)
    wire = msgspec.msgpack.encode(village.journal.entries())
    assert Journal().fold(msgspec.msgpack.decode(wire, type=list[Entry])) == village.journal
