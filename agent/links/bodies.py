"""Which body is written how: the buffer stays blind, and each route has its format.

Telemetry bodies are packed columns (first byte: their format's version), alarms and events are JSON objects (first byte
`{`). A body of a version this program does not know is kept and forwarded untouched.
"""

from buffer.model import Block
from protocols import columns
from protocols.errors import ProtocolError


def cut(block: Block) -> tuple[Block, Block] | None:
    """Two blocks of one with several numbers, for a server that does not bear it whole; None where it cannot be cut."""
    if block.body[:1] != b"\x01" or block.first == block.last:
        return None
    middle = block.first + (block.last - block.first + 1) // 2
    try:
        before, after = columns.cut(block.body, middle - block.first)
    except ProtocolError:
        return None
    return block._replace(last=middle - 1, body=before), block._replace(first=middle, body=after)


def thin(body: bytes) -> bytes | None:
    return columns.thin(body) if body[:1] == b"\x01" else None
