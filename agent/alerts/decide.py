"""From a verified alert and what is remembered to what may be done: the rules of trust (docs/platform/seal.md) as one
pure function. Time, place and policy are arguments; the answer is entries to write and orders to carry out.

What a channel may do stands in `agent.alerts.policy`, what time does in `agent.alerts.orders`, cancelling in `agent.alerts.cancel`, the
station's own alarms in `agent.alerts.local_alarm`. This file decides whether a message is new and for us, and what it changes.
"""

from msgspec.structs import replace

from agent.alerts.cancel import cancel, elsewhere
from agent.alerts.journal import Journal
from agent.alerts.journal_entries import Active, Entry, Seen, SirenStart
from agent.alerts.local_alarm import decide_local, warned
from agent.alerts.matter import Matter, crowded_out, ended, matter
from agent.alerts.orders import Change, Decision, Order, due, end, first, next_change, outdated, resume
from agent.alerts.policy import Channel, Now, Place, Policy, where
from protocols.alert import ActionCode, Local, MsgType, Status, VerifiedAlert

__all__ = ["Change", "Decision", "Order", "decide", "due", "end", "first", "next_change", "resume"]

SILENT = {Status.TEST: "test", Status.SYSTEM: "system", Status.DRAFT: "draft"}


def decide(journal: Journal, alert: VerifiedAlert | Local, now: Now, place: Place, policy: Policy) -> Decision:
    """What this message changes here and now."""
    if isinstance(alert, Local):
        return decide_local(journal, alert, now, policy)
    case = matter(journal, alert, now, place, policy)
    if reason := _unfit(case):
        return case.refused(reason)
    seen = journal.find(case.alert.issuer, case.identity)
    return _new(case) if seen is None else _copy(case, seen)


def _new(case: Matter) -> Decision:
    """A payload that is not among the remembered."""
    if _replayed(case):
        return case.refused("replayed")
    if where(case.alert.area, case.place)[0] is False:
        return elsewhere(case)
    if case.alert.msg_type is MsgType.CANCEL:
        return cancel(case)
    reason = _stale(case) or _yields(case)
    return case.refused(reason) if reason else _begin(case)


def _unfit(case: Matter) -> str:
    """Whatever else is known, this can never act now."""
    alert = case.alert
    if alert.status in SILENT:
        return SILENT[alert.status]
    if alert.expires <= case.now.clock.certain:
        return "expired"
    return "equivocation" if any(s.seq == alert.seq and s.identity != case.identity for s in case.said) else ""


def _replayed(case: Matter) -> bool:
    """Is it new, or could it be one that was forgotten?"""
    issuer, seq = case.alert.issuer, case.alert.seq
    if seq <= case.journal.forgotten.get(issuer, -1):
        return True
    return not case.now.clock.trusted and seq <= case.journal.boot_marks.get(issuer, -1)


def _stale(case: Matter) -> str:
    """Was it cancelled, or replaced by a later word of its issuer, before it came?"""
    alert = case.alert
    stone = case.stone()
    if stone is not None and alert.seq <= stone.seq:
        return "cancelled-before"
    of_this = (s for s in case.said if s.own and (s.chain, s.status) == (alert.chain, alert.status))
    return "superseded" if any(s.seq > alert.seq for s in of_this) else ""


def _yields(case: Matter) -> str:
    """A drill never starts during the real thing."""
    if case.origin != "exercise":
        return ""
    return "exercise-yields" if warned(case.journal) else ""


def _begin(case: Matter) -> Decision:
    """A message that is new here."""
    active = case.active()
    if not active.channels:
        unplaced = "no-position" in active.withheld.values()
        return case.refused("no-position" if unplaced else "no-authority")
    gone = _displaced(case, active)
    entries: list[Entry] = [case.seen(), *ended(gone), active, *_siren_start(case, Channel(active.channels))]
    crowded = crowded_out(case.journal.fold(entries))
    if any(a.identity == case.identity for a in crowded):
        return case.refused("crowded")
    entries += ended(crowded)
    if not active.begun:
        return case.done("scheduled", Change.NONE, entries)
    if any(a.chain == active.chain for a in gone):
        return case.done("replaced", Change.REPLACE, entries)
    return case.done("started", Change.START, entries)


def _copy(case: Matter, seen: Seen) -> Decision:
    """The same payload again, perhaps with a holder or a text that the copies before had not."""
    both = case.joined(seen)
    joined = both.seen() != seen
    if case.alert.msg_type is MsgType.CANCEL:
        return cancel(both) if joined else case.refused("duplicate")
    standing = case.journal.active.get(case.identity)
    if standing is None or not (joined or (case.verified.text and not standing.text)):
        return case.refused("duplicate")
    return _grown(both, standing)


def _grown(case: Matter, standing: Active) -> Decision:
    """A holder or a text has joined an alert in force: what it may do can only grow."""
    fresh = case.active()
    gained = Channel(fresh.channels & ~standing.channels)
    active = replace(
        standing,
        channels=standing.channels | fresh.channels,
        withheld={channel: reason for channel, reason in fresh.withheld.items() if channel in standing.withheld},
        who=fresh.who,
        text=standing.text or fresh.text,
        said=standing.said if standing.text or not fresh.text else {},
        siren_spent=fresh.siren_spent if Channel.SIREN in gained else standing.siren_spent,
    )
    entries: list[Entry] = [case.seen(), *ended(_displaced(case, active)), active, *_siren_start(case, gained)]
    if gained:
        return case.done("upgraded", Change.UPGRADE if active.begun else Change.NONE, entries)
    if active.text != standing.text:
        return case.done("completed", Change.UPGRADE if active.begun else Change.NONE, entries)
    return case.done("countersigned", Change.NONE, entries)


def _siren_start(case: Matter, gained: Channel) -> list[Entry]:
    return [SirenStart(case.origin, case.now.clock.best)] if Channel.SIREN in gained else []


def _displaced(case: Matter, new: Active) -> list[Active]:
    """What ends because this is in force: what its issuer said before, what others said of the same event if this is
    an update by a holder who could cancel it, and any drill.

    What a scheduled message replaces goes on until then, unless it has not begun either. And an update that takes
    nothing back leaves the siren that two holders started alone, until its own second holder has signed.
    """
    gone = {a.identity: a for a in outdated(case.journal, new)} if case.own else {}
    if case.alert.msg_type is MsgType.UPDATE and case.may_cancel:
        gone |= {a.identity: a for a in case.chain() if a.seq <= new.seq}
    if not new.begun:
        return [a for a in gone.values() if not a.begun]
    if new.withheld.get("siren") == "second-holder":
        gone = {key: a for key, a in gone.items() if not a.sounds or a.more_urgent_than(new)}
    if case.alert.status is Status.ACTUAL and new.action is not ActionCode.ALL_CLEAR:
        gone |= {a.identity: a for a in case.journal.active.values() if a.status is Status.EXERCISE}
    return list(gone.values())
