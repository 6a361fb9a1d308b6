"""Everything that can be made of genuine messages without a key: nothing of it sounds, before and after a restart and on a
new card.
"""

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.alerts.journal import Journal
from tests.support.alerting import MemoryJournal, Station
from tests.support.forgeries import FIRST, HARMLESS, TRICKS, forgery
from tests.support.scale import count
from tests.support.virtual import run

BATCH = 50


async def besiege(station, seed, batch=BATCH):
    """Genuine messages that may not sound, in any order after the cancel, and what can be made of them."""
    chance = random.Random(seed)
    for name in FIRST:
        await station.heard(HARMLESS[name], chance.choice(["mqtt", "satellite"]), wait=0)
    for _ in range(batch):
        await station.heard(forgery(chance), chance.choice(["mqtt", "satellite"]), wait=0)
    await asyncio.sleep(5)


@settings(max_examples=count(20_000) // BATCH, deadline=None)
@given(st.integers(0, 2**64))
def test_nothing_that_can_be_made_without_a_key_sounds(seed):
    async def main():
        async with Station() as station:
            await besiege(station, seed)
            assert station.board.log == []

    run(main())


@pytest.mark.parametrize("trusted", [True, False], ids=["clock", "no clock"])
@pytest.mark.parametrize("card", ["kept", "new"])
def test_neither_after_a_reboot_nor_on_a_new_card(card, trusted):
    async def main():
        for seed in range(count(100)):
            async with Station() as station:
                await besiege(station, seed, 10)
                journal = station.journal.restarted() if card == "kept" else MemoryJournal(Journal())
            async with Station(journal=journal) as again:
                again.clock.trusted, again.clock.boot = trusted, b"\2" * 8
                if card == "kept":  # on a new card the cancel may come last of all, and is heard then
                    await besiege(again, seed + 1, 10)
                else:
                    await besiege(again, seed, 10)
                assert again.board.log == []

    run(main())


def test_every_trick_is_one():
    """They differ from what they are made of, and most of them are believed by nobody."""
    chance = random.Random(1)
    genuine = set(HARMLESS.values())
    for trick in TRICKS:
        made = [trick(chance) for _ in range(100)]
        assert len(set(made)) > 5, trick
        if trick.__name__ != "replayed":
            assert any(one not in genuine for one in made), trick
