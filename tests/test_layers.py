"""Who may import whom, and what a codec may not touch. The rule stands in docs/architecture.md; this holds it."""

import ast
import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.tree import LAYERS, ROOT, imports, modules, parsed, where

MAY_IMPORT = {
    "protocols": {"protocols"},
    "drivers": {"drivers", "protocols"},
    "buffer": {"buffer"},
    "agent": {"agent", "buffer", "drivers", "protocols"},
}
NEVER_OURS = {"tests", "benchmarks", "systemd"}

# A codec that is a pure function needs none of these: I/O, the clock, threads, chance, the log.
IMPURE = {
    "asyncio", "concurrent", "fcntl", "glob", "io", "logging", "mmap", "multiprocessing", "os", "pathlib", "random",
    "sched", "secrets", "select", "selectors", "shutil", "signal", "socket", "socketserver", "sqlite3", "ssl",
    "subprocess", "sys", "tempfile", "termios", "threading", "time", "urllib", "http", "uuid",
}  # fmt: skip
# What those modules also hold and what is no I/O: memory that reads like a file, facts about numbers.
PURE_NAMES = {"io.BytesIO", "io.StringIO", "sys.float_info", "sys.byteorder", "sys.maxsize"}
# Libraries that only turn bytes into values.
PURE_LIBRARIES = {"cbor2", "cryptography", "gmalg", "lxml", "msgspec"}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval"}
# Of datetime, and of the key types of cryptography: the clock and chance by the back door.
IMPURE_METHODS = {"now", "utcnow", "today", "generate", "generate_private_key"}

# Loaded by `fengsui run`, each of these would cost a Pi memory and start-up time that it has no use for.
HEAVY = ("rich", "lxml", "sqlite_utils", "aiohttp", "aiocoap", "iotcore", "pymodbus.server", "pymodbus.simulator")


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_only_what_is_below_it(layer):
    forbidden = (set(LAYERS) - MAY_IMPORT[layer]) | NEVER_OURS
    assert [
        f"{where(path, line)} imports {name}"
        for path in modules(layer)
        for line, name in imports(path)
        if name.split(".")[0] in forbidden
    ] == []


def test_no_file_is_needed_by_what_it_needs():
    """Nor by an import inside a function: files in a circle can only be understood all at once."""
    named = {_dotted(path): path for layer in LAYERS for path in modules(layer)}
    needs = {name: {_module(what, named) for _, what in imports(path)} - {"", name} for name, path in named.items()}
    assert _circle(needs) == []
    assert _circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _module(what: str, named: Mapping[str, Path]) -> str:
    """Which file an imported name stands in."""
    parts = what.split(".")
    return next((name for n in range(len(parts), 0, -1) if (name := ".".join(parts[:n])) in named), "")


def _circle(needs: Mapping[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as wrong:
        return list(wrong.args[1])
    return []


def test_nothing_is_imported_relatively():
    """One way to name a module; the tree reads as it imports."""
    found = [
        where(path, line)
        for layer in LAYERS
        for path in modules(layer)
        for line, name in imports(path)
        if name[0] == "."
    ]
    assert found == []


def test_protocols_touch_neither_machine_nor_clock_nor_chance():
    found = [
        f"{where(path, line)} imports {name}"
        for path in modules("protocols")
        for line, name in imports(path)
        if name not in PURE_NAMES and not _is_pure(name.split(".")[0])
    ]
    assert found == []


def _is_pure(package: str) -> bool:
    standard = package in sys.stdlib_module_names and package not in IMPURE
    return standard or package in PURE_LIBRARIES | {"protocols"}


def test_protocols_call_nothing_that_reads_prints_or_draws():
    assert [
        f"{where(path, node.lineno)} calls {name}"
        for path in modules("protocols")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and (name := _impure(node.func))
    ] == []


def _impure(called: ast.expr) -> str:
    match called:
        case ast.Name(id=name) if name in IMPURE_CALLS:
            return name
        case ast.Attribute(attr=name) if name in IMPURE_METHODS:
            return name
    return ""


def test_the_rule_sees_an_import_inside_a_function():
    tree = ast.parse("def f():\n    from datetime import datetime\n    return datetime.now()")
    assert [_impure(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)] == ["now"]
    assert not _is_pure("socket")
    assert not _is_pure("paho")
    assert _is_pure("struct")


@pytest.mark.skipif(importlib.util.find_spec("agent.station") is None, reason="agent.station does not exist yet")
def test_running_a_station_loads_nothing_heavy():
    """Every built-in driver included, though a station imports only those it names."""
    script = """if True:
        import json, sys
        import agent.station
        from drivers import registry
        for table in (registry.SOURCES, registry.ACTUATORS):
            for name in table:
                registry.resolve(table, name)
        print(json.dumps(sorted(sys.modules)))"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = json.loads(done.stdout)
    assert [name for name in loaded if name.startswith(tuple(f"{heavy}." for heavy in HEAVY)) or name in HEAVY] == []
