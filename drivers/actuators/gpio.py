"""A siren or lamp on a pin of the computer itself: a relay module at a GPIO line, held only while it is renewed.

The signal, its limits and its read-back are those of `relay`; only what closes is another.
"""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from drivers.actuators import patterns
from drivers.actuators.patterns import Pattern
from drivers.actuators.pin import OpenLine, Pin
from drivers.actuators.relay import Monotonic, Relay
from drivers.actuators.relay_config import limits
from drivers.api import Context, Factory, Problem
from drivers.values import Duration


class GpioConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`line` is the chip's own number (on a Raspberry Pi the BCM number). `active_low` for modules that close at 0 V."""

    name: str
    line: int
    chip: str = "/dev/gpiochip0"
    active_low: bool = False
    kind: Literal["siren", "lamp"] = "siren"
    shot: Duration = Duration(3.0)
    max_on: Duration = Duration(180.0)
    max_on_per_hour: Duration = Duration(600.0)
    patterns: dict[str, Pattern] = {}


def make(config: GpioConfig, open_line: OpenLine | None = None, now: Monotonic = time.monotonic) -> Relay:
    pin = Pin(config.chip, config.line, config.active_low, open_line)
    return Relay(config, pin, patterns.shipped() | config.patterns, now)


def create(config: GpioConfig, _context: Context) -> Relay:
    return make(config)


def check(config: GpioConfig, _context: Context) -> Iterable[Problem]:
    if not Path(config.chip).exists():
        yield Problem("chip", "port.missing", {"port": config.chip})
    if not 0 <= config.line <= 511:
        yield Problem("line", "gpio.line", {"line": config.line})
    for name, fault in patterns.faults(config.patterns):
        yield Problem(f"patterns.{name}", f"actuator.pattern_{fault}", {"pattern": name})
    yield from limits(config)


FACTORY = Factory(GpioConfig, create, check)
