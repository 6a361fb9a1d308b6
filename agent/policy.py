"""What a warning may do here: which channels, by whose authority, and what holds one back. Pure.

Patterns, clips and sentences are the plans' business; this file only says display, voice, siren or lamp, and why not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntFlag
from typing import NamedTuple

from protocols.alert import ClockReading
from protocols.area import Position


class Channel(IntFlag):
    NONE = 0
    DISPLAY = 1
    VOICE = 2
    SIREN = 4
    LAMP = 8


class Now(NamedTuple):
    """`monotonic` as time.monotonic() reads it; `boot` names the boot it belongs to."""

    clock: ClockReading
    monotonic: float
    boot: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where this station stands: its administrative codes (usually its village's), and its position if it is known."""

    codes: tuple[int, ...]
    position: Position | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What the configuration says about warnings. Seconds, unless said otherwise."""

    families: Mapping[str, str] = field(default_factory=dict)  # event code -> family, from agent/codes/events.toml
