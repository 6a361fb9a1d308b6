"""`python -m benchmarks [ONLY …]`: runs each benchmark in a process of its own, prints a table, writes results.json.

ONLY names a benchmark or a whole module. A crash, a hang or an import that fails costs that benchmark's figures, which
are then reported as failed with the reason. The exit code is non-zero when something failed, never for a slow figure.
"""

import argparse
import contextlib
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import benchmarks
from benchmarks import report
from benchmarks.report import Benchmark, Figure, Row, Value

NOT_BENCHMARKS = {"__main__", "report"}
ROOT = Path(__file__).parents[1]


def discover() -> tuple[list[Benchmark], dict[str, str]]:
    """(benchmarks in order of issue, module → why it cannot be imported)"""
    broken = {}
    for module in sorted(found.name for found in pkgutil.iter_modules(benchmarks.__path__)):
        if module not in NOT_BENCHMARKS:
            try:
                importlib.import_module(f"benchmarks.{module}")
            except Exception as error:  # noqa: BLE001 - one broken file must not hide the others' figures
                broken[module] = f"{type(error).__name__}: {error}"
    return sorted(report.registered.values(), key=lambda one: (one.issue, one.module)), broken


def run_apart(benchmark: Benchmark, machine: str) -> list[Row]:
    """In a fresh process, whose whole group is ended when its patience is over."""
    with tempfile.NamedTemporaryFile(suffix=".json") as answer, tempfile.TemporaryFile("w+", errors="replace") as said:
        command = [sys.executable, "-m", "benchmarks", "--answer", answer.name, benchmark.name]
        process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said, start_new_session=True)
        try:
            code = process.wait(benchmark.patience)
        except subprocess.TimeoutExpired:
            return report.failures(benchmark, f"not done after {benchmark.patience:.0f} s", machine)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if code:
            said.seek(0)
            trouble = said.read()
            print(trouble, file=sys.stderr)
            return report.failures(benchmark, trouble if code > 0 and trouble else f"exit code {code}", machine)
        measured = json.loads(Path(answer.name).read_text(encoding="utf-8"))
    return report.rows(benchmark, {name: Value(**value) for name, value in measured.items()}, machine)


def answer_with(name: str, path: Path) -> None:
    """The inside of `run_apart`: measure one benchmark and write what it returned."""
    discover()
    measured = report.registered[name].run()
    plain = {figure: asdict(v if isinstance(v, Value) else Value(v)) for figure, v in measured.items()}
    path.write_text(json.dumps(plain), encoding="utf-8")


def run_all(chosen: Sequence[Benchmark], broken: dict[str, str]) -> list[Row]:
    machine = report.machine()
    print(machine, file=sys.stderr)
    rows = [
        report.failure(Benchmark(module, module, 0, (), dict, 0.0), Figure(_whole(module), ""), why, machine)
        for module, why in broken.items()
    ]
    for benchmark in chosen:
        print(f"… {benchmark.name}", file=sys.stderr, flush=True)
        rows += run_apart(benchmark, machine)
    return rows


def _whole(module: str) -> str:
    """The figure under which a module that cannot be imported is reported."""
    return f"benchmarks/{module}.py"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="The project's figures.")
    parser.add_argument("only", nargs="*", metavar="ONLY", help="a benchmark or a module of benchmarks (default: all)")
    parser.add_argument("--list", action="store_true", help="name what there is and leave")
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.answer:
        answer_with(options.only[0], options.answer)
        return 0
    known, broken = discover()
    if options.list:
        print("\n".join(f"{one.module}: {one.name} ({', '.join(f.name for f in one.figures)})" for one in known))
        return 0
    strangers = set(options.only) - {one.name for one in known} - {one.module for one in known} - broken.keys()
    if strangers:
        parser.error(f"no benchmark named {', '.join(sorted(strangers))}; there are {', '.join(o.name for o in known)}")
    wanted = set(options.only) or {one.name for one in known} | broken.keys()
    chosen = [one for one in known if {one.name, one.module} & wanted]
    rows = run_all(chosen, {module: why for module, why in broken.items() if module in wanted})
    mended = {_whole(one.module) for one in chosen}
    kept = [row for row in report.read() if options.only and row.get("figure") not in mended]
    report.write(report.merge(kept, rows))
    print(report.table(rows))
    return int(any(row.failed is not None for row in rows))


if __name__ == "__main__":
    sys.exit(main())
