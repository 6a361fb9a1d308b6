"""The bench beside a running agent: what asks goes through it, what would share a line is refused, and no reading is lost."""

import asyncio
import json

from drivers.simulated.modbus import PtyBus
from tests.support.broker import Broker
from tests.support.station import Gauge, command, station


async def _beside(tmp_path, broker):
    async with station(tmp_path / "s", broker.port, sensor=False) as site, PtyBus([Gauge().unit]) as line:
        site.bus("field", line.url)
        site.sensor("gauge", "field")
        config = ("--config", site.write())
        await site.up()
        await site.delivers()
        done = [
            await command("scan", line.path, "--json", "--baud", 9600, "--units", "1-2", *config),
            await command("monitor", line.path),
            await command("modbus", "read", line.url, 1, 3, "--json", *config),
            await command("read", "--once", "--json", *config),
        ]
        await site.delivers(3)
        status = site.status()
        return done, status["sensors"]["gauge"]["counters"]


def test_nobody_disturbs_a_line_that_the_agent_has_open(tmp_path):
    with Broker(tmp_path) as broker:
        (scan, monitor, modbus, read), counters = asyncio.run(_beside(tmp_path, broker))
    assert [one.returncode for one in (scan, monitor, modbus, read)] == [1, 1, 0, 0]
    found = json.loads(scan.stdout)["ports"][0]
    assert (found["state"], found["requests"]) == ("held", 0)
    assert "in use by" in monitor.stderr
    assert len(json.loads(modbus.stdout)["values"]) == 1
    assert json.loads(read.stdout)["readings"][0]["series"] == "river.stage"
    assert counters.keys() <= {"ok"}, "a request of the agent's was disturbed"
