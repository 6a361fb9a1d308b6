"""`fengsui status`: how the station is, asked on the spot; works when every network is down."""

import argparse
from typing import Any

from agent.cli.common import complain, load_to_ask, print_json, with_config, with_json


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "status",
        description="Ask the running agent through its control socket: sensors, buffer, routes, warnings, clock.",
        epilog="Exit codes: 0 answered; 2 wrong configuration; 3 no agent answers.",
    )
    with_config(verb)
    with_json(verb)
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    config = load_to_ask(options.config, as_json=options.json)
    if config is None:
        return 2
    from agent.control import ask_any

    if not config.sockets:
        complain("status.no_socket", file=options.config)
        return 3
    answer = ask_any(config.sockets, "status")
    if answer is None or "error" in answer:
        complain("status.no_agent", socket=", ".join(map(str, config.sockets)))
        return 3
    if options.json:
        print_json(answer)
    else:
        print_status(answer)
    return 0


def print_status(answer: dict[str, Any], indent: str = "") -> None:
    """Nested facts as an indented list: readable over any terminal, nothing cut."""
    from agent.catalogue import plain
    from agent.cli.facts import named

    for key, value in answer.items():
        if isinstance(value, dict) and value:
            print(f"{indent}{named(key)}:")
            print_status(value, indent + "  ")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            print(f"{indent}{named(key)}:")
            for row in value:
                print(f"{indent}  - " + ", ".join(f"{named(k)} {named(plain(v))}" for k, v in row.items()))
        else:
            print(f"{indent}{named(key)}: {named(plain(value))}")
