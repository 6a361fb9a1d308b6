"""4-20 mA loops: what a current means, and that a broken wire is never a low water."""

import asyncio
from pathlib import Path

import pytest

from drivers.bus import BusConfig
from drivers.collect import collect
from drivers.sensors.modbus import FACTORY, ModbusConfig
from drivers.simulated.unit import Unit, words_of
from protocols.qartod import Checker
from protocols.quality import GOOD, Flag, Reason, quality
from tests.drivers.modbus_world import Reports, context, run, until, world

SCALE = {"ch1.current": [4, 20, 0.0, 10.0, "m"]}
RAW = {  # what a register says at a current, by profile
    "waveshare-ai8": lambda milliamperes: round(milliamperes * 1000),
    "advantech-adam-4017-20ma": lambda milliamperes: round((milliamperes + 20) * 65535 / 40),
    "icpdas-m-7017c-20ma": lambda milliamperes: round(milliamperes * 32767 / 20),
}


def config(profile, **keys):
    made, problems = collect(
        ModbusConfig, {"name": "loops", "bus": "bus", "profile": profile, "interval": "50ms"} | keys
    )
    assert problems == []
    return made


def unit_of(profile, *milliamperes):
    words = words_of([RAW[profile](one) for one in milliamperes] + [RAW[profile](12)] * (8 - len(milliamperes)))
    return Unit(1, holding=words, registers=words)


@pytest.mark.parametrize("profile", RAW)
@pytest.mark.parametrize(
    ("current", "level", "good"),
    [
        (4.0, 0.0, True),
        (12.0, 5.0, True),
        (3.8, -0.125, True),
        (19.9, 9.9375, True),
        (3.5, -0.3125, False),
        (0.0, -2.5, False),
    ],
)
def test_what_a_current_means(profile, current, level, good):
    async def main():
        async with world([unit_of(profile, current)]) as (bus, reports, _line):
            keys = {"scale": SCALE, "rename": {"ch1.current": "river.stage"}}
            sensor = FACTORY.create(config(profile, **keys), context(bus, reports))
            reading = next(one for one in await sensor.read_once() if one.series == "river.stage")
            spec = sensor.series["river.stage"]
            assert (reading.unit, spec.unit) == ("m", "m")
            assert reading.value == pytest.approx(level, abs=0.001)
            found = Checker(spec.span, spec.expect).check(reading.at, reading.value)
            assert found == (GOOD if good else quality(Flag.BAD, Reason.RANGE))
            assert [kind for kind, _ in reports if kind.startswith("loop")] == ([] if good else ["loop.broken"])

    run(main())


def test_a_break_is_said_once_and_so_is_its_end():
    async def main():
        current = [12.0]
        unit = Unit(
            1,
            registers=lambda address: RAW["waveshare-ai8"](current[0] if address == 0 else 12) if address < 8 else None,
        )
        async with world([unit]) as (bus, reports, _line):
            sensor, got = FACTORY.create(config("waveshare-ai8"), context(bus, reports)), []
            task = asyncio.create_task(sensor.run(got.append))
            await until(lambda: got)
            for state, value in (("broken", 0.0), ("whole", 8.0), ("overdriven", 22.5), ("broken", 1.0)):
                current[0] = value
                await until(lambda state=state: reports[-1:] and reports[-1][0] == f"loop.{state}")
                count = len(got)
                await until(lambda count=count: len(got) > count + 2)
            task.cancel()
            facts = [(kind, fields.get("milliamperes")) for kind, fields in reports]
            assert facts == [
                ("loop.broken", 0.0),
                ("loop.whole", None),
                ("loop.overdriven", 22.5),
                ("loop.broken", 1.0),
            ]
            assert reports[0][1]["series"] == "ch1.current"

    run(main())


def test_what_check_says():
    def found(scale):
        buses = {"bus": BusConfig(name="bus", url="tcp://x")}
        one = context(None, Reports(), Path())
        return [
            (problem.key, problem.code)
            for problem in FACTORY.check(config("waveshare-ai8", scale=scale), type(one)(one.base, one.report, buses))
        ]

    assert found(SCALE) == []
    assert found({"ch9.current": [4, 20, 0, 10, "m"]}) == [("scale", "sensor.no_series")]
    assert found({"ch1.current": [4, 20, 0, 10, "furlong"]}) == [("scale.ch1.current", "loop.unit")]
    assert found({"ch1.current": [20, 4, 0, 10, "m"]}) == [("scale.ch1.current", "loop.range")]
    assert found({"ch1.current": [4, 20, 1, 1, "m"]}) == [("scale.ch1.current", "loop.range")]
