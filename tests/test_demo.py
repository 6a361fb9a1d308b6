"""The demonstration as a newcomer meets it: `make demo` on a fresh copy, and one JSON object for programs."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.support.broker import mosquitto
from tests.support.tree import ROOT, files

KEYS = {
    "readings_committed", "readings_delivered", "readings_lost", "duplicates_in_effect", "warnings_genuine",
    "warnings_sounded", "false_activations", "warning_latency_ms", "wire_bytes_per_reading", "flash_bytes_per_reading",
    "broker", "duration_s",
}  # fmt: skip
NO_INDEX = re.compile(r"No matching distribution|Could not find a version|Max retries|Temporary failure|Connection")
PATIENCE = 500  # seconds: an installation from the index and a minute's story, on a busy machine


@pytest.mark.broker
@pytest.mark.timeout(PATIENCE)
def test_it_prints_one_object_and_nothing_else_and_loses_nothing(tmp_path):
    """With the data of another part of the day, that a user brings."""
    mosquitto()
    lines = gzip.decompress((ROOT / "tests/captures/surfrad-slv16001.dat.gz").read_bytes()).splitlines(keepends=True)
    (tmp_path / "other.dat").write_bytes(b"".join(lines[:2] + lines[100:200]))
    done = subprocess.run(
        [sys.executable, "-m", "agent.cli", "demo", "--json", "--data", str(tmp_path / "other.dat")],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert set(found) == KEYS
    assert found["readings_committed"] == found["readings_delivered"] > 100
    assert found["readings_lost"] == found["duplicates_in_effect"] == found["false_activations"] == 0
    assert found["warnings_genuine"] == found["warnings_sounded"] > 0
    assert set(found["warning_latency_ms"]) == {"p50", "p99"}
    assert found["broker"] == "mosquitto"
    assert all(isinstance(found[key], int | float) for key in KEYS - {"warning_latency_ms", "broker"})


@pytest.mark.timeout(PATIENCE)
def test_make_demo_in_a_fresh_copy(tmp_path):
    if shutil.which("make") is None:
        pytest.fail("make is not installed")
    for path in tracked():
        copy = tmp_path / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, copy)
    clean = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV", "MAKEFLAGS")
    }
    done = subprocess.run(
        ["make", "demo", f"PYTHON={sys.executable}"],
        cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    if done.returncode and "fengsui demo" not in said and NO_INDEX.search(said) and os.environ.get("CI") != "true":
        reason = f"the package index cannot be reached: {said[-300:]}"
        print(reason)  # noqa: T201 - a skipped installation must be seen in the output
        pytest.skip(reason)
    assert done.returncode == 0, said[-4000:]
    for line in ("black hole", "kill -9", "forged", "replayed", "readings lost"):
        assert line in said
    assert "SOUNDED" not in said
    assert "NOT heard" not in said


def tracked():
    """What a clone would have."""
    try:
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return [str(path.relative_to(ROOT)) for path in files()]
    return [name for name in listed.stdout.splitlines() if (ROOT / name).exists()]
