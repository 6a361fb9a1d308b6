"""CAMF, the 122-bit alert of the Emergency Warning Satellite Service → `cap.Imported`. Read only, pure.

A CAMF message has no sender, no identifier, no signature and no year: it can be shown and offered to a person, and a
chain has to be given to it. What the 15 bits of A18 hold depends on A17 and on the hazard (`camf_detail`). The time of
receipt is an argument, because onset counts from the Monday of that week.
"""

import math
from datetime import UTC, datetime
from typing import Any, NamedTuple

from protocols.alert import Status
from protocols.camf_detail import Detail, detail
from protocols.camf_guidance import JAPAN, LIST_A, LIST_B
from protocols.camf_names import COUNTRIES, HAZARDS
from protocols.cap import Area, Circle, Family, Imported, Info, MsgType, Pair, Point, Severity
from protocols.cap_json import plain
from protocols.errors import RemoteError

BITS = 122
BYTES = 16  # 122 bits and 6 of padding
WEEK_MINUTES = 10_080
TYPES = ("Test", "Alert", "Update", "All Clear")
MSG_TYPES = (MsgType.ALERT, MsgType.ALERT, MsgType.UPDATE, MsgType.CANCEL)
SEVERITIES = (Severity.UNKNOWN, Severity.MODERATE, Severity.SEVERE, Severity.EXTREME)
HOURS = (0, 6, 12, 24)  # the upper end of A8; 0 is unknown
SHORTEST_KM, LONGEST_KM = 0.2162, 2500.0  # A14 and A15, 32 steps of equal ratio
CORNERS = 24  # of the polygon that stands for an ellipse: at most 1 % of the axis inside it
TEST_HAZARDS = frozenset({13, 113})  # siren test, test alert
TEST_GUIDANCE = 29  # "this is only a test"
JAPAN_COUNTRY = 111
EVENT_LIST = "CAMF A4"

_WIDTHS = (2, 9, 5, 7, 2, 1, 14, 2, 1, 3, 10, 16, 17, 5, 5, 6, 2, 15)  # A1 to A18
_CATEGORIES = {
    "CBRNE": "CBRNE",
    "ENVIRONMENT": "Env",
    "FIRE": "Fire",
    "GEO": "Geo",
    "HEALTH": "Health",
    "INFRASTRUCTURE": "Infra",
    "MET": "Met",
    "RESCUE": "Rescue",
    "SAFETY": "Safety",
    "SECURITY": "Security",
    "TRANSPORT": "Transport",
    "OTHER": "Other",
}


class Ellipse(NamedTuple):
    """Degrees and kilometres; azimuth of the major axis, from north over east."""

    lat: float
    lon: float
    major_km: float
    minor_km: float
    azimuth: float


class Camf(NamedTuple):
    """The fields as they travel, A1 to A18."""

    type: int
    country: int
    provider: int
    hazard: int
    severity: int
    week: int
    minute: int  # of the week and one more; 0 says none
    duration: int
    library: int
    version: int
    guidance: int
    lat: int
    lon: int
    major: int
    minor: int
    azimuth: int
    subject: int
    specific: int


def decode_camf(data: bytes, received: int | None = None) -> dict[str, Any]:
    """For people and programs. Without the time of receipt there is no onset, and no message to import."""
    fields = unpack(data)
    told = {
        "kind": "camf",
        "type": TYPES[fields.type],
        "country": COUNTRIES.get(fields.country, f"reserved {fields.country}"),
        "hazard": HAZARDS[fields.hazard],
        "severity": SEVERITIES[fields.severity].value,
        "guidance": list(guidance(fields)),
        "ellipse": ellipse(fields)._asdict(),
        "specific": _specific(fields)._asdict(),
        "fields": fields._asdict(),
    }
    return told if received is None else {**told, "alerts": [plain(read_camf(data, received))]}


def unpack(data: bytes) -> Camf:
    """The fields; RemoteError if these bytes are no CAMF message."""
    if len(data) != BYTES:
        raise RemoteError("camf-length", f"{len(data)} bytes instead of {BYTES}")
    number = int.from_bytes(data, "big")
    if number & 0x3F:
        raise RemoteError("camf-padding", "the last six bits are not zero", BYTES - 1)
    fields, left = [], BITS
    for width in _WIDTHS:
        left -= width
        fields.append(number >> (left + 6) & ((1 << width) - 1))
    camf = Camf(*fields)
    if camf.hazard not in HAZARDS:
        raise RemoteError("camf-reserved", f"hazard {camf.hazard}")
    if camf.minute > WEEK_MINUTES:
        raise RemoteError("bad-time", f"minute {camf.minute} of a week")
    return camf


def read_camf(data: bytes, received: int) -> Imported:
    """The message as one received at `received` (Unix seconds)."""
    fields = unpack(data)
    onset = onset_of(fields, received)
    return Imported(
        family=Family.CAMF,
        identifier=data.hex(),
        sender=f"camf-{fields.country}-{fields.provider}",
        sent=received,
        status=_status(fields),
        msg_type=MSG_TYPES[fields.type],
        infos=(_info(fields, onset, received),),
    )


def onset_of(fields: Camf, received: int) -> int | None:
    """A6 and A7 count from Monday 00:00 UTC of the week in which the message was received."""
    if fields.minute == 0:
        return None
    now = datetime.fromtimestamp(received, UTC)
    monday = received - (now.weekday() * 86_400 + now.hour * 3600 + now.minute * 60 + now.second)
    return monday + (fields.week * WEEK_MINUTES + fields.minute - 1) * 60


def guidance(fields: Camf) -> tuple[str, ...]:
    """What people are asked to do, in the words of the library; empty where we do not have that library."""
    if fields.version:
        return ()
    said: tuple[str, ...] = ()
    if fields.library == 0:
        said = LIST_A.get(fields.guidance >> 5, ""), LIST_B.get(fields.guidance & 31, "")
    elif fields.country == JAPAN_COUNTRY:
        said = (JAPAN.get(fields.guidance, ""),)
    return tuple(sentence for sentence in said if sentence)


def ellipse(fields: Camf) -> Ellipse:
    """A12 to A16, refined by B1 where the message does so."""
    exact = _specific(fields).refinement
    return Ellipse(
        lat=round(-90 + 180 / 0xFFFF * (fields.lat + exact[0] / 8), 6),
        lon=round(-180 + 360 / 0x1FFFF * (fields.lon + exact[1] / 8), 6),
        major_km=round(_axis(fields.major, exact[2]), 3),
        minor_km=round(_axis(fields.minor, exact[3]), 3),
        azimuth=-90 + 180 / 64 * fields.azimuth,
    )


def corners(shape: Ellipse) -> tuple[Point, ...]:
    """The polygon that stands for an ellipse, longitudes within ±180°."""
    return tuple(_corner(shape, 2 * math.pi * step / CORNERS) for step in range(CORNERS))


def _specific(fields: Camf) -> Detail:
    return detail(fields.subject, fields.specific, fields.hazard)


def _axis(code: int, eighths: int) -> float:
    """B1 takes eighths of the step to the next smaller axis away; below the smallest, of the axis itself."""
    length = _kilometres(code)
    step = length - _kilometres(code - 1) if code else length
    return length - step * eighths / 8


def _kilometres(code: int) -> float:
    return SHORTEST_KM * math.pow(LONGEST_KM / SHORTEST_KM, code / 31)


def _corner(shape: Ellipse, angle: float) -> Point:
    """The point of the ellipse's edge at this angle from its major axis, along a great circle from the centre."""
    along, across = shape.major_km * math.cos(angle), shape.minor_km * math.sin(angle)
    bearing = math.radians(shape.azimuth) + math.atan2(across, along)
    distance = math.hypot(along, across) / 6371.0088  # radians; mean radius, IUGG
    lat = math.radians(shape.lat)
    top = math.sin(lat) * math.cos(distance) + math.cos(lat) * math.sin(distance) * math.cos(bearing)
    to_lat = math.asin(max(-1.0, min(1.0, top)))
    east = math.sin(bearing) * math.sin(distance) * math.cos(lat)
    lon = shape.lon + math.degrees(math.atan2(east, math.cos(distance) - math.sin(lat) * math.sin(to_lat)))
    return Point(round(math.degrees(to_lat), 5), round((lon + 180) % 360 - 180, 5))


def _status(fields: Camf) -> Status:
    asked = fields.guidance >> 5 if fields.library == 0 and fields.version == 0 else 0
    test = fields.type == 0 or fields.hazard in TEST_HAZARDS or asked == TEST_GUIDANCE
    return Status.TEST if test else Status.ACTUAL


def _info(fields: Camf, onset: int | None, received: int) -> Info:
    category, _, event = HAZARDS[fields.hazard].partition(" - ")
    hours = HOURS[fields.duration]
    return Info(
        language="en",
        categories=(_CATEGORIES[category],),
        event=event,
        event_codes=(Pair(EVENT_LIST, str(fields.hazard)),),
        severity=SEVERITIES[fields.severity],
        onset=onset,
        expires=(onset or received) + hours * 3600 if hours else None,
        headline=f"{TYPES[fields.type]}: {event}",
        instruction="\n".join(guidance(fields)),
        areas=(_area(ellipse(fields)),),
    )


def _area(shape: Ellipse) -> Area:
    if shape.major_km == shape.minor_km:
        return Area(circles=(Circle(shape.lat, shape.lon, shape.major_km * 1000),))
    return Area(polygons=(corners(shape),))
