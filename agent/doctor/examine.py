"""Facts in, lines out: what `fengsui doctor` says, and what an acceptance report repeats."""

from agent.doctor.facts import Facts
from agent.doctor.line import Line
from agent.doctor.machine_checks import machine
from agent.doctor.station_checks import station


def examine(facts: Facts) -> list[Line]:
    return [*machine(facts), *station(facts)]
