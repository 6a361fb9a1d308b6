"""The station: brokers, whom it believes, beacons, bearers, sirens. Judges facts; gathers none."""

from collections.abc import Iterator, Mapping
from typing import Any

from agent.doctor.facts import Broker, Facts
from agent.doctor.line import Line, fail, ok, warn

DAY = 86_400.0
SOON = 30 * DAY  # before the end of a certificate or key: a visit's notice
SILENT = DAY  # an issuer's beacon comes every hour; a day without is a broken way down
ENOUGH_MEDIA = 2


def station(facts: Facts) -> Iterator[Line]:
    yield ok("agent", "doctor.agent.ok") if facts.status is not None else warn("agent", "doctor.agent.none")
    for broker in facts.brokers:
        yield from _broker(broker, facts.clock.now)
    yield from _ring(facts)
    if facts.status is not None:
        yield from _beacons(facts.status)
        yield from _bearers(facts.status)
        yield from _sensors(facts.status)
    for probe in facts.probes:
        if probe.good:
            yield ok("actuator", "doctor.probe.ok", actuator=probe.actuator)
        else:
            yield fail("actuator", "doctor.probe.silent", actuator=probe.actuator, why=probe.why)


def _broker(broker: Broker, now: float) -> Iterator[Line]:
    where = {"route": broker.route, "host": broker.host, "port": broker.port}
    if broker.why:
        yield fail("broker", "doctor.broker.away", why=broker.why, **where)
    else:
        yield ok("broker", "doctor.broker.ok", **where)
    for whose, ends in (("broker", broker.ends), ("own", broker.own_ends)):
        if ends is not None:
            yield _end("certificate", f"doctor.certificate.{whose}", ends - now, route=broker.route)


def _end(check: str, code: str, left: float, **facts: Any) -> Line:
    """`code` has three sentences: that it holds, that it ends soon, that it is over."""
    rank, word = (fail, "over") if left <= 0 else (warn, "soon") if left < SOON else (ok, "ok")
    return rank(check, f"{code}.{word}", days=abs(round(left / DAY)), **facts)


def _ring(facts: Facts) -> Iterator[Line]:
    ring = facts.ring
    if ring is None:
        return
    if ring.why:
        yield fail("keyring", "doctor.keyring.refused", why=ring.why)
        return
    age = max(0, round((facts.clock.now - ring.issued) / DAY))
    yield ok("keyring", "doctor.keyring.ok", number=ring.number, age=age, count=len(ring.ends))
    for name, ends in ring.ends.items():
        if ends - facts.clock.now < SOON:
            yield _end("keyring", "doctor.key", ends - facts.clock.now, key=name)


def _beacons(status: Mapping[str, Any]) -> Iterator[Line]:
    for row in status.get("warnings", {}).get("issuers") or ():
        ago = row.get("seconds_ago")
        who = {"issuer": row.get("issuer"), "holder": row.get("holder")}
        if ago is None:
            yield fail("beacon", "doctor.beacon.never", **who)
        elif row.get("silent") or ago > SILENT:
            yield fail("beacon", "doctor.beacon.silent", hours=round(ago / 3600), **who)
        else:
            yield ok("beacon", "doctor.beacon.ok", seconds=round(ago), **who)


def _bearers(status: Mapping[str, Any]) -> Iterator[Line]:
    bearers: Mapping[str, Mapping[str, Any]] = status.get("bearers", {})
    good = 0
    for name, bearer in bearers.items():
        if proven(bearer):
            good += 1
            yield ok("bearer", "doctor.bearer.ok", bearer=name)
        elif connected(bearer):
            yield fail("bearer", "doctor.bearer.unheard", bearer=name)
        else:
            yield fail("bearer", "doctor.bearer.unproven", bearer=name, bearer_state=bearer.get("state", "down"))
    if bearers and good < ENOUGH_MEDIA:
        yield warn("bearer", "doctor.bearer.few", count=good)


def proven(bearer: Mapping[str, Any]) -> bool:
    """The other side has answered through it: by its proofs, or of MQTT alone by an acknowledgement."""
    if "state" in bearer:
        return bool(bearer["state"] == "up")
    return connected(bearer) and bearer.get("seconds_since_accepted") is not None


def connected(bearer: Mapping[str, Any]) -> bool:
    """MQTT alone: its broker has taken us. Whether a platform is behind it, only an acknowledgement says."""
    return "state" not in bearer and bool((bearer.get("urgent") or {}).get("up"))


def _sensors(status: Mapping[str, Any]) -> Iterator[Line]:
    for name, sensor in status.get("sensors", {}).items():
        if sensor.get("state") == "up":
            yield ok("sensor", "doctor.sensor.ok", sensor=name)
        else:
            yield fail("sensor", "doctor.sensor.down", sensor=name)
