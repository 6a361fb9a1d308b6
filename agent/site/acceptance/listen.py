"""Rows about what comes in: sensors read, bearers proven, beacons heard, a platform's drill arriving, a forgery refused."""

import os
import time
from collections.abc import Iterator

from agent.alerts.evidence import ACCEPTED
from agent.doctor.station_checks import SILENT, connected, proven
from agent.site.acceptance.bench import LOOK, Bench, Facts, until
from agent.site.acceptance.rows import Row, Trace, absent, failed, passed

ROUNDS = 5  # looks at each sensor, a second apart: a loose wire shows, and there is something to plot
MOST_TRACES = 16  # of one sensor
FORGED_FOR = 600  # seconds the forgery claims to hold


def sensors(bench: Bench) -> Iterator[Row]:
    if not bench.config.sensors:
        yield absent("sensor")
        return
    traces: dict[str, dict[str, Trace]] = {}
    wrong: dict[str, list[str]] = {}
    began = bench.now()
    for turn in range(ROUNDS):
        if turn:
            bench.sleep(LOOK)
        for row in bench.read():
            _take(row, bench.now() - began, traces, wrong)
    for made in bench.config.sensors:
        seen, faults = traces.get(made.name, {}), wrong.get(made.name, [])
        if faults or not seen:
            found = failed("sensor", made.name, "accept.sensor.bad", why="; ".join(dict.fromkeys(faults)) or "-")
        else:
            found = passed("sensor", made.name, "accept.sensor.good", count=len(seen), rounds=ROUNDS)
        found.traces = list(seen.values())[:MOST_TRACES]
        yield found


def _take(row: Facts, at: float, traces: dict[str, dict[str, Trace]], wrong: dict[str, list[str]]) -> None:
    name = str(row.get("sensor"))
    if "error" in row:
        wrong.setdefault(name, []).append(str(row["error"]))
    for reading in row.get("readings", ()):
        series = str(reading["series"])
        trace = traces.setdefault(name, {}).setdefault(series, Trace(series, str(reading["unit"]), []))
        trace.points.append((round(at, 2), float(reading["value"])))
        if reading["quality"] != "good":
            wrong.setdefault(name, []).append(f"{series} {reading['quality']}")


def bearers(bench: Bench) -> Iterator[Row]:
    names = [route.name for route in bench.config.routes] + [one.name for one in bench.config.bearers]
    if not names:
        yield absent("bearer")
        return
    status = until(bench, lambda found: all(proven(one) for one in found.get("bearers", {}).values()))
    for name in names:
        if status is None:
            yield failed("bearer", name, "accept.no_agent")
        elif proven(bearer := status.get("bearers", {}).get(name, {})):
            yield passed("bearer", name, "accept.bearer.good")
        else:
            yield failed("bearer", name, "accept.bearer.unheard" if connected(bearer) else "accept.bearer.bad")


def beacons(bench: Bench) -> Iterator[Row]:
    if bench.config.warnings is None:
        yield absent("beacon")
        return
    status = until(bench, lambda found: all(_heard(one) for one in _issuers(found)) and bool(_issuers(found)))
    rows = _issuers(status or {})
    if not rows:
        yield failed("beacon", "", "accept.no_agent" if status is None else "accept.beacon.nobody")
    for row in rows:
        name, heard = f"{row['issuer']} {row['holder']}", _heard(row)
        made = passed if heard else failed
        code = "accept.beacon.good" if heard else "accept.beacon.bad"
        yield made("beacon", name, code, seconds=row.get("seconds_ago"), bearer=row.get("bearer") or "-")


def _issuers(status: Facts) -> list[Facts]:
    return list(status.get("warnings", {}).get("issuers", ()))


def _heard(row: Facts) -> bool:
    return row.get("seconds_ago") is not None and row["seconds_ago"] <= SILENT


def drill(bench: Bench) -> Iterator[Row]:
    """Sealed by the platform, of one of its holders; a drill of this station's own has none."""
    if bench.config.warnings is None:
        yield absent("drill")
        return
    bench.tell("accept.drill.waiting", seconds=round(bench.patience))
    status = until(bench, lambda found: bool(_drills(found)))
    found = _drills(status or {})
    if status is None:
        yield failed("drill", "", "accept.no_agent")
    elif not found:
        yield failed("drill", "", "accept.drill.bad", seconds=round(bench.patience))
    else:
        facts = {"alert": found[0]["alert"], "who": ", ".join(found[0]["who"])}
        yield passed("drill", "", "accept.drill.good", channels=", ".join(found[0]["channels"]), **facts)


def _drills(status: Facts) -> list[Facts]:
    ours = {str(row.get("holder")) for row in _issuers(status)}
    active = status.get("warnings", {}).get("active", ())
    return [one for one in active if one.get("exercise") and ours & set(one.get("who", ()))]


def forgery(bench: Bench) -> Iterator[Row]:
    """Every word right, for this very place, and the seal a stranger's."""
    if bench.config.warnings is None:
        yield absent("forgery")
        return
    status = bench.ask("status") or {}
    issuer = next((int(one["issuer"]) for one in _issuers(status)), 1)
    answer = bench.ask("submit", data=forged(issuer, int(bench.config.station.areas[0])).hex())
    if answer is None or "error" in answer:
        yield failed("forgery", "", "accept.no_agent")
        return
    before, after = answer["before"], answer["after"]
    outcomes = [name for name, count in after.items() if count > before.get(name, 0)]
    refused = bool(outcomes) and not ACCEPTED & set(outcomes)
    made, code = (passed, "accept.forgery.good") if refused else (failed, "accept.forgery.bad")
    yield made("forgery", "", code, outcome=", ".join(outcomes) or "-")


def forged(issuer: int, area: int) -> bytes:
    """Made on the spot with a key that nobody knows and that is forgotten at once. An exercise: if it were believed in spite of
    everything, it would say so.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from protocols.alert import ActionCode, Alert, Level, MsgType, Status, chain_of, digest_of
    from protocols.seal import carry, seal

    now, text = int(time.time()), "accept: forged"
    alert = Alert(
        issuer=issuer, seq=now, status=Status.EXERCISE, msg_type=MsgType.ALERT,
        chain=chain_of("accept", os.urandom(8).hex()), event="11A51", level=Level.RED, action=ActionCode.EVACUATE,
        onset=None, expires=now + FORGED_FOR, area=(area,), text_digest=digest_of(text),
    )  # fmt: skip
    return carry(seal(alert, [Ed25519PrivateKey.generate()]), text)
