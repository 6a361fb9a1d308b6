"""Local alarms: from a reading to siren and display, with no uplink at all, and beside a platform's warning."""

import asyncio

import pytest

from agent.alerts.policy import Policy, Quiet
from agent.spot.recall import Recalled
from buffer.model import Lane
from protocols.alert import Level
from protocols.quality import Flag, Reason, quality
from protocols.reading import Reading
from tests.support.alerting import Station
from tests.support.on_site import field, nothing, rule
from tests.support.seals import T0, sealed
from tests.support.virtual import run

STAGE = "river.stage > 27.8"
BOTH = "river.stage > 27.8 and lake.stage > 10"


def test_one_series_shows_and_speaks_and_two_sound_the_siren():
    async def main():
        async with field(rule(STAGE + " or lake.stage > 10")) as site:
            site.read(river_stage=28.0)
            await asyncio.sleep(1)
            assert "水位上涨" in site.station.shown
            assert not site.station.sounded()
            raised = site.said("rule.raised")[0]
            assert raised["evidence"] == {"river.stage": 28.0}
            decided = site.said("warning.decided")[0]
            assert decided["withheld"] == {"siren": "one-series"}
            site.read(lake_stage=11.0)
            await asyncio.sleep(1)
            assert site.station.sounded()
            assert all(lane is Lane.ALARM for kind, _, lane in site.station.records if kind.startswith("rule."))

    run(main())


def test_two_series_of_one_sensor_are_one_witness():
    async def main():
        async with field(rule(BOTH), sensors={"river.stage": "gauge", "lake.stage": "gauge"}) as site:
            site.read(river_stage=28.0, lake_stage=11.0)
            await asyncio.sleep(1)
            assert site.station.shown
            assert not site.station.sounded()
            assert set(site.said("rule.raised")[0]["evidence"]) == {"river.stage", "lake.stage"}

    run(main())


def test_a_rule_may_act_alone():
    async def main():
        async with field(rule(STAGE, alone=True, action="evacuate", level="blue")) as site:
            began = site.station.now()
            site.read(river_stage=28.0)
            await asyncio.sleep(1)
            assert site.station.sounded()[0][0] - began < 0.05

    run(main())


LAN = ("river.stage", "lake.stage")


@pytest.mark.parametrize(
    ("lan", "alone", "sounds"),
    [
        (LAN, False, False),  # two that agree
        (LAN, True, False),  # whatever the rule says
        (("river.stage",), False, True),  # one of them by a wire
        ((), False, True),
    ],
)
def test_readings_from_a_network_never_sound_a_siren_alone(lan, alone, sounds):
    async def main():
        async with field(rule(BOTH, alone=alone), lan=lan) as site:
            site.read(river_stage=28.0, lake_stage=11.0)
            await asyncio.sleep(1)
            assert site.station.shown, "shown and spoken all the same"
            assert bool(site.station.sounded()) is sounds
            if not sounds:
                assert site.said("warning.decided")[0]["withheld"] == {"siren": "lan-only"}

    run(main())


def test_a_network_reading_alone_does_not_sound_by_a_rule_that_may_and_a_wire_that_joins_does():
    async def main():
        async with field(rule(STAGE + " or lake.stage > 10", alone=True), lan=("river.stage",)) as site:
            site.read(river_stage=28.0)
            await asyncio.sleep(1)
            assert not site.station.sounded()
            site.read(lake_stage=11.0)
            await asyncio.sleep(1)
            assert site.station.sounded()

    run(main())


def test_a_rule_names_its_plan():
    async def main():
        async with field(rule(STAGE, alone=True, plan="shelter")) as site:
            site.read(river_stage=28.0)
            await asyncio.sleep(1)
            siren = next(one for one in site.said("warning.started") if one["channel"] == "siren")
            assert siren["pattern"] == "slow"

    run(main())


def test_the_end_of_the_condition_is_the_end_of_the_alarm():
    async def main():
        async with field(rule(BOTH)) as site:
            site.read(river_stage=28.0, lake_stage=11.0)
            await asyncio.sleep(5)
            site.read(river_stage=27.0)
            ended = site.station.now()
            await asyncio.sleep(5)
            assert site.station.sounded()[-1][1] - ended <= 0.05
            assert not site.station.shown
            assert site.said("rule.cleared")

    run(main())


@pytest.mark.parametrize(
    "worth", [quality(Flag.BAD), quality(Flag.NOT_EVALUATED), quality(Flag.GOOD, Reason.SIMULATED)]
)
def test_what_is_not_good_or_is_played_back_never_makes_an_alarm(worth):
    async def main():
        async with field(rule(BOTH, alone=True)) as site:
            for _ in range(100):
                site.read(worth, river_stage=99.0, lake_stage=99.0)
                await asyncio.sleep(10)
            assert not site.station.sounded()
            assert not site.station.display.log

    run(main())


def test_an_alarm_stands_as_long_as_its_condition_and_through_silence():
    async def main():
        async with field(rule(STAGE), past=nothing) as site:
            task = asyncio.create_task(site.alarms.run())
            await asyncio.sleep(1)
            for _ in range(200):
                site.read(river_stage=28.0)
                await asyncio.sleep(60)
            assert site.station.shown
            await asyncio.sleep(3600)
            assert site.station.shown
            assert site.said("rule.blind") == [
                {
                    "rule": "flood",
                    "alert": site.alarms.rules[0].identity.hex(),
                    "missing": ["river.stage"],
                    "standing": True,
                }
            ]
            assert site.alarms.status()["flood"]["condition"] == "not evaluated"
            await asyncio.sleep(6 * 3600)
            assert not site.station.shown
            assert site.said("rule.given_up")
            task.cancel()

    run(main())


def test_a_hold_ends_without_another_reading():
    async def main():
        async with field(rule(STAGE, hold=300), past=nothing) as site:
            task = asyncio.create_task(site.alarms.run())
            await asyncio.sleep(1)
            site.read(river_stage=28.0)
            await asyncio.sleep(299)
            assert not site.station.shown
            await asyncio.sleep(10)
            assert site.station.shown
            task.cancel()

    run(main())


# Beside a platform


def test_one_event_sounds_once_whoever_tells_of_it_first():
    async def main():
        async with field(rule(BOTH, level="red", action="evacuate")) as site:
            site.read(river_stage=28.0, lake_stage=11.0)
            await asyncio.sleep(100)
            await site.station.heard(sealed("county bureau", "山洪"), wait=300)
            await asyncio.sleep(300)
            site.read(river_stage=28.0, lake_stage=11.0)
            sounding = sum(end - begin for begin, end in site.station.sounded())
            assert site.station.sounded()[-1][0] < 5 + 190
            assert sounding <= 180

    run(main())


def test_a_higher_warning_of_the_platform_sounds_beside_a_lower_alarm():
    async def main():
        async with field(rule(BOTH, level="orange")) as site:
            site.read(river_stage=28.0, lake_stage=11.0)
            await asyncio.sleep(200)
            before = len(site.station.sounded())
            await site.station.heard(sealed("county bureau", "山洪", level=Level.RED), wait=10)
            assert len(site.station.sounded()) > before
            assert site.station.shown.startswith("红色")

    run(main())


def test_an_alarm_after_the_platforms_warning_does_not_sound_again():
    async def main():
        async with field(rule(BOTH, level="orange")) as site:
            await site.station.heard(sealed("county bureau", "山洪", level=Level.RED), wait=400)
            before = len(site.station.sounded())
            site.read(river_stage=28.0, lake_stage=11.0)
            await asyncio.sleep(60)
            assert len(site.station.sounded()) == before
            assert site.station.shown.startswith("红色")

    run(main())


def test_another_event_sounds_for_itself():
    async def main():
        async with field(rule(BOTH, event="landslide")) as site:
            await site.station.heard(sealed("county bureau", "山洪", level=Level.RED), wait=400)
            before = len(site.station.sounded())
            site.read(river_stage=28.0, lake_stage=11.0)
            await asyncio.sleep(60)
            assert len(site.station.sounded()) > before

    run(main())


def test_at_night_a_lesser_alarm_is_shown_and_speaks_in_the_morning():
    async def main():
        minute = (T0 + 8 * 3600) % 86_400 // 60
        async with field(rule(STAGE, level="yellow"), policy=Policy(quiet=Quiet(minute, (minute + 10) % 1440))) as site:
            site.read(river_stage=28.0)
            await asyncio.sleep(1)
            assert site.said("warning.decided")[0]["withheld"]["voice"] == "quiet-hours"
            for _ in range(20):
                site.read(river_stage=28.0)
                await asyncio.sleep(60)
            assert "voice" in site.said("warning.decided")[-1]["channels"]

    run(main())


def test_alarms_have_a_daily_cap():
    async def main():
        async with field(rule(BOTH)) as site:
            for _ in range(15):
                site.read(river_stage=28.0, lake_stage=11.0)
                await asyncio.sleep(300)
                site.read(river_stage=20.0)
                await asyncio.sleep(60)
            assert len(site.said("rule.raised")) == 15
            assert [one["withheld"].get("siren") for one in site.said("warning.decided") if "withheld" in one].count(
                "cap"
            ) == 3

    run(main())


# After a restart


def test_a_restart_remembers_the_rain_the_hold_and_the_alarm():
    async def main():
        history = []

        async def past(_series, since):
            return Recalled([one for one in history if one.at >= since], untimed=False)

        rain = rule('sum(rain.tips, "1h") >= 60 and river.stage > 27.8', hold=600)
        async with Station() as station:
            async with field(rain, station=station) as site:
                for _ in range(58):
                    now = round(station.now() * 1000)
                    history += [Reading("rain.tips", now, 1.1, "mm", 1), Reading("river.stage", now, 28.0, "m", 1)]
                    site.read(rain_tips=1.1, river_stage=28.0)
                    await asyncio.sleep(60)
                assert not site.said("rule.raised")
            async with field(rain, station=station, past=past) as site:  # killed, and started again at once
                task = asyncio.create_task(site.alarms.run())
                site.read(rain_tips=0.0, river_stage=28.0)  # before the past has been read
                await asyncio.sleep(1)
                assert site.alarms.rules[0].state.since is not None
                for _ in range(8):
                    await asyncio.sleep(60)
                    site.read(rain_tips=1.1, river_stage=28.0)
                assert len(site.said("rule.raised")) == 1
                await asyncio.sleep(1)
                assert station.sounded()
                task.cancel()
            raised = len(station.records)
            async with field(rain, station=station, past=past) as site:
                task = asyncio.create_task(site.alarms.run())
                await asyncio.sleep(30)
                assert [kind for kind, _, _ in station.records[raised:] if kind == "rule.raised"] == []
                assert site.alarms.rules[0].state.active
                for _ in range(15):
                    site.read(rain_tips=0.0, river_stage=20.0)
                    await asyncio.sleep(60)
                assert site.said("rule.cleared")
                task.cancel()

    run(main())


def test_what_was_read_before_a_restart_ends_nothing():
    """The last readings before a kill may not have been stored: an older, lower one is no reason to be silent."""

    async def main():
        async with Station() as station:
            low = [Reading("river.stage", round(station.now() * 1000), 27.0, "m", 1)]

            async def past(_series, _since):
                return Recalled(low, untimed=False)

            async with field(rule(STAGE), station=station) as site:
                site.read(river_stage=28.0)
                await asyncio.sleep(10)
            async with field(rule(STAGE), station=station, past=past) as site:
                task = asyncio.create_task(site.alarms.run())
                await asyncio.sleep(60)
                assert station.shown
                site.read(river_stage=27.0)
                await asyncio.sleep(10)
                assert not station.shown
                task.cancel()

    run(main())
