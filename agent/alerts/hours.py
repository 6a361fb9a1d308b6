"""The configuration's limits on what may be heard: quiet hours, the window of drills, caps by origin. Pure."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from agent.alerts.policy import CAPS, Cap, Policy, Quiet
from drivers.api import Problem
from drivers.values import Duration

_HOURS = re.compile(r"([01]\d|2[0-4]):([0-5]\d)\s*-\s*([01]\d|2[0-4]):([0-5]\d)", re.ASCII)
DAY = 24 * 60  # minutes
MOST_STARTS = 256  # as many as the journal remembers


class CapConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """So many siren starts in so long."""

    starts: int
    window: Duration = Duration(86_400.0)


class HoursConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`quiet` ("22:00-06:00"): lesser warnings are shown and not spoken. `exercise_window`: drills are heard in it only.
    `exercise_siren`: may a sealed exercise use the siren? `caps` by origin: exercise, local, remote. `self_test`: how
    often every actuator is asked, inaudibly, whether it is there, and the answer recorded; 0: never.
    """

    quiet: str = ""
    exercise_window: str = ""
    exercise_siren: bool = False
    caps: dict[str, CapConfig] = {}
    self_test: Duration = Duration(86_400.0)


def policy_of(config: HoursConfig, siren_seconds: float, timezone: str, unix: int) -> Policy:
    """`unix`: now, for the time zone's offset."""
    offset = offset_of(timezone, unix)
    caps = {name: Cap(cap.starts, round(cap.window)) for name, cap in config.caps.items()}
    return Policy(
        siren_seconds=siren_seconds,
        exercise_siren=config.exercise_siren,
        quiet=hours(config.quiet, offset),
        exercise_window=hours(config.exercise_window, offset),
        caps={**CAPS, **caps},
    )


def hours(written: str, utc_offset: int = 0) -> Quiet | None:
    """`22:00-06:00`; None where nothing is written. ValueError for anything else."""
    if not written:
        return None
    match = _HOURS.fullmatch(written)
    start, end = (int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])) if match else (0, 0)
    if start == end or max(start, end) > DAY:
        raise ValueError(written)
    return Quiet(start % DAY, end, utc_offset)


def offset_of(timezone: str, unix: int) -> int:
    """Seconds east of Greenwich."""
    offset = datetime.fromtimestamp(unix, UTC).astimezone(ZoneInfo(timezone)).utcoffset()
    return round(offset.total_seconds()) if offset else 0


def check_hours(config: HoursConfig) -> Iterator[Problem]:
    written: Mapping[str, str] = {"quiet": config.quiet, "exercise_window": config.exercise_window}
    for key, text in written.items():
        try:
            hours(text)
        except ValueError:
            yield Problem(key, "warnings.hours", {"value": text})
    for name, cap in config.caps.items():
        if name not in CAPS:
            yield Problem(f"caps.{name}", "config.choice", {"value": name, "known": ", ".join(CAPS)})
        if not 0 <= cap.starts <= MOST_STARTS:
            yield Problem(f"caps.{name}.starts", "value.range", {"value": cap.starts, "least": 0, "most": MOST_STARTS})
    if config.self_test and config.self_test < 60:
        yield Problem("self_test", "value.range", {"value": config.self_test, "least": "1min", "most": "-"})
