"""Whether a route's broker answers, and until when certificates hold: one connection, closed at once; nothing is said to it."""

import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

from agent.doctor.facts import Broker
from agent.links.route import RouteConfig
from agent.links.tls import SecretError, Tls, find
from protocols.alert import ClockReading

PATIENCE = 5.0  # seconds; a technician waits
MOST_PEM = 64 * 1024  # bytes


def brokers(routes: Sequence[RouteConfig], base: Path, now: float) -> list[Broker]:
    return [broker(route, base, now) for route in routes]


def broker(route: RouteConfig, base: Path, now: float) -> Broker:
    host, port, tls = route.endpoint
    own = certificate_end(find(base, route.cert)) if route.cert else None
    found = Broker(route.name, host, port, own_ends=own)
    try:
        with socket.create_connection((host, port), timeout=PATIENCE) as plain:
            return found._replace(ends=_peer_end(plain, route, base, now)) if tls else found
    except SecretError as wrong:
        return found._replace(why=str(wrong))
    except ssl.SSLCertVerificationError as wrong:
        return found._replace(why=wrong.verify_message or str(wrong))
    except OSError as wrong:
        return found._replace(why=wrong.strerror or str(wrong) or type(wrong).__name__)


def _peer_end(plain: socket.socket, route: RouteConfig, base: Path, now: float) -> float:
    ca, cert, key = (find(base, name) if name else None for name in (route.ca, route.cert, route.key))
    tls = Tls(ca, cert, key, clock=lambda: ClockReading(int(now), int(now), trusted=True))
    with tls.context().wrap_socket(plain, server_hostname=route.endpoint.host) as secure:
        return float(ssl.cert_time_to_seconds(str((secure.getpeercert() or {})["notAfter"])))


def certificate_end(file: Path) -> float | None:
    from cryptography import x509

    try:
        with file.open("rb") as stream:
            return x509.load_pem_x509_certificate(stream.read(MOST_PEM)).not_valid_after_utc.timestamp()
    except (OSError, ValueError):
        return None
