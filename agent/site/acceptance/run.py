"""An acceptance from its first row to its last, over a power cut in between. What was found stands in a file of the state
directory, so that a run goes on where it was.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from agent.say import say
from agent.site.acceptance import act, listen
from agent.site.acceptance.bench import Bench, until
from agent.site.acceptance.rows import Result, Row, absent, failed, passed
from agent.trust.keyrings import replace

STATE_FILE = "acceptance.json"
CUT = "power-cut"
MOST_STATE = 4 << 20  # bytes
STEPS = ("machine", "sensor", "bearer", "beacon", "drill", "forgery", "actuator", "audible", CUT)


class Progress(msgspec.Struct):
    """`boot` is set while a power cut is waited for: the boot that it must end."""

    began: int
    done: list[str] = []
    rows: list[Row] = []
    boot: str = ""


def load(state: Path) -> Progress | None:
    try:
        with (state / STATE_FILE).open("rb") as stream:
            return msgspec.json.decode(stream.read(MOST_STATE), type=Progress)
    except (OSError, ValueError):
        return None


def save(state: Path, progress: Progress) -> None:
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace(state / STATE_FILE, msgspec.json.encode(progress))


def go_on(bench: Bench, progress: Progress, *, without: Mapping[str, str], audible: bool, boot: str) -> bool:
    """Every step that is left; whether it is over. False: the plug is to be pulled now. `without`: steps that are not fitted."""
    state = bench.config.state
    steps: dict[str, Callable[[], Iterable[Row]]] = {
        "machine": lambda: machine(bench),
        "sensor": lambda: listen.sensors(bench),
        "bearer": lambda: listen.bearers(bench),
        "beacon": lambda: listen.beacons(bench),
        "drill": lambda: listen.drill(bench),
        "forgery": lambda: listen.forgery(bench),
        "actuator": lambda: act.probes(bench),
        "audible": lambda: heard(bench, audible=audible, without=without),
        CUT: lambda: power_cut(bench, progress.boot, boot),
    }
    for name in STEPS:
        if name in progress.done:
            continue
        if name == CUT and name not in without and progress.boot in ("", boot):
            progress.boot = boot
            save(state, progress)
            return False
        bench.tell("accept.step", step=say(f"accept.check.{name}"))
        progress.rows += [absent(name, without[name])] if name in without else steps[name]()
        progress.done.append(name)
        save(state, progress)
    return True


def machine(bench: Bench) -> Iterator[Row]:
    """The check-up of the computer; what else it looks at has rows of its own here."""
    from agent.doctor.gather import gather
    from agent.doctor.line import State
    from agent.doctor.machine_checks import machine as lines

    results = {State.OK: Result.PASS, State.WARN: Result.WARN, State.FAIL: Result.FAIL}
    for line in lines(gather(bench.config)):
        yield Row("machine", line.check, results[line.state], line.code, dict(line.facts))


def heard(bench: Bench, *, audible: bool, without: Mapping[str, str]) -> Iterable[Row]:
    """The siren sounds only for who said yes; that nobody did is no reason to accept it unheard."""
    if not bench.config.actuators:
        return [absent("audible")]
    if not audible:
        return [failed("audible", "", "accept.audible.no_yes")]
    return act.audible(bench, on_battery=without.get("supply", ""))


def power_cut(bench: Bench, before: str, now: str) -> Iterator[Row]:
    """Another boot, and the agent is back by itself and reads."""
    status = until(bench, lambda found: bool(found.get("readings", {}).get("committed")) or not bench.config.sensors)
    if status is None:
        yield failed(CUT, "", "accept.no_agent")
    elif bench.config.sensors and not status["readings"]["committed"]:
        yield failed(CUT, "", "accept.cut.silent")
    else:
        yield passed(CUT, "", "accept.cut.good", before=before, now=now)


def accepted(rows: Iterable[Row]) -> bool:
    return all(row.result is not Result.FAIL for row in rows)
