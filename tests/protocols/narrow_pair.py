"""A station and a headend that know each other, for the tests of narrow bearers."""

from protocols.narrow import keys
from protocols.narrow.counter import Counter
from protocols.narrow.session import open_session

STATION = "village-7"
PRIVATE = bytes(range(1, 33)), bytes(range(65, 97))  # station's, headend's
SECRET = keys.agree(PRIVATE[0], keys.public_of(PRIVATE[1]))
EPOCH = keys.Epoch(1_795_000_000, b"saltsalt")


def counter(stored=0):
    """One whose keeper writes at once."""
    found = Counter(stored, lambda until: found.reserved(until))  # noqa: PLW0108 - it is not there yet
    return found


def session(speaks=0, *, epoch=EPOCH, stored=0, windows=None):
    return open_session(SECRET, STATION, epoch, counter(stored), speaks, windows)


def pair(instance=1):
    return session(), session(instance)
