"""Power cuts: every state that SQLite's rules allow is reopened by the code that runs in the field."""

import os
import random
import shutil
import tempfile
from pathlib import Path

import pytest

from buffer import disk, retention, upkeep
from buffer.model import Lane, Options, RouteSpec
from buffer.store import Buffer
from tests.support.scale import count

apsw = pytest.importorskip("apsw")
from tests.support import crashvfs  # noqa: E402 - needs apsw

LANES = (Lane.ALARM, Lane.TELEMETRY)
ROUTES = (RouteSpec("main"),)
WORK = Options(commit_interval=0.0, settle_interval=0.002, merge_most=5, ballast=1 << 12)


class Recorded:
    """An apsw connection that answers to the names we use; `synchronous` may be overridden."""

    def __init__(self, path, vfs, synchronous):
        self._db = apsw.Connection(str(path), vfs=vfs)
        self._synchronous = synchronous

    def execute(self, sql, parameters=()):
        return self._db.execute(sql.replace("synchronous=FULL", f"synchronous={self._synchronous}"), parameters)

    def executemany(self, sql, rows):
        return self._db.executemany(sql, rows)

    def close(self):
        self._db.close()

    @property
    def in_transaction(self):
        return self._db.in_transaction


def body_of(log, lane, number):
    return f"{log}/{lane.name}/{number}".encode()


def merge(bodies):
    yield b",".join(bodies), len(bodies)


def record(folder, synchronous, monkeypatch):
    """A busy hour in a second: appends, settlements, merges, trims, checkpoints, and a restart in the middle."""
    monkeypatch.setattr(upkeep, "CHECKPOINT_FRAMES", 40)
    monkeypatch.setattr(upkeep, "CHECKPOINT_PAUSE", 0.0)
    monkeypatch.setattr(disk, "pregrow_wal", lambda _path: None)  # it writes past the recorder
    recording, rng = crashvfs.Recording(), random.Random(7)
    name = f"recorder-{synchronous}"
    open_still = [recording.vfs(name)]  # what ends here must not close its files in order
    for _ in range(2):
        buffer = Buffer.open(
            folder / "b.db",
            options=WORK,
            routes=ROUTES,
            merge=merge,
            connect=lambda path: Recorded(path, name, synchronous),
        )
        for _ in range(150):
            busy(buffer, rng, recording)
        assert not buffer.stats().fault
        buffer._engine.shut = lambda: None  # as kill -9: the next connection finds file and -wal as they are
        assert buffer.close(20)
        open_still.append(buffer)
    return recording, open_still


def busy(buffer, rng, recording):
    lane = rng.choice(LANES)
    made = []
    for _ in range(rng.randrange(1, 8)):
        one = buffer.append(lane, body_of(buffer.log, lane, buffer.next(lane)))
        fact = (buffer.log, lane, one.number)
        one.committed.add_done_callback(lambda _done, fact=fact: recording.ack(fact))
        made.append(one)
    made[-1].committed.result(20)
    if rng.random() < 0.5:
        low = rng.randrange(1, buffer.next(lane))
        buffer.settle("main", buffer.log, lane, low, low + rng.randrange(20))
    for job in rng.sample(
        [
            buffer._merger.step,
            lambda: buffer._pruner._take(retention.for_history),
            lambda: buffer._upkeep._checkpoint(1e9),
        ],
        2,
    ):
        if rng.random() < 0.3:
            buffer._worker.ask(job).result(20)


def verdict(folder, files, acked):
    """(numbers acknowledged and not there, files set aside) once the production code has opened this state."""
    for file, data in files.items():
        (folder / Path(file).name).write_bytes(data)
    buffer = Buffer.open(folder / "b.db", options=WORK, routes=ROUTES)
    lost = 0
    try:
        logs = {log for log, _, _ in acked}
        assert buffer.log not in logs
        there = {(log, lane): present(buffer, log, lane) for log in logs for lane in LANES}
        lost = sum(number not in there[log, lane] for log, lane, number in acked)
        assert buffer.append(Lane.ALARM, b"new").number == 1
    finally:
        assert buffer.close(20)
    return lost, len(disk.quarantined(folder / "b.db"))


def present(buffer, log, lane):
    """Numbers that can be read with their own body, and those that were settled and deleted."""
    if log not in buffer._ledger.logs:
        return set()
    blocks = buffer.history(log, lane, 1, 10**6, max_bytes=1 << 24).result(20)
    read = [(n, body) for b in blocks for n, body in zip(range(b.first, b.last + 1), b.body.split(b","), strict=True)]
    assert [(log, lane, n, body) for n, body in read if body != body_of(log, lane, n)] == [], "somebody else's body"
    deleted = buffer._ledger.logs[log].book(lane).gone.get("history", ())
    return {n for n, _ in read} | {n for first, last in deleted for n in range(first, last + 1)}


@pytest.fixture
def memory():
    """States are many and their disk need not be real."""
    place = Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    yield place
    shutil.rmtree(place)


def examine(memory, recording, many, seed=1):
    found = []
    for index, (files, acked) in enumerate(crashvfs.states(recording, many, seed)):
        folder = memory / str(index)
        folder.mkdir()
        found.append(verdict(folder, files, acked))
        shutil.rmtree(folder)
    return found


def test_nothing_acknowledged_is_lost_by_a_power_cut(memory, monkeypatch):
    (memory / "work").mkdir()
    recording, _open_still = record(memory / "work", "FULL", monkeypatch)
    assert sum(op[0] == "s" for op in recording.ops) > 300
    found = examine(memory, recording, count(5_000))
    assert [each for each in found if each != (0, 0)] == []


def test_the_same_harness_finds_damage_without_syncs(memory, monkeypatch):
    """Otherwise the test above proves nothing."""
    (memory / "work").mkdir()
    recording, _open_still = record(memory / "work", "OFF", monkeypatch)
    found = examine(memory, recording, count(1_000))
    assert sum(lost > 0 for lost, _ in found) > len(found) // 10
    assert sum(aside > 0 for _, aside in found) > 0
