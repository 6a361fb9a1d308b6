"""`fengsui buffer` on real files: beside a running owner, alone, read-only, damaged, and not a buffer at all."""

import csv
import io
import json
import os
import random
import sqlite3

import pytest
from sqlite_utils import Database

from agent.cli import main
from agent.clock import BUILD_TIME, Clock
from buffer.model import Lane, RouteSpec
from buffer.reader import Reader
from buffer.store import Buffer
from protocols import columns, event
from protocols.event import iso
from protocols.reading import Reading

BOOT = b"bootboot"
NOON = (BUILD_TIME + 86_400) * 1000  # Unix ms at boot time 0


def anchors():
    clock = Clock("system", boot=BOOT, now=lambda: 0, wall_ms=lambda: NOON)
    return clock.save()


def filled(path, numbers=100):
    """An owner at work: two series a second, one event, the clock's anchors."""
    buffer = Buffer.open(path, routes=[RouteSpec("p")])
    for n in range(1, numbers + 1):
        body = columns.pack(BOOT, [Reading(f"river.s{i}", n * 1000, n + i / 2, "m", 1) for i in range(2)])
        buffer.append(Lane.TELEMETRY, body)
    buffer.append(Lane.EVENT, event.encode("device.down", BOOT, 5000, {"device": "a\x1b[2J"}))
    buffer.flush().result(20)
    buffer.settle("p", buffer.log, Lane.TELEMETRY, 1, numbers // 2)
    buffer.set_meta("clock", anchors())
    buffer.flush().result(20)
    return buffer


@pytest.fixture
def live(tmp_path):
    buffer = filled(tmp_path / "buffer.db")
    yield tmp_path / "buffer.db"
    buffer.close()


@pytest.fixture
def closed(tmp_path):
    filled(tmp_path / "buffer.db").close()
    return tmp_path / "buffer.db"


def say(capsys, *arguments):
    """(exit code, standard output, standard error)"""
    code = main(["--lang", "en", "buffer", *map(str, arguments)])
    out = capsys.readouterr()
    return code, out.out, out.err


def test_stats_beside_a_running_owner(live, capsys):
    code, out, _ = say(capsys, "stats", "--file", live, "--json")
    facts = json.loads(out)
    assert code == 0
    [telemetry] = [row for row in facts["logs"] if row["lane"] == "telemetry"]
    assert (telemetry["issued"], telemetry["pending"]) == (100, {"p": 50})
    assert facts["rows"]["block"] == 101
    code, out, _ = say(capsys, "stats", "--file", live)
    assert "issued = 100" in out


def test_tail_of_readings_and_of_events(live, capsys):
    _, out, _ = say(capsys, "tail", "--file", live, "-n", 3, "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["number"], row["series"], row["value"]) for row in rows] == [
        (99, "river.s1", 99.5),
        (100, "river.s0", 100.0),
        (100, "river.s1", 100.5),
    ]
    assert (rows[-1]["time"], rows[-1]["trusted"]) == (iso(NOON + 100_000), True)
    _, out, _ = say(capsys, "tail", "--file", live, "--lane", "event")
    assert "device.down" in out
    assert "\x1b" not in out


def test_export_as_csv_json_lines_and_a_table(live, tmp_path, capsys):
    _, out, _ = say(capsys, "export", "--file", live, "--series", "*.s1")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [float(row["value"]) for row in rows] == [n + 0.5 for n in range(1, 101)]
    _, _, _ = say(capsys, "export", "--file", live, "--jsonl", "--out", tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 200
    assert json.loads(lines[0])["quality"] == "good"
    for _ in range(2):
        assert say(capsys, "export", "--file", live, "--db", tmp_path / "out.db")[0] == 0
    db = Database(sqlite3.connect(tmp_path / "out.db"))
    assert db["reading"].count == 200
    assert next(db.query("select max(value) as top from reading where series = 'river.s0'"))["top"] == 100.0


def test_export_since(live, capsys):
    at = iso(NOON + 50_000)
    _, out, _ = say(capsys, "export", "--file", live, "--jsonl", "--since", at)
    times = [json.loads(line)["time"] for line in out.splitlines()]
    assert (len(times), min(times)) == (102, at)
    whole = say(capsys, "export", "--file", live, "--jsonl", "--since", "36500d")[1].splitlines()
    assert len(whole) == 200
    code, _, err = say(capsys, "export", "--file", live, "--since", "yesterday")
    assert code == 2
    assert "yesterday" in err


def test_verify_says_sound_and_what_is_not(closed, capsys):
    code, out, err = say(capsys, "verify", "--file", closed)
    assert code == 0
    assert "sound" in err
    with sqlite3.connect(closed) as db:
        keys = [key for (key,) in db.execute("select key from block where flags >= 0 order by key")]
        db.execute("update block set body = x'01' where key = ?", (keys[10],))
        db.execute("delete from block where key = ?", (keys[20],))
    code, out, _ = say(capsys, "verify", "--file", closed, "--json")
    found = json.loads(out)
    assert code == 1
    assert not found["sound"]
    assert len(found["unsound"]) == 1
    assert sum(each["numbers"] for each in found["missing"]) == 2


def test_verify_beside_an_owner_that_writes(live, capsys):
    assert say(capsys, "verify", "--file", live, "--json")[0] == 0


def test_a_folder_nobody_may_write(closed, capsys):
    closed.parent.chmod(0o500)
    try:
        assert say(capsys, "stats", "--file", closed)[0] == 0
    finally:
        closed.parent.chmod(0o700)


def test_what_is_no_buffer(tmp_path, capsys):
    code, _, err = say(capsys, "stats", "--file", tmp_path / "nothing.db")
    assert code == 2
    assert "nothing.db" in err
    (tmp_path / "junk.db").write_bytes(os.urandom(5000))
    for action in ("stats", "tail", "export", "verify"):
        code, _, err = say(capsys, action, "--file", tmp_path / "junk.db")
        assert code == 1
        assert "junk.db" in err
    sqlite3.connect(tmp_path / "other.db").execute("create table x (y)").connection.close()
    code, _, err = say(capsys, "stats", "--file", tmp_path / "other.db")
    assert code == 1


@pytest.mark.parametrize("arguments", [["tail", "-n", "0"], ["tail", "-n", "x"], ["export", "--csv", "--jsonl"], []])
def test_wrong_options(arguments, capsys):
    with pytest.raises(SystemExit) as wrong:
        main(["buffer", *arguments])
    assert wrong.value.code == 2
    capsys.readouterr()


def test_salvage_keeps_keys(closed, tmp_path, capsys):
    with Reader(closed) as reader:
        before = {(block.log, block.lane, block.first): block.body for block in reader.blocks()}
    data = bytearray(closed.read_bytes())
    data[:2048] = random.Random(1).randbytes(2048)  # without its first page SQLite refuses the file
    closed.write_bytes(data)
    out = tmp_path / "saved.db"
    code, said, _ = say(capsys, "salvage", closed, "--out", out, "--json")
    assert code == 0
    assert json.loads(said)["numbers"] > 50
    with Reader(out) as reader:
        after = {(block.log, block.lane, block.first): block.body for block in reader.blocks()}
    assert after.items() <= before.items()
    assert bytes(data) == closed.read_bytes(), "the damaged file is not touched"
    assert sorted(path.name for path in tmp_path.iterdir() if "saved" in path.name or "quarantine" in path.name) == [
        "saved.db"
    ]


def test_salvage_overwrites_nothing_and_says_when_there_is_nothing(closed, tmp_path, capsys):
    assert say(capsys, "salvage", closed, "--out", closed)[0] == 2
    assert say(capsys, "salvage", tmp_path / "none", "--out", tmp_path / "x.db")[0] == 2
    (tmp_path / "junk.db").write_bytes(bytes(10_000))
    assert say(capsys, "salvage", tmp_path / "junk.db", "--out", tmp_path / "x.db")[0] == 1


def test_a_body_of_a_later_version_is_a_row_of_its_size(tmp_path, capsys):
    buffer = Buffer.open(tmp_path / "b.db")
    buffer.append(Lane.TELEMETRY, b"\x02later")
    buffer.flush().result(20)
    buffer.close()
    _, out, _ = say(capsys, "tail", "--file", tmp_path / "b.db", "--json")
    assert json.loads(out)["bytes"] == 6
    assert say(capsys, "export", "--file", tmp_path / "b.db", "--jsonl")[1] == ""
