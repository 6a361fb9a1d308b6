"""A station of `tests.support.alerting` with rules of its own, in virtual time."""

import contextlib

from agent.spot.local import LocalAlarms
from agent.spot.recall import Recalled
from agent.spot.rules import Rule, RuleConfig
from drivers.values import Duration
from protocols.quality import GOOD
from protocols.reading import Reading
from tests.support.alerting import Station


def rule(when, name="flood", **words):
    words = {"event": "flash-flood", "level": "orange", "text": "水位上涨", **words}
    words |= {key: Duration(words[key]) for key in ("hold", "stale") if key in words}
    return RuleConfig(name=name, when=when, **words)


class Field:
    """Rules, and readings for them. `sensors` says which series come of one device."""

    def __init__(self, station: Station, *rules, sensors=None, past=None, lan=()):
        self.station = station
        self.alarms = LocalAlarms(
            [Rule(one) for one in rules],
            sensors=sensors or {},
            record=station._record,
            path=station.alerting,
            now=lambda: round(station.now() * 1000),
            past=past,
            lan=lan,
        )

    def read(self, quality=GOOD, ago=0.0, **values):
        at = round((self.station.now() - ago) * 1000)
        self.alarms.take([Reading(name.replace("_", "."), at, value, "m", quality) for name, value in values.items()])

    def said(self, kind):
        return [fields for what, fields, _ in self.station.records if what == kind]


@contextlib.asynccontextmanager
async def field(*rules, station=None, policy=None, **words):
    async with contextlib.AsyncExitStack() as stack:
        made = station or await stack.enter_async_context(Station(policy))
        yield Field(made, *rules, **words)


async def nothing(_series, _since):
    return Recalled([], untimed=False)
