"""Who answered last under a sensor's name: its serial number, or whatever a kind of device says of itself.

Two adapters that have changed places, or a sensor that was replaced, answer as before and mean something else. That is told, once,
and also after a restart; whether it is right, only people know. Blocking, but for a moment and seldom.
"""

import logging
from pathlib import Path

from drivers.api import Context

log = logging.getLogger(__name__)

LONGEST = 256  # bytes of what is remembered


class Acquaintance:
    def __init__(self, device: str, context: Context) -> None:
        self._device, self._report = device, context.report
        self._file = kept(context.state, "known", device) if context.state is not None else None
        self.identity = _read(self._file) if self._file is not None else ""

    def met(self, identity: str) -> None:
        """Now it is this one that answers."""
        before, self.identity = self.identity, identity
        if identity == before:
            return
        if before:
            self._report("device.changed", {"device": self._device, "was": before, "now": identity})
        try:
            self._remember(identity)
        except OSError as wrong:
            log.warning("%s: who answers cannot be remembered: %s", self._device, wrong)

    def _remember(self, identity: str) -> None:
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._file.with_suffix(".new")
        fresh.write_text(identity, encoding="utf-8")
        fresh.replace(self._file)


def kept(state: Path, kind: str, name: str) -> Path:
    """Where a sensor keeps a small file; its name may hold anything."""
    return state / f"{kind}-{''.join(one if one.isalnum() or one in '-_' else '_' for one in name)}"


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return stream.read(LONGEST).decode("utf-8", "replace")
    except OSError:
        return ""
