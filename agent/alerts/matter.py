"""One sealed alert before the journal: the facts a decision needs, and the entries it can make. Decides nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from msgspec import structs

from agent.alerts.journal import KEEP_AFTER_EXPIRY, MOST_ACTIVE, Journal
from agent.alerts.journal_entries import Active, Ended, Entry, Passed, Seen, Tombstone
from agent.alerts.orders import Change, Decision, conclude, rank, span
from agent.alerts.policy import Case, Now, Place, Policy, allowed, powers_here, where
from protocols.alert import ActionCode, Alert, Permission, Status, VerifiedAlert
from protocols.area import covers

Powers = Mapping[str, Permission]


@dataclass(frozen=True, slots=True)
class Matter:
    """`powers` is what each signer may do at this place, `own` that the issuer is among the signers; both grow when an
    earlier copy of the same payload is known (`joined`).
    """

    journal: Journal
    verified: VerifiedAlert
    now: Now
    place: Place
    policy: Policy
    powers: Powers
    own: bool

    @property
    def alert(self) -> Alert:
        return self.verified.alert

    @property
    def identity(self) -> bytes:
        return self.verified.identity

    @property
    def origin(self) -> str:
        return "exercise" if self.alert.status is Status.EXERCISE else "remote"

    @property
    def may_cancel(self) -> bool:
        return any(Permission.CANCEL in bits for bits in self.powers.values())

    @property
    def said(self) -> Iterable[Seen]:
        """What is remembered of this issuer."""
        return self.journal.seen.get(self.alert.issuer, {}).values()

    def joined(self, seen: Seen) -> "Matter":
        """With the signers of the copies before."""
        known = seen.permissions()
        both = {h: known.get(h, Permission.NONE) | self.powers.get(h, Permission.NONE) for h in {*known, *self.powers}}
        return replace(self, powers=both, own=self.own or seen.own)

    def chain(self) -> list[Active]:
        """The other warnings in force or waiting that speak of the same event, drills and real ones apart."""
        same = (a for a in self.journal.active.values() if a.chain == self.alert.chain and a.identity != self.identity)
        return [a for a in same if a.status is self.alert.status and a.action is not ActionCode.ALL_CLEAR]

    # The entries it can make

    def seen(self) -> Seen:
        grants = tuple(sorted((holder, int(bits)) for holder, bits in self.powers.items()))
        alert, until = self.alert, self.alert.expires + KEEP_AFTER_EXPIRY
        return Seen(self.identity, alert.issuer, alert.seq, alert.chain, until, self.own, grants, alert.status)

    def tombstone(self, issuer: int, seq: int) -> Tombstone:
        until = self.alert.expires + KEEP_AFTER_EXPIRY
        return Tombstone(self.alert.chain, issuer, seq, until, self.alert.status)

    def stone(self) -> Tombstone | None:
        """What its issuer cancelled of this event before it came."""
        return self.journal.tombstones.get((self.alert.chain, self.alert.issuer, self.alert.status))

    def active(self) -> Active:
        """The alert as it would be in force. It sounds no longer than what sounded for its event, unless it says more."""
        alert, permitted = self.alert, allowed(self._case(), self.powers, self.now, self.journal, self.policy)
        longest = self.policy.all_clear if alert.action is ActionCode.ALL_CLEAR else self.policy.longest
        starts, until = span(self.now, alert.seq, alert.onset, alert.expires, longest)
        active = Active(
            identity=self.identity,
            origin=self.origin,
            issuer=alert.issuer,
            seq=alert.seq,
            chain=alert.chain,
            status=alert.status,
            event=alert.event,
            level=alert.level,
            action=alert.action,
            onset=alert.onset,
            expires=alert.expires,
            text=self.verified.text,
            who=tuple(sorted(self.powers)),
            channels=int(permitted.channels),
            withheld=permitted.withheld,
            boot=self.now.boot,
            starts=starts,
            until=until,
            siren=self.policy.siren_seconds,
            begun=starts <= self.now.monotonic,
            area=tuple(item for item in alert.area if isinstance(item, int) and covers(item, self.place.codes, None)),
        )
        return structs.replace(active, siren_spent=self.journal.sounded(active))

    def _case(self) -> Case:
        applies, local = where(self.alert.area, self.place)
        return Case(
            origin=self.origin,
            event=self.alert.event,
            level=self.alert.level,
            action=self.alert.action,
            local_area=local,
            placed=applies is not None,
            fresh=self.now.clock.trusted or self.alert.issuer in self.journal.boot_marks,
        )

    # The answers it can give

    def refused(self, reason: str) -> Decision:
        return conclude(self.journal, self.now, reason, Change.NONE, identity=self.identity)

    def done(self, outcome: str, change: Change, entries: Iterable[Entry]) -> Decision:
        certain = self.now.clock.certain
        forgotten: list[Entry] = [Passed(certain)] if self.journal.outlived(certain) else []
        written = [*forgotten, *entries]
        holders = sorted(self.powers)
        return conclude(self.journal, self.now, outcome, change, written, identity=self.identity, holders=holders)


def matter(journal: Journal, verified: VerifiedAlert, now: Now, place: Place, policy: Policy) -> Matter:
    powers = powers_here(verified.grants, verified.alert.level, place)
    return Matter(journal, verified, now, place, policy, powers, verified.own)


def ended(alerts: Iterable[Active]) -> list[Entry]:
    return [Ended(active.identity) for active in alerts]


def crowded_out(journal: Journal) -> list[Active]:
    """What has to go so that memory stays bounded: the least important."""
    return sorted(journal.active.values(), key=rank)[MOST_ACTIVE:]
