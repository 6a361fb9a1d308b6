"""Addresses that a headend listens on or speaks to: `host:port`. Loopback unless the configuration says otherwise."""

from collections.abc import Iterator

from drivers.api import Problem


def address_of(text: str) -> tuple[str, int]:
    """ValueError for anything but host and port; an IPv6 address stands in brackets."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 <= int(port) < 1 << 16:
        raise ValueError(text)
    return host.strip("[]"), int(port)


def problems(key: str, text: str) -> Iterator[Problem]:
    try:
        address_of(text)
    except ValueError:
        yield Problem(key, "headend.address", {"value": text})
