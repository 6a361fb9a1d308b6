"""What the warning path must remember, folded from entries. Pure: knows no file, no clock and no device.

`agent.alerts.journal_file` keeps the entries; `agent.alerts.decide` writes new ones. Nothing is edited in place: `fold` gives a new
journal, so a decision can be tried without being taken.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from agent.alerts.journal_entries import (
    Active,
    Boot,
    Ended,
    Entry,
    Forgot,
    Mark,
    Passed,
    Said,
    Seen,
    SirenStart,
    Spent,
    Tombstone,
)
from protocols.alert import ActionCode, Status

SEEN_PER_ISSUER = 1000  # identities; an issuer that says more in a day is refused by its seq instead
MOST_ACTIVE = 64  # alerts in force at one place at once; a province has issued 40 in one bad night
MOST_SIREN_STARTS = 256  # remembered for the caps, all origins together
MOST_TOMBSTONES = 1000  # cancelled chains and chains that left this place; the first to expire makes room
KEEP_AFTER_EXPIRY = 86_400  # seconds an identity outlives its alert


@dataclass(frozen=True, slots=True)
class Journal:
    boot: str = ""
    marks: Mapping[int, int] = field(default_factory=dict)
    boot_marks: Mapping[int, int] = field(default_factory=dict)
    forgotten: Mapping[int, int] = field(default_factory=dict)
    seen: Mapping[int, Mapping[bytes, Seen]] = field(default_factory=dict)
    tombstones: Mapping[tuple[bytes, int, Status], Tombstone] = field(default_factory=dict)
    active: Mapping[bytes, Active] = field(default_factory=dict)
    siren_starts: tuple[SirenStart, ...] = ()

    def fold(self, entries: Iterable[Entry]) -> "Journal":
        journal = self
        for entry in entries:
            journal = _FOLDS[type(entry)](journal, entry)
        return journal

    def sounded(self, new: Active) -> float:
        """Seconds of siren that the event has had, for one that joins it: unless it says more than what sounded."""
        others = (a for a in self.active.values() if a.identity != new.identity and a.status is new.status and a.sounds)
        same = (a for a in others if a.same_event(new) and a.action is not ActionCode.ALL_CLEAR)
        return max((a.siren_spent for a in same if not new.more_urgent_than(a)), default=0.0)

    def find(self, issuer: int, identity: bytes) -> Seen | None:
        return self.seen.get(issuer, {}).get(identity)

    def entries(self) -> list[Entry]:
        """What folds to this journal again: the content of a compacted file."""
        out: list[Entry] = [Mark(issuer, seq) for issuer, seq in self.boot_marks.items()]
        out.append(Boot(self.boot))
        out += [Mark(issuer, seq) for issuer, seq in self.marks.items()]
        out += [Forgot(issuer, seq) for issuer, seq in self.forgotten.items()]
        out += [seen for per_issuer in self.seen.values() for seen in per_issuer.values()]
        return [*out, *self.tombstones.values(), *self.active.values(), *self.siren_starts]

    def outlived(self, unix: int) -> bool:
        """Is anything remembered that may be forgotten at this time?"""
        ends = [seen.until for per_issuer in self.seen.values() for seen in per_issuer.values()]
        ends += [stone.until for stone in self.tombstones.values()]
        return any(end <= unix for end in ends)


def _boot(journal: Journal, entry: Boot) -> Journal:
    if entry.boot == journal.boot:
        return journal
    return replace(journal, boot=entry.boot, boot_marks=dict(journal.marks))


def _raised(marks: Mapping[int, int], issuer: int, seq: int) -> Mapping[int, int]:
    return marks if marks.get(issuer, -1) >= seq else {**marks, issuer: seq}


def _mark(journal: Journal, entry: Mark) -> Journal:
    return replace(journal, marks=_raised(journal.marks, entry.issuer, entry.seq))


def _forgot(journal: Journal, entry: Forgot) -> Journal:
    return replace(journal, forgotten=_raised(journal.forgotten, entry.issuer, entry.seq))


def _seen(journal: Journal, entry: Seen) -> Journal:
    per_issuer = {**journal.seen.get(entry.issuer, {}), entry.identity: entry}
    forgotten = journal.forgotten
    while len(per_issuer) > SEEN_PER_ISSUER:
        oldest = min(per_issuer.values(), key=lambda seen: seen.seq)
        del per_issuer[oldest.identity]
        forgotten = _raised(forgotten, entry.issuer, oldest.seq)
    marks = _raised(journal.marks, entry.issuer, entry.seq) if entry.own else journal.marks
    return replace(journal, marks=marks, forgotten=forgotten, seen={**journal.seen, entry.issuer: per_issuer})


def _tombstone(journal: Journal, entry: Tombstone) -> Journal:
    key = (entry.chain, entry.issuer, entry.status)
    standing = journal.tombstones.get(key)
    if standing is not None and standing.seq >= entry.seq:
        return journal
    tombstones = {**journal.tombstones, key: entry}
    if len(tombstones) > MOST_TOMBSTONES:
        del tombstones[min(tombstones, key=lambda known: tombstones[known].until)]
    return replace(journal, tombstones=tombstones)


def _active(journal: Journal, entry: Active) -> Journal:
    return replace(journal, active={**journal.active, entry.identity: entry})


def _ended(journal: Journal, entry: Ended) -> Journal:
    return replace(journal, active={key: a for key, a in journal.active.items() if key != entry.identity})


def _spent(journal: Journal, entry: Spent) -> Journal:
    """One event has one siren: what one alert of it sounded counts for its companions (two importers of one alert)."""
    payer = journal.active.get(entry.identity)
    if payer is None:
        return journal
    journal = _active(journal, msgspec.structs.replace(payer, siren_spent=entry.siren, spent=entry.total))
    companions = [a for a in journal.active.values() if a.same_event(payer) and a.siren_spent < entry.siren]
    companions = [a for a in companions if not a.more_urgent_than(payer)]
    return journal.fold(msgspec.structs.replace(a, siren_spent=entry.siren) for a in companions)


def _siren_start(journal: Journal, entry: SirenStart) -> Journal:
    return replace(journal, siren_starts=(*journal.siren_starts, entry)[-MOST_SIREN_STARTS:])


def _said(journal: Journal, entry: Said) -> Journal:
    speaker = journal.active.get(entry.identity)
    if speaker is None:
        return journal
    said = {**speaker.said, entry.voice: speaker.said.get(entry.voice, 0) + 1}
    return _active(journal, msgspec.structs.replace(speaker, said=said))


def _passed(journal: Journal, entry: Passed) -> Journal:
    seen = {i: {k: s for k, s in per.items() if s.until > entry.unix} for i, per in journal.seen.items()}
    tombstones = {key: stone for key, stone in journal.tombstones.items() if stone.until > entry.unix}
    return replace(journal, seen={i: per for i, per in seen.items() if per}, tombstones=tombstones)


_FOLDS: dict[type, Callable[[Journal, Any], Journal]] = {
    Boot: _boot,
    Mark: _mark,
    Forgot: _forgot,
    Seen: _seen,
    Tombstone: _tombstone,
    Active: _active,
    Ended: _ended,
    Spent: _spent,
    SirenStart: _siren_start,
    Passed: _passed,
    Said: _said,
}
