"""`fengsui demo`: the main job on real input, with the faults it is for, in about a minute and with no hardware."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.common import complain, print_json, with_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.demo.story import Say
    from agent.demo.tally import Tally
    from drivers.simulated.surfrad import Row

BAD = ("demo.not_heard", "demo.not_silenced", "demo.sounded")
STEP_COLUMNS = 14


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "demo",
        description="A broker, simulated devices behind real serial lines playing a real day of weather, the agent as a "
        "process of its own; a black hole, a kill -9, and warnings true and false. Needs no hardware and no root.",
        epilog="Exit codes: 0 nothing lost and no false sound; 1 otherwise; 2 it could not start.",
    )
    with_json(verb)
    verb.add_argument("--data", type=Path, metavar="FILE", help="another SURFRAD day file to play")
    verb.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the station's files and logs here")
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    import asyncio
    import tempfile

    from agent.demo.broker import NoBroker
    from agent.demo.story import Stuck
    from agent.demo.world import DATA
    from drivers.simulated.surfrad import load

    data = options.data or DATA / "surfrad-slv16001.dat"
    try:
        rows = load(data)
    except (OSError, ValueError) as wrong:
        complain("demo.data", file=data, why=wrong)
        return 2
    say = _quiet if options.json else _teller()
    try:
        with tempfile.TemporaryDirectory(prefix="fengsui-demo-") as made:
            folder = options.keep or Path(made)
            folder.mkdir(parents=True, exist_ok=True)
            tally = asyncio.run(_tell(folder, rows, say))
    except NoBroker:
        complain("demo.no_broker")
        return 2
    except (OSError, ValueError, Stuck) as wrong:
        complain("demo.failed", why=wrong)
        return 2
    if options.json:
        print_json(tally.as_json())
    else:
        _table(tally)
    return 0 if tally.good else 1


async def _tell(folder: Path, rows: "Sequence[Row]", say: "Say") -> "Tally":
    from agent.demo.story import Story
    from agent.demo.subscriber import Platform
    from agent.demo.tally import Tally
    from agent.demo.world import open_world

    tally = Tally()
    async with open_world(folder, rows) as world:
        with Platform(world.broker.port, world.broker.version) as platform:
            await Story(world, platform, say, tally).tell()
    return tally


def _quiet(step: str, what: str, **facts: object) -> None:
    """For --json: one object and nothing else."""


def _teller() -> "Say":
    """Each step as it happens, with the second it happened in."""
    import time

    from rich.console import Console

    from agent.cli.parse import columns
    from agent.say import say

    console = Console(highlight=False)
    began = time.monotonic()

    def tell(step: str, what: str, **facts: object) -> None:
        loud, name = "bold red" if what in BAD else "bold", say(f"demo.step.{step}", **facts)
        name += " " * (STEP_COLUMNS - columns(name))
        console.print(f"[dim]{time.monotonic() - began:5.1f} s[/dim]  [{loud}]{name}[/{loud}] {say(what, **facts)}")

    return tell


def _table(tally: "Tally") -> None:
    from rich.console import Console
    from rich.table import Table

    from agent.say import say

    table = Table(title="Fengsui 烽燧", show_header=False)
    for name, value in {**tally.as_json(), "repeated": tally.repeated}.items():
        shown = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
        table.add_row(say(f"demo.row.{name}"), shown)
    Console(file=sys.stdout).print(table)
