"""`fengsui completion bash|zsh|fish`: a script for the shell, made from the parsers, that starts nothing at a TAB."""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from agent.cli.tree import Node, Value

SHELLS = ("bash", "zsh", "fish")
TEMPLATES = Path(__file__).parents[1] / "data" / "completion"


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "completion",
        description="Print a script that completes verbs, options, their values, files and profiles at a TAB.",
        epilog="Exit codes: 0 printed; 2 no such shell.",
    )
    verb.add_argument("shell", choices=SHELLS, help="for which shell")
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from agent.cli.tree import whole
    from drivers.profile import names

    print(script(options.shell, whole(), names(())), end="")
    return 0


def script(shell: str, top: "Node", profiles: Iterable[str]) -> str:
    """The shell's template, filled in with what every verb takes."""
    text = (TEMPLATES / f"fengsui.{shell}").read_text(encoding="utf-8")
    words = _fish if shell == "fish" else _bourne
    filled = {"profiles": " ".join(profiles)}
    for name, arms in {**_tables(top, shell), "value": _values(top)}.items():
        filled[name] = "\n".join(words(arm, shell) for arm in arms)
    for name, lines in filled.items():
        text = text.replace(f"@{name}@", lines)
    return text


class Arm(NamedTuple):
    """One arm of a `case`: keys, and lists of (word, what it is) by name; `kind` is what the shell looks for."""

    keys: tuple[str, ...]
    lists: dict[str, list[tuple[str, str]]]
    kind: str = ""


def _tables(top: "Node", shell: str) -> dict[str, list[Arm]]:
    rows = [(node, {"verbs": _verbs(node), "options": _options(node)}) for node in top.walk()]
    if shell != "fish":
        return {"after": [Arm((node.path,), lists) for node, lists in rows]}
    return {name: [Arm((node.path,), {name: lists[name]}) for node, lists in rows] for name in ("verbs", "options")}


def _verbs(node: "Node") -> list[tuple[str, str]]:
    return [(child.path.split()[-1], child.summary) for child in node.children]


def _options(node: "Node") -> list[tuple[str, str]]:
    return [(option.names[-1], option.help) for option in node.options]


def _values(top: "Node") -> list[Arm]:
    """What may stand behind each option and at each place; keys with the same answer share an arm."""
    arms: dict[Value, list[str]] = {}
    for node in top.walk():
        for slot, value in _slots(node):
            arms.setdefault(value, []).append(f"{node.path}:{slot}")
    return [
        Arm(tuple(keys), {"choice": [(word, "") for word in value.words]}, value.kind) for value, keys in arms.items()
    ]


def _slots(node: "Node") -> "Iterator[tuple[str, Value]]":
    for option in node.options:
        if option.value is not None:
            yield from ((name, option.value) for name in option.names)
    for number, place in enumerate(node.places):
        yield str(number), place.value
        if place.many:
            yield "many", place.value


def _bourne(arm: Arm, shell: str) -> str:
    """An arm for bash (`x='a b'`) or zsh (`x=('a:what' …)`)."""
    sets = [
        f"{name}=({' '.join(_quoted(f'{word}:{what}' if what else word) for word, what in rows)})"
        if shell == "zsh"
        else f"{'words' if name == 'choice' else name}={_quoted(' '.join(word for word, _ in rows))}"
        for name, rows in arm.lists.items()
    ]
    return f"    {' | '.join(map(_quoted, arm.keys))}) {' '.join(sets)} kind={arm.kind} ;;"


def _fish(arm: Arm, _shell: str) -> str:
    (rows,) = arm.lists.values()
    lines = [f"{word}\t{what}" if what else word for word, what in rows]
    acts = [f"printf '%s\\n' {' '.join(map(_fish_quoted, lines))}"] if lines else []
    acts += (
        [{"file": "__fengsui_files", "profile": "__fengsui_profiles; __fengsui_files"}[arm.kind]] if arm.kind else []
    )
    return f"        case {' '.join(map(_fish_quoted, arm.keys))}\n            {'; '.join(acts) or 'true'}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
