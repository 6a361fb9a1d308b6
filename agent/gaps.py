"""Series that no longer come (QARTOD's gap test): said once when they go, once when they are back. Missing is not nought."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from drivers.api import Report, Source
from protocols.reading import Reading

PERIODS = 3  # without a reading: one may be late, two may be lost
LEAST = 10.0  # seconds: what is sampled ten times a second is not missed at once
LOOK = 5.0  # seconds


class Gaps:
    """Of series whose sensor says how often it is read. A device that is down has said so itself; this says what is lacking."""

    def __init__(
        self, newest: Mapping[str, Reading], sources: Sequence[Source], *, report: Report, now: Callable[[], int]
    ) -> None:
        self._newest, self._report, self._now = newest, report, now
        self._allowed = {
            series: round(max(PERIODS * interval, LEAST) * 1000)
            for source in sources
            if (interval := getattr(source, "interval", None))
            for series in source.series
        }
        self._since = now()
        self.missing: set[str] = set()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            self.look()

    def look(self) -> None:
        now = self._now()
        for series, allowed in self._allowed.items():
            heard = self._newest[series].at if series in self._newest else self._since
            gone = now - heard > allowed
            if gone and series not in self.missing:
                self.missing.add(series)
                self._report("series.missing", {"series": series, "seconds": (now - heard) // 1000})
            elif not gone and series in self.missing:
                self.missing.discard(series)
                self._report("series.back", {"series": series})
