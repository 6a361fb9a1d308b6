"""What a station senses, wired: its sensors, what is derived of them, how fast they are read, what they tell of time, and gaps.

Decides nothing, and knows no network.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agent.config import Config
from agent.gaps import Gaps
from agent.record import Recorder
from agent.sampling import read_all, sources_of
from agent.supervisor import Supervisor
from drivers.api import Context, SeriesSpec

if TYPE_CHECKING:
    from agent.derive.deriver import Deriver

FIRST_PATIENCE, FIRST_LOOKS = 10.0, 0.05  # seconds that the start waits for the sensors, and between two looks


class Sensing:
    """`sources` are the sensors in the configuration's order."""

    def __init__(self, config: Config, recorder: Recorder, context: Context) -> None:
        self._config, self._recorder = config, recorder
        self.sources = sources_of(config, context)
        self._deriver = self._open_deriver()
        if config.consistency:
            from agent.consistency import Consistency

            recorder.judge = Consistency(config.consistency.values()).judge

    @property
    def series(self) -> dict[str, SeriesSpec]:
        """By their names, derived ones too."""
        read = {name: spec for source in self.sources for name, spec in source.series.items()}
        return read | dict(self._deriver.series if self._deriver is not None else {})

    def start(self, house: Supervisor) -> None:
        recorder = self._recorder
        if self._deriver is not None:
            recorder.expect(self._deriver.series, judged=True)
            recorder.watch(self._deriver.take)
            house.keep("derived series", self._deriver.run)
        for source in self.sources:
            recorder.expect(source.series)
            house.keep(f"sensor {source.name}", lambda source=source: source.run(recorder.readings))  # type: ignore[misc]  # mypy cannot type a default in a lambda
        self._hasten(house)
        self._hear_time(house)
        gaps = Gaps(recorder.newest, self.sources, report=recorder.report, now=recorder.clock.now)
        house.keep("gaps", gaps.run)

    async def asked(self, stop: asyncio.Event) -> None:
        """Returns when each has been asked once; never waits for one that does not answer."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + FIRST_PATIENCE
        while loop.time() < deadline and not stop.is_set():
            await asyncio.sleep(FIRST_LOOKS)
            if all(source.status().get("state") != "unknown" for source in self.sources):
                return

    async def read(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        """A verb of the control socket: each sensor once, now."""
        return {"sensors": await read_all(self.sources)}

    def _hasten(self, house: Supervisor) -> None:
        """Sensors that are read faster while something is going on."""
        fast = [getattr(one.config, "fast", None) for one in self._config.sensors]
        if any(fast):
            from agent.hasten import Hastening

            hastening = Hastening(zip(fast, self.sources, strict=True), self._recorder.clock.now)
            self._recorder.watch(hastening.take)
            house.keep("fast sampling", hastening.run)

    def _hear_time(self, house: Supervisor) -> None:
        receivers = [source for source in self.sources if hasattr(source, "time")]
        if receivers:
            from agent.bearers.hints import Hints

            house.keep("time of receivers", lambda: Hints(self._recorder.clock).run(receivers))

    def _open_deriver(self) -> "Deriver | None":
        if not self._config.derived:
            return None
        from agent.derive.deriver import Deriver

        recorder = self._recorder
        return Deriver(
            self._config.derived,
            self._config.station.timezone,
            recorder.clock,
            record=recorder.readings,
            keep=recorder.buffer.set_meta,
            saved=recorder.buffer.meta,
        )
