"""From when to when an imported warning stands. Pure.

In the field `expires` is missing, equal to `effective`, or earlier than `onset` (there it says when the text lapses, not
when the danger does). A warning must end by itself all the same, and not before it began: so each class of event has a
length that is assumed and a length that is never exceeded, and whatever was changed is noted.
"""

from typing import Final, NamedTuple

from protocols.cap import Info, Notes
from protocols.errors import RemoteError

HOUR: Final = 3600
LATEST_ONSET: Final = 14 * 24 * HOUR  # after it was sent: the end of CAMF's next week; further off it is a wrong year


class Span(NamedTuple):
    """Hours: what is assumed, what is never exceeded."""

    default: int
    longest: int


# By code prefix, the longest that fits. The stations' own limit is 72 h for everything.
SPANS: Final = {
    "": Span(24, 72),
    "11A51": Span(6, 24),  # a flash flood is over, or warned of anew
    "11A": Span(24, 72),
    "11B": Span(24, 72),
    "11B02": Span(1, 3),  # tornado
    "11B14": Span(6, 24),  # lightning, hail, thunderstorm gusts, severe convection: hours by nature
    "11B15": Span(6, 24),
    "11B20": Span(6, 24),
    "11B31": Span(6, 24),
    "11C": Span(1, 24),
    "11D": Span(24, 72),
    "11E01": Span(6, 24),  # tsunami
    "12": Span(6, 24),
}


def span_of(event: str) -> Span:
    return SPANS[max((prefix for prefix in SPANS if event.startswith(prefix)), key=len)]


def window(
    info: Info, sent: int, event: str, notes: Notes, *, at_once: bool = False, until: int | None = None
) -> tuple[int | None, int]:
    """Onset (None: at once) and expiry in Unix seconds. `until`: it stands at least so long."""
    begins = info.onset if info.onset is not None else info.effective
    begins = None if at_once else begins
    onset = begins if begins is not None and begins > sent else None
    if onset is not None and onset > sent + LATEST_ONSET:
        raise RemoteError("onset-absurd", f"{(onset - sent) // HOUR} h after it was sent")
    expires = _expires(info.expires, sent, max(sent, onset or sent), span_of(event), notes)
    return onset, max(expires, until or expires)


def _expires(said: int | None, sent: int, start: int, span: Span, notes: Notes) -> int:
    if said is None:
        notes.add("expiry-missing", f"{span.default} h assumed")
    elif said <= start:
        notes.add("expiry-absurd" if said <= sent else "expiry-before-onset", f"{span.default} h assumed")
    elif said > start + span.longest * HOUR:
        notes.add("expiry-capped", f"{(said - start) // HOUR} h cut to {span.longest} h")
        return start + span.longest * HOUR
    else:
        return said
    return start + span.default * HOUR
