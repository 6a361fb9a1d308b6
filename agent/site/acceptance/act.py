"""Rows about what goes out: actuators probed in silence, and with a person's yes heard; the supply under the siren's load."""

import threading
from collections.abc import Iterator

from agent.site.acceptance.bench import Bench, Facts
from agent.site.acceptance.rows import Result, Row, Trace, absent, failed, passed

SECONDS = 10  # of siren on battery alone
LOOK = 0.5  # seconds between two looks at the supply
SAME = 0.3  # seconds between two looks at one and the same sample: ages are told to a tenth
LEAST_LOADED = 2  # samples while the siren sounds: one older than its first second knows nothing of the load
MOST_SAG = (
    0.10  # of the voltage at rest; a 12 V battery at 10.8 V under load is at its end (assumed; no standard asked)
)
SUPPLY = ("battery.voltage", "supply.voltage")  # how such series end


def probes(bench: Bench) -> Iterator[Row]:
    """Inaudible and invisible."""
    from agent.doctor.gather import probes as probed

    if not bench.config.actuators:
        yield absent("actuator")
    for probe in probed(bench.config):
        if probe.good:
            yield passed("actuator", probe.actuator, "accept.actuator.good")
        else:
            yield failed("actuator", probe.actuator, "accept.actuator.bad", why=probe.why or "-")


def audible(bench: Bench, *, on_battery: str) -> Iterator[Row]:
    """An exercise of this station's own, which says so (这是演练), with the siren. `on_battery`: why its supply is not judged."""
    begun = bench.ask("drill.start", seconds=SECONDS, siren=True, sure=True)
    if begun is None or "error" in begun:
        why = "no agent" if begun is None else str(begun.get("reason") or begun["error"])
        yield failed("audible", "", "accept.audible.refused", why=why)
        return
    watching = Watching(bench)
    result = _follow(bench)
    trace = watching.end()
    for row in result.get("actuators", ()):
        yield _acted(row)
    if not result:
        yield failed("audible", "", "accept.audible.refused", why="no agent")
    yield supply(trace) if not on_battery else absent("supply", on_battery)


def _acted(row: Facts) -> Row:
    name = str(row["actuator"])
    if row["result"] == "done":
        return passed("audible", name, "accept.audible.good", channel=row["channel"])
    if row["result"] == "not-asked":
        return Row("audible", name, Result.NOT_FITTED, "accept.audible.not_asked", {"why": row["reason"] or "-"})
    return failed("audible", name, "accept.audible.bad", why=row["reason"] or row["result"])


def _follow(bench: Bench) -> Facts:
    """The result; empty when the agent is gone."""
    after = 0
    deadline = bench.now() + SECONDS + 60.0
    while bench.now() < deadline:
        answer = bench.ask("drill.watch", after=after)
        if answer is None or "error" in answer:
            return {}
        after += len(answer["steps"])
        if answer["result"]:
            return dict(answer["result"])
    return {}


class Watching:
    """The supply, looked at beside the drill until `end`."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self._over = bench, threading.Event()
        self._trace: Trace | None = None
        self._began = bench.now()
        self._thread = threading.Thread(target=self._run, name="supply", daemon=True)
        self._thread.start()

    def end(self) -> Trace | None:
        self._over.set()
        self._thread.join()
        return self._trace

    def _run(self) -> None:
        while True:
            self._look()
            if self._over.wait(LOOK):
                return

    def _look(self) -> None:
        newest = (self._bench.ask("status") or {}).get("newest", {})
        name = next((one for one in newest if one.endswith(SUPPLY)), "")
        if name:
            if self._trace is None:
                self._trace = Trace(name, str(newest[name]["unit"]), [])
            at = round(self._bench.now() - self._began - float(newest[name]["age"]), 1)
            if not self._trace.points or at > self._trace.points[-1][0] + SAME:
                self._trace.points.append((at, float(newest[name]["value"])))


def supply(trace: Trace | None) -> Row:
    """How far it sagged from what it was at the beginning."""
    if trace is None:
        return absent("supply", code="accept.supply.none")
    values = [value for _, value in trace.points]
    rest, lowest = values[0], min(values)
    facts = {"rest": round(rest, 2), "lowest": round(lowest, 2), "unit": trace.unit}
    loaded = sum(at > 0 for at, _ in trace.points[1:])
    good = rest > 0 and lowest >= rest * (1 - MOST_SAG)
    if loaded < LEAST_LOADED:
        row = failed("supply", trace.name, "accept.supply.blind", series=trace.name, count=loaded, least=LEAST_LOADED)
    elif good:
        row = passed("supply", trace.name, "accept.supply.good", **facts)
    else:
        row = failed("supply", trace.name, "accept.supply.bad", **facts)
    row.traces = [trace]
    return row
