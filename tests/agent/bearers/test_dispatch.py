"""Alarms, events, digests and detail over narrow bearers, in virtual time, against a far end of our own."""

import asyncio
from dataclasses import replace

import pytest

from buffer.model import Lane
from protocols import columns
from tests.support.narrow import village
from tests.support.patient import run

BEIDOU = {"interval": 60.0, "latency": 2.0, "mtu": 77, "far_interval": 0.1}
SBD = {"interval": 40.0, "latency": 20.0, "mtu": 340, "cost": 0.2, "credit": 50, "far_interval": 0.1}
LORA = {"interval": 5.0, "latency": 0.5, "mtu": 100, "broadcast": True, "far_interval": 0.1}


def types(site):
    return [one["type"] for _, one in site.far.events]


async def settled(site, *lanes, within=900):
    return await site.until(lambda: not site.pending(*lanes), within)


async def met(site):
    """The headend knows our epoch."""
    await site.until(lambda: site.dispatch().pact.known, 600)


def test_an_alarm_arrives_under_its_number_and_is_settled(tmp_path):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU}) as site:
            number = await site.alarm()
            took = await settled(site, Lane.ALARM)
            [(_, said)] = site.far.events
            assert said["type"] == "rule.raised"
            assert said["id"] == f"{site.buffer.log}/alarm/{number}-{number}"
            assert said["trusted"]
            assert said["level"] == "orange"
            assert took < 200  # a hello first, and two slots
            assert site.dispatch().status()["delivered"] >= 1

    run(story())


def test_what_mqtt_carries_is_not_sent_twice(tmp_path):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU}) as site:
            await met(site)
            site.link.up = True
            await site.passes(30)
            number = await site.alarm()
            await site.passes(5)
            site.raw.settle("county", site.buffer.log, Lane.ALARM, number, number)
            site.link.counts.settled += 1
            await site.passes(300)
            assert types(site) == []
            assert site.dispatch().status()["waiting"] == 0

    run(story())


def test_an_alarm_that_mqtt_does_not_settle_goes_by_the_next_bearer_after_its_patience(tmp_path):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU}) as site:
            await met(site)
            site.link.up = True
            await site.passes(90)
            await site.alarm()
            took = await site.until(lambda: types(site) == ["rule.raised"], 300)
            assert 20 <= took <= 90

    run(story())


def test_the_top_level_leaves_by_two_bearers_at_once(tmp_path):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU, "sbd": SBD}) as site:
            await met(site)
            await site.passes(180)
            before = {name: end.counts["heard"] for name, end in site.far.ends.items()}
            await site.alarm(level="red", action="evacuate")
            await site.passes(100)
            heard = {name: end.counts["heard"] - before[name] for name, end in site.far.ends.items()}
            assert min(heard.values()) >= 1
            assert types(site).count("rule.raised") == 1  # the same message by both: one, and one more copy
            assert site.far.wrong["again"] + site.far.wrong["part"] >= 1

    run(story())


def test_events_follow_and_the_digest_is_of_now(tmp_path):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU}) as site:
            for minute in range(30):
                site.sample(10.0 + minute)
                if minute == 5:
                    await site.event()
                await site.passes(60)
            assert "device.down" in types(site)
            at, newest = site.far.digests[-1]
            assert newest.series[0].value >= 10.0 + 27
            assert site.loop.time() - at < 130
            assert newest.trusted
            assert {place for one in site.far.digests for place in one[1].series} == set(range(6))
            await asyncio.wrap_future(site.buffer.flush())
            assert site.pending(Lane.TELEMETRY) == 30  # a digest settles nothing

    run(story())


def test_while_mqtt_lives_no_digest_is_sent(tmp_path):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU}) as site:
            site.link.up = True
            for _ in range(20):
                site.link.counts.settled += 1
                site.sample(10.0)
                await site.passes(60)
            assert site.far.digests == []
            site.link.up = False
            for _ in range(10):
                site.sample(10.0)
                await site.passes(60)
            assert site.far.digests

    run(story())


def test_detail_goes_where_there_is_room_and_settles_its_numbers(tmp_path):
    async def story():
        async with village(tmp_path, {"bd3": BEIDOU | {"mtu": 1000}}, narrow='detail_after = "0s"') as site:
            given = {}
            for minute in range(120):
                site.sample(10.0 + minute / 7)
                await site.passes(60)
            await site.until(lambda: site.pending(Lane.TELEMETRY) < 40, 3600)
            blocks = await asyncio.wrap_future(
                site.buffer.history(site.buffer.log, Lane.TELEMETRY, 1, 200, max_bytes=1 << 20)
            )
            for block in blocks:
                for offset, readings in enumerate(columns.unpack(block.body).numbers):
                    given[block.log, block.first + offset] = readings
            assert len(site.far.readings) >= 80
            assert all(given[key] == readings for key, readings in site.far.readings.items())
            assert site.far.kinds["data"] < 30

    run(story())


def test_lost_datagrams_and_lost_receipts_cost_time_and_nothing_else(tmp_path):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU | {"loss": 0.2, "unknown": 0.1, "repeat": 0.05}}) as site:
            for _ in range(8):
                await site.alarm()
                await site.event()
                await site.passes(240)
            await settled(site, Lane.ALARM, Lane.EVENT, within=6 * 3600)
            assert types(site).count("rule.raised") == 8
            assert set(site.far.numbers.values()) == {1}
            assert len(site.far.counters) == len(set(site.far.counters))

    run(story())


def test_a_broadcast_of_receipts_settles_what_is_proven(tmp_path):
    async def story():
        async with village(tmp_path, {"lora": LORA}) as site:
            site.far.broadcast = True
            await site.alarm()
            await settled(site, Lane.ALARM)
            line = site.fleet.lines["lora"]
            assert line.counts["acks"] >= 1
            assert line.address == site.dispatch().pact.address_up

    run(story())


def test_a_bearer_without_a_way_back_says_it_with_parity_and_settles_nothing(tmp_path):
    async def story():
        async with village(tmp_path, {"blind": LORA | {"duplex": False, "loss": 0.05}}) as site:
            await site.alarm()
            await site.until(lambda: "rule.raised" in types(site), 900)
            assert site.pending(Lane.ALARM) == 1

    run(story())


def test_a_headend_that_forgot_everything_is_greeted_again(tmp_path):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU}) as site:
            await site.alarm()
            await settled(site, Lane.ALARM)
            site.far.epochs.sessions.clear()
            site.far.contexts.held.clear()
            await site.passes(4000)  # who asks is answered once an hour at most
            await site.alarm()
            await settled(site, Lane.ALARM, within=1800)
            assert site.far.kinds["hello"] == 3  # who? - behind - welcome

    run(story())


def test_an_epoch_that_is_behind_is_renewed(tmp_path):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU}) as site:
            site.far.epochs.highest = 3_000_000_000
            await site.alarm()
            await settled(site, Lane.ALARM, within=1800)
            assert site.dispatch().pact.session.epoch.number > 3_000_000_000

    run(story())


def test_contexts_that_were_forgotten_are_told_again(tmp_path):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU}) as site:
            await site.alarm()
            await settled(site, Lane.ALARM)
            site.far.contexts.held.clear()
            await site.alarm()
            await settled(site, Lane.ALARM, within=1800)
            assert site.far.wrong["context.unknown"] == 1
            assert types(site) == ["rule.raised", "rule.raised"]

    run(story())


def test_a_schema_is_said_once_and_again_where_it_was_lost(tmp_path):
    async def digests(site, count):
        have = len(site.far.digests)
        while len(site.far.digests) < have + count:
            site.sample(3.0)
            await site.passes(30)

    async def first():
        async with village(tmp_path, {"beidou": BEIDOU}) as site:
            await digests(site, 3)
            assert site.far.kinds["schema"] == 1
            site.far.schemas.clear()
            await digests(site, 3)
            assert site.far.kinds["schema"] == 2
            assert site.far.wrong["schema.unknown"] >= 1
            return site.private, site.far

    async def second(private, before):
        async with village(tmp_path, {"beidou": BEIDOU}, private=private) as site:
            site.far.epochs.sessions = before.epochs.sessions
            site.far.schemas = before.schemas
            await digests(site, 3)
            assert site.far.kinds["schema"] == 0

    run(second(*run(first())))


@pytest.mark.parametrize("moment", [10, 65, 130])
def test_a_bearer_that_vanishes_in_the_middle_of_a_message(tmp_path, moment):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU, "lora": LORA | {"mtu": 40}}) as site:
            gone = tmp_path / "air-lora" / "s1.gone"
            await site.event(text="x" * 300)
            await site.alarm()
            await site.passes(moment)
            gone.touch()
            await site.passes(600)
            await site.alarm()
            await settled(site, Lane.ALARM, within=1800)
            gone.unlink()
            await settled(site, Lane.ALARM, Lane.EVENT, within=4 * 3600)
            assert set(site.far.numbers.values()) == {1}

    run(story())


def test_a_day_s_budget_is_never_exceeded(tmp_path):
    async def story():
        words = BEIDOU | {"daily_messages": 40}
        async with village(tmp_path, {"beidou": words}) as site:
            for _ in range(3 * 60):
                site.sample(1.0)
                await site.event()
                await site.passes(60)
            assert site.fleet.lines["beidou"].bearer.counts["sent"] <= 41
            left = site.fleet.status()["beidou"]["messages_left"]
            assert left >= 8  # a fifth is kept for alarms
            await site.alarm()
            await settled(site, Lane.ALARM)

    run(story())


def test_fewer_than_two_proven_bearers_are_an_alarm_said_once(tmp_path):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU, "sbd": SBD | {"cost": 0.0}}) as site:
            await site.passes(2000)
            assert "bearers.few" not in types(site)
            (tmp_path / "air-sbd" / "s1.gone").touch()
            await site.until(lambda: types(site).count("bearers.few") == 1, 40_000)
            (tmp_path / "air-sbd" / "s1.gone").unlink()
            await site.until(lambda: types(site).count("bearers.enough") == 1, 40_000)
            assert types(site).count("bearers.few") == 1

    run(story())


def test_idle_bearers_are_proven_in_their_period(tmp_path):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU | {"period": 3600}}) as site:
            site.link.up = True
            for _ in range(9 * 60):
                site.link.counts.settled += 1
                await site.passes(60)
            status = site.fleet.status()["beidou"]
            assert status["state"] == "up"
            assert status["proven_seconds_ago"] <= 3700
            assert 7 <= site.far.kinds["control"] <= 11
            assert site.fleet.wide("county")["state"] == "up"

    run(story())


def test_a_restart_goes_on_where_it_was(tmp_path):
    async def first():
        async with village(tmp_path, {"beidou": BEIDOU | {"daily_messages": 100}}) as site:
            await site.alarm()
            await settled(site, Lane.ALARM)
            return site.private, site.far.counters, site.fleet.status()["beidou"], site.dispatch().pact.session.epoch

    async def second(private, epoch, before):
        async with village(tmp_path, {"beidou": BEIDOU | {"daily_messages": 100}}, private=private) as site:
            status = site.fleet.status()["beidou"]
            assert site.dispatch().pact.session.epoch == epoch
            assert status["messages_left"] == before["messages_left"]
            assert (status["state"], status["success"]) == (before["state"], before["success"])
            counter = site.dispatch().pact.session.counter.peek
            assert counter >= 1024

    private, _counters, status, epoch = run(first())
    run(second(private, epoch, status))


def test_what_a_bearer_can_never_carry_does_not_keep_it_busy(tmp_path):
    async def story():
        async with village(tmp_path, {"tiny": LORA | {"mtu": 24}, "beidou": BEIDOU}) as site:
            await met(site)
            await site.event(text=bytes(range(256)).hex() * 6)
            await site.alarm(text=bytes(range(200)).hex() * 4)
            await settled(site, Lane.ALARM, Lane.EVENT, within=7200)
            assert site.dispatch().failed == {}

    run(story())


def test_a_card_that_changes_its_length_in_the_middle_of_a_message(tmp_path):
    async def story():
        async with village(tmp_path, {"bd3": BEIDOU | {"mtu": 200}}) as site:
            await met(site)
            await site.event(text=bytes(range(250)).hex())
            await site.passes(90)
            bearer = site.fleet.lines["bd3"].bearer
            bearer.traits = replace(bearer.traits, mtu=60)
            await site.alarm()
            await settled(site, Lane.ALARM, Lane.EVENT, within=7200)
            assert site.fleet.lines["bd3"].bearer.counts["too_long"] == 0

    run(story())


def test_a_driver_that_fails_costs_a_datagram_and_no_more(tmp_path):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU}) as site:
            await met(site)
            send, faults = site.fleet.lines["beidou"].bearer.send, [RuntimeError("bug"), OSError(5, "gone")]

            async def failing(data, to=""):
                if faults:
                    raise faults.pop()
                return await send(data, to)

            site.fleet.lines["beidou"].bearer.send = failing
            await site.alarm()
            await settled(site, Lane.ALARM)
            assert site.dispatch().failed == {"RuntimeError": 1, "OSError": 1}

    run(story())
