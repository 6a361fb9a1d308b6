"""The step of `fengsui warn` that sends: an alert to its areas, a beacon to those who should hear it, a key-set to everybody."""

import argparse
import time
from collections.abc import Sequence

from agent.cli.broker import Client, Refused
from agent.cli.common import complain
from agent.cli.warn_seal import confirm, read
from agent.issue import read_sealed, topics_of
from protocols import envelope, keyring
from protocols.alert import Alert
from protocols.beacon import Beacon, open_beacon
from protocols.errors import LocalError, ProtocolError


def publish(options: argparse.Namespace) -> int:
    try:
        data = read(options.file)
        found = _what(data)
        if isinstance(found, Alert):
            confirm(found, options)
            return _send(options, data, topics_of(found, options.root), expiry=found.expires - int(time.time()))
        if isinstance(found, Beacon):
            return send_beacon(options, found, data)
        return _send(options, data, [envelope.keyset(options.root)])
    except LocalError as wrong:
        complain("warn.alert", why=wrong)
    except (ProtocolError, OSError) as wrong:
        complain("warn.unknown_kind", why=wrong)
    return 2


def send_beacon(options: argparse.Namespace, made: Beacon, data: bytes) -> int:
    areas = options.area or ["all"]
    try:
        topics = [envelope.beacon(options.root, area, str(made.issuer)) for area in areas]
    except LocalError as wrong:
        complain("warn.beacon", why=wrong)
        return 2
    return _send(options, data, topics)


def _what(data: bytes) -> Alert | Beacon | int:
    """An alert, a beacon, or the number of a key-set. Unverified: only to know where it goes."""
    try:
        return read_sealed(data)
    except ProtocolError as no_alert:
        for other in (lambda: open_beacon(data)[0], lambda: keyring.number_of(data)):
            try:
                return other()
            except ProtocolError:
                continue
        raise no_alert from None


def _send(options: argparse.Namespace, data: bytes, topics: Sequence[str], expiry: int | None = None) -> int:
    try:
        with Client(options, f"warn-{time.time_ns()}") as client:
            for topic in topics:
                client.publish(topic, data, retain=True, expiry=expiry)
                complain("warn.published", topic=topic, bytes=len(data))
    except Refused as wrong:
        complain("listen.refused", broker=options.broker, why=wrong)
        return 1
    except ValueError as wrong:
        complain("listen.options", why=wrong)
        return 2
    return 0
