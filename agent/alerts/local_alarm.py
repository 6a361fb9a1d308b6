"""An alarm of the station itself before the journal: of its sensors, or of a person on the spot. Pure; part of
`agent.alerts.decide`.

It has no seal and no number: the rule is its name, and while the rule says so it stays in force.
"""

from msgspec.structs import replace

from agent.alerts.journal import Journal
from agent.alerts.journal_entries import Active, Ended, Entry, SirenStart
from agent.alerts.orders import Change, Decision, conclude
from agent.alerts.policy import Case, Channel, Now, Policy, allowed_local
from protocols.alert import CHAIN_BYTES, ActionCode, Local, Status
from protocols.alert_cbor import MAX_TIME

NO_ISSUER = -1  # no sealed alert can say it


def decide_local(journal: Journal, alarm: Local, now: Now, policy: Policy) -> Decision:
    new = _active(journal, alarm, now, policy)
    standing = journal.active.get(alarm.identity)
    if standing is None:
        if new.status is Status.EXERCISE and warned(journal):
            return conclude(journal, now, "exercise-yields", Change.NONE, identity=alarm.identity)
        drills = [] if new.status is Status.EXERCISE else _drills_ended(journal)
        entries = [*drills, new, *_siren_start(new, 0, now)]
        return conclude(journal, now, "started", Change.START, entries, identity=alarm.identity)
    return _renewed(journal, standing, new, now)


def _renewed(journal: Journal, standing: Active, new: Active, now: Now) -> Decision:
    """Written only when it says more, or when half of its time is over: rules are evaluated every second."""
    gained, urgent = new.channels & ~standing.channels, new.more_urgent_than(standing)
    if urgent or gained:
        withheld = {channel: why for channel, why in new.withheld.items() if channel in standing.withheld}
        spent = new.siren_spent if urgent else max(new.siren_spent, standing.siren_spent)
        said = {} if urgent else standing.said
        channels = new.channels | standing.channels
        grown = replace(new, channels=channels, withheld=withheld, siren_spent=spent, said=said)
        entries: list[Entry] = [grown, *_siren_start(new, standing.channels, now)]
        return conclude(journal, now, "upgraded", Change.UPGRADE, entries, identity=new.identity)
    if standing.until - now.monotonic > (new.until - new.starts) / 2:
        return conclude(journal, now, "duplicate", Change.NONE, identity=new.identity)
    longer = replace(standing, until=new.until)
    return conclude(journal, now, "renewed", Change.UPGRADE, [longer], identity=new.identity)


def _active(journal: Journal, alarm: Local, now: Now, policy: Policy) -> Active:
    case = Case(alarm.origin, alarm.event, alarm.level, alarm.action, local_area=True, placed=True, fresh=True)
    permitted = allowed_local(case, alarm, now, journal, policy)
    active = Active(
        identity=alarm.identity,
        origin=alarm.origin,
        issuer=NO_ISSUER,
        seq=0,
        chain=alarm.identity[:CHAIN_BYTES],
        status=Status.EXERCISE if alarm.origin == "exercise" else Status.ACTUAL,
        event=alarm.event,
        level=alarm.level,
        action=alarm.action,
        onset=None,
        expires=MAX_TIME,  # only the monotonic clock ends it: it must work where the time is not known
        text=alarm.text,
        who=(alarm.rule,),
        channels=int(permitted.channels),
        withheld=permitted.withheld,
        boot=now.boot,
        starts=now.monotonic,
        until=now.monotonic + min(float(alarm.seconds), policy.longest),
        siren=policy.siren_seconds if alarm.action is not ActionCode.ALL_CLEAR else 0.0,
        plan=alarm.plan,
    )
    return replace(active, siren_spent=journal.sounded(active))


def _siren_start(new: Active, before: int, now: Now) -> list[Entry]:
    gained = Channel.SIREN in Channel(new.channels & ~before)
    return [SirenStart(new.origin, now.clock.best)] if gained else []


def warned(journal: Journal) -> bool:
    """Is a real warning in force, so that no drill may begin?"""
    real = (a for a in journal.active.values() if a.status is Status.ACTUAL and a.begun)
    return any(a.action is not ActionCode.ALL_CLEAR for a in real)


def _drills_ended(journal: Journal) -> list[Entry]:
    return [Ended(a.identity) for a in journal.active.values() if a.status is Status.EXERCISE]
