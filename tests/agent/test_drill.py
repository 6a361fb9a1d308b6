"""A drill takes the path of the real thing, is marked as one, and yields to it; the self-test is silent."""

import asyncio

import pytest

from agent.alerts.hours import CapConfig, HoursConfig, check_hours, hours, policy_of
from agent.alerts.policy import Policy, Quiet
from agent.spot.drill import Drill, Tap, self_test
from drivers.values import Duration
from tests.support.alerting import Station
from tests.support.on_site import Field, rule
from tests.support.seals import T0, sealed
from tests.support.virtual import run


class Bench:
    def __init__(self, station):
        self.station = station
        tap = Tap(station._record)
        station.alerting._evidence._record = tap
        self.drill = Drill(station.alerting, [station.display, station.siren], tap, station._record)

    async def play(self, **words):
        """From the start to the result: what the command does."""
        begun = await self.drill.start({"seconds": 20, **words})
        if "error" in begun:
            return begun, [], {}
        steps, result = [], {}
        while not result:
            answer = await self.drill.watch({"after": len(steps)})
            steps += answer["steps"]
            result = answer["result"]
        return begun, steps, result


def test_without_a_siren_it_is_shown_marked_and_every_step_is_told():
    async def main():
        async with Station() as station:
            bench = Bench(station)
            begun, steps, result = await bench.play(text="测试")
            assert begun["channels"] == ["display", "voice", "lamp"]
            assert begun["withheld"] == {"siren": "exercise-silent"}
            assert {"warning.decided", "warning.started", "warning.ended"} == {one["step"] for one in steps}
            assert all(one.get("exercise", True) for one in steps)
            shown = station.display.log[0]["text"]
            assert shown.startswith("这是演练。")
            assert shown.endswith("这是演练。")
            assert result["ok"]
            assert {row["actuator"]: row["result"] for row in result["actuators"]} == {
                "display": "done",
                "siren": "not-asked",
            }
            assert not station.sounded()
            assert [kind for kind, _, _ in station.records if kind.startswith("drill.")] == [
                "drill.begun",
                "drill.done",
            ]

    run(main())


def test_a_siren_needs_a_typed_yes_and_sounds_the_drills_time():
    async def main():
        async with Station() as station:
            bench = Bench(station)
            assert await bench.drill.start({"siren": True}) == {"error": "drill.not_typed"}
            assert not station.sounded()
            _, _, result = await bench.play(siren=True, sure=True)
            assert result["ok"]
            spells = station.sounded()
            assert 10 < spells[-1][1] - spells[0][0] <= 15.1

    run(main())


def test_it_takes_the_path_of_the_real_thing():
    """The same steps from the same parts, with the same facts; only what is played differs."""

    async def main():
        async with Station() as station:
            _, steps, _ = await Bench(station).play(siren=True, sure=True)
        async with Station() as station:
            site = Field(station, rule("a > 1", alone=True, level="red", action="evacuate"))
            site.read(a=2)
            await asyncio.sleep(20)
            site.read(a=0)
            await asyncio.sleep(5)
            real = [(kind, fields) for kind, fields, _ in station.records if kind.startswith("warning.")]
        drilled = [one["step"] for one in steps]
        assert sorted(kind for kind, _ in real if kind != "warning.decided") == sorted(
            kind for kind in drilled if kind != "warning.decided"
        )
        keys = {kind: fields.keys() - {"alert"} for kind, fields in real}
        assert {
            one["step"]: one.keys() - {"step"} for one in steps if one["step"] != "warning.decided"
        }.items() <= keys.items()

    run(main())


def test_an_actual_warning_ends_it_and_none_begins_beside_one():
    async def main():
        async with Station() as station:
            bench = Bench(station)
            task = asyncio.create_task(bench.play(seconds=120))
            await asyncio.sleep(5)
            await station.heard(sealed("county bureau", "山洪"), wait=15)
            _, _, result = await task
            assert result["ended"] == "yielded"
            assert not result["ok"]
            assert "演练" not in station.shown
            assert await bench.drill.start({}) == {"error": "drill.refused", "reason": "exercise-yields"}

    run(main())


def test_a_local_alarm_ends_it_too():
    async def main():
        async with Station() as station:
            bench, site = Bench(station), Field(station, rule("a > 1"))
            task = asyncio.create_task(bench.play(seconds=120))
            await asyncio.sleep(5)
            site.read(a=2)
            assert (await task)[2]["ended"] == "yielded"

    run(main())


def test_one_at_a_time_and_a_hand_can_stop_it():
    async def main():
        async with Station() as station:
            bench = Bench(station)
            assert await bench.drill.stop({}) == {"stopped": False}
            task = asyncio.create_task(bench.play(seconds=120))
            await asyncio.sleep(5)
            assert await bench.drill.start({}) == {"error": "drill.running"}
            assert await bench.drill.stop({}) == {"stopped": True}
            assert (await task)[2]["ended"] == "stopped"
            assert not station.shown
            assert (await bench.play())[2]["ok"]

    run(main())


def test_the_siren_of_drills_has_a_weekly_cap():
    async def main():
        async with Station() as station:
            bench = Bench(station)
            results = [(await bench.play(siren=True, sure=True))[2] for _ in range(3)]
            assert [one["ok"] for one in results] == [True, True, False]
            siren = next(row for row in results[2]["actuators"] if row["actuator"] == "siren")
            assert siren["reason"] == "cap"
            await asyncio.sleep(7 * 86_400)
            assert (await bench.play(siren=True, sure=True))[2]["ok"]

    run(main())


def test_outside_its_window_a_drill_is_seen_and_not_heard():
    minute = (T0 + 8 * 3600) % 86_400 // 60

    async def main(window, heard):
        async with Station(Policy(exercise_window=window)) as station:
            _, _, result = await Bench(station).play(siren=True, sure=True)
            assert result["ok"] is heard
            assert bool(station.sounded()) is heard
            assert station.display.log

    run(main(Quiet(minute, (minute + 60) % 1440), True))
    run(main(Quiet((minute + 60) % 1440, (minute + 120) % 1440), False))


def test_a_dead_actuator_fails_the_drill():
    async def main():
        async with Station(fault="dead") as station:
            _, _, result = await Bench(station).play()
            assert not result["ok"]
            row = next(row for row in result["actuators"] if row["actuator"] == "display")
            assert (row["result"], row["reason"]) == ("failed", "sim_dead")

    run(main())


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"level": "purple"}, "drill.words"),
        ({"action": "all-clear"}, "drill.words"),
        ({"event": 5}, "drill.words"),
        ({"text": None}, "drill.words"),
        ({"seconds": 301}, "drill.seconds"),
        ({"seconds": 4}, "drill.seconds"),
        ({"seconds": "x"}, "drill.seconds"),
        ({"level": ["red"]}, "drill.words"),
    ],
)
def test_what_is_no_drill(words, code):
    async def main():
        async with Station() as station:
            assert await Bench(station).drill.start(words) == {"error": code}

    run(main())


def test_hostile_text_is_shown_harmlessly():
    async def main():
        async with Station() as station:
            await Bench(station).play(text="\u202e\x1b[2J" + "长" * 5000, event="\n" * 50)
            assert all(c.isprintable() for c in station.display.log[0]["text"])

    run(main())


def test_the_self_test_is_silent_and_written_down():
    async def main():
        async with Station() as station:
            task = asyncio.create_task(self_test(station.alerting, station._record, 86_400.0))
            await asyncio.sleep(3 * 86_400)
            tests = [fields for kind, fields, _ in station.records if kind == "selftest.done"]
            assert len(tests) == 3
            assert tests[0] == {"ok": True, "actuators": ["display", "siren"], "failed": {}}
            assert not station.sounded()
            assert not station.display.log
            station.display._config.fault = "dead"
            await asyncio.sleep(86_400)
            last = [fields for kind, fields, _ in station.records if kind == "selftest.done"][-1]
            assert last["failed"] == {"display": "sim_dead"}
            task.cancel()

    run(main())


# Hours and caps as the configuration writes them


def test_hours_caps_and_the_siren_of_exercises():
    config = HoursConfig(
        quiet="22:00-06:00", exercise_window="09:00-17:30", exercise_siren=True,
        caps={"local": CapConfig(starts=3), "exercise": CapConfig(starts=1, window=Duration(3600))},
    )  # fmt: skip
    policy = policy_of(config, 120.0, "Asia/Shanghai", T0)
    assert policy.quiet == Quiet(22 * 60, 6 * 60, 8 * 3600)
    assert policy.exercise_window == Quiet(9 * 60, 17 * 60 + 30, 8 * 3600)
    assert policy.caps["local"] == (3, 86_400)
    assert policy.caps["exercise"] == (1, 3600)
    assert policy.caps["remote"].starts == 24
    assert policy.siren_seconds == 120
    assert list(check_hours(config)) == []
    assert policy_of(HoursConfig(), 180.0, "UTC", T0).quiet is None


@pytest.mark.parametrize(
    "written", ["22-6", "25:00-06:00", "22:00", "22:60-06:00", "06:00-06:00", "24:30-06:00", "二十二:00-06:00"]
)
def test_what_are_no_hours(written):
    with pytest.raises(ValueError, match=r"."):
        hours(written)
    assert [one.code for one in check_hours(HoursConfig(quiet=written))] == ["warnings.hours"]


def test_what_check_says_of_caps():
    found = check_hours(
        HoursConfig(caps={"moon": CapConfig(starts=1), "local": CapConfig(starts=-1)}, self_test=Duration(5))
    )
    assert [one.key for one in found] == ["caps.moon", "caps.local.starts", "self_test"]


def test_level_and_action_reach_the_plan():
    async def main():
        async with Station() as station:
            await Bench(station).play(siren=True, sure=True, action="shelter", level="blue")
            started = next(f for kind, f, _ in station.records if kind == "warning.started" and f["channel"] == "siren")
            assert started["pattern"] == "slow"

    run(main())
