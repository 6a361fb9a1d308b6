"""How the station is, in one object: for the retained status topic, and for `fengsui status` on the spot."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from enum import Enum
from typing import Any

from agent import __version__
from agent.clock import Clock
from agent.links.route import RouteConfig
from agent.record import Recorder
from buffer.model import Lane
from buffer.store import Buffer
from drivers.api import Actuator, Source
from protocols.event import iso

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")  # 4 KiB on most machines, 16 KiB on a Raspberry Pi 5
LATE = 1.5  # periods after which the next status is late: one may be lost to a short break


def jsonable(value: Any) -> Any:
    """Plain JSON of what status methods return: enums by their name, dataclasses and named tuples as objects."""
    if isinstance(value, Enum):
        return value.name.lower()
    if is_dataclass(value) and not isinstance(value, type):
        return jsonable(asdict(value))
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return jsonable(value._asdict())
    if isinstance(value, Mapping):
        return {str(jsonable(key)): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    return value


def flash_bytes() -> int | None:
    """Bytes this process has sent to the storage layer (proc_pid_io(5), write_bytes); None where /proc does not say."""
    try:
        with open("/proc/self/io", encoding="ascii") as lines:  # noqa: PTH123 - read once a status
            return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))
    except (OSError, StopIteration, ValueError):
        return None


def resident_bytes() -> int | None:
    try:
        with open("/proc/self/statm", encoding="ascii") as line:  # noqa: PTH123 - read once a status
            return int(line.read().split()[1]) * PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return None


MQTT = ("accepted", "refused", "seconds_since_accepted", "round_trip")
NARROW = ("state", "proven_seconds_ago", "success", "queue", "budget_left", "messages_left", "signal")


def _state(bearer: Mapping[str, Any]) -> dict[str, Any]:
    """What the platform is told of a bearer: of MQTT what it counts, of a narrow one how it was proven and what is left."""
    return {name: bearer[name] for name in (*MQTT, *NARROW) if name in bearer}


class Health:
    """Gathers; decides nothing. `bearers` are the routes' own status by name."""

    def __init__(
        self,
        station: str,
        buffer: Buffer,
        clock: Clock,
        recorder: Recorder,
        sources: Sequence[Source],
        actuators: Sequence[Actuator],
    ) -> None:
        self.station, self.buffer, self.clock, self.recorder = station, buffer, clock, recorder
        self.sources, self.actuators = sources, actuators

    def online(
        self,
        route: RouteConfig,
        session: str,
        bearers: Mapping[str, Any],
        warnings: Mapping[str, Any],
        key: str = "",
    ) -> bytes:
        """The retained status: small enough for a metered link; `next_by` says until when the next one comes."""
        body = self._head("online", session, route.status_interval * LATE) | {
            "floors": self.floors(route.name),
            "clock": {"trusted": self.clock.trusted, "suspect": self.clock.suspect},
            "bearers": {name: _state(bearer) for name, bearer in bearers.items()},
            "buffer": self._buffer(),
            "sensors": {source.name: source.status().get("state", "unknown") for source in self.sources},
            "actuators": {actuator.name: actuator.status().get("state", "unknown") for actuator in self.actuators},
            "warnings": {
                name: jsonable(warnings.get(name))
                for name in ("keyring", "active", "heard_seconds_ago", "counts", "issuers")
            },
            "flash_bytes_per_reading": self.flash_per_reading(),
            "versions": {"fengsui": __version__},
            "key": key,
        }
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=str).encode()

    def offline(self, session: str) -> bytes:
        """The last will, and the farewell of an orderly stop."""
        return json.dumps(self._head("offline", session, None), separators=(",", ":")).encode()

    def _head(self, state: str, session: str, next_in: float | None) -> dict[str, Any]:
        wall, trusted = self.clock.wall(self.clock.boot, self.clock.now())
        return {
            "version": 1,
            "station": self.station,
            "status": state,
            "log": self.buffer.log,
            "session": session,
            "at": iso(wall),
            "trusted": trusted,
            "next_by": None if next_in is None else iso(wall + round(next_in * 1000)),
        }

    def _buffer(self) -> dict[str, Any]:
        stats = self.buffer.stats()
        return {
            "used": stats.used,
            "limit": stats.limit,
            "pending": jsonable(stats.pending),
            "gone": jsonable(stats.gone),
            "degraded": stats.degraded,
            "salvaging": stats.salvaging,
        }

    def whole(self, bearers: Mapping[str, Any], warnings: Mapping[str, Any]) -> dict[str, Any]:
        """What a technician sees on the spot: everything, with the newest values."""
        from agent.sampling import newest

        wall, trusted = self.clock.wall(self.clock.boot, self.clock.now())
        return {
            "station": self.station,
            "log": self.buffer.log,
            "version": __version__,
            "clock": {"unix_ms": wall, "trusted": trusted, "suspect": self.clock.suspect},
            "readings": {
                "taken": self.recorder.taken,
                "committed": self.recorder.committed,
                "refused": self.recorder.refused,
            },
            "resident_bytes": resident_bytes(),
            "flash_bytes_per_reading": self.flash_per_reading(),
            "bearers": jsonable(bearers),
            "buffer": jsonable(self.buffer.stats()),
            "sensors": {source.name: jsonable(source.status()) for source in self.sources},
            "actuators": {actuator.name: jsonable(actuator.status()) for actuator in self.actuators},
            "warnings": jsonable(warnings),
            "newest": newest(self.recorder.newest, self.clock.now()),
        }

    def floors(self, route: str) -> dict[str, int]:
        return {lane.name.lower(): self.buffer.floor(route, self.buffer.log, lane) for lane in Lane}

    def flash_per_reading(self) -> float | None:
        written, readings = flash_bytes(), self.recorder.committed
        return round(written / readings, 1) if written is not None and readings else None
