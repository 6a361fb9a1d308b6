"""Forgeries against a full key-set: what checking them may cost, and that no genuine message pays for it."""

import asyncio

from agent.alerts.intake import Message
from agent.alerts.ration import CHECKS, MOST_WAITING, Ration
from protocols import cose
from protocols.keyring import MAX_KEYS, Holder, Keyring
from protocols.seal import MAX_CHECKS
from tests.support.alerting import Station
from tests.support.seals import T0, TEXT, WARN, key, sealed
from tests.support.virtual import run

HOLDERS = ["county", "bureau", *(f"h{n}" for n in range(MAX_KEYS - 2))]
FULL_RING = Keyring(
    7, T0, tuple(Holder(name, (n + 1,)) for n, name in enumerate(HOLDERS)), tuple(key(name, WARN) for name in HOLDERS)
)
SECONDS, RATE = 6, 300


def forged(number):
    return sealed("nobody", seq=T0 + 1 + number)


def counted(monkeypatch):
    checks, real = [], cose.verifies
    monkeypatch.setattr(cose, "verifies", lambda *what: checks.append(1) or real(*what))
    return checks


async def flood(station, hear_too=()):
    """Forgeries at RATE for SECONDS, with genuine messages in the middle of it."""
    junk = [forged(number) for number in range(RATE)]
    for second in range(SECONDS):
        for number in range(RATE):
            station.hear(junk[number])
            if number % 20 == 19:
                await asyncio.sleep(20 / RATE)
        for data in hear_too if second == SECONDS // 2 else ():
            station.hear(data)


def test_a_forgery_is_cheap_however_many_keys_there_are(monkeypatch):
    async def main():
        async with Station() as station:
            station.alerting.keyring = FULL_RING
            checks = counted(monkeypatch)
            await flood(station)
            whole = SECONDS * RATE * MAX_KEYS
            assert len(checks) <= CHECKS * (SECONDS + 1) + SECONDS * RATE + MAX_CHECKS
            assert len(checks) < whole / 5
            await asyncio.sleep(60)
            counts = station.alerting.status()["counts"]
            assert sum(counts.values()) == SECONDS * RATE, "every one is counted once"
            assert set(counts) == {"bad-signature", "unchecked"}
            assert station.board.log == []
            assert None not in station.acks

    run(main())


def test_a_genuine_warning_of_two_holders_sounds_at_once_in_the_midst_of_it():
    async def main():
        async with Station() as station:
            station.alerting.keyring = FULL_RING
            flooding = asyncio.create_task(flood(station))
            await asyncio.sleep(SECONDS / 2)
            began = station.now()
            station.hear(sealed("county h29", TEXT))
            await asyncio.sleep(1)
            assert station.sounded()[0][0] - began < 0.1
            await flooding

    run(main())


def test_the_second_holders_own_copy_waits_its_turn_and_joins():
    async def main():
        async with Station() as station:
            station.alerting.keyring = FULL_RING
            await station.heard(sealed("county", TEXT))
            assert not station.sounded()
            await flood(station, [sealed("county h29", TEXT)])
            assert station.sounded(), "known by its issuer's signature: before all that nobody known has signed"

    run(main())


def test_a_copy_by_another_holder_alone_joins_when_the_flood_is_over():
    async def main():
        async with Station() as station:
            station.alerting.keyring = FULL_RING
            await station.heard(sealed("county", TEXT))
            await flood(station)
            await asyncio.sleep(5)
            await station.heard(sealed("h29", TEXT))
            assert station.sounded()

    run(main())


def test_a_seal_with_more_to_try_than_one_message_may_cost_is_not_tried_for_ever(monkeypatch):
    async def main():
        async with Station() as station:
            station.alerting.keyring = FULL_RING
            checks = counted(monkeypatch)
            await station.heard(sealed("stranger other third"), wait=600)
            assert len(checks) <= MAX_CHECKS
            assert station.alerting.status()["counts"] == {"bad-signature": 1}

    run(main())


def message(number=0, bearer="m", size=10):
    return Message(bearer, bytes([number]) * size, False, lambda: None)


def test_second_looks_are_bounded_and_the_better_known_go_first():
    ration = Ration()
    ration.spent("m", CHECKS, 0.0)
    assert ration.effort("m", 0.0).left == 0
    assert [ration.put_off(message(n), known=False) for n in range(MOST_WAITING + 1)] == [True] * MOST_WAITING + [False]
    assert ration.put_off(message(99), known=True)
    assert ration.again(0.0) is None
    due = ration.next_look(0.0)
    assert due == MAX_CHECKS / CHECKS
    assert ration.again(due).data == message(99).data
    assert ration.again(due).data == message(0).data
    assert not ration.put_off(message(1, size=300_000), known=True)


def test_one_bearers_flood_is_not_anothers():
    ration = Ration()
    ration.spent("m", CHECKS, 0.0)
    assert ration.effort("n", 0.0).left == MAX_CHECKS


def test_the_ring_is_full():
    assert len(FULL_RING.keys) == MAX_KEYS
