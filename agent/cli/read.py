"""`fengsui read`: poll the configured sensors and print; through the running agent where there is one."""

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agent.cli.common import BEARABLE, complain, load_or_say, print_json, seconds, with_config, with_json, with_lenient

if TYPE_CHECKING:
    from agent.config import Config


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "read",
        description="Poll every configured sensor and print its values. A running agent does it, for the ports are its own.",
        epilog="Exit codes: 0 every sensor answered; 1 one did not; 2 wrong configuration.",
    )
    with_config(verb)
    with_json(verb)
    with_lenient(verb)
    verb.add_argument("--once", action="store_true", help="one round, then leave (default: a round every --every)")
    verb.add_argument("--every", type=seconds, default=5.0, metavar="SECONDS", help="time between rounds (default: 5)")
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    config = load_or_say(options.config, as_json=options.json, forgive=BEARABLE, lenient=options.lenient)
    if config is None:
        return 2
    if not config.sensors:
        complain("read.no_sensors", file=options.config)
        return 2
    import asyncio

    return asyncio.run(_rounds(config, options))


async def _rounds(config: "Config", options: argparse.Namespace) -> int:
    import asyncio

    while True:
        rows = await _round(config)
        for row in rows:
            _show(row, as_json=options.json)
        if options.once:
            return int(any("error" in row for row in rows))
        await asyncio.sleep(options.every)


async def _round(config: "Config") -> list[dict[str, Any]]:
    """One row a sensor, from the agent if it runs, else from the ports themselves."""
    import asyncio

    from agent.control import ask_any

    answer = await asyncio.to_thread(ask_any, config.sockets, "read")
    if answer is not None:
        return list(answer.get("sensors", [answer]))
    from agent.sampling import open_sensors, read_all

    async with open_sensors(config) as sensors:
        return await read_all(sensors)


def _show(row: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(row)
    elif "sensor" not in row:  # the agent's own excuse
        complain(row["error"], **{name: value for name, value in row.items() if name != "error"})
    elif "error" in row:
        code = "read.port" if row.get("reason") == "port" else "read.silent"
        complain(code, sensor=row["sensor"], why=row["error"])
    else:
        for reading in row["readings"]:
            print(f"{reading['series']:<28} {reading['value']:>12g} {reading['unit']:<6} {reading['quality']}")
