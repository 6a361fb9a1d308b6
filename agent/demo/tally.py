"""What the demonstration proved, in figures: counted from the database and the subscriber, never from what was meant to
happen.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.demo.percentile import percentile
from buffer.model import Lane
from buffer.reader import Reader
from protocols.columns import unpack


def committed_readings(database: Path) -> int:
    """Readings in the telemetry lane of every log of this file."""
    with Reader(database) as reader:
        return sum(len(unpack(block.body).readings) for block in reader.blocks(Lane.TELEMETRY))


@dataclass(slots=True)
class Tally:
    """Filled as the story goes; `as_json` is what `fengsui demo --json` prints."""

    broker: str = ""
    committed: int = 0
    delivered: int = 0
    duplicates: int = 0  # readings that a subscriber which keeps ranges would have taken twice
    repeated: int = 0  # messages that came again and were dropped by their key
    genuine: int = 0
    sounded: int = 0
    false_activations: int = 0
    latencies: list[float] = field(default_factory=list)  # seconds, publish → relay coil
    wire_bytes: int = 0
    flash_bytes: int = 0
    seconds: float = 0.0

    @property
    def lost(self) -> int:
        return max(0, self.committed - self.delivered)

    @property
    def good(self) -> bool:
        return not (self.lost or self.false_activations or self.duplicates or self.sounded < self.genuine)

    def as_json(self) -> dict[str, Any]:
        return {
            "readings_committed": self.committed,
            "readings_delivered": self.delivered,
            "readings_lost": self.lost,
            "duplicates_in_effect": self.duplicates,
            "warnings_genuine": self.genuine,
            "warnings_sounded": self.sounded,
            "false_activations": self.false_activations,
            "warning_latency_ms": {"p50": self._ms(0.5), "p99": self._ms(0.99)},
            "wire_bytes_per_reading": self._each(self.wire_bytes, self.delivered),
            "flash_bytes_per_reading": self._each(self.flash_bytes, self.committed),
            "broker": self.broker,
            "duration_s": round(self.seconds, 1),
        }

    def _ms(self, share: float) -> float | None:
        value = percentile(self.latencies, share)
        return None if value is None else round(value * 1000, 1)

    @staticmethod
    def _each(count: int, readings: int) -> float | None:
        return round(count / readings, 1) if readings else None
