"""A route as it is configured: a platform's broker, topic root and format, and how its links behave.

Knows files only to say beforehand what is wrong with them. Secrets are in files that it names, never in it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec

from agent.links.tls import find, readable_by_others
from drivers.api import Problem
from drivers.values import Duration, Size
from protocols.envelope import DEFAULT_ROOT, is_root

SCHEMES = {"mqtt": 1883, "mqtts": 8883}  # default ports, IANA
# Seconds of keep-alive: (urgent, telemetry). A metered link pays about 100 bytes for each ping and its answer.
KEEPALIVE = {False: (10, 30), True: (60, 300)}
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Endpoint(NamedTuple):
    host: str
    port: int
    tls: bool


class RouteConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """`keepalive` (urgent) and `telemetry_keepalive` in seconds; 0 takes the default for a `metered` link or another."""

    name: str
    url: str
    root: str = DEFAULT_ROOT
    format: Literal["json", "cbor", "packed"] = "json"
    version: Literal["5", "3.1.1"] = "5"
    client_id: str = ""  # the station's id; the telemetry link appends "-t"
    ca: str = ""  # PEM file; empty: the system's authorities
    cert: str = ""
    key: str = ""
    credentials: str = ""  # TOML file with username and password, or the name of a systemd credential
    required: bool = True  # its dead platform holds back deletion
    warnings: bool = True  # subscribe to warnings here
    commands: bool = True
    no_subscribers_ok: bool = False  # take "no matching subscribers" for an acceptance
    metered: bool = False
    keepalive: int = 0
    telemetry_keepalive: int = 0
    linger: Duration = Duration(10.0)  # how long live telemetry waits for company
    status_interval: Duration = Duration(60.0)
    session_expiry: Duration = Duration(7 * 86_400.0)  # how long the broker keeps warnings for a silent station
    will_delay: Duration = Duration(30.0)  # a short break is not worth a false "offline"
    patience: Duration = Duration(20.0)  # data in flight and no PUBACK for so long: the link is not believed
    max_inflight: int = 100  # messages; 1..1000
    max_window: Size = Size(4 << 20)  # bytes in flight at most, whatever the link could take
    max_message: Size = Size(64 << 10)

    @property
    def endpoint(self) -> Endpoint:
        """ValueError for an address that is none."""
        parts = urlsplit(self.url)
        if parts.scheme not in SCHEMES or not parts.hostname or parts.username or parts.path.strip("/"):
            raise ValueError(self.url)
        return Endpoint(parts.hostname, parts.port or SCHEMES[parts.scheme], parts.scheme == "mqtts")

    def keepalives(self) -> tuple[int, int]:
        urgent, telemetry = KEEPALIVE[self.metered]
        return self.keepalive or urgent, self.telemetry_keepalive or telemetry

    def check(self, base: Path) -> Iterator[Problem]:
        """What would keep this route from ever working. Opens no connection."""
        try:
            endpoint = self.endpoint
        except ValueError:
            yield Problem("url", "route.url", {"value": self.url})
        else:
            if not endpoint.tls and (self.ca or self.cert or self.key):
                yield Problem("url", "route.tls_unused", {"value": self.url})
        if not is_root(self.root):
            yield Problem("root", "route.root", {"value": self.root})
        if bool(self.cert) != bool(self.key):
            yield Problem("key", "route.half_pair")
        yield from self._files(base)
        yield from self._limits()

    def advice(self) -> Iterator[Problem]:
        """What will work and is still worth a sentence from `check`."""
        if self.version == "3.1.1":
            yield Problem("version", "route.no_refusals")
        try:
            endpoint = self.endpoint
        except ValueError:
            return
        if self.credentials and not endpoint.tls and endpoint.host not in LOOPBACK:
            yield Problem("credentials", "route.plain_password", {"host": endpoint.host})

    def _files(self, base: Path) -> Iterator[Problem]:
        for name in ("ca", "cert", "key", "credentials"):
            value: str = getattr(self, name)
            if not value:
                continue
            path = find(base, value)
            if not path.is_file():
                yield Problem(name, "route.no_file", {"file": str(path)})
            elif name in ("key", "credentials") and readable_by_others(path):
                yield Problem(name, "route.open_file", {"file": str(path)})

    def _limits(self) -> Iterator[Problem]:
        for name, low, high in (
            ("max_inflight", 1, 1000),
            ("max_message", 1024, 1 << 20),
            ("max_window", 12_000, 64 << 20),
            ("keepalive", 0, 3600),
            ("telemetry_keepalive", 0, 3600),
            ("linger", 0, 3600),
            ("status_interval", 5, 86_400),
            ("patience", 5, 300),
        ):
            if not low <= getattr(self, name) <= high:
                yield Problem(name, "route.range", {"value": getattr(self, name), "low": low, "high": high})
