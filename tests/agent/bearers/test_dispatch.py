"""Alarms, events, digests and detail over narrow bearers, in virtual time, against a far end of our own."""

from buffer.model import Lane
from tests.support.narrow import village
from tests.support.patient import run

BEIDOU = {"interval": 60.0, "latency": 2.0, "mtu": 77, "far_interval": 1.0}


def test_an_alarm_arrives_is_acknowledged_and_settled(tmp_path):
    async def story():
        async with village(tmp_path, {"beidou": BEIDOU}) as site:
            await site.alarm()
            took = await site.until(lambda: not site.pending(Lane.ALARM), 600)
            print(site.far.kinds, site.far.wrong, site.fleet.status(), site.dispatch().status(), site.events)
            assert [one["type"] for _, one in site.far.events] == ["rule.raised"]
            assert took < 300
            return took

    print(run(story()))
