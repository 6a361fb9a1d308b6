"""Finding the reply to one request in what came back over a line that others share. Pure.

Before the reply may come our own echo, noise, another unit's answer or a late answer to an earlier request. What is
believed has the right unit, function and length, an intact CRC (or the transaction number), and repeats what was written.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from protocols import modbus_tcp
from protocols.errors import RemoteError
from protocols.modbus_pdu import READS, READS_BITS, WRITES_ONE, word
from protocols.modbus_rtu import LEAST_BYTES, intact, lengths
from protocols.modbus_tcp import HEAD

MOST_BYTES = 4096  # kept of one exchange: who sends sixteen frames of something else before the reply is babbling


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request as it went out. `echo`: the line gives back what we send, before the reply."""

    sent: bytes
    unit: int
    pdu: bytes
    tcp: bool = False
    echo: bool = False

    @classmethod
    def of(cls, sent: bytes, *, tcp: bool = False, echo: bool = False) -> "Exchange":
        if tcp:
            return cls(sent, sent[HEAD - 1], sent[HEAD:], tcp=True)
        return cls(sent, sent[0], sent[1:-2], echo=echo)

    @property
    def size(self) -> int:
        """Length of the PDU that answers, unless it is an exception (2)."""
        function, count = self.pdu[0], word(self.pdu, 3)
        if function in READS:
            return 2 + (-(-count // 8) if function in READS_BITS else 2 * count)
        return 5

    def answered_by(self, pdu: bytes) -> bool:
        asked = self.pdu
        if pdu[0] == asked[0] | 0x80:
            return len(pdu) == 2
        if pdu[0] != asked[0] or len(pdu) != self.size:
            return False
        if asked[0] in READS:
            return pdu[1] == len(pdu) - 2
        return pdu == asked if asked[0] in WRITES_ONE else pdu == asked[:5]


def find(exchange: Exchange, data: bytes) -> bytes:
    """The frame that answers; nothing while there is none. RemoteError when a TCP stream has lost its step."""
    return _find_tcp(exchange, data) if exchange.tcp else _find_rtu(exchange, data)


def verdict(exchange: Exchange, data: bytes) -> str:
    """Why there was no answer: `timeout` (silence), `foreign` (another unit answered), `unexpected` (the right unit
    answered something else), `crc`, `truncated` or `garbage`.
    """
    if not exchange.tcp:
        data = _after_echo(exchange, data)
    if not data:
        return "timeout"
    return _verdict_tcp(exchange, data) if exchange.tcp else _verdict_rtu(exchange, data)


def _after_echo(exchange: Exchange, data: bytes) -> bytes:
    """What follows our own words; a write's echo looks just like its reply."""
    if not exchange.echo:
        return data
    _noise, ours, after = data.partition(exchange.sent)
    return after if ours else b""


def _find_rtu(exchange: Exchange, data: bytes) -> bytes:
    data = _after_echo(exchange, data)
    for start in range(len(data) - LEAST_BYTES + 1):
        if data[start] != exchange.unit:
            continue
        for length in (LEAST_BYTES, exchange.size + 3):
            frame = data[start : start + length]
            if len(frame) == length and exchange.answered_by(frame[1:-2]) and intact(frame):
                return frame
    return b""


def _find_tcp(exchange: Exchange, data: bytes) -> bytes:
    transaction = word(exchange.sent, 0)
    for adu in modbus_tcp.split(data)[0]:
        if adu.transaction == transaction and adu.unit == exchange.unit and exchange.answered_by(adu.pdu):
            return modbus_tcp.wrap(*adu)
    return b""


def _verdict_tcp(exchange: Exchange, data: bytes) -> str:
    try:
        whole, rest = modbus_tcp.split(data)
    except RemoteError:
        return "garbage"
    return _blame([adu.unit for adu in whole], exchange) or ("truncated" if rest else "unexpected")


def _verdict_rtu(exchange: Exchange, data: bytes) -> str:
    if blame := _blame([frame[0] for frame in _intact_frames(data)], exchange):
        return blame
    start = data.find(bytes([exchange.unit, exchange.pdu[0]]))
    if start < 0:
        return "garbage"
    return "crc" if len(data) - start >= exchange.size + 3 else "truncated"


def _blame(units: list[int], exchange: Exchange) -> str:
    """Somebody answered well, but not with what was asked."""
    if exchange.unit in units:
        return "unexpected"
    return "foreign" if units else ""


def _intact_frames(data: bytes) -> Iterator[bytes]:
    for start in range(len(data) - LEAST_BYTES + 1):
        for length in lengths(data[start : start + 8]):
            if length and start + length <= len(data) and intact(data[start : start + length]):
                yield data[start : start + length]
