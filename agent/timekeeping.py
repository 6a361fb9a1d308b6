"""The clock of a station, kept: looked at now and again, and each setting of it recorded as an anchor."""

import asyncio
from collections.abc import Callable, Sequence

from agent.record import Recorder

LOOKS = 5.0  # seconds between looks at the clock; a step is an anchor, and an anchor is an event
SAVED = "clock"  # the buffer's key of the clock as it was last


async def keep_time(recorder: Recorder, beats: Sequence[Callable[[], None]]) -> None:
    """Anchors: one event at the first trusted look of a boot and at each step, and a saved copy."""
    clock, told = recorder.clock, None
    while True:
        for beat in beats:
            beat()
        clock.tick()
        anchor = clock.anchor()
        if anchor != told:
            facts = {"anchor_at": anchor.at, "wall_ms": anchor.wall, "error_ms": anchor.error, "synced": anchor.trusted}
            recorder.event("anchor", facts)
            recorder.buffer.set_meta(SAVED, clock.save())
            told = anchor
        await asyncio.sleep(LOOKS)
