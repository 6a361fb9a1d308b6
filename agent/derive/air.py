"""Dew point from temperature and relative humidity. Pure.

Magnus' formula with 17.27 and 237.7 °C (Barenbrug 1974): within 0.4 K from 0 to 60 °C.
"""

from collections.abc import Mapping, Sequence
from math import log

import msgspec

from agent.derive.model import Moment, Stateless, together, usable
from drivers.api import SeriesSpec
from drivers.values import Duration
from protocols.reading import Reading

SLOPE, ZERO = 17.27, 237.7  # of Magnus' formula; the second in °C


class DewPointConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Two values belong together when they are no more than `apart` apart."""

    temperature: str = "air.temperature"
    humidity: str = "air.humidity"
    series: str = "air.dew_point"
    apart: Duration = Duration(60)


class DewPoint(Stateless):
    def __init__(self, config: DewPointConfig) -> None:
        self.config = config
        self.inputs = (config.temperature, config.humidity)
        self.outputs: Mapping[str, SeriesSpec] = {config.series: SeriesSpec("Cel", span=(-90.0, 60.0), step=0.01)}
        self._newest: dict[str, Reading] = {}  # what no dew point has been told of

    def take(self, reading: Reading, _moment: Moment) -> Sequence[Reading]:
        if not usable(reading):
            self._newest.pop(reading.series, None)
            return ()
        self._newest[reading.series] = reading
        warm, damp = (self._newest.get(one) for one in self.inputs)
        if warm is None or damp is None or abs(warm.at - damp.at) > self.config.apart * 1000:
            return ()
        self._newest.clear()  # the next one wants a new value of each, not one of now and one of the minute before
        value, at = dew_point(warm.value, damp.value), max(warm.at, damp.at)
        if value is None:
            return ()
        return [Reading(self.config.series, at, round(value, 2), "Cel", together((warm.quality, damp.quality)))]


def dew_point(celsius: float, humidity: float) -> float | None:
    """°C, of a temperature in °C and a relative humidity in %; None where there is no vapour, or no formula (below -90 °C)."""
    if not 0 < humidity <= 104 or celsius < -90:
        return None
    gamma = SLOPE * celsius / (ZERO + celsius) + log(min(humidity, 100.0) / 100)
    return ZERO * gamma / (SLOPE - gamma)
