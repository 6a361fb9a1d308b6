"""What NMEA sentences of satellite receivers and compasses say, by the letters of their kind (gpsd "NMEA Revealed"; IEC 61162-1).
Pure.

Dates are believed only within twenty years of the build: receivers without a fix send 1900, 1980 or what the week counter of
1024 weeks makes of today.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from protocols.errors import RemoteError
from protocols.nmea_fields import Decoded, Fields, at, clock, degrees, integer, named, number, signed, speed

YEARS_BELIEVED = 20  # a GPS week counter rolls over after 19.6
QUALITIES = ("none", "sps", "dgps", "pps", "rtk-fixed", "rtk-float", "estimated", "manual", "simulator")


def _place(fields: Fields, *, known: bool) -> Decoded:
    """Of the first four fields; a receiver without a fix says where it was last, or nothing."""
    return {
        "lat": degrees(at(fields, 0), at(fields, 1), 90) if known else None,
        "lon": degrees(at(fields, 2), at(fields, 3), 180) if known else None,
    }


def _height(fields: Fields, above_sea: int, of_geoid: int) -> Decoded:
    altitude, geoid = number(at(fields, above_sea)), number(at(fields, of_geoid))
    height = None if altitude is None or geoid is None else round(altitude + geoid, 4)
    return {"altitude_m": altitude, "geoid_m": geoid, "height_m": height}


def _gga(fields: Fields) -> Decoded:
    quality = integer(at(fields, 5))
    fix = bool(quality)
    return {
        "time": clock(at(fields, 0)),
        **_place(fields[1:], known=fix),
        "quality": quality,
        "fix": QUALITIES[quality] if quality is not None and 0 <= quality < len(QUALITIES) else "unknown",
        "satellites": integer(at(fields, 6)),
        "hdop": number(at(fields, 7)),
        **_height(fields, 8, 10),
        "correction_age_s": number(at(fields, 12)),
        "station": at(fields, 13),
    }


def _gll(fields: Fields) -> Decoded:
    valid = at(fields, 5) == "A"
    return {
        "time": clock(at(fields, 4)),
        "valid": valid,
        **_place(fields[0:], known=valid),
        "mode": at(fields, 6),
    }


def _gns(fields: Fields) -> Decoded:
    """A fix of several constellations: one letter of the mode for each, N for none."""
    modes = at(fields, 5)
    fix = bool(modes.strip("N"))
    return {
        "time": clock(at(fields, 0)),
        **_place(fields[1:], known=fix),
        "modes": modes,
        "satellites": integer(at(fields, 6)),
        "hdop": number(at(fields, 7)),
        **_height(fields, 8, 9),
        "correction_age_s": number(at(fields, 10)),
        "station": at(fields, 11),
    }


def _gsa(fields: Fields) -> Decoded:
    satellites = [integer(text) for text in fields[2:14] if text]
    return {
        "mode": at(fields, 0),
        "fix": integer(at(fields, 1)),
        "satellites": satellites,
        "pdop": number(at(fields, 14)),
        "hdop": number(at(fields, 15)),
        "vdop": number(at(fields, 16)),
        "system_id": _system(at(fields, 17)),
    }


def _system(text: str) -> int | None:
    """Since NMEA 4.1; older BeiDou modules put something with a point there."""
    return int(text, 16) if len(text) == 1 and text in "0123456789ABCDEF" else None


def _gsv(fields: Fields) -> Decoded:
    rows = [fields[n : n + 4] for n in range(3, len(fields) - 3, 4)]
    names = ("prn", "elevation_deg", "azimuth_deg", "snr_db")
    return {
        "total": integer(at(fields, 2)),
        "satellites": [{name: integer(text) for name, text in zip(names, row, strict=True)} for row in rows],
        "signal": at(fields, 3 + 4 * len(rows)),
    }


def _vtg(fields: Fields) -> Decoded:
    """Before NMEA 2.0 without the letters between."""
    if len(fields) <= 4:
        fields = [part for value in fields for part in (value, "")]
    knots, kilometres = speed(at(fields, 4), "N"), speed(at(fields, 6), "K")
    return {
        "course_true_deg": number(at(fields, 0)),
        "course_magnetic_deg": number(at(fields, 2)),
        "speed_ms": knots if knots is not None else kilometres,
        "mode": at(fields, 8),
    }


def _hdg(fields: Fields) -> Decoded:
    return {
        "heading_magnetic_deg": number(at(fields, 0)),
        "deviation_deg": signed(at(fields, 1), at(fields, 2)),
        "variation_deg": signed(at(fields, 3), at(fields, 4)),
    }


def _ths(fields: Fields) -> Decoded:
    return {"heading_true_deg": number(at(fields, 0)), "mode": at(fields, 1)}


def _rmc(fields: Fields, build_year: int) -> Decoded:
    valid = at(fields, 1) == "A"
    return {
        **moment(at(fields, 0), _rmc_date(at(fields, 8)), build_year),
        "valid": valid,
        **_place(fields[2:], known=valid),
        "speed_ms": speed(at(fields, 6), "N"),
        "course_deg": number(at(fields, 7)),
        "variation_deg": signed(at(fields, 9), at(fields, 10)),
        "mode": at(fields, 11),
        "navigation": at(fields, 12),
    }


def _zda(fields: Fields, build_year: int) -> Decoded:
    day, month, year = (integer(at(fields, n)) for n in (1, 2, 3))
    whole = None if day is None or month is None or year is None else (year, month, day)
    zone = {
        "zone_hours": integer(at(fields, 4)),
        "zone_minutes": integer(at(fields, 5)),
    }  # of local time; `utc` is without
    return moment(at(fields, 0), whole, build_year) | zone


def _rmc_date(text: str) -> tuple[int, int, int] | None:
    """ddmmyy; of two digits, 80 and above are of the last century."""
    if not text:
        return None
    if len(text) != 6 or not (text.isascii() and text.isdigit()):
        raise RemoteError("field", text[:16])
    year = int(text[4:])
    return (1900 if year >= 80 else 2000) + year, int(text[2:4]), int(text[:2])


def moment(time: str, date: tuple[int, int, int] | None, build_year: int) -> Decoded:
    """`time` and `date` as sent, and `utc` only where both make a moment that can be believed."""
    shown = None if date is None else f"{date[0]:04d}-{date[1]:02d}-{date[2]:02d}"
    decoded: Decoded = {"time": clock(time), "date": shown, "utc": None}
    if decoded["time"] is None or date is None or not build_year <= date[0] <= build_year + YEARS_BELIEVED:
        return decoded
    try:
        whole = datetime(*date, int(time[:2]), int(time[2:4]), int(time[4:6]), tzinfo=UTC)
    except ValueError:  # the 31st of February, or a leap second: wait for the next
        return decoded
    fraction = time[6:].rstrip("0").rstrip(".")
    decoded["utc"] = f"{whole:%Y-%m-%dT%H:%M:%S}{fraction}Z"
    return decoded


RECEIVER: Mapping[str, Callable[[Fields], Decoded]] = {
    "GGA": _gga,
    "GLL": _gll,
    "GNS": _gns,
    "GST": named("", "rms_m", "major_m", "minor_m", "orientation_deg", "sigma_lat_m", "sigma_lon_m", "sigma_alt_m"),
    "GSA": _gsa,
    "GSV": _gsv,
    "VTG": _vtg,
    "HDG": _hdg,
    "HDT": _ths,
    "THS": _ths,
}
DATED: Mapping[str, Callable[[Fields, int], Decoded]] = {"RMC": _rmc, "ZDA": _zda}
"""Those with a date, which the year of the build is needed to believe."""
