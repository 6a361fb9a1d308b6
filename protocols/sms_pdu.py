"""SMS in PDU mode (3GPP TS 23.040 §9.2.2): SUBMIT, DELIVER, STATUS-REPORT ↔ octets as AT+CMGS and +CMGR carry them. Pure.

An octet is read where the standard puts it or a RemoteError says where it is not; what is read is written back the same.
"""

from typing import NamedTuple

from protocols import sms_content
from protocols.errors import LocalError, RemoteError
from protocols.sms_content import Content
from protocols.sms_fields import VALIDITY_OCTETS, Address, Reader, Stamp, Validity

LONGEST = 12 + 164  # octets: service centre and the longest TPDU (§9.2.1)

# The first octet (§9.2.3): kind, and flags by their bits.
DELIVER, SUBMIT, STATUS_REPORT = 0, 1, 2
_KIND = 0x03
_NO_MORE, _REJECT_DUPLICATES, _LOOP, _REPORT, _HEADED, _REPLY_PATH = 0x04, 0x04, 0x08, 0x20, 0x40, 0x80
_PID, _DCS, _USER_DATA = 0x01, 0x02, 0x04  # what TP-PI says is there (§9.2.3.27)


class Submit(NamedTuple):
    """From us to the service centre. `report`: it shall say what became of it."""

    to: Address
    content: Content
    reference: int = 0
    report: bool = False
    validity: Validity | None = None
    pid: int = 0
    reject_duplicates: bool = False
    reply_path: bool = False


class Deliver(NamedTuple):
    """From the service centre to us. `more`: others wait there. `loop`: forwarded, and not to be forwarded again."""

    sender: Address
    content: Content
    stamp: Stamp
    pid: int = 0
    more: bool = False
    report: bool = False
    loop: bool = False
    reply_path: bool = False


class StatusReport(NamedTuple):
    """What became of the message that AT+CMGS called `reference`: `status` as TP-ST says (§9.2.3.15).

    `tail` is what may follow it: other parameters, as they came.
    """

    reference: int
    recipient: Address
    stamp: Stamp
    discharged: Stamp
    status: int
    more: bool = False
    on_command: bool = False
    loop: bool = False
    headed: bool = False
    tail: bytes = b""

    @property
    def outcome(self) -> str:
        """`delivered`, `trying` (still), or `failed`."""
        if self.status < 0x20:
            return "delivered"
        return "trying" if self.status < 0x40 else "failed"


Tpdu = Submit | Deliver | StatusReport


class Pdu(NamedTuple):
    """A TPDU with the service centre it goes by; None: the one in the SIM."""

    tpdu: Tpdu
    centre: Address | None = None


def encode(pdu: Pdu) -> bytes:
    """As AT+CMGS takes it, before it is written in hexadecimal."""
    return _centre(pdu.centre) + encode_tpdu(pdu.tpdu)


def encode_tpdu(tpdu: Tpdu) -> bytes:
    """Without the service centre: what `AT+CMGS=length` counts."""
    if isinstance(tpdu, Submit):
        return _submit(tpdu)
    return _deliver(tpdu) if isinstance(tpdu, Deliver) else _status_report(tpdu)


def decode(data: bytes) -> Pdu:
    """Exactly one PDU. Its kind is in its first octet: a terminal meets only one of each."""
    reader = Reader(data)
    pdu = read(reader)
    if reader.left:
        raise RemoteError("trailing", f"{reader.left} octets follow", reader.at)
    return pdu


def read(reader: Reader) -> Pdu:
    """One PDU from the front; what follows stays."""
    centre = reader.centre()
    at, first = reader.at, reader.octet("first octet")
    match first & _KIND:
        case 0:
            return Pdu(_read_deliver(reader, first), centre)
        case 1:
            return Pdu(_read_submit(reader, first), centre)
        case 2:
            return Pdu(_read_status_report(reader, first), centre)
    raise RemoteError("message_type", f"{first & _KIND} is reserved", at)


def _submit(tpdu: Submit) -> bytes:
    form = tpdu.validity.form if tpdu.validity else 0
    first = SUBMIT | form << 3 | _flags((tpdu.reject_duplicates, _REJECT_DUPLICATES), (tpdu.report, _REPORT))
    first |= _flags((bool(tpdu.content.elements), _HEADED), (tpdu.reply_path, _REPLY_PATH))
    head = _octets(first, tpdu.reference) + _address(tpdu.to) + _octets(tpdu.pid, tpdu.content.dcs)
    return head + (tpdu.validity.octets if tpdu.validity else b"") + sms_content.write(tpdu.content)


def _read_submit(reader: Reader, first: int) -> Submit:
    reference, to = reader.octet("reference"), reader.address("destination")
    pid, dcs = reader.octet("protocol"), reader.octet("coding")
    form = first >> 3 & 3
    octets = reader.take(VALIDITY_OCTETS[form], "validity")
    return Submit(
        to,
        sms_content.read(reader, dcs, headed=bool(first & _HEADED)),
        reference,
        bool(first & _REPORT),
        Validity(form, octets) if form else None,
        pid,
        bool(first & _REJECT_DUPLICATES),
        bool(first & _REPLY_PATH),
    )


def _deliver(tpdu: Deliver) -> bytes:
    first = DELIVER | _flags((not tpdu.more, _NO_MORE), (tpdu.loop, _LOOP), (tpdu.report, _REPORT))
    first |= _flags((bool(tpdu.content.elements), _HEADED), (tpdu.reply_path, _REPLY_PATH))
    head = _octets(first) + _address(tpdu.sender) + _octets(tpdu.pid, tpdu.content.dcs)
    return head + tpdu.stamp.octets + sms_content.write(tpdu.content)


def _read_deliver(reader: Reader, first: int) -> Deliver:
    sender, pid, dcs = reader.address("sender"), reader.octet("protocol"), reader.octet("coding")
    stamp = reader.stamp("time stamp")
    return Deliver(
        sender,
        sms_content.read(reader, dcs, headed=bool(first & _HEADED)),
        stamp,
        pid,
        not first & _NO_MORE,
        bool(first & _REPORT),
        bool(first & _LOOP),
        bool(first & _REPLY_PATH),
    )


def _status_report(tpdu: StatusReport) -> bytes:
    first = STATUS_REPORT | _flags((not tpdu.more, _NO_MORE), (tpdu.loop, _LOOP), (tpdu.on_command, _REPORT))
    first |= _flags((tpdu.headed, _HEADED))
    head = _octets(first, tpdu.reference) + _address(tpdu.recipient)
    return head + tpdu.stamp.octets + tpdu.discharged.octets + _octets(tpdu.status) + tpdu.tail


def _read_status_report(reader: Reader, first: int) -> StatusReport:
    reference, recipient = reader.octet("reference"), reader.address("recipient")
    stamp, discharged = reader.stamp("time stamp"), reader.stamp("discharge time")
    status = reader.octet("status")
    return StatusReport(
        reference,
        recipient,
        stamp,
        discharged,
        status,
        not first & _NO_MORE,
        bool(first & _REPORT),
        bool(first & _LOOP),
        bool(first & _HEADED),
        _read_tail(reader, headed=bool(first & _HEADED)),
    )


def _read_tail(reader: Reader, *, headed: bool) -> bytes:
    """Parameters that an indicator announces; without one the report is at its end (§9.2.2.3)."""
    if not reader.left:
        return b""
    begin, dcs = reader.at, 0
    indicator = reader.octet("indicator")
    if indicator & _PID:
        reader.octet("protocol")
    if indicator & _DCS:
        dcs = reader.octet("coding")
    if indicator & _USER_DATA:
        sms_content.read(reader, dcs, headed=headed)
    return reader.since(begin)


def _centre(centre: Address | None) -> bytes:
    if centre is None:
        return b"\0"
    _, value = centre.value()
    return bytes((1 + len(value), centre.kind)) + value


def _address(address: Address) -> bytes:
    count, value = address.value()
    return bytes((count, address.kind)) + value


def _flags(*flags: tuple[bool, int]) -> int:
    return sum(bit for on, bit in flags if on)


def _octets(*values: int) -> bytes:
    try:
        return bytes(values)
    except ValueError:
        raise LocalError("octet", f"{values} do not fit into octets") from None
