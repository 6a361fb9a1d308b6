from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from agent.bearers import proven
from agent.bearers.proven import ENOUGH_FOR, FEW_FOR, FIRST, HOLD, Proof, State, Watch, media


def answers(proof, *times):
    for at in times:
        proof = proof.answered(at)
    return proof


def misses(proof, *times):
    for at in times:
        proof = proof.missed(at)
    return proof


def test_down_after_three_misses_in_a_row():
    proof = answers(Proof(), 0.0)
    assert proof.state is State.UP
    assert misses(proof, 1.0, 2.0).state is State.UP
    assert misses(answers(misses(proof, 1.0, 2.0), 3.0), 4.0, 5.0).state is State.UP
    assert misses(proof, 1.0, 2.0, 3.0).state is State.DOWN


def test_back_after_five_answers_over_two_minutes():
    down = misses(Proof(), 1.0, 2.0, 3.0)
    assert answers(down, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0).state is State.DOWN, "too soon"
    assert answers(down, 10.0, 40.0, 70.0, 131.0).state is State.DOWN, "too few"
    assert answers(down, 10.0, 40.0, 70.0, 100.0, 130.0).state is State.UP
    interrupted = answers(misses(answers(down, 10.0, 40.0, 70.0, 100.0), 110.0), 130.0)
    assert interrupted.state is State.DOWN
    assert (interrupted.answers, interrupted.spell) == (1, 130.0)


def flap(proof, at):
    """Down at once; then answers at the quickest pace that brings it back, and when it was back."""
    down = misses(proof, at, at, at)
    while down.state is State.DOWN:
        at += 30.0
        down = answers(down, at)
    return down, at


def test_a_bearer_that_flaps_is_held_down_for_longer_and_longer():
    proof, at, spells = answers(Proof(), 0.0), 0.0, []
    for _ in range(8):
        began = at
        proof, at = flap(proof, at)
        spells.append(at - began)
    assert spells[:3] == [150.0] * 3, "three times are not held against it"
    assert spells[3] >= HOLD
    calm, end = flap(proof, at + 7200.0)
    assert end - at - 7200.0 == 150.0, "two hours later it is forgiven"
    assert len(calm.falls) == 1
    assert proven.FLAP_WINDOW >= HOLD


def test_the_hold_down_doubles_up_to_four_hours():
    proof, at, holds = answers(Proof(), 0.0), 0.0, []
    for _ in range(30):
        proof = misses(proof, at, at, at)
        holds.append(proof.hold - at)
        proof = replace(proof, state=State.UP, misses=0)
        at += 100.0
    grown = [hold for hold in holds if hold > 0]
    assert grown[:3] == [HOLD, 2 * HOLD, 4 * HOLD]
    assert max(grown) == proven.MOST_HOLD


def test_what_is_overdue_is_a_miss():
    proof = Proof().sent(0.0, 20.0).sent(5.0, 20.0)
    assert proof.tick(19.0) is proof
    assert (proof.tick(20.0).misses, proof.tick(25.0).misses) == (1, 2)
    assert proof.answered(10.0).tick(26.0).misses == 1, "one answer is for one message"


def test_a_thousand_sends_without_an_answer_stay_few():
    proof = Proof()
    for at in range(1000):
        proof = proof.sent(float(at), 1e6)
    assert len(proof.waiting) == proven.MOST_WAITING
    assert proof.state is State.DOWN


def test_when_to_prove():
    fresh = Proof()
    assert fresh.due(5.0, 3600.0, 60.0) == 5.0, "what was never tried, at once"
    up = answers(fresh, 100.0)
    assert up.due(0.0, 3600.0, 60.0) == 3700.0
    assert up.sent(200.0, 20.0).due(200.0, 3600.0, 60.0) == 220.0, "an answer is on its way"
    doubtful = up.sent(200.0, 20.0).tick(220.0)
    assert doubtful.due(0.0, 3600.0, 30.0) == 260.0, "a miss is looked into"
    down = misses(doubtful, 280.0, 340.0)
    pauses = [misses(down, *[400.0] * more).due(0.0, 3600.0, 30.0) - 200.0 for more in range(9)]
    assert pauses == [60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 3600.0, 3600.0, 3600.0]
    assert answers(down, 400.0).due(0.0, 3600.0, 10.0) == 230.0, "coming back: five answers are wanted soon"


def test_proven_is_up_and_lately():
    up = answers(Proof(), 100.0)
    assert up.proven(7300.0, 3600.0)
    assert not up.proven(7301.0, 3600.0)
    assert not misses(up, 1.0, 2.0, 3.0).proven(200.0, 3600.0)
    assert not Proof().proven(0.0, 3600.0)


@given(st.lists(st.tuples(st.booleans(), st.floats(0.1, 300.0)), max_size=200))
def test_the_rate_is_a_rate_and_the_state_is_bounded(steps):
    proof, now, answered = Proof(), 0.0, 0
    for good, pause in steps:
        now += pause
        before = proof
        proof = proof.answered(now) if good else proof.missed(now)
        answered = answered + 1 if good else 0
        if before.state is State.DOWN and proof.state is State.UP:
            assert answered >= proven.ANSWERS
            assert now >= before.hold
        assert 0.0 <= proof.rate <= 1.0
        assert len(proof.falls) <= 8
    again = Proof().recall(proof.save(now), 10.0, 0.0)
    assert (again.state, again.rate) == (proof.state, proof.rate)


# Fewer than two


def seen(watch, count, *times):
    said = []
    for at in times:
        watch, changed = watch.see(count, at)
        said += [at] * changed
    return watch, said


def test_fewer_than_two_media_are_told_once_and_taken_back_late():
    watch, said = seen(Watch(), 2, 0.0)
    watch, said = seen(watch, 1, FIRST, FIRST + FEW_FOR - 1, FIRST + FEW_FOR, FIRST + 2 * FEW_FOR)
    assert said == [FIRST + FEW_FOR]
    assert watch.few
    watch, said = seen(watch, 2, 5000.0, 5000.0 + ENOUGH_FOR - 1)
    assert said == []
    watch, said = seen(watch, 1, 5700.0)
    watch, said = seen(watch, 2, 5800.0, 5800.0 + ENOUGH_FOR)
    assert said == [5800.0 + ENOUGH_FOR]
    assert not watch.few


def test_after_a_start_each_bearer_has_time_for_its_first_proof():
    _, said = seen(Watch(), 0, 0.0, FEW_FOR, FIRST - 1, FIRST)
    assert said == [FIRST]


def test_two_cards_in_one_network_are_one_medium():
    assert media(["cellular", "cellular", "beidou"]) == 2
