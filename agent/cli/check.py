"""`fengsui check`: every mistake of a configuration at once, then what is in force."""

import argparse
from typing import TYPE_CHECKING, Any

from agent.cli.common import load_or_say, print_json, with_config, with_json

if TYPE_CHECKING:
    from agent.config import Config


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "check",
        help="find every mistake in a configuration",
        description="Name every mistake with file, table and key; then show what is in force. Starts nothing.",
        epilog="Exit codes: 0 the configuration is good; 2 it is not.",
    )
    with_config(verb)
    with_json(verb)
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    config = load_or_say(options.config, as_json=options.json)
    if config is None:
        return 2
    facts = in_force(config)
    if options.json:
        print_json({"ok": True, "findings": [], "in_force": facts})
        return 0
    from agent.say import say

    print(say("check.good", file=options.config))
    for table, rows in facts.items():
        for row in rows if isinstance(rows, list) else [rows]:
            print(f"  [{table}] " + ", ".join(f"{key} = {value}" for key, value in row.items()))
    return 0


def in_force(config: "Config") -> dict[str, Any]:
    """Every setting as it will be used, defaults included; file names and no secrets."""
    from msgspec import to_builtins

    def plain(thing: Any) -> Any:
        return {
            name: str(v) if isinstance(v, float | int) and type(v) not in (int, float, bool) else v
            for name, v in to_builtins(thing, enc_hook=str).items()
        }

    facts: dict[str, Any] = {
        "station": plain(config.station) | {"state": str(config.state), "socket": str(config.socket or "")},
        "clock": plain(config.clock),
        "buffer": plain(config.buffer),
    }
    if config.warnings:
        facts["warnings"] = plain(config.warnings)
    facts["route"] = [plain(route) for route in config.routes]
    facts["bus"] = [plain(bus) for bus in config.buses]
    for table, made in (("sensor", config.sensors), ("actuator", config.actuators)):
        facts[table] = [{"driver": one.driver} | plain(one.config) for one in made]
    return facts
