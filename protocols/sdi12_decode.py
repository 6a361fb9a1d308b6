"""SDI-12 captures as JSON rows, a line a row: `fengsui decode sdi12`. Pure.

Lines of a capture may be marked `>` command, `<` answer; without marks, what ends in `!` is a command. An answer is read as
one to the last command, and says so where it cannot be.
"""

from typing import Any

from protocols.errors import RemoteError
from protocols.framing import Lines
from protocols.sdi12 import Reply, Scheduled, parse, values_of
from protocols.sdi12_command import Command
from protocols.sdi12_command import parse as parse_command

LONGEST = 512  # bytes of a line
Row = dict[str, Any]


def decode(data: bytes) -> list[Row]:
    asked: Command | None = None
    waiting = False  # for a service request
    rows: list[Row] = []
    for line in Lines(LONGEST).feed(data + b"\n"):
        said = line.strip(b" \t\0")
        if said[:1] == b">" or (said[:1] != b"<" and said[-1:] == b"!"):
            row, asked = _command(said.lstrip(b"> "))
            waiting = False
        elif said:
            row, waiting = _answer(asked, said.lstrip(b"< "), waiting=waiting)
        else:
            continue
        rows.append(row)
    return rows


def _command(line: bytes) -> tuple[Row, Command | None]:
    text = line.decode("ascii", "backslashreplace")
    try:
        command = parse_command(text)
    except RemoteError as wrong:
        return {"command": text, "error": wrong.reason}, None
    return {"command": text, "address": command.address, "verb": command.verb or "acknowledge"}, command


def _answer(asked: Command | None, line: bytes, *, waiting: bool) -> tuple[Row, bool]:
    text = line.decode("ascii", "backslashreplace")
    if waiting and len(line) == 1:
        return {"answer": text, "address": text, "service_request": True}, False
    try:
        reply: Reply = values_of(line, crc=None) if asked is None else parse(asked, line)
    except RemoteError as wrong:
        return {"answer": text, "error": wrong.reason}, False
    row: Row = {"answer": text, **{name: list(one) if isinstance(one, tuple) else one for name, one in _fields(reply)}}
    return row, isinstance(reply, Scheduled) and reply.seconds > 0


def _fields(reply: Reply) -> list[tuple[str, Any]]:
    return list(reply._asdict().items())
