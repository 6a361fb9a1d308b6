"""`fengsui check`: every mistake of a configuration at once, then what is in force."""

import argparse
from typing import TYPE_CHECKING, Any

from agent.cli.common import BEARABLE, load_or_say, print_json, with_config, with_json, with_lenient
from drivers.values import Duration, Size

if TYPE_CHECKING:
    from agent.config import Config
    from agent.finding import Finding


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "check",
        description="Name every mistake with file, table and key; then show what is in force. Starts nothing.",
        epilog="Exit codes: 0 the configuration is good, or good enough to start with --lenient; 2 it is not.",
    )
    with_config(verb)
    with_json(verb)
    with_lenient(verb)
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    forgive = BEARABLE if options.lenient else ()
    config = load_or_say(options.config, as_json=options.json, forgive=forgive, lenient=options.lenient)
    if config is None:
        return 2
    from agent.forecast import forecast

    facts, advised, costs = in_force(config), advice(config), forecast(config)
    if config.bearers:
        costs["bearer"] = narrow_forecast(config)
    if options.json:
        found = [one.as_json() for one in advised]
        left = [one.as_json() for one in config.left_out]
        print_json({"ok": not left, "findings": left, "advice": found, "in_force": facts, "forecast": costs})
        return 0
    from agent.say import say

    for one in advised:
        print(one)
    if not config.left_out:
        print(say("check.good", file=options.config))
    for table, rows in facts.items():
        for row in rows if isinstance(rows, list) else [rows]:
            print(f"  [{table}] " + ", ".join(f"{key} = {value}" for key, value in row.items()))
    for row in costs["route"]:
        print(say("forecast.route", **row))
    for row in costs.get("bearer", ()):
        print(say("forecast.bearer", **row))
    print(say("forecast.flash", **costs["flash"]))
    return 0


def in_force(config: "Config") -> dict[str, Any]:
    """Every setting as it will be used, defaults included; file names and no secrets."""
    facts: dict[str, Any] = {
        "station": _plain(config.station) | {"state": str(config.state), "socket": str(config.socket or "")},
        "clock": _plain(config.clock),
        "buffer": _plain(config.buffer),
    }
    if config.warnings:
        facts["warnings"] = _plain(config.warnings)
    if config.lan:
        facts["lan"] = _plain(config.lan)
    facts["route"] = [_plain(route) for route in config.routes]
    facts["bus"] = [_plain(bus) for bus in config.buses]
    facts["derived"] = [{"kind": one.kind} | _plain(one.config) for one in config.derived]
    facts["consistency"] = [_plain(one) for one in config.consistency.values()]
    facts["rule"] = [_plain(rule) for rule in config.rules]
    facts["button"] = [_plain(button) for button in config.buttons]
    if config.contacts:
        facts["contacts"] = _plain(config.contacts)
    if config.narrow is not None:
        facts["narrow"] = _plain(config.narrow)
        facts["bearer"] = [{"driver": one.driver} | _plain(one.config) | _plain(one.common) for one in config.bearers]
    for table, made in (("sensor", config.sensors), ("actuator", config.actuators)):
        facts[table] = [{"driver": one.driver} | _plain(one.config) for one in made]
    return facts


def advice(config: "Config") -> "list[Finding]":
    """What will work and is still worth a sentence."""
    from agent.finding import Finding

    found = [
        Finding(str(config.file), f"route {route.name}", problem)
        for route in config.routes
        for problem in route.advice()
    ]
    if config.narrow is not None:
        from agent.bearers.config import advise

        found += [Finding(str(config.file), table, problem) for table, problem in advise(config.bearers, config.narrow)]
    return found


def narrow_forecast(config: "Config") -> list[dict[str, Any]]:
    """Messages and money a day of each bearer."""
    from agent.bearers.forecast import forecast
    from agent.config import specs_of
    from drivers.api import Context

    context = Context(config.base, lambda _kind, _fields: None, {bus.name: bus for bus in config.buses})
    return forecast(config, context, specs_of(config, context))


def _plain(table: Any) -> dict[str, Any]:
    """By the names of the file; durations are seconds and sizes bytes."""
    from msgspec.structs import fields

    kinds = {Duration: float, Size: int}
    values = {field.encode_name: getattr(table, field.name) for field in fields(table)}
    return {name: kinds[type(value)](value) if type(value) in kinds else value for name, value in values.items()}
