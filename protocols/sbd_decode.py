"""What SBD modems and gateways said, in JSON's terms, for people: `fengsui decode sbd`. Pure.

Tells by itself: DirectIP messages, one after the other; the four bytes of a count of Iridium time; or the bytes of a
serial line, one direction or both, messages included.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from protocols import directip, iridium_time
from protocols.directip import Message, Mo, MoConfirmed, Mt
from protocols.errors import RemoteError
from protocols.sbd_status import meaning
from protocols.sbd_words import (
    COUNTED_MOST,
    MO_MOST,
    Session,
    bars,
    buffers,
    imei,
    numbers,
    read_counted,
    registration,
    session,
    sum16,
    ticks,
)

SHOWN = 128  # bytes of a line that nobody understands
_INDICATORS = {0: "signal", 1: "service", 2: "antenna"}


def decode(data: bytes) -> list[dict[str, Any]]:
    if len(data) == 4:
        return [_time(int.from_bytes(data, "big"))]
    if data[:1] == bytes([directip.REVISION]) and directip.HEAD + int.from_bytes(data[1:3], "big") <= len(data):
        return list(_directip(data))
    return list(_line(data))


def _directip(data: bytes) -> Iterator[dict[str, Any]]:
    at = 0
    while at < len(data):
        try:
            end = at + directip.HEAD + directip.length(data[at : at + directip.HEAD])
            yield {"is": "directip", **_message(directip.decode(data[at:end]))}
        except RemoteError as wrong:
            raise RemoteError(wrong.reason, wrong.detail, at + (wrong.offset or 0)) from None
        at = end


def _message(message: Message) -> dict[str, Any]:
    match message:
        case Mo():
            place = message.location._asdict() if message.location else None
            named = {"status": directip.MO_SESSIONS.get(message.status, message.status), "at": _iso(message.at)}
            return {"message": "mo", **message._asdict(), **named, "payload": message.payload.hex(), "location": place}
        case Mt():
            shown = {"payload": message.payload.hex(), "client": message.client.hex()}
            return {"message": "mt", **message._asdict(), **shown}
        case MoConfirmed():
            return {"message": "mo-confirmation", "taken": message.taken}
    named = {"status": directip.MT_STATUSES.get(message.status, f"queued at {message.status}")}
    return {"message": "mt-confirmation", **message._asdict(), **named, "client": message.client.hex()}


def _line(data: bytes) -> Iterator[dict[str, Any]]:
    """A line ends at CR or LF; where one would begin there may be a message instead."""
    at, promised, known = 0, 0, False
    while at < len(data):
        if data[at] in b"\r\n":
            at += 1
            continue
        if promised and (found := _promised(data, at, promised)):
            yield found
            at, promised = at + promised + 2, 0
            continue
        if data[at] <= COUNTED_MOST >> 8:
            row, at = _counted(data, at)
            yield row
            continue
        end = min([place for stop in b"\r\n" if (place := data.find(stop, at)) >= 0], default=len(data))
        line = data[at:end]
        asked = numbers([line.replace(b"=", b":", 1)], b"AT+SBDWB", 1)
        promised = asked[0] if asked else promised
        row = _words(line)
        known = known or "text" not in row
        yield {"offset": at, **row}
        at = end
    if not known:
        raise RemoteError("unknown", "neither DirectIP nor the line of an SBD modem", 0)


def _promised(data: bytes, at: int, length: int) -> dict[str, Any] | None:
    """What was written after READY, if it is in the capture."""
    message = data[at : at + length]
    if length > MO_MOST or data[at + length : at + length + 2] != sum16(message):
        return None
    return {"offset": at, "is": "mo", "data": message.hex()}


def _counted(data: bytes, at: int) -> tuple[dict[str, Any], int]:
    try:
        found = read_counted(data[at:])
    except RemoteError as wrong:
        flaw = {"offset": at + (wrong.offset or 0), "error": wrong.reason, "detail": wrong.detail}
        return flaw, at + (wrong.offset or 0) + 2
    if found is None:
        return {"offset": at, "error": "truncated", "bytes": data[at:].hex()}, len(data)
    return {"offset": at, "is": "mt", "data": found[0].hex()}, at + found[1]


def _words(line: bytes) -> dict[str, Any]:
    for read, describe in _RESULTS:
        found = read([line])
        if found is not None:
            return describe(found)
    return _plain(line)


def _session(done: Session) -> dict[str, Any]:
    status = meaning(done.mo)
    return {"is": "session", **done._asdict(), "fate": status.fate.value, "reason": status.reason}


def _indicator(found: tuple[int, int]) -> dict[str, Any]:
    return {"is": "indicator", "which": _INDICATORS.get(found[0], found[0]), "value": found[1]}


def _plain(line: bytes) -> dict[str, Any]:
    text = line.decode("ascii", "backslashreplace")
    if text.upper().startswith("AT"):
        return {"is": "command", "command": text[:SHOWN]}
    if text in ("OK", "ERROR", "READY", "SBDRING"):
        return {"is": text.lower() if text != "SBDRING" else "ring"}
    if len(text) == 1 and text.isdigit():
        return {"is": "code", "code": int(text)}
    if text.startswith("-MSSTM:"):
        return {"is": "time", "utc": None, "text": text[:SHOWN]}
    if found := imei([line]):
        return {"is": "imei", "imei": found}
    return {"is": "text", "text": text[:SHOWN]}


def _time(count: int) -> dict[str, Any]:
    believed = iridium_time.decode(count)
    eras = {era.name: _iso(iridium_time.in_era(count, era)) for era in iridium_time.ERAS}
    return {"is": "time", "ticks": count, "utc": None if believed is None else _iso(believed), "eras": eras}


def _iso(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_RESULTS: tuple[tuple[Callable[[list[bytes]], Any], Callable[[Any], dict[str, Any]]], ...] = (
    (session, _session),
    (buffers, lambda held: {"is": "buffers", **held._asdict()}),
    (ticks, _time),
    (lambda lines: numbers(lines, b"+CIEV", 2), _indicator),
    (bars, lambda found: {"is": "signal", "bars": found}),
    (registration, lambda found: {"is": "registration", **found._asdict()}),
)
"""How a result line is read, and how what was read is told."""
