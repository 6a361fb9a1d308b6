"""What of a warning's sounding is used up: paid for in the journal before it is used, so that a restart may cut a sounding
short by a slice and never adds to it. Pure; the caller writes the entries.

A siren pays in slices of time, a voice for each time that it says its sentence.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from agent.alerts.journal import Journal
from agent.alerts.journal_entries import SIREN_SLICE, Entry, Said, Spent
from drivers.api import Action

AHEAD = 0.5  # seconds before a slice is used up that the next is written: a slow card takes some tenths
STANDING_SLICE = 300.0  # seconds between notes of how long alerts stand; they matter after a power cut without a clock


class _Sounding(NamedTuple):
    identity: bytes
    until: float


class Spending:
    def __init__(self) -> None:
        self._siren: _Sounding | None = None  # paid for until then
        self._speaking: Mapping[str, Action] = {}  # by voice, what it has begun
        self._standing = 0.0

    def due(self, journal: Journal, siren: bytes | None, voices: Mapping[str, Action], now: float) -> list[Entry]:
        """What is to be written now, given whose siren sounds and what each voice says."""
        return [*self._siren_slice(journal, siren, now), *self._begun(voices), *self._notes(journal, now)]

    def next_change(self) -> float | None:
        return self._siren.until - AHEAD if self._siren else None

    def _siren_slice(self, journal: Journal, sounding: bytes | None, now: float) -> list[Spent]:
        active = journal.active.get(sounding) if sounding else None
        if active is None:
            self._siren = None
            return []
        paid = self._siren.until if self._siren and self._siren.identity == active.identity else now
        if paid > now + AHEAD:
            return []
        until = max(paid, now) + SIREN_SLICE
        self._siren = _Sounding(active.identity, until)
        return [Spent(active.identity, min(active.siren, active.siren_spent + SIREN_SLICE), until - active.starts)]

    def _begun(self, voices: Mapping[str, Action]) -> list[Said]:
        """The first time of what each voice now turns to; it tells the others itself (`drivers.api.Outcome.repetition`)."""
        before, self._speaking = self._speaking, {name: replace(action, repeat=0) for name, action in voices.items()}
        fresh = [name for name, action in self._speaking.items() if before.get(name) != action]
        return [Said(bytes.fromhex(voices[name].key), name) for name in fresh]

    def _notes(self, journal: Journal, now: float) -> list[Spent]:
        if now < self._standing:
            return []
        self._standing = now + STANDING_SLICE
        begun = (active for active in journal.active.values() if active.begun)
        return [Spent(a.identity, a.siren_spent, self._standing - a.starts) for a in begun]
