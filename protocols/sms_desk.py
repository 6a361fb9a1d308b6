"""Messages on their way in and out: cut into parts, joined, matched with what the network says of them. Pure.

Whose messages count is asked before anything of them is kept: strangers fill nothing.
"""

from collections.abc import Callable

from protocols import sms_content
from protocols.modem_events import Arrived, Ignored, Reported, Submitted
from protocols.sms_fields import Address, Validity
from protocols.sms_join import Joiner
from protocols.sms_pdu import Deliver, Pdu, StatusReport, Submit

MOST_REPORTS = 64  # messages whose status report may still come


class Desk:
    """`report`: ask the network what becomes of each message. `reference`: of the first message in parts."""

    def __init__(
        self, heard_from: Callable[[str], bool], *, report: bool = False, validity: float, reference: int = 0
    ) -> None:
        self._heard_from, self._report = heard_from, report
        self._validity, self._reference = Validity.relative(validity), reference
        self._joiner = Joiner()
        self._awaited: dict[int, int] = {}  # reference of AT+CMGS → token, oldest first

    @property
    def dropped(self) -> int:
        """Parts of messages that never became whole."""
        return self._joiner.dropped

    def parts(self, to: str, body: str | bytes) -> tuple[Submit, ...]:
        """LocalError where the number is none or the message too long."""
        address = Address.of(to)
        found = sms_content.contents(body, self._reference)
        if len(found) > 1:
            self._reference = (self._reference + 1) % 256
        return tuple(Submit(address, one, report=self._report, validity=self._validity) for one in found)

    def submitted(self, event: Submitted) -> None:
        """Its reports may come now."""
        if not self._report:
            return
        for reference in event.references:
            self._awaited.pop(reference, None)
            self._awaited[reference] = event.token
        while len(self._awaited) > MOST_REPORTS:
            del self._awaited[next(iter(self._awaited))]

    def take(self, pdu: Pdu, now: float) -> Arrived | Reported | Ignored | None:
        """What a PDU from the network or a store means; None for a part of something that is not whole yet."""
        tpdu = pdu.tpdu
        if isinstance(tpdu, StatusReport):
            return self._reported(tpdu)
        if not isinstance(tpdu, Deliver):
            return Ignored("leftover")  # somebody's draft
        if not self._heard_from(tpdu.sender.text):
            return Ignored("unknown_sender")
        whole = self._joiner.add(tpdu.sender.text, tpdu.content, now)
        if whole is None:
            return None
        return Arrived(tpdu.sender.text, whole.data if whole.text is None else whole.text, tpdu.stamp.unix)

    def _reported(self, report: StatusReport) -> Reported:
        token = self._awaited.get(report.reference)
        if report.outcome != "trying":
            self._awaited.pop(report.reference, None)
        return Reported(token, report.recipient.text, report.outcome, report.status)
