"""Messages of a station as an uplink sends them over a bad week: repeated, reordered, cut anew, some never."""

import random

from protocols import columns, senml
from protocols.quality import GOOD
from protocols.reading import Reading
from protocols.record import Key
from tests.support.surfrad import BOOT

STATION = "demo-1"
LOGS = ("00000000000000aa", "00000000000000bb")


def wall(_boot, at):
    return 1_700_000_000_000 + at, True


def readings(log, number):
    """What one number holds: a few series of one instant, told apart for ever by their values."""
    at = 1000 * number
    return [
        Reading(name, at, number + LOGS.index(log) / 10, "m", GOOD) for name in ("a.x", "a.y", "b.z")[: 1 + number % 3]
    ]


def message(log, first, last, floor, kind="live", encode=senml.encode_json):
    bodies = [columns.pack(BOOT, readings(log, number)) for number in range(first, last + 1)]
    body = columns.merge(bodies)
    return encode(Key(STATION, log, "telemetry", first, last), [body], wall, floor=floor, kind=kind)


def bad_week(seed, numbers=60):
    """(log, first, last, floor) in the order of arrival. Floors never pass a number that was not sent at least once by then."""
    chance = random.Random(seed)
    sent = []
    for log in LOGS:
        first, floor = 1, 1
        while first <= numbers:
            last = min(numbers, first + chance.randrange(5))
            if chance.random() < 0.85:
                sent.append((log, first, last, floor))
            if chance.random() < 0.3:  # comes again, cut otherwise
                low = chance.randrange(1, last + 1)
                sent.append((log, low, chance.randrange(low, last + 1), floor))
            first, floor = last + 1, chance.choice([floor, last + 1])
        low = chance.randrange(1, numbers)
        sent.append((log, low, low, numbers + 1))
    chance.shuffle(sent)
    return sent


def truth(arrivals):
    """Numbers that arrived and floors, by log: what any subscriber must end with."""
    held = {log: set() for log in LOGS}
    floors = dict.fromkeys(LOGS, 1)
    for log, first, last, floor in arrivals:
        held[log] |= set(range(first, last + 1))
        floors[log] = max(floors[log], floor)
    return held, floors
