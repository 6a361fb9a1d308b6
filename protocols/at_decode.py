r"""`fengsui decode at`: a transcript with an AT modem as JSON, one object for each thing said. Pure.

A transcript is what went over the line, both ways or with the modem's echo; a line may begin with TX or RX, and control
characters may be written out (`\r`, `<1A>`), as people note them down.
"""

import re
from collections.abc import Iterator
from typing import Any

from protocols import at_lines, cellular, network_time, sms_decode, sms_pdu
from protocols.errors import RemoteError

LONGEST_SHOWN = 400  # characters of a line
_NOTED = re.compile(r"(?:^|\s+)(?:TX|RX)\s+")  # several on one line, as people write
_REMARK = re.compile(r"\s{2,}\(.*|\s*;\s*$")
_COMMENT = re.compile(r"\s*#")
_WRITTEN = re.compile(r"\\r|\\n|<CR>|<LF>|<1A>|<1B>|<ctrl-z>|<esc>", re.IGNORECASE)
_PDU = re.compile(r"(?:[0-9A-Fa-f]{2}){9,}")  # the shortest that says anything
_PAYLOAD = ("AT+CMGS", "AT+CMGW", "AT+CNMA")
_TIMES = {"+CTZE": network_time.reported, "*PSUTTZ": network_time.spelled}


def decode(data: bytes) -> Iterator[dict[str, Any]]:
    """Commands, lines of replies, results, prompts, what came unasked; what is none of these is `stray` or an error."""
    transcript = _Transcript()
    if not data.strip(b"\0\r\n\t "):
        raise RemoteError("empty", "no line", 0)
    for offset, raw in _lines(data):
        wrong = next((at for at, byte in enumerate(raw) if byte > 0x7E), None)
        if wrong is not None:
            yield {
                "offset": offset + wrong,
                "error": "garbage",
                "detail": raw[:LONGEST_SHOWN].decode("ascii", "replace"),
            }
            continue
        for row in transcript.line(raw.decode("ascii")):
            yield {"offset": offset, **row}
    yield from transcript.end()


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    for part in re.split(rb"([\r\n]+)", data):
        line = part.strip(b"\0\r\n\t \x1a\x1b")
        if line:
            yield offset + part.index(line), line
        offset += len(part)


class _Transcript:
    """What is being answered."""

    def __init__(self) -> None:
        self._command = ""
        self._header = ""

    def line(self, text: str) -> Iterator[dict[str, Any]]:
        if _COMMENT.match(text):
            return
        for said in _noted(text) if _NOTED.match(text) else [text]:
            for piece in _WRITTEN.sub("\n", said).split("\n"):
                if piece.strip():
                    yield from self._piece(piece.strip())

    def end(self) -> Iterator[dict[str, Any]]:
        if self._header:
            yield {"event": "unsolicited", **_facts(self._header)}

    def _piece(self, text: str) -> Iterator[dict[str, Any]]:
        if text.startswith(">"):
            yield {"event": "prompt"}
            text = text.lstrip("> ")
            if not text:
                return
        if self._header:
            header, self._header = self._header, ""
            yield {"event": "unsolicited", **_facts(header), "body": text, **_pdu(text)}
        elif (ended := at_lines.final(text)) is not None:
            yield self._ended(ended, text)
        elif text[:2].upper() == "AT":
            self._command = text
            yield {"event": "command", "command": _shown(text)}
        else:
            yield from self._said(text)

    def _ended(self, ended: at_lines.Final, text: str) -> dict[str, Any]:
        command, self._command = self._command, ""
        row: dict[str, Any] = {"event": "result", "command": _shown(command), "result": text, "ok": ended.ok}
        if not ended.ok and ended.code is not None:
            row |= {"code": ended.code, "reason": cellular.cause(ended)}
        return row

    def _said(self, text: str) -> Iterator[dict[str, Any]]:
        if self._command.upper().startswith(_PAYLOAD) and _PDU.fullmatch(text):
            yield {"event": "payload", "line": text, **_pdu(text)}
        elif self._command and at_lines.replies(text, self._command, at_lines.REPLIES.get(self._command.upper())):
            yield {"event": "reply", "command": _shown(self._command), **_facts(text), **_pdu(text)}
        elif text.startswith(at_lines.BODIED):
            self._header = text
        else:
            yield {"event": "unsolicited" if at_lines.is_spoken(text) else "stray", **_facts(text), **_pdu(text)}


def _noted(text: str) -> Iterator[str]:
    r"""What was said in a line of notes: `TX AT+CSMS=1\r RX +CSMS: 1,1,1 / OK ; TX ...`."""
    for part in _NOTED.split(text):
        yield from _REMARK.sub("", part).split(" / ")


def _shown(command: str) -> str:
    """A PIN is not shown."""
    return re.sub(r"(?i)(AT\+(?:CPIN|CLCK|CPWD)=).*", r"\1***", command)[:LONGEST_SHOWN]


def _facts(line: str) -> dict[str, Any]:
    """The line, and what it means where that is known."""
    row: dict[str, Any] = {"line": line[:LONGEST_SHOWN]}
    name, _, value = line.partition(":")
    if (found := cellular.registration(line)) is not None:
        row["registration"] = found[1].value
    elif name == "+CSQ":
        row |= {"signal": cellular.signal(value), "dbm": cellular.decibels(value)}
    elif name in _TIMES and (told := _TIMES[name](value)) is not None:
        row |= {"unix": told.unix, "zone": told.zone}
    return row


def _pdu(text: str) -> dict[str, Any]:
    if not _PDU.fullmatch(text):
        return {}
    try:
        return {"pdu": sms_decode.describe(sms_pdu.decode(bytes.fromhex(text)))}
    except RemoteError as wrong:
        return {"pdu": {"error": wrong.reason, "offset": wrong.offset, "detail": wrong.detail}}
