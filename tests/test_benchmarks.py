"""The bench's harness: a figure is measured or reported as failed with the reason, never made up, and merging keeps the rest."""

import json
import shutil
import subprocess
import sys

import pytest

from benchmarks import report
from benchmarks.report import Benchmark, Figure, Value
from tests.support.tree import ROOT

SAMPLE = """
import os
import sys
import time

from benchmarks.report import Figure, Value, measures


@measures(2, Figure("resident memory", "MiB", "≤ 45", peer="other gateway"), Figure("start", "s", "≤ 0.6"))
def good():
    print("chatter")
    return {"resident memory": Value(40.5, 66.0), "start": 0.7}


@measures(3, Figure("drain", "readings/s", "≥ 300,000"))
def crashes():
    raise RuntimeError("no broker")


@measures(3, Figure("killed", "s"))
def killed():
    os.kill(os.getpid(), 9)


@measures(3, Figure("hang", "s"), patience=1.0)
def hangs():
    time.sleep(600)


@measures(4, Figure("asked", "s"), Figure("forgotten", "s"))
def half():
    return {"asked": 1.0, "unasked": 2.0}
"""
KEYS = {"issue", "figure", "value", "unit", "asked", "peer", "peer_value", "machine"}


@pytest.fixture
def bench(tmp_path):
    """Runs the harness over a folder of sample benchmarks; gives (exit code, results by figure, what it printed)."""
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    for name in ("__init__.py", "__main__.py", "report.py"):
        shutil.copy(ROOT / "benchmarks" / name, folder)
    (folder / "sample.py").write_text(SAMPLE)
    (folder / "torn.py").write_text("import no_such_library_anywhere\n")

    def run(*only):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks", *only], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        path = folder / "results.json"
        rows = json.loads(path.read_text()) if path.exists() else []
        return done.returncode, {row["figure"]: row for row in rows}, done.stdout + done.stderr

    return run


def test_every_declared_figure_is_there_measured_or_failed(bench):
    code, results, said = bench()
    assert code == 1  # something failed
    assert all(set(row) - {"failed"} == KEYS for row in results.values())
    memory = results["resident memory"]
    assert (memory["value"], memory["peer"], memory["peer_value"]) == (40.5, "other gateway", 66.0)
    assert "failed" not in memory
    for figure, reason in {
        "drain": "no broker", "killed": "-9", "hang": "not done after 1 s", "forgotten": "not measured",
        "unasked": "not declared", "benchmarks/torn.py": "no_such_library_anywhere",
    }.items():  # fmt: skip
        assert results[figure]["value"] is None
        assert reason in results[figure]["failed"]
    assert [line.split()[-1] for line in said.splitlines() if "start" in line] == ["short"]


def test_one_benchmark_alone_leaves_the_others_figures(bench):
    bench("crashes")
    code, results, _ = bench("good")
    assert code == 0  # short of what was asked, yet measured
    assert set(results) == {"drain", "resident memory", "start"}


def test_a_whole_module_and_a_stranger(bench):
    code, _, said = bench("no_such")
    assert code == 2
    assert "good" in said
    assert "unasked" in bench("sample")[1]


def test_results_are_merged_by_issue_and_figure():
    one = Benchmark("b", "m", 3, (Figure("x", "s"),), dict, 1.0)
    old = [{"issue": 3, "figure": "x", "value": 1}, {"issue": 2, "figure": "x", "value": 2}]
    merged = report.merge(old, report.rows(one, {"x": 9.0}, "here"))
    assert [(row["issue"], row["value"]) for row in merged] == [(2, 2), (3, 9.0)]


@pytest.mark.parametrize(
    ("value", "asked", "reached"),
    [
        (45, "≤ 45", True), (45.1, "≤ 45", False), (300_000, "≥ 300,000", True), (0, "0", True), (1, "0", False),
        (1, "reported", None), (1, "within 20 %", None), (0.6, "≤ 0.6", True),
    ],
)  # fmt: skip
def test_what_is_asked_can_be_compared(value, asked, reached):
    assert report.reached(value, asked) is reached


def test_the_table_lines_up_with_han_characters():
    one = Benchmark("b", "m", 3, (Figure("温度", "s"), Figure("abcd", "s")), dict, 1.0)
    lines = report.table(report.rows(one, {"温度": Value(1.0, 2.0, "甲"), "abcd": 1.5}, "here")).splitlines()
    assert lines[1].startswith("3      温度    1 ")
    assert lines[2].startswith("3      abcd    1.5 ")


def test_the_machine_is_described():
    assert "cores" in report.machine()
