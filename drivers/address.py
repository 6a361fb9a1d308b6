"""Addresses of devices as URLs: `serial:///dev/ttyUSB0?baud=9600&parity=N&bits=8&stop=1`, `tcp://host:port`,
`rtu+tcp://host:port`, `replay:file?rate=10`, `sim:name`. Parsing opens nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlsplit

from drivers.api import Problem
from protocols.errors import LocalError

MODBUS_TCP_PORT = 502  # IANA
NETWORKED = ("tcp", "rtu+tcp")
_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "serial": ("baud", "parity", "bits", "stop"),
    "tcp": (),
    "rtu+tcp": (),
    "replay": ("rate",),
    "sim": (),
}
_CHOICES: Mapping[str, tuple[str, ...]] = {"parity": ("N", "E", "O"), "bits": ("7", "8"), "stop": ("1", "2")}
_NUMBERS: Mapping[str, tuple[float, float]] = {
    "baud": (50, 4_000_000),
    "rate": (0, 1e9),
}  # the fastest that Linux knows; of a file, plenty


@dataclass(frozen=True, slots=True)
class Address:
    """Where a device hangs. `path` is the port's or the capture's; `host` and `port` are the network's."""

    scheme: str
    path: str = ""
    host: str = ""
    port: int = 0
    baud: int = 9600
    parity: str = "N"
    bits: int = 8
    stop: int = 1
    rate: float = 0.0  # bytes a second of a replay; 0 is as fast as it goes

    @property
    def character(self) -> float:
        """Seconds that one character takes on the wire, start bit and all; 0 where there is no wire."""
        if self.scheme != "serial":
            return 0.0
        return (1 + self.bits + (self.parity != "N") + self.stop) / self.baud

    @property
    def label(self) -> str:
        """How a person would call it."""
        return self.path or f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class AddressKey:
    """The key of a driver's configuration that holds an address: what may stand there, and what goes without saying."""

    key: str
    schemes: tuple[str, ...]
    baud: int = 9600  # bit/s
    tcp_port: int = MODBUS_TCP_PORT

    def parse(self, url: str) -> tuple[Address | None, list[Problem]]:
        """The address, or everything that is wrong with it."""
        return parse(url, self.key, self.schemes, self.baud, self.tcp_port)

    def opened(self, url: str) -> Address:
        """Of a configuration that has been checked; LocalError for one that has not."""
        address, problems = self.parse(url)
        if address is None:
            raise LocalError(self.key, "; ".join(one.code for one in problems))
        return address

    def check(self, url: str, base: Path) -> Iterator[Problem]:
        """What is wrong with it, and whether anything is there."""
        address, problems = self.parse(url)
        yield from problems
        if address is not None:
            yield from missing(address, self.key, base)


def parse(
    url: str,
    key: str = "url",
    schemes: tuple[str, ...] = tuple(_SETTINGS),
    baud: int = 9600,
    tcp_port: int = MODBUS_TCP_PORT,
) -> tuple[Address | None, list[Problem]]:
    """The address, or everything that is wrong with it."""
    try:
        parts = urlsplit(url)
    except ValueError:  # half of the brackets that an IPv6 address has
        return None, [Problem(key, "url.host", {"url": url})]
    if parts.scheme not in schemes:
        return None, [Problem(key, "url.scheme", {"url": url, "known": ", ".join(schemes)})]
    settings = dict(parse_qsl(parts.query, keep_blank_values=True))
    problems = list(_wrong_settings(parts.scheme, settings, key))
    if parts.scheme in NETWORKED:
        port = _port(parts)
        if not parts.hostname or port is None:
            problems.append(Problem(key, "url.host", {"url": url}))
        place = Address(parts.scheme, host=parts.hostname or "", port=port or tcp_port)
    else:
        if not parts.path:
            problems.append(Problem(key, "url.path", {"url": url}))
        place = Address(parts.scheme, parts.path)
    return (None, problems) if problems else (_set(place, settings, baud), [])


def _port(parts: SplitResult) -> int | None:
    """0 where the address names none; None for what is no port."""
    try:
        return parts.port or 0
    except ValueError:
        return None


def _set(place: Address, settings: Mapping[str, str], baud: int) -> Address:
    return replace(
        place,
        baud=int(float(settings.get("baud", baud))),
        parity=settings.get("parity", "N"),
        bits=int(settings.get("bits", 8)),
        stop=int(settings.get("stop", 1)),
        rate=float(settings.get("rate", 0)),
    )


def _wrong_settings(scheme: str, settings: Mapping[str, str], key: str) -> Iterator[Problem]:
    known = _SETTINGS[scheme]
    for name, value in settings.items():
        if name not in known:
            yield Problem(key, "url.setting", {"name": name, "known": ", ".join(known) or "-"})
        elif name in _CHOICES and value not in _CHOICES[name]:
            yield Problem(key, "url.choice", {"name": name, "value": value, "known": ", ".join(_CHOICES[name])})
        elif name in _NUMBERS and not _is_number(value, *_NUMBERS[name]):
            yield Problem(key, "url.number", {"name": name, "value": value})


def _is_number(value: str, least: float, most: float) -> bool:
    try:
        return least <= float(value) <= most
    except ValueError:
        return False


def missing(address: Address, key: str = "url", base: Path = Path()) -> Iterator[Problem]:
    """A port or capture that is not there now. It may come later, so this is said by `check` and stops nothing else."""
    if address.scheme == "serial" and not Path(address.path).exists():
        yield Problem(key, "port.missing", {"port": address.path})
    if address.scheme == "replay" and not (base / address.path).is_file():
        yield Problem(key, "file.missing", {"file": str(base / address.path)})
