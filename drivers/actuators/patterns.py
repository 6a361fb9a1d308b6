"""Named siren signals as data: seconds on and off. Knows nothing of relays or clocks."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

SHIPPED = Path(__file__).with_name("patterns.toml")

# The two interrupted signals of China's air defence, as (on, off) in seconds: never for another hazard unless the county
# says so. Its third, three minutes of one tone, can't be told from other countries' steady signal by its shape.
AIR_DEFENCE = {(36.0, 24.0): "early", (6.0, 6.0): "raid"}


class Pattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    on: float
    off: float = 0.0

    def bursts(self, start: float, end: float) -> Iterator[tuple[float, float]]:
        """When the siren is on between `start` and `end`: absolute pairs, the last one cut."""
        at = start
        while at < end:
            yield at, (end if not self.off else min(at + self.on, end))
            at = end if not self.off else at + self.on + self.off


def shipped() -> dict[str, Pattern]:
    return msgspec.convert(tomllib.loads(SHIPPED.read_text(encoding="utf-8")), dict[str, Pattern])


def faults(patterns: Mapping[str, Pattern]) -> Iterator[tuple[str, str]]:
    """(pattern, what is wrong): `length` for times no siren can follow, `air_defence` for a signal that means war."""
    for name, pattern in patterns.items():
        if not (0.2 <= pattern.on <= 600 and 0 <= pattern.off <= 600):
            yield name, "length"
        elif (pattern.on, pattern.off) in AIR_DEFENCE:
            yield name, "air_defence"
