"""The project's own files and imports, for the tests that hold its rules."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAYERS = ("agent", "buffer", "drivers", "protocols")

# What tools leave behind, and what git keeps.
_NOT_OURS = {".git", ".venv", "__pycache__", "build", "dist", ".hypothesis"}


@cache
def files(suffix: str = "") -> tuple[Path, ...]:
    """Every file of the project, in order; those of one suffix when asked."""
    return tuple(sorted(path for path in ROOT.rglob(f"*{suffix}") if path.is_file() and _is_ours(path)))


def _is_ours(path: Path) -> bool:
    parents = path.relative_to(ROOT).parts[:-1]
    return not any(part in _NOT_OURS or part.endswith(("_cache", ".egg-info")) for part in parents)


def modules(layer: str) -> tuple[Path, ...]:
    return tuple(path for path in files(".py") if path.relative_to(ROOT).parts[0] == layer)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything imported, wherever in the file it stands; `from a import b` gives `a.b`."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"
