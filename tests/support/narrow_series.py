"""A schema for the real day's six series, and for a station with more of them."""

from protocols.narrow.context import Context
from protocols.narrow.schema import schema, series
from tests.support.surfrad import BOOT, SERIES, SIX, minutes

SPANS = {
    "air.temperature": (-40, 60),
    "air.humidity": (0, 100),
    "wind.speed": (0, 60),
    "wind.direction": (0, 360),
    "air.pressure": (500, 1100),
    "solar.down": (-20, 1500),
}
UNITS = dict(SERIES)
SIX_SCHEMA = schema(series(name, UNITS[name], step=0.1, span=SPANS[name]) for name in SIX)
ALL_SCHEMA = schema(series(name, unit, step=0.1, span=SPANS.get(name)) for name, unit in SERIES)
CONTEXT = Context("00112233445566ff", BOOT, 1_451_606_400_000, trusted=True)


def six_at_five_minutes():
    return [[reading for reading in row if reading.series in SIX] for row in minutes()[::5]]
