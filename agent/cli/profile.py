"""`fengsui profile`: what devices are known, what one of them gives, whether a file is sound, and a beginning for a new one."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.common import DEFAULT_CONFIG, complain, print_json, with_json
from agent.cli.facts import named

if TYPE_CHECKING:
    from drivers.profile import Profile

TEMPLATES = Path(__file__).parents[1] / "data" / "profiles"


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "profile",
        description="A profile says what a device is: what to ask, what the answer means, in which unit, and who says so.",
        epilog="Exit codes: 0 done; 1 a profile is wrong; 2 no such profile. A station's own profiles lie in `profiles/` "
        "beside its configuration and are found before the shipped ones.",
    )
    verb.set_defaults(run=lambda _options: verb.print_help() or 2)
    kinds = verb.add_subparsers(dest="what", metavar="WHAT")
    listed = kinds.add_parser("list", help="every profile, shipped and own")
    listed.add_argument(
        "word", nargs="?", default="", help="only those that have this word in name, title, maker or series"
    )
    listed.set_defaults(run=run_list)
    show = kinds.add_parser("show", help="what a device gives: fengsui profile show qianjia-rain")
    show.add_argument("name", help="a profile's name, or a file")
    show.set_defaults(run=run_show)
    check = kinds.add_parser("check", help="every mistake in files, or in all profiles")
    check.add_argument("names", nargs="*", help="names or files (default: all)")
    check.set_defaults(run=run_check)
    new = kinds.add_parser("new", help="a file to begin with: fengsui profile new modbus my-gauge")
    new.add_argument("kind", help="modbus, nmea, line, sdi12 …")
    new.add_argument("name", help="small letters, digits and hyphens")
    new.add_argument("--folder", type=Path, help="where to put it (default: print it)")
    new.set_defaults(run=run_new)
    for one in (listed, show, check):
        one.add_argument(
            "--config", type=Path, default=Path(DEFAULT_CONFIG), help="the station's file, for its own profiles"
        )
        with_json(one)


def run_list(options: argparse.Namespace) -> int:
    from drivers.profile import find, names
    from drivers.profile_kinds import open_any

    own = (options.config.parent / "profiles",)
    rows = []
    for name in names(own):
        path = find(name, own)
        profile, problems = open_any(path) if path is not None else (None, [])
        row = _row(name, profile, own=path is not None and path.parent == own[0])
        if options.word.lower() in " ".join([name, *map(str, row.values())]).lower():
            rows.append(row | {"problems": len(problems)})
    if options.json:
        print_json(rows)
        return 0
    for row in rows:
        print(f"{row['name']:34} {row['kind']:8} {row['title']}" + (f" — {row['maker']}" if row["maker"] else ""))
    return 0


def run_show(options: argparse.Namespace) -> int:
    path = _path(options.name, options.config)
    if path is None:
        return _stranger(options)
    profile, problems = _opened(path)
    if profile is None:
        _say(path, problems)
        return 1
    from msgspec import to_builtins

    facts = to_builtins(profile, enc_hook=float)
    if options.json:
        print_json(facts)
        return 0
    _print(profile, facts)
    return 0


def run_check(options: argparse.Namespace) -> int:
    from agent.say import say
    from drivers.profile import names

    wanted = options.names or names((options.config.parent / "profiles",))
    paths = [(name, _path(name, options.config)) for name in wanted]
    missing = [name for name, path in paths if path is None]
    if missing:
        options.name = missing[0]
        return _stranger(options)
    found = {str(path): _opened(path)[1] for _, path in paths if path is not None}
    wrong = {path: problems for path, problems in found.items() if problems}
    if options.json:
        rows = {path: [{"key": one.key, "code": one.code, **one.facts} for one in each] for path, each in found.items()}
        print_json({"ok": not wrong, "profiles": rows})
        return 1 if wrong else 0
    for path, problems in wrong.items():
        _say(Path(path), problems)
    if not wrong:
        print(say("profile.good", count=len(found)))
    return 1 if wrong else 0


def run_new(options: argparse.Namespace) -> int:
    from drivers.profile_kinds import KINDS

    template = TEMPLATES / f"{options.kind}.toml"
    if options.kind not in KINDS or not template.is_file():
        complain("profile.no_kind", kind=options.kind, known=", ".join(one for one in KINDS if _has_template(one)))
        return 2
    if (
        not options.name.replace("-", "").isalnum()
        or not options.name.isascii()
        or options.name.lower() != options.name
    ):
        complain("profile.bad_name", name=options.name)
        return 2
    text = template.read_text(encoding="utf-8").replace("NAME", options.name)
    if options.folder is None:
        print(text, end="")
        return 0
    file = options.folder / f"{options.name}.toml"
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as wrong:
        complain("profile.not_written", file=file, why=wrong.strerror)
        return 1
    from agent.say import say

    print(say("profile.written", file=file))
    return 0


def _has_template(kind: str) -> bool:
    return (TEMPLATES / f"{kind}.toml").is_file()


def _row(name: str, profile: "Profile | None", *, own: bool) -> dict[str, Any]:
    series = [one.name for one in getattr(profile, "series", ())]
    return {
        "name": name,
        "kind": profile.kind if profile else "",
        "title": profile.title if profile else "",
        "maker": profile.maker if profile else "",
        "own": own,
        "series": series,
        "unverified": len(profile.unverified) if profile else 0,
    }


def _path(name: str, config: Path) -> Path | None:
    """A file that is named with its ending, or a profile by its name."""
    from drivers.profile import find

    return Path(name) if name.endswith(".toml") else find(name, (config.parent / "profiles",))


def _opened(path: Path) -> Any:
    from drivers.profile_kinds import open_any

    return open_any(path)


def _stranger(options: argparse.Namespace) -> int:
    import difflib

    from drivers.profile import names

    known = names((options.config.parent / "profiles",))
    near = difflib.get_close_matches(options.name, known, n=3) or known[:3]
    complain("profile.no_such", name=options.name, near=", ".join(near))
    return 2


def _say(path: Path, problems: Any) -> None:
    import sys

    from agent.say import say

    for one in problems:
        print(f"{path}: {one.key and one.key + ': '}{say(one.code, **one.facts)}", file=sys.stderr)


def _print(profile: "Profile", facts: dict[str, Any]) -> None:
    """As a person holds it against the datasheet."""
    print(f"{profile.name} ({profile.kind}): {profile.title}")
    for key in ("maker", "model", "source"):
        if facts.get(key):
            print(f"  {named(key)}: {facts[key]}")
    for key in ("defaults", "limits"):
        if facts.get(key):
            print(
                f"  {named(key)}: "
                + ", ".join(f"{name} = {value}" for name, value in facts[key].items() if value not in (None, []))
            )
    shown = (
        "unit",
        "span",
        "address",
        "fc",
        "type",
        "order",
        "scale",
        "offset",
        "sentence",
        "field",
        "rate",
        "flat",
        "spike",
    )
    for one in facts.get("series", ()):
        words = [f"{name} = {one[name]}" for name in shown if one.get(name) not in (None, "", [])]
        print(f"  {one['name']}: " + ", ".join(words))
    for one in profile.unverified:
        print(f"  ? {one}")
