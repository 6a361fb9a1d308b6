"""SDI-12 probes behind a transparent adapter: one query that any probe answers, then each address by itself.

`?!` (v1.3 §4.4.6) is answered by all probes at once, so with several the answer is a muddle: that there is one is enough.
"""

from collections.abc import Callable
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase, digits

from drivers.scan.prober import Prober
from protocols.errors import ProtocolError
from protocols.sdi12 import Identity, parse
from protocols.sdi12_command import Command

ADDRESSES = digits + ascii_lowercase + ascii_uppercase
ANSWER = 0.6  # seconds: break, command and address are 60 ms at 1200 baud; adapters add their own
IDENTITY = 1.5  # seconds for up to 35 characters, 0.3 s on the wire


@dataclass(frozen=True, slots=True)
class Probe:
    address: str
    identity: str = ""


async def find_probes(prober: Prober, tell: Callable[[float, str, int], None]) -> list[Probe]:
    """All there are. A line where nobody answers the query costs that one question. `tell` is told the seconds that are
    left, the address that is asked, and how many were found.
    """
    if not _said(await prober.say(b"?!", ANSWER), b"?!"):
        return []
    found: list[Probe] = []
    for place, address in enumerate(ADDRESSES):
        tell((len(ADDRESSES) - place) * ANSWER, address, len(found))
        asked = f"{address}!".encode()
        if _said(await prober.say(asked, ANSWER), asked) == address.encode():
            found.append(Probe(address, await _identity(prober, address)))
    return found


async def _identity(prober: Prober, address: str) -> str:
    command = Command(address, "I")
    asked = command.text.encode()
    try:
        reply = parse(command, _said(await prober.say(asked, IDENTITY), asked))
    except ProtocolError:
        return ""
    return f"{reply.vendor} {reply.model} {reply.firmware}".strip() if isinstance(reply, Identity) else ""


def _said(heard: bytes, asked: bytes) -> bytes:
    """What was answered, without the echo that some adapters give."""
    return heard.removeprefix(asked).strip(b"\r\n\0 ")
