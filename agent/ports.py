"""No two parts of a configuration may open one serial port, by whatever names they call it. Opens nothing.

Two owners steal each other's bytes, or the second finds the port taken for as long as the first lives: at three in the morning
that looks like a broken sensor.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from drivers.address import parse
from drivers.api import Problem

KEYS = ("url", "port")  # where drivers keep the address of what they open

Owner = tuple[str, Any]
"""The label of a table (`sensor vane`) and its own configuration."""


def shared(owners: Iterable[Owner]) -> Iterator[tuple[str, Problem]]:
    """Every owner but the first of each port: its table, and whose the port is."""
    first: dict[str, tuple[str, str]] = {}
    for table, config in owners:
        for key, path in _serial_ports(config):
            owner, called = first.setdefault(identity(path), (table, path))
            if (owner, called) != (table, path):
                yield table, Problem(key, "port.shared", {"port": path, "other": owner, "called": called})


def identity(path: str) -> str:
    """The same for every name of one port: the device's number where it is there, else the file that its links end at."""
    try:
        found = Path(path).stat()
    except OSError:
        return os.path.realpath(path)
    return f"{found.st_rdev:x}" if stat.S_ISCHR(found.st_mode) else os.path.realpath(path)


def _serial_ports(config: Any) -> Iterator[tuple[str, str]]:
    """Key and path."""
    for key in KEYS:
        value = getattr(config, key, None)
        address = parse(value, key)[0] if isinstance(value, str) else None
        if address is not None and address.scheme == "serial":
            yield key, address.path
