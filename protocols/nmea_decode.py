"""What NMEA sentences say: fields by name, in the units named (gpsd "NMEA Revealed"; IEC 61162-1). Pure, JSON-ready.

Empty fields are None, as they are common. A field that is no number is refused. Dates are believed only within twenty
years of the build: receivers without a fix send 1900, 1980 or what the week counter of 1024 weeks makes of today.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from protocols.errors import RemoteError
from protocols.framing import Flaw
from protocols.nmea import NmeaStream, Sentence
from protocols.scale import Scale

YEARS_BELIEVED = 20  # a GPS week counter rolls over after 19.6
Fields = Sequence[str]
Decoded = dict[str, Any]

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)", re.ASCII)
_TO_MS = {"N": Scale(0.514444444444), "K": Scale(0.277777777778), "M": Scale(), "S": Scale(0.44704)}
HPA_OF_INCH = 33.8639  # hPa of an inch of mercury at 0 °C (WMO-No. 8, part I, ch. 3)
PRESSURES_AGREE = 2.0  # hPa: both are rounded, in bar to a whole hectopascal
BAROMETERS = ("BARO", "PRESS", "AIRPRESS")  # how names of transducers begin that measure the air's pressure
QUALITIES = ("none", "sps", "dgps", "pps", "rtk-fixed", "rtk-float", "estimated", "manual", "simulator")


def number(text: str) -> float | None:
    """None for an empty field; RemoteError for what is no plain decimal."""
    text = text.strip()
    if not text:
        return None
    if len(text) > 32 or not _NUMBER.fullmatch(text):
        raise RemoteError("field", text[:32])
    return float(text)


def integer(text: str) -> int | None:
    value = number(text)
    return None if value is None else int(value)


def speed(text: str, unit: str) -> float | None:
    """Metres per second; three decimals are finer than any anemometer."""
    value = number(text)
    if value is None:
        return None
    if unit not in _TO_MS:
        raise RemoteError("unit", unit[:8])
    return round(_TO_MS[unit](value), 3)


def degrees(text: str, hemisphere: str, most: int) -> float | None:
    """ddmm.mmmm and N, S, E or W to signed degrees; nine decimals are a tenth of a millimetre."""
    if not text or not hemisphere:
        return None
    value = number(text)
    if value is None or hemisphere not in "NSEW":
        raise RemoteError("field", f"{text[:20]} {hemisphere[:2]}")
    whole, minutes = divmod(value, 100)
    if whole + minutes / 60 > most or minutes >= 60:
        raise RemoteError("field", text[:20])
    return round((whole + minutes / 60) * (-1 if hemisphere in "SW" else 1), 9)


def at(fields: Fields, index: int) -> str:
    """A field, or nothing where an older sentence ends."""
    return fields[index] if index < len(fields) else ""


def _named(*names: str) -> Callable[[Fields], Decoded]:
    """Numbers in order; an empty name skips a field."""
    return lambda fields: {name: number(at(fields, n)) for n, name in enumerate(names) if name}


def _mwv(fields: Fields) -> Decoded:
    return {
        "angle_deg": number(at(fields, 0)),
        "reference": at(fields, 1),
        "speed_ms": speed(at(fields, 2), at(fields, 3) or "N"),
        "valid": at(fields, 4) == "A",
    }


def _mwd(fields: Fields) -> Decoded:
    knots = speed(at(fields, 4), "N")
    metres = number(at(fields, 6))
    return {
        "direction_true_deg": number(at(fields, 0)),
        "direction_magnetic_deg": number(at(fields, 2)),
        "speed_ms": knots if metres is None else metres,
    }


_MDA = {
    "pressure_inhg": 0,
    "pressure_bar": 2,
    "air_cel": 4,
    "water_cel": 6,
    "humidity_rh": 8,
    "humidity_absolute": 9,
    "dew_point_cel": 10,
    "wind_true_deg": 12,
    "wind_magnetic_deg": 14,
    "wind_kn": 16,
    "wind_ms": 18,
}


def _mda(fields: Fields) -> Decoded:
    decoded = {name: number(at(fields, index)) for name, index in _MDA.items()}
    return decoded | _pressure(decoded["pressure_inhg"], decoded["pressure_bar"])


def _mmb(fields: Fields) -> Decoded:
    """Lambrecht's own sentence, as MTA and MHU."""
    inches, bar = number(at(fields, 0)), number(at(fields, 2))
    return {"pressure_inhg": inches, "pressure_bar": bar} | _pressure(inches, bar)


def _pressure(inches: float | None, bar: float | None) -> Decoded:
    """In bar where that is said, else from inches of mercury. Instruments are known whose two values disagree."""
    turned = None if inches is None else inches * HPA_OF_INCH
    said = turned if bar is None else bar * 1000
    agrees = None if bar is None or turned is None else abs(turned - bar * 1000) <= PRESSURES_AGREE
    return {"pressure_hpa": None if said is None else round(said, 2), "pressures_agree": agrees}


def _xdr(fields: Fields) -> Decoded:
    """Type, value, unit and name, four by four."""
    return {"transducers": [_transducer(fields[n : n + 4]) for n in range(0, len(fields) - 1, 4)]}


def _transducer(row: Fields) -> Decoded:
    """Of type P, the unit P is pascals in one instrument and per cent of full scale in another: its name tells."""
    kind, value, unit, name = at(row, 0), number(at(row, 1)), at(row, 2), at(row, 3)
    decoded: Decoded = {"type": kind, "value": value, "unit": unit, "name": name}
    if kind == "P" and value is not None and (unit == "B" or name.upper().startswith(BAROMETERS)):
        decoded["hpa"] = round(value * 1000 if unit == "B" else value / 100, 2)
    return decoded


def _gga(fields: Fields) -> Decoded:
    quality = integer(at(fields, 5))
    altitude, geoid = number(at(fields, 8)), number(at(fields, 10))
    fix = bool(quality)
    return {
        "time": clock(at(fields, 0)),
        "lat": degrees(at(fields, 1), at(fields, 2), 90) if fix else None,
        "lon": degrees(at(fields, 3), at(fields, 4), 180) if fix else None,
        "quality": quality,
        "fix": QUALITIES[quality] if quality is not None and 0 <= quality < len(QUALITIES) else "unknown",
        "satellites": integer(at(fields, 6)),
        "hdop": number(at(fields, 7)),
        "altitude_m": altitude,
        "geoid_m": geoid,
        "height_m": None if altitude is None or geoid is None else round(altitude + geoid, 4),
        "correction_age_s": number(at(fields, 12)),
        "station": at(fields, 13),
    }


def _gll(fields: Fields) -> Decoded:
    valid = at(fields, 5) == "A"
    return {
        "time": clock(at(fields, 4)),
        "valid": valid,
        "lat": degrees(at(fields, 0), at(fields, 1), 90) if valid else None,
        "lon": degrees(at(fields, 2), at(fields, 3), 180) if valid else None,
        "mode": at(fields, 6),
    }


def _gns(fields: Fields) -> Decoded:
    """A fix of several constellations: one letter of the mode for each, N for none."""
    modes = at(fields, 5)
    fix = bool(modes.strip("N"))
    altitude, geoid = number(at(fields, 8)), number(at(fields, 9))
    return {
        "time": clock(at(fields, 0)),
        "lat": degrees(at(fields, 1), at(fields, 2), 90) if fix else None,
        "lon": degrees(at(fields, 3), at(fields, 4), 180) if fix else None,
        "modes": modes,
        "satellites": integer(at(fields, 6)),
        "hdop": number(at(fields, 7)),
        "altitude_m": altitude,
        "geoid_m": geoid,
        "height_m": None if altitude is None or geoid is None else round(altitude + geoid, 4),
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
        "deviation_deg": _signed(at(fields, 1), at(fields, 2)),
        "variation_deg": _signed(at(fields, 3), at(fields, 4)),
    }


def _signed(text: str, side: str) -> float | None:
    value = number(text)
    return -value if value and side == "W" else value


def _ths(fields: Fields) -> Decoded:
    return {"heading_true_deg": number(at(fields, 0)), "mode": at(fields, 1)}


def _txt(fields: Fields) -> Decoded:
    return {"total": integer(at(fields, 0)), "part": integer(at(fields, 1)), "text": ",".join(fields[3:])}


def _rmc(fields: Fields, build_year: int) -> Decoded:
    valid = at(fields, 1) == "A"
    return {
        **moment(at(fields, 0), _rmc_date(at(fields, 8)), build_year),
        "valid": valid,
        "lat": degrees(at(fields, 2), at(fields, 3), 90) if valid else None,
        "lon": degrees(at(fields, 4), at(fields, 5), 180) if valid else None,
        "speed_ms": speed(at(fields, 6), "N"),
        "course_deg": number(at(fields, 7)),
        "mode": at(fields, 11),
    }


def _zda(fields: Fields, build_year: int) -> Decoded:
    day, month, year = (integer(at(fields, n)) for n in (1, 2, 3))
    whole = None if day is None or month is None or year is None else (year, month, day)
    return moment(at(fields, 0), whole, build_year)


def _rmc_date(text: str) -> tuple[int, int, int] | None:
    """ddmmyy; of two digits, 80 and above are of the last century."""
    if not text:
        return None
    if len(text) != 6 or not (text.isascii() and text.isdigit()):
        raise RemoteError("field", text[:16])
    year = int(text[4:])
    return (1900 if year >= 80 else 2000) + year, int(text[2:4]), int(text[:2])


def clock(text: str) -> str | None:
    """hhmmss.ss to hh:mm:ss.ss."""
    if not text:
        return None
    if number(text) is None or len(text) < 6 or not text[:6].isdigit():
        raise RemoteError("field", text[:16])
    return f"{text[:2]}:{text[2:4]}:{text[4:]}"


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


_DATED: Mapping[str, Callable[[Fields, int], Decoded]] = {"RMC": _rmc, "ZDA": _zda}
_PLAIN: Mapping[str, Callable[[Fields], Decoded]] = {
    "MWV": _mwv,
    "MWD": _mwd,
    "MDA": _mda,
    "MTW": _named("water_cel"),
    "MTA": _named("air_cel"),
    "MHU": _named("humidity_rh", "humidity_absolute", "dew_point_cel"),
    "MMB": _mmb,
    "XDR": _xdr,
    "GGA": _gga,
    "GLL": _gll,
    "GNS": _gns,
    "GST": _named("", "rms_m", "major_m", "minor_m", "orientation_deg", "sigma_lat_m", "sigma_lon_m", "sigma_alt_m"),
    "GSA": _gsa,
    "GSV": _gsv,
    "VTG": _vtg,
    "HDG": _hdg,
    "HDT": _ths,
    "THS": _ths,
    "DPT": _named("depth_m", "offset_m"),
    "TXT": _txt,
}
SYSTEMS = {
    "GP": "GPS",
    "GL": "GLONASS",
    "GA": "Galileo",
    "BD": "BeiDou",
    "GB": "BeiDou",
    "GQ": "QZSS",
    "GI": "NavIC",
    "GN": "several",
}
KINDS = frozenset({*_PLAIN, *_DATED})


def decode(sentence: Sentence, build_year: int) -> Decoded:
    """What it says. RemoteError `field` or `unit` where a field is not what it should be, `unknown` for other kinds."""
    if sentence.talker != "P" and sentence.kind in _PLAIN:
        return _PLAIN[sentence.kind](sentence.fields)
    if sentence.talker != "P" and sentence.kind in _DATED:
        return _DATED[sentence.kind](sentence.fields, build_year)
    raise RemoteError("unknown", sentence.kind[:16])


def decode_all(data: bytes, build_year: int, *, checksum: bool = True) -> list[Decoded]:
    """A whole capture in order, flaws in their places: `fengsui decode nmea`. A line without its end counts too."""
    return [describe(event, build_year) for event in NmeaStream(checksum=checksum).receive(data + b"\n")]


def describe(event: Sentence | Flaw, build_year: int) -> Decoded:
    if isinstance(event, Flaw):
        return {"error": event.reason, "bytes": event.data.decode("ascii", "backslashreplace")}
    head: Decoded = {"talker": event.talker, "sentence": event.kind}
    if event.talker in SYSTEMS:
        head["system"] = SYSTEMS[event.talker]
    try:
        return head | decode(event, build_year)
    except RemoteError as wrong:
        return head | {"error": wrong.reason, "detail": wrong.detail, "fields": event.fields}
