"""A sky with loss between a sender and a receiver, slot by slot, in simulated time."""

from protocols.narrow import header
from protocols.narrow.fragments import Sending
from protocols.narrow.link import Link, One
from protocols.narrow.reassembly import Reassembly

SLOT = 60.0  # seconds: a BeiDou card
DELAY = 8.0  # there and back


class Air:
    """One message to one headend. `forge(datagram)`: what somebody else says right behind it."""

    def __init__(self, rng, station, headend, *, loss, mtu=77, forge=lambda _: ()):
        self.rng, self.station, self.loss, self.mtu, self.forge = rng, station, loss, mtu, forge
        self.reassembly = Reassembly()
        self.link = Link(One(headend), self.reassembly)
        self.got = []

    def lost(self):
        return self.rng.random() < self.loss

    def deliver(self, data, now):
        """The receipt that comes back, if one does."""
        received = self.link.receive("card", header.decode(data), now)
        if received.opened and received.opened.fresh:
            self.got.append(received.opened.body)
        return received.receipt

    def carry(self, message, most=400):
        """Slots until the sender knows, and how it ended."""
        sending, now = Sending(message, self.mtu), 0.0
        for slot in range(1, most + 1):
            self.slot(sending, now)
            if sending.done or sending.failed:
                return slot, sending
            now += SLOT
            sending.tick(now)
        return most, sending

    def slot(self, sending, now):
        out = sending.next()
        if out is None:
            return
        sending.sent(out.place, now)
        answers = [] if self.lost() else [self.deliver(out.data, now)]
        answers += [self.deliver(forged, now) for forged in self.forge(out.data)]
        for receipt in answers:
            if receipt and not self.lost():
                sending.hear(receipt)
