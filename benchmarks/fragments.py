"""What carrying messages in pieces costs: slots of a lossy bearer until the sender knows, and datagrams of a real day."""

import random

from benchmarks.report import Figure, Measured, Value, measures
from protocols.narrow import detail, fragments
from protocols.narrow.context import Context
from protocols.narrow.header import Kind
from protocols.narrow.schema import schema, series
from tests.protocols.narrow_air import Air
from tests.protocols.narrow_pair import pair, session
from tests.support.surfrad import BOOT, SIX, minutes

RUNS = 1000
BEIDOU, SBD = 77, 340  # bytes of a datagram
# What the instruments of the station resolve and can say (NOAA's README for SURFRAD).
SPANS = {
    "air.temperature": (-40, 60),
    "air.humidity": (0, 100),
    "wind.speed": (0, 60),
    "wind.direction": (0, 360),
    "air.pressure": (500, 1100),
    "solar.down": (-10, 1500),
}


def _slots(pieces: int, loss: float) -> float:
    """On average, until the sender holds the receipt. Receipts are lost as often as pieces; a sender that gave up begins anew."""
    rng, used = random.Random(pieces), 0
    for _ in range(RUNS):
        station, headend = pair()
        message = station.seal(Kind.DATA, rng.randbytes(72 * pieces - 16))
        air, done = Air(rng, station, headend, loss=loss), False
        while not done:
            slots, sending = air.carry(message)
            used, done = used + slots, sending.done
    return used / RUNS


def _against_stop_and_wait(pieces: int, loss: float) -> Value:
    """Beside it what one piece at a time takes: a slot for it and one for its receipt, until both arrive."""
    return Value(_slots(pieces, loss), 2 * pieces / (1 - loss) ** 2, "stop and wait, computed")


def _day() -> tuple[int, int]:
    """Readings of a day of six series at five minutes, and bytes of their packed detail."""
    rows = [[reading for reading in row if reading.series in SIX] for row in minutes()[::5]]
    units = {reading.series: reading.unit for reading in rows[0]}
    known = schema(series(name, units[name], step=0.1, span=SPANS[name]) for name in SIX)
    context = Context("00" * 8, BOOT, 1_451_606_400_000, trusted=True)
    return sum(map(len, rows)), len(detail.pack(known, context, 1, rows))


@measures(
    5,
    Figure("slots for 14 pieces at 4.5 % loss both ways", "slots", "≤ 17"),
    Figure("slots for 30 pieces at 4.5 % loss both ways", "slots"),
    Figure("slots for 14 pieces at 20 % loss both ways", "slots"),
    Figure("a day of six series at five minutes, packed detail", "bytes/reading", "≤ 0.70"),
    Figure("the same in BeiDou-2 messages, one tag", "messages", "≤ 18"),
    Figure("the same in SBD messages, one tag", "messages", "≤ 4"),
)
def carried() -> Measured:
    readings, size = _day()
    sealed = session().seal(Kind.DATA, bytes(size)).data
    return {
        "slots for 14 pieces at 4.5 % loss both ways": _against_stop_and_wait(14, 0.045),
        "slots for 30 pieces at 4.5 % loss both ways": _against_stop_and_wait(30, 0.045),
        "slots for 14 pieces at 20 % loss both ways": _against_stop_and_wait(14, 0.2),
        "a day of six series at five minutes, packed detail": size / readings,
        "the same in BeiDou-2 messages, one tag": float(fragments.pieces_of(len(sealed), BEIDOU)),
        "the same in SBD messages, one tag": float(fragments.pieces_of(len(sealed), SBD)),
    }
