"""A command from the platform as the body of a message: verb, correlation data, and the payload as it stands on MQTT.

    length of the verb 1 | verb | length of the correlation 1 | correlation | payload

Says nothing of who may command: what changes anything carries a seal in its payload, whichever way it comes.
"""

import re
from typing import NamedTuple

from protocols.errors import LocalError, RemoteError

VERB = re.compile(rb"[A-Za-z0-9._-]{1,64}")
MOST_CORRELATION = 64  # bytes


class Command(NamedTuple):
    verb: str
    correlation: bytes
    payload: bytes


def encode(command: Command) -> bytes:
    verb = command.verb.encode()
    if not VERB.fullmatch(verb) or len(command.correlation) > MOST_CORRELATION:
        raise LocalError("command.form", f"{command.verb[:64]}, {len(command.correlation)} bytes of correlation")
    return bytes((len(verb),)) + verb + bytes((len(command.correlation),)) + command.correlation + command.payload


def decode(body: bytes) -> Command:
    verb, rest = _short(body, 0)
    correlation, end = _short(body, rest)
    if not VERB.fullmatch(verb) or len(correlation) > MOST_CORRELATION:
        raise RemoteError("command.form", "verb or correlation", 0)
    return Command(verb.decode(), correlation, body[end:])


def _short(body: bytes, at: int) -> tuple[bytes, int]:
    """The bytes behind their length."""
    if at >= len(body) or at + 1 + body[at] > len(body):
        raise RemoteError("command.short", f"{len(body)} bytes", at)
    end = at + 1 + body[at]
    return body[at + 1 : end], end
