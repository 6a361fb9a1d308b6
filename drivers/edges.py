"""Closings of a contact between a pin and ground, as the kernel counts them while we are busy. Knows pins, not rain.

`open_edges` is the seam: libgpiod's by default, imported when a line is asked for.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

WAITING = 256  # edges the kernel keeps for us: half a minute of bouncing at 10 Hz


class Edge(NamedTuple):
    """`at`: nanoseconds of CLOCK_MONOTONIC; `number`: the kernel's own count of the line's edges, from 1."""

    at: int
    number: int


class Edges(Protocol):
    def fileno(self) -> int:
        """Readable when there is an edge."""
        ...

    def read(self) -> Sequence[Edge]:
        """Those that wait, at least one; OSError when the chip is gone."""
        ...

    def close(self) -> None: ...


OpenEdges = Callable[[str, int, float], Edges]
"""`open_edges(chip, line, debounce)`: an input with the pull-up on; debounce in seconds. OSError says why not."""


class _GpiodEdges:
    def __init__(self, chip: str, line: int, debounce: float) -> None:
        from datetime import timedelta  # noqa: PLC0415 - only where there is a pin
        from importlib import import_module  # noqa: PLC0415 - an extra: without pins nobody needs it

        try:
            gpiod, words = import_module("gpiod"), import_module("gpiod.line")
        except ImportError as wrong:
            raise OSError(f"the extra gpio is not installed: {wrong}") from wrong
        settings = gpiod.LineSettings(
            direction=words.Direction.INPUT,
            active_low=True,
            bias=words.Bias.PULL_UP,
            edge_detection=words.Edge.RISING,  # of the logical level: low is active, so this is a closing
            debounce_period=timedelta(seconds=debounce),
            event_clock=words.Clock.MONOTONIC,
        )
        self._request = gpiod.request_lines(
            chip, consumer="fengsui", config={line: settings}, event_buffer_size=WAITING
        )

    def fileno(self) -> int:
        return int(self._request.fd)

    def read(self) -> Sequence[Edge]:
        return [Edge(one.timestamp_ns, one.line_seqno) for one in self._request.read_edge_events()]

    def close(self) -> None:
        self._request.release()


def gpiod_edges(chip: str, line: int, debounce: float) -> Edges:
    """By libgpiod 2 (the extra `gpio`). ValueError of the library means that there is no such line."""
    try:
        return _GpiodEdges(chip, line, debounce)
    except ValueError as wrong:
        raise OSError(str(wrong)) from wrong
