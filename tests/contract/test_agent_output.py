"""What a real agent sends, held against the published schemas, with everything going on that makes it speak."""

import asyncio
import json
import signal

import pytest

from drivers.simulated.modbus import TcpBus
from drivers.simulated.unit import Fault, Unit
from protocols.alert import Status
from tests.contract.documents import errors
from tests.support.broker import Broker
from tests.support.proxy import Proxy
from tests.support.station import AREA, FOREIGN, TEXT, WITHIN, station
from tests.support.until import until

pytestmark = pytest.mark.broker
SCHEMA = {"readings": "readings.json", "events": "events.json", "status": "status.json"}
# What the story below makes a station say; a type that is missing here was not checked against its schema.
SAID = {
    "station.started", "anchor", "link.up", "link.down", "device.down", "device.up", "warning.received",
    "warning.verified", "warning.decided", "warning.started", "warning.ended", "warning.refused", "warning.failed",
    "warning.junk", "actuator.up", "command.refused",
}  # fmt: skip


def test_everything_a_station_sends_is_what_the_contract_says(tmp_path):
    with Broker(tmp_path / "broker") as broker, Proxy("127.0.0.1", broker.port) as proxy:
        raw = asyncio.run(story(tmp_path / "site", broker, proxy))
    kinds, types = set(), set()
    for topic, payload in raw:
        kind = topic.rpartition("/")[2]
        kinds.add(kind)
        body = json.loads(payload)
        types |= {body["type"]} if kind == "events" else set()
        assert errors(SCHEMA[kind], body) == [], payload
    assert kinds == set(SCHEMA)
    assert SAID - types == set()


async def story(folder, broker, proxy):
    flaky = Unit(2, holding={2: 0, 3: 5})
    async with (
        station(folder, broker.port, through=proxy.port, siren=True) as site,
        TcpBus([flaky]) as other,
    ):
        site.bus("other", other.url)
        site.sensor("flaky", "other", unit=2, prefix="flaky", expect={"river.stage": [0.0, 0.001]})
        site.write()
        await site.up()
        flaky.fault = Fault("dead")
        await until(lambda: site.platform.said("device.down"), WITHIN)
        flaky.fault = None
        await until(lambda: site.platform.said("device.up"), WITHIN)
        proxy.reset()
        await until(lambda: site.platform.said("link.down"), WITHIN)
        await warnings(site)
        site.platform.publish(f"{site.root}/s1/command/dance", b"{}", retain=False)
        await until(lambda: site.platform.said("command.refused"), WITHIN)
        await site.kill()
        await site.up()
        await until(lambda: len(site.platform.said("station.started")) == 2, WITHIN)
        await site.agent.end(signal.SIGTERM)
        await site.up()  # what it said last is sent with its next life
        await until(lambda: site.platform.said("warning.junk"), WITHIN)
        await site.agent.end(signal.SIGTERM)
        return [(topic, payload) for topic, payload in site.platform.raw if topic.rpartition("/")[2] in SCHEMA]


async def warnings(site):
    alert = site.warn()
    await until(lambda: len(site.platform.said("warning.started")) >= 2, WITHIN)
    site.cancel(alert)
    await until(lambda: site.platform.said("warning.ended", channel="siren"), WITHIN)
    foreign = site.authority.alert(FOREIGN, TEXT)
    site.platform.warn(foreign, site.authority.genuine(foreign, TEXT))
    await until(lambda: site.platform.said("warning.refused"), WITHIN)
    forged = site.authority.alert(AREA, TEXT)
    site.platform.warn(forged, site.authority.forged(forged, TEXT))
    site.warn("drill", status=Status.EXERCISE)
    site.board.fault = Fault("dead")
    site.warn("again")
    await until(lambda: site.platform.said("warning.failed"), WITHIN)
    site.board.fault = None
    await until(lambda: site.sounding, WITHIN)
    await until(lambda: site.platform.said("actuator.up"), WITHIN)
