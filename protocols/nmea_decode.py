"""What NMEA sentences say: fields by name, in the units named (gpsd "NMEA Revealed"; IEC 61162-1). Pure, JSON-ready.

The kinds stand in `nmea_weather` and `nmea_receiver`, what fields are made of in `nmea_fields`.
"""

from collections.abc import Callable, Mapping

from protocols.errors import RemoteError
from protocols.framing import Flaw
from protocols.nmea import NmeaStream, Sentence
from protocols.nmea_fields import Decoded, Fields, at, integer
from protocols.nmea_receiver import DATED, RECEIVER
from protocols.nmea_weather import WEATHER


def _txt(fields: Fields) -> Decoded:
    return {"total": integer(at(fields, 0)), "part": integer(at(fields, 1)), "text": ",".join(fields[3:])}


PLAIN: Mapping[str, Callable[[Fields], Decoded]] = {**WEATHER, **RECEIVER, "TXT": _txt}
KINDS = frozenset({*PLAIN, *DATED})
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


def decode(sentence: Sentence, build_year: int) -> Decoded:
    """What it says. RemoteError `field` or `unit` where a field is not what it should be, `unknown` for other kinds."""
    if sentence.talker != "P" and sentence.kind in PLAIN:
        return PLAIN[sentence.kind](sentence.fields)
    if sentence.talker != "P" and sentence.kind in DATED:
        return DATED[sentence.kind](sentence.fields, build_year)
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
