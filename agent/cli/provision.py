"""`fengsui provision`: one signed site pack a station, from a table and a template. For the office, not for the pole."""

import argparse
import time
from pathlib import Path
from typing import Any

from agent.cli.common import complain, print_json, told, wanted, with_json

REGISTER = "enrolment.csv"
DAYS = 90  # from the office to the pole; then keys, passwords and addresses may be others
MOST_DAYS = 3650
DAY = 86_400  # seconds


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "provision",
        description="Make a signed site pack for each row of a table (columns: id and whatever ${…} the template has). "
        "The key is an Ed25519 PEM (`fengsui warn key new`); its fingerprint goes to the sites on paper.",
        epilog="Exit codes: 0 all packs are written; 2 something is wrong, and none is.",
    )
    verb.add_argument("table", type=Path, help="stations.csv, UTF-8, one station a row")
    verb.add_argument("--template", type=Path, required=True, help="site.toml; files it names lie beside it")
    verb.add_argument("--key", type=Path, required=True, help="the office's private key")
    verb.add_argument("--out", type=Path, required=True, help="a folder for the packs")
    verb.add_argument("--days", type=days, default=DAYS, help=f"until a pack is too old to be opened (default: {DAYS})")
    with_json(verb)
    verb.set_defaults(run=run)


def days(text: str) -> int:
    with wanted("option.days", text):
        if not 1 <= int(text) <= MOST_DAYS:
            raise ValueError(text)
        return int(text)


def run(options: argparse.Namespace) -> int:
    from agent.keys import load_key, public_of
    from agent.site.provision import files_of, rows
    from protocols.errors import LocalError
    from protocols.keyring import fingerprint

    try:
        key = load_key(options.key)
        packs = {row["id"].strip(): files_of(options.template, row) for row in rows(options.table)}
        options.out.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(packs, key, options.out, options.days * DAY)
    except UnicodeDecodeError:
        complain("provision.encoding", table=options.table, template=options.template)
        return 2
    except (LocalError, OSError, ValueError) as wrong:
        complain("provision.failed", why=told(wrong))
        return 2
    office = fingerprint(public_of(key))
    if options.json:
        print_json({"ok": True, "packs": [f"{station}.pack" for station in packs], "fingerprint": office})
        return 0
    from agent.say import say

    print(say("provision.done", count=len(packs), folder=options.out, register=options.out / REGISTER))
    print(say("provision.office", fingerprint=office))
    return 0


def _write(packs: "dict[str, dict[str, bytes]]", key: Any, folder: Path, lasting: int) -> None:
    """All or none: packs hold secrets, and the register only their marks; none is replaced."""
    from agent.site.identity import write_secret
    from agent.site.pack import SECRET, seal_pack
    from agent.site.provision import mark

    for name in (REGISTER, *(f"{station}.pack" for station in packs)):
        if (folder / name).exists():
            raise FileExistsError(f"{folder / name} is there already: name another folder with --out")
    now = int(time.time())
    sealed = {station: seal_pack(station, files, key, now, now + lasting) for station, files in packs.items()}
    for station, pack in sealed.items():
        write_secret(folder / f"{station}.pack", pack)
    lines = [f"{station},{mark(files[SECRET])}\n" for station, files in packs.items()]
    write_secret(folder / REGISTER, "".join(["id,enrolment_sha256\n", *lines]).encode())
