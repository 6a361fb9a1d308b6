"""What `fengsui watch` shows, as lines of text, from the status that a running station gives. Pure: asks and prints nothing."""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from agent.catalogue import plain
from agent.say import say

BARS = "▁▂▃▄▅▆▇█"
SAMPLES = 60  # of each series kept for its line: a minute at a look a second
MOST_SERIES = 500  # followed; a station has fewer
WIDE = 80  # columns where nobody says how many there are
NAME, SHORT = 28, 10  # characters of a series' name: at most, and on the narrowest terminal its end
BESIDE = 52  # columns of what stands beside it: value, unit, age, quality
HEAD = ("watch.head", "", "watch.series")  # lines above the first series


class History:
    """The newest values of each series, look by look."""

    def __init__(self) -> None:
        self._values: dict[str, deque[float]] = {}

    def take(self, status: Mapping[str, Any]) -> None:
        for name, newest in status.get("newest", {}).items():
            if name in self._values or len(self._values) < MOST_SERIES:
                self._values.setdefault(name, deque(maxlen=SAMPLES)).append(float(newest["value"]))

    def line(self, name: str) -> str:
        return sparkline(list(self._values.get(name, ())))


def sparkline(values: list[float]) -> str:
    """Between the least and the most that were seen; a flat line where nothing moves."""
    if not values:
        return ""
    low, high = min(values), max(values)
    span = high - low
    return "".join(BARS[round((value - low) / span * (len(BARS) - 1)) if span else 0] for value in values)


def fitted(status: Mapping[str, Any], history: History, width: int, height: int) -> list[str]:
    """The same for a small terminal: what does not fit are series, never a warning."""
    lines, series = list(frame(status, history, width)), len(status.get("newest", {}))
    over = len(lines) - height
    if over <= 0 or not series:
        return lines
    kept = max(series - over - 1, 0)
    first = len(HEAD)
    return [*lines[: first + kept], say("watch.more", count=series - kept), *lines[first + series :]]


def frame(status: Mapping[str, Any], history: History, width: int = WIDE) -> Iterator[str]:
    """One look at the station, top to bottom."""
    readings, clock = status.get("readings", {}), status.get("clock", {})
    trusted = say("watch.yes") if clock.get("trusted") else say("watch.no")
    yield say(
        "watch.head", station=status.get("station"), version=status.get("version"),
        taken=readings.get("taken"), committed=readings.get("committed"), trusted=trusted,
    )  # fmt: skip
    yield from ("", say("watch.series"))
    long = max(min(NAME, width - BESIDE), SHORT)
    for name, newest in status.get("newest", {}).items():
        value = f"{newest['value']:>12g} {newest['unit']:<6}"
        age = f"{newest['age']:>6g} s"
        yield f"  {plain(name)[-long:]:<{long}} {value} {age}  {plain(newest['quality'])[:16]:<16} {history.line(name)}"
    yield from ("", say("watch.sensors"), *_states(status.get("sensors", {})))
    yield from ("", say("watch.bearers"), *_bearers(status.get("bearers", {})))
    yield from ("", _buffer(status.get("buffer", {})))
    yield from ("", say("watch.warnings"), *_warnings(status))


def _states(parts: Mapping[str, Any]) -> Iterator[str]:
    for name, part in parts.items():
        yield f"  {plain(name)[:28]:<28} {plain(part.get('state', '?'))}"


def _bearers(bearers: Mapping[str, Any]) -> Iterator[str]:
    """Whether it is up, and scalars: a bearer's details are `fengsui status`'s."""
    for name, bearer in bearers.items():
        up = bearer.get("state") or ("up" if (bearer.get("urgent") or {}).get("up") else "down")
        facts = ", ".join(
            f"{key} {plain(value)}"
            for key, value in bearer.items()
            if isinstance(value, str | int | float) and value != "" and key != "state"
        )
        yield f"  {plain(name)[:28]:<28} {plain(up):<8} {facts[:120]}".rstrip()


def _buffer(buffer: Mapping[str, Any]) -> str:
    used, limit = float(buffer.get("used") or 0), float(buffer.get("limit") or 0)
    waiting = buffer.get("pending") or {}
    return say(
        "watch.buffer",
        used=f"{used / 2**20:.1f}",
        limit=f"{limit / 2**20:.0f}",
        pending=", ".join(f"{name} {plain(_count(count))}" for name, count in waiting.items()) or "0",
        degraded=say("watch.yes") if buffer.get("degraded") else say("watch.no"),
    )


def _count(value: Any) -> Any:
    return (
        sum(value.values()) if isinstance(value, Mapping) and all(isinstance(n, int) for n in value.values()) else value
    )


def _warnings(status: Mapping[str, Any]) -> Iterator[str]:
    """What is in force here, and the local alarms; a line that says none where there is none."""
    active = status.get("warnings", {}).get("active") or []
    alarms = active.items() if isinstance(active, Mapping) else enumerate(active)
    lines = [f"  ! {plain(name)} {plain(alarm)[:120]}" for name, alarm in alarms]
    yield from lines or [f"  {say('watch.none')}"]
