"""Derived series in a whole station: on the platform like any other, seen by rules, and not begun anew by a restart."""

import asyncio

import pytest

from agent.cli import main
from tests.support.broker import Broker
from tests.support.station import WITHIN, station
from tests.support.until import until

pytestmark = pytest.mark.broker

TABLES = {
    "derived stage": '[[derived]]\nkind = "level"\nof = "river.stage"\nseries = "river.level"\nbase = 100.0\nexpect = [99, 200]\n',
    "derived rain": '[[derived]]\nkind = "rain"\nof = "river.level"\nprefix = "rain"\nscale = 1\nmost = 1000\n',
    "rule high": '[[rule]]\nname = "high"\nwhen = "river.level > 100.02"\nevent = "11B03"\nlevel = "blue"\n',
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


def values(site, series):
    return [one["value"] for one in list(site.platform.readings) if one["series"] == series]


def test_the_platform_the_rules_and_the_next_start_see_derived_series(tmp_path, broker):
    async def story():
        async with station(tmp_path, broker.port) as site:
            site.tables |= TABLES
            site.write()
            await site.up()
            await until(lambda: len(values(site, "river.level")) > 30, WITHIN)
            await until(lambda: site.platform.said("rule.raised", rule="high"), WITHIN)
            measured, level = values(site, "river.stage")[0], values(site, "river.level")[0]
            assert level == pytest.approx(measured + 100)
            await until(lambda: values(site, "rain.accumulated"), WITHIN)
            before = values(site, "rain.accumulated")[-1]
            await site.kill()
            await site.agent.start()
            held = len(values(site, "rain.accumulated"))
            await until(lambda: len(values(site, "rain.accumulated")) > held + 3, WITHIN)
            assert values(site, "rain.accumulated")[-1] >= before

    asyncio.run(story())


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('kind = "rane"\nof = "x"', "rain, level"),
        ('kind = "rain"\nof = "nowhere"', "nowhere"),
        ('kind = "level"\nof = "river.stage"', "river.stage"),
        ('kind = "rating"\nof = "river.stage"\nsegments = []', "rating"),
        ('kind = "rate"\nof = "river.stage"\nseries = "river.rate"\nunit = "furlong"', "furlong"),
        ('kind = "wind"\nwindows = ["2d"]', "window"),
        ('kind = "rain"\nof = "river.stage"\nday_start = 24', "day_start"),
        ('kind = "rain"\nof = "river.stage"\ntypo = 24', "typo"),
    ],
)
def test_check_says_what_cannot_be_derived(tmp_path, broker, capsys, table, said):
    async def story():
        async with station(tmp_path, broker.port) as site:
            site.tables["derived"] = f"[[derived]]\n{table}\n"
            site.write()
            assert main(["--lang", "en", "check", "--config", str(site.folder / "station.toml")]) == 2
            assert said in capsys.readouterr().err

    asyncio.run(story())
