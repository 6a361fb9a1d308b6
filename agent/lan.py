"""`[lan]`: the one place where a station may be reached from a network other than loopback, and what for. Off unless there.

Only wireless nodes of the station's own, by the drivers that ask for it, are served there (`coap-lan`).
"""

import ipaddress
from collections.abc import Iterator

import msgspec

from drivers.api import Lan, Problem

LONGEST_PURPOSE = 200  # characters
LONGEST_INTERFACE = 15  # characters (IFNAMSIZ of linux/if.h, less its zero)


class LanConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`listen` an address of this computer, or `interface` whose address it is; `purpose` for whoever audits the station."""

    purpose: str
    listen: str = ""
    interface: str = ""

    def lan(self) -> Lan:
        return Lan(self.purpose, self.listen, self.interface)

    def check(self) -> Iterator[Problem]:
        if not self.purpose.strip() or len(self.purpose) > LONGEST_PURPOSE:
            yield Problem("purpose", "lan.purpose", {"most": LONGEST_PURPOSE})
        if bool(self.listen) is bool(self.interface):
            yield Problem("listen", "lan.where")
        if len(self.interface) > LONGEST_INTERFACE or "/" in self.interface:
            yield Problem("interface", "lan.interface", {"interface": self.interface})
        if self.listen:
            yield from _address(self.listen)


def _address(text: str) -> Iterator[Problem]:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        yield Problem("listen", "lan.address", {"address": text})
        return
    if address.is_unspecified or address.is_multicast or not (address.is_private or address.is_link_local):
        yield Problem("listen", "lan.public", {"address": text})
