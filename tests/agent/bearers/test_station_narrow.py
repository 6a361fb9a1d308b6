"""The agent as a process with narrow bearers: killed at any moment, warned by any of them, asked how they are."""

import asyncio
import contextlib
from contextlib import asynccontextmanager

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.bearers.keeper import open_private
from protocols.narrow.keys import public_of
from tests.support.broker import Broker, free_port
from tests.support.far_end import FarEnd
from tests.support.scale import count
from tests.support.station import TEXT, WITHIN, station, table
from tests.support.until import until

pytestmark = pytest.mark.broker
QUICK = {"interval": 0.05, "latency": 0.01, "mtu": 77}
RULE = (
    '[[rule]]\nname = "high"\nwhen = "river.stage > 0.05"\nevent = "11B03"\nlevel = "red"\naction = "evacuate"\n'
    'text = "水位超警"\n'
)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@asynccontextmanager
async def narrow_site(folder, port, bearers, **words):
    """A station whose network is dead (`port` leads nowhere) or not, with bearers to a far end."""
    async with (
        station(folder, words.pop("platform", port), through=port, siren=True) as site,
        contextlib.AsyncExitStack() as stack,
    ):
        private = X25519PrivateKey.generate().private_bytes_raw()
        (site.folder / "state").mkdir(mode=0o700)
        (site.folder / "headend.pub").write_text(public_of(private).hex() + "\n")
        public = public_of(open_private(site.folder / "state" / "narrow.key"))
        site.tables["narrow"] = table("narrow", headend="headend.pub", patience="2s")
        for name, more in bearers.items():
            facts = {"driver": "sim", "air": f"air-{name}", "address": site.id, "to": "headend", **QUICK, **more}
            site.tables[name] = table("[bearer]", name=name, **facts)
        site.write()
        site.far = FarEnd(site.id, private, public, asyncio.get_running_loop().time)
        stack.push_async_callback(site.far.close)
        for name, more in bearers.items():
            site.far.attach(site.folder, name, **{**QUICK, **more, "loss": 0.0})
        yield site


def bearers_of(site):
    answer = site.status()
    return answer["bearers"] if answer else {}


def test_killed_again_and_again_no_number_is_used_twice_and_every_alarm_arrives(tmp_path, broker):
    async def story():
        async with narrow_site(tmp_path, free_port(), {"beidou": {"loss": 0.05}}, platform=broker.port) as site:
            site.tables["rule"] = RULE
            site.write()
            for life in range(count(40)):
                before = len(site.far.counters)
                await site.agent.start()
                await until(lambda before=before: len(site.far.counters) > before + 3, WITHIN)
                await asyncio.sleep(0.013 * life % 0.2)
                await site.kill()
            assert len(site.far.counters) == len(set(site.far.counters))
            assert len({salt for salt, _ in site.far.counters}) == 1
            await site.agent.start()
            await until(lambda: alarms(site) >= stored(site) > 0, WITHIN)

    asyncio.run(story())


def alarms(site):
    return sum(1 for _log, lane, _number in site.far.numbers if lane == "alarm")


def stored(site):
    return sum(len(numbers) for (_log, lane), numbers in site.numbers().items() if lane == "alarm")


def test_a_warning_by_two_bearers_is_one_and_a_second_signature_upgrades_it(tmp_path, broker):
    async def story():
        bearers = {"beidou": {}, "lora": {"broadcast": True, "mtu": 100}}
        async with narrow_site(tmp_path, broker.port, bearers) as site:
            await site.up()
            await until(lambda: bearers_of(site).get("lora", {}).get("device", {}).get("state") == "up", WITHIN)
            alert = site.authority.alert("330102001", TEXT)
            first = site.authority.genuine(alert, "", both=False)
            await site.far.warn("beidou", first)
            await until(site.shown, WITHIN)
            assert not site.sounding
            await site.far.warn("lora", first)
            site.platform.warn(alert, first)
            await until(lambda: len(site.platform.said("warning.received")) == 3, WITHIN)
            assert {one["bearer"] for one in site.platform.said("warning.received")} == {"beidou", "lora", "p"}
            assert not site.sounding
            await site.far.warn("lora", site.authority.genuine(alert, "", both=True))
            await until(lambda: site.sounding, WITHIN)
            assert site.activations() == 1

    asyncio.run(story())


def test_the_status_shows_every_bearer_on_the_spot_and_to_the_platform(tmp_path, broker):
    async def story():
        async with narrow_site(tmp_path, broker.port, {"beidou": {"daily_messages": 50, "group": "sky"}}) as site:
            await site.up()
            await until(lambda: bearers_of(site).get("beidou", {}).get("state") == "up", WITHIN)
            mine = bearers_of(site)["beidou"]
            assert mine["signal"] == 80
            assert 40 <= mine["messages_left"] < 50
            assert mine["proven_seconds_ago"] < 60
            await until(lambda: "beidou" in (site.platform.statuses or [{}])[-1].get("bearers", {}), WITHIN)
            told = site.platform.statuses[-1]["bearers"]
            assert set(told["beidou"]) == {
                *("state", "proven_seconds_ago", "success", "queue", "budget_left", "messages_left", "signal"),
            }
            assert "round_trip" in told["p"]
            assert site.status()["narrow"]["p"]["known"]

    asyncio.run(story())
