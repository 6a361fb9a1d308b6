"""What time a BeiDou module says it is (`ZDA`), and where it is told to be (`CCNPS`). Unix seconds; no clock is read.

The module's own form of ZDA has a mode before the time, which a reader of plain NMEA takes for the time: both are read
here, told apart by the length of the first field.
"""

from datetime import UTC, datetime

from protocols.errors import LocalError, RemoteError
from protocols.rdss import Sentence, integer, seal

FIRST_YEAR = 2025  # modules without the time say 1980, 2000 or 2006; nothing was sent with this program before
YEARS_BELIEVED = 20
DAY = 86_400
BDT_EPOCH = 1_136_073_600  # Unix: 2006-01-01, where the weeks of BeiDou begin (BDS-SIS-ICD, time system)
BDT_LEAD = 4  # seconds of BDT before UTC since 2017-01-01, the last leap second
WEEK = 7 * DAY
_CLOCK = 6  # digits of hhmmss


def zda(sentence: Sentence) -> float | None:
    """Unix time; None while the module does not have it."""
    fields = sentence.fields(least=4)
    if len(fields[0].partition(".")[0]) < _CLOCK and len(fields) > 4:
        fields = fields[1:]
    clock, day, month, year = fields[:4]
    if not (clock and day and month and year):
        return None
    whole, _, fraction = clock.partition(".")
    if len(whole) != _CLOCK or not (whole + fraction).isascii() or not (whole + fraction).isdigit():
        raise RemoteError("field", f"time {clock[:16]}")
    if not FIRST_YEAR <= integer(year) < FIRST_YEAR + YEARS_BELIEVED:
        return None
    return _unix(integer(year), integer(month), integer(day), whole, float(f"0.{fraction[:9] or 0}"))


def _unix(year: int, month: int, day: int, clock: str, fraction: float) -> float | None:
    try:
        whole = datetime(year, month, day, int(clock[:2]), int(clock[2:4]), int(clock[4:]), tzinfo=UTC)
    except ValueError:  # the 31st of February, or a leap second: wait for the next
        return None
    return whole.timestamp() + fraction


def nearest_day(day_second: float, about: float) -> float:
    """A time of day as a Unix time: on the day that comes nearest to what is known to within half a day."""
    return about + (day_second - about % DAY + DAY / 2) % DAY - DAY / 2


def nps(unix: float, latitude: float, longitude: float, height: float) -> bytes:
    """Tells a module without a receiver of its own where it is; a few minutes' error of the time does no harm."""
    if not (abs(latitude) <= 90 and abs(longitude) <= 180 and abs(height) <= 10_000):
        raise LocalError("position", f"{latitude}, {longitude}, {height}")
    week_second = int(unix + BDT_LEAD - BDT_EPOCH) % WEEK
    east, north = "E" if longitude >= 0 else "W", "N" if latitude >= 0 else "S"
    place = _degrees(longitude, 3), east, _degrees(latitude, 2), north
    return seal("CCNPS", str(week_second), *place, f"{height:.1f}", "M")


def _degrees(value: float, width: int) -> str:
    """Degrees and minutes, ddmm.mmmm; rounded as a whole, so that no 60th minute appears."""
    parts = round(abs(value) * 600_000)  # ten-thousandths of a minute
    return f"{parts // 600_000:0{width}d}{parts % 600_000 // 10_000:02d}.{parts % 10_000:04d}"
