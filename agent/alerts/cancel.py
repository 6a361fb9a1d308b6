"""What ends a warning: a cancel, or an update that leaves this place out. Pure; part of `agent.alerts.decide`.

One signature is enough, it acts at once, and it never touches what was said later: stopping must be easier than
starting, and a stolen cancel must not be able to silence the next alert.
"""

from agent.alerts.journal_entries import Active, Entry
from agent.alerts.matter import Matter, ended
from agent.alerts.orders import Change, Decision, rank
from agent.alerts.policy import Channel
from protocols.alert import ActionCode, MsgType


def cancel(case: Matter) -> Decision:
    """By the issuer itself, or by a holder who may cancel here."""
    gone = [active for active in case.chain() if _reaches(case, active)]
    if not (gone or case.own):
        return case.refused("nothing-to-cancel" if case.may_cancel else "no-authority")
    entries: list[Entry] = [case.seen(), *ended(gone)]
    entries += [case.tombstone(active.issuer, active.seq) for active in gone]
    entries += [case.tombstone(case.alert.issuer, case.alert.seq)] if case.own else []
    if not gone:
        return case.done(_unreached(case), Change.NONE, entries)
    begun = sorted((active for active in gone if active.begun), key=rank)
    entries += [_all_clear(case, begun[0])] if begun else []
    return case.done("cancelled", Change.STOP, entries)


def elsewhere(case: Matter) -> Decision:
    """Not for this place, or no longer: an issuer's update that leaves us out ends what it said before, also when that
    comes later.
    """
    if case.alert.msg_type is not MsgType.UPDATE or not case.own or _known(case):
        return case.refused("foreign-area")
    gone = [a for a in case.chain() if a.issuer == case.alert.issuer and a.seq < case.alert.seq]
    entries: list[Entry] = [case.tombstone(case.alert.issuer, case.alert.seq), *ended(gone)]
    return case.done("left-area", Change.STOP, entries) if gone else case.done("foreign-area", Change.NONE, entries)


def _unreached(case: Matter) -> str:
    """An issuer's cancel that ended nothing waits for what it cancels, unless that is another's word, or a later one."""
    standing = case.chain()
    if any(active.issuer == case.alert.issuer for active in standing):
        return "superseded"
    return "no-authority" if standing else "tombstone"


def _known(case: Matter) -> bool:
    stone = case.stone()
    return stone is not None and stone.seq >= case.alert.seq


def _reaches(case: Matter, active: Active) -> bool:
    if case.own and active.issuer == case.alert.issuer:
        return active.seq < case.alert.seq
    return case.may_cancel and active.seq <= case.alert.seq


def _all_clear(case: Matter, over: Active) -> Active:
    """Those who were warned hear that it is over and who says so, on the channels that warned them."""
    return Active(
        identity=case.identity,
        origin=case.origin,
        issuer=case.alert.issuer,
        seq=case.alert.seq,
        chain=case.alert.chain,
        status=over.status,
        event=over.event,
        level=over.level,
        action=ActionCode.ALL_CLEAR,
        onset=None,
        expires=case.alert.expires,
        text=case.verified.text,
        who=tuple(sorted(case.powers)) or case.verified.holders,
        channels=over.channels & int(Channel.DISPLAY | Channel.VOICE),
        withheld={},
        boot=case.now.boot,
        starts=case.now.monotonic,
        until=case.now.monotonic + case.policy.all_clear,
        siren=0.0,
        area=over.area,
    )
