"""What NMEA sentences of weather instruments say, by the letters of their kind (gpsd "NMEA Revealed"; IEC 61162-1). Pure."""

from collections.abc import Callable, Mapping

from protocols.nmea_fields import Decoded, Fields, at, celsius, named, number, speed

HPA_OF_INCH = 33.8639  # hPa of an inch of mercury at 0 °C (WMO-No. 8, part I, ch. 3)
PRESSURES_AGREE = 2.0  # hPa: both are rounded, in bar to a whole hectopascal
_HPA = {"B": 1000.0, "H": 1.0, "M": 1.33322387, "I": HPA_OF_INCH}  # hPa of one
BAROMETERS = ("BARO", "PRESS", "AIRPRESS")  # how names of transducers begin that measure the air's pressure


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
_WARM = ("air_cel", "water_cel", "dew_point_cel")


def _mda(fields: Fields) -> Decoded:
    decoded = {name: number(at(fields, index)) for name, index in _MDA.items()}
    decoded |= {
        name: celsius(at(fields, index), at(fields, index + 1)) for name, index in _MDA.items() if name in _WARM
    }
    if decoded["wind_ms"] is None:
        decoded["wind_ms"] = speed(at(fields, 16), "N")
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
    """Of type P, the unit P is pascals in one instrument and per cent of full scale in another: its name tells. H, M and I are
    hectopascals, millimetres and inches of mercury, as Vaisala sends them (WXT520 user guide M210906EN-C, ch. 7, XDR).
    """
    kind, value, unit, name = at(row, 0), number(at(row, 1)), at(row, 2), at(row, 3)
    decoded: Decoded = {"type": kind, "value": value, "unit": unit, "name": name}
    if kind == "P" and value is not None and (unit in _HPA or name.upper().startswith(BAROMETERS)):
        decoded["hpa"] = round(value * _HPA.get(unit, 0.01), 2)
    return decoded


WEATHER: Mapping[str, Callable[[Fields], Decoded]] = {
    "MWV": _mwv,
    "MWD": _mwd,
    "MDA": _mda,
    "MTW": lambda fields: {"water_cel": celsius(at(fields, 0), at(fields, 1))},
    "MTA": lambda fields: {"air_cel": celsius(at(fields, 0), at(fields, 1))},
    "MHU": named("humidity_rh", "humidity_absolute", "dew_point_cel"),
    "MMB": _mmb,
    "XDR": _xdr,
    "DPT": named("depth_m", "offset_m"),
}
"""Water's temperature and depth too: they come by the same instruments."""
