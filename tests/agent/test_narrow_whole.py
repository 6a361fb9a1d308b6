"""A whole station and a whole headend, with nothing between them but a narrow bearer: the network is dead, and comes back."""

import asyncio

import pytest

from agent.bearers.keeper import open_private
from agent.headend.config import load
from agent.headend.service import Headend
from buffer.ranges import Ranges
from protocols.narrow.keys import public_of
from tests.support.broker import Broker
from tests.support.listener import Listener
from tests.support.proxy import Proxy
from tests.support.station import AREA, WITHIN, station, table
from tests.support.until import until

pytestmark = pytest.mark.broker
RULE = (
    '[[rule]]\nname = "high"\nwhen = "river.stage > 0.05"\nevent = "11B03"\nlevel = "red"\naction = "evacuate"\n'
    'text = "水位超警"\n'
)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


def bearer(folder, name, mtu, **keys):
    """In an air of its own: two modems of one station have one address here."""
    facts = {"driver": "sim", "air": str(folder / f"air-{name}"), "mtu": mtu, "interval": 0.1, "latency": 0.02, **keys}
    return table("[bearer]", name=name, **facts)


def headend_of(site, folder, broker, bearers):
    (site.folder / "state").mkdir(mode=0o700)
    public = public_of(open_private(site.folder / "state" / "narrow.key"))
    at = {name: site.id for name, _ in bearers}
    (folder / "headend.toml").write_text(
        table("headend", name=site.root[:8], gather="50ms")
        + table("platform", url=f"mqtt://127.0.0.1:{broker.port}", root=site.root, no_subscribers_ok=True)
        + "".join(bearer(site.folder, name, mtu, address=f"headend-{name}", to=site.id) for name, mtu in bearers)
        + table("[station]", id=site.id, key=public.hex(), areas=[AREA], at=at)
    )
    config, findings = load(folder / "headend.toml")
    assert config is not None, [str(one) for one in findings]
    return Headend(config)


def test_alarms_digests_and_warnings_pass_while_the_network_is_dead_and_all_readings_come_when_it_is_back(
    tmp_path, broker
):
    bearers = [("beidou", 77), ("sbd", 340)]

    async def story():
        with Proxy("127.0.0.1", broker.port) as network:
            network.refuse = True
            folder = tmp_path / "headend"
            folder.mkdir()
            async with station(tmp_path / "site", broker.port, through=network.port, siren=True) as site:
                (site.folder / "headend.pub").write_text(public_of(open_private(folder / "headend.key")).hex() + "\n")
                site.tables["narrow"] = table("narrow", headend="headend.pub", patience="2s")
                for name, mtu in bearers:
                    site.tables[name] = bearer(site.folder, name, mtu, address=site.id, to=f"headend-{name}")
                site.tables["rule"] = RULE
                site.write()
                headend = headend_of(site, folder, broker, bearers)
                running = asyncio.create_task(headend.run())
                with Listener(broker.port, root=site.root) as platform:
                    await site.agent.start()

                    def alarms():
                        return [event for _, event in platform.events if event["type"] == "rule.raised"]

                    await until(alarms, WITHIN)
                    assert alarms()[0]["rule"] == "high"
                    # One every 30 s at the most, and the first may still lack what it is about.
                    await until(lambda: [one for one in platform.messages if one[0].endswith("/digest")], 2 * WITHIN)
                    site.warn()
                    await until(lambda: site.sounding, WITHIN)
                    assert site.activations() == 1
                    network.refuse = False
                    await until(lambda: site.delivered > 50, WITHIN)
                    await site.agent.end()
                    await site.agent.start()
                    await until(site.caught_up, WITHIN)
                    log = alarms()[0]["id"].split("/")[0]
                    assert site.platform.tracker.duplicates_in_effect == 0
                    assert platform.numbers[log, "telemetry"].covers(1, 20)
                    assert platform.numbers[log, "alarm"] == Ranges([(1, platform.numbers[log, "alarm"].count)])
                headend.stop.set()
                await asyncio.wait_for(running, WITHIN)

    asyncio.run(asyncio.wait_for(story(), 230))
