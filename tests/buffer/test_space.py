"""Too little space: what goes first, what never goes, and that every number given up is counted and told."""

import collections
import errno
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from buffer import disk, schema, tables
from buffer.model import Lane, Options, RouteSpec, Shed
from tests.buffer.support import Reports, accounted, everything, numbers, opened, put, thin, until

A, E, T, K = Lane.ALARM, Lane.EVENT, Lane.TELEMETRY, Lane.BULK
TIGHT = Options(max_bytes=512 << 10, commit_interval=0.002, settle_interval=0.05, ballast=1 << 14, memory_bytes=1 << 20)
WORDS = b",".join([b"word%04d" % n for n in range(110)])  # about 1 kB that thin() can halve


def at_rest(buffer):
    """The limits are kept and nothing is left to do."""

    def look():
        pruner = buffer._pruner
        return tables.used_bytes(buffer._engine.db) <= pruner.limit - pruner._quota(pruner.limit) - pruner.limit // 32

    until(lambda: buffer._worker.ask(look).result(60))
    buffer.flush().result(60)


def gone(buffer, lane, log=None):
    return {n for ranges in buffer.shed(log or buffer.log, lane).values() for a, b in ranges for n in range(a, b + 1)}


def test_settled_history_goes_before_anything_pending(tmp_path):
    reports = Reports()
    with opened(tmp_path / "b.db", options=TIGHT, report=reports, routes=[RouteSpec("main")]) as buffer:
        for n in range(1, 1201):
            put(buffer, T, WORDS)
            buffer.settle("main", buffer.log, T, n, n)
        put(buffer, T, *[WORDS] * 20)
        at_rest(buffer)
        assert buffer.shed(buffer.log, T) == {}
        assert numbers(everything(buffer, "main", T)) == set(range(1201, 1221))
        assert buffer.stats().gone["history"] > 500
        assert accounted(buffer, "main")
        assert not reports.of("buffer.shed")
        assert (tmp_path / "b.db").stat().st_size <= TIGHT.max_bytes


def test_bulk_goes_before_telemetry_and_alarms_stay(tmp_path):
    with opened(tmp_path / "b.db", options=TIGHT, routes=[RouteSpec("main")]) as buffer:
        put(buffer, A, *[b"alarm"] * 20)
        put(buffer, E, *[b"event"] * 20)
        for _ in range(15):
            put(buffer, K, *[bytes(1000)] * 10)
        for _ in range(40):
            put(buffer, T, *[WORDS] * 20)
        at_rest(buffer)
        assert gone(buffer, K) == set(range(1, 151))
        assert gone(buffer, T) == set(range(1, max(gone(buffer, T)) + 1))
        assert numbers(everything(buffer, "main", T)) == set(range(max(gone(buffer, T)) + 1, 801))
        assert not gone(buffer, A) | gone(buffer, E)
        assert accounted(buffer, "main")


def test_telemetry_is_thinned_before_it_is_dropped_and_kept_rows_are_spared(tmp_path):
    reports = Reports()
    with opened(tmp_path / "b.db", options=TIGHT, thin=thin, report=reports, routes=[RouteSpec("main")]) as buffer:
        put(buffer, T, WORDS, keep=True)
        for _ in range(36):
            put(buffer, T, *[WORDS] * 10)
        at_rest(buffer)
        thinned = buffer.stats().thinned
        assert thinned > 100
        assert not gone(buffer, T), "more than 400 kB of words thin into 380"
        for _ in range(100):
            put(buffer, T, *[WORDS] * 20)
        at_rest(buffer)
        assert gone(buffer, T)
        blocks = everything(buffer, "main", T)
        assert blocks[0][1:] == (T, 1, 1, WORDS, True)
        assert min(len(block.body) for block in blocks) < len(WORDS) // 2
        assert numbers(blocks) | gone(buffer, T) == set(range(1, 2362))
        assert accounted(buffer, "main")
        assert until(lambda: reports.of("buffer.thinned"))
        assert until(lambda: reports.of("buffer.shed"))[0]["reason"] == "space"


def test_a_dead_required_route_delays_deletion_and_an_optional_one_does_not(tmp_path):
    routes = [RouteSpec("alive"), RouteSpec("dead", required=False)]
    with opened(tmp_path / "b.db", options=TIGHT, routes=routes) as buffer:
        for n in range(1, 801):
            put(buffer, T, WORDS)
            buffer.settle("alive", buffer.log, T, n, n)
        put(buffer, T, *[WORDS] * 20)
        at_rest(buffer)
        assert set(buffer.shed(buffer.log, T)) == {"optional"}
        assert numbers(everything(buffer, "alive", T)) == set(range(801, 821))
        assert accounted(buffer, "alive")
        assert accounted(buffer, "dead")


def test_alarms_are_bounded_by_their_own_quota_and_take_from_nobody(tmp_path):
    with opened(tmp_path / "b.db", options=TIGHT, routes=[RouteSpec("main")]) as buffer:
        put(buffer, T, *[b"reading"] * 50)
        for _ in range(60):
            put(buffer, A, *[bytes(1000)] * 5)
        until(lambda: buffer.stats().lane_bytes[A] <= TIGHT.max_bytes // 4)
        assert set(buffer.shed(buffer.log, A)) == {"quota"}
        assert gone(buffer, A) == set(range(1, max(gone(buffer, A)) + 1))
        assert not gone(buffer, T)
        assert accounted(buffer, "main")


def test_with_no_platform_nothing_counts_as_settled(tmp_path):
    with opened(tmp_path / "b.db", options=TIGHT, routes=[]) as buffer:
        for _ in range(30):
            put(buffer, T, *[WORDS] * 20)
        at_rest(buffer)
        assert set(buffer.shed(buffer.log, T)) == {"space"}


def test_settled_history_grows_old_by_running_time(tmp_path):
    ages = Options(commit_interval=0.002, max_age={T: 3600.0})
    with opened(tmp_path / "b.db", options=ages, routes=[RouteSpec("main")]) as buffer:
        put(buffer, T, b"1", b"2", b"3")
        buffer.settle("main", buffer.log, T, 1, 2)

        def two_hours_later():
            upkeep = buffer._upkeep
            upkeep._running(0.0)
            upkeep._mark_due = 0.0
            began, before = upkeep._mark_from
            upkeep._mark(began)
            upkeep._mark_from = began - 7200, before
            upkeep._expire_due = 0.0

        buffer._worker.ask(two_hours_later).result(60)
        until(lambda: buffer.stats().gone.get("history") == 2)
        assert numbers(everything(buffer, "main", T)) == {3}


class Refusing:
    """A connection over a disk that can be told to refuse; everything else is the real one's."""

    def __init__(self, path, fault):
        self._db, self._fault = schema.connect(path), fault

    def execute(self, sql, parameters=()):
        if self._fault and sql.startswith(("BEGIN", "PRAGMA journal")):
            # SQLite itself has to say it, with its own code: a page limit below the size in use does
            self._fault[0](self._db)
        return self._db.execute(sql, parameters)

    def __getattr__(self, name):
        return getattr(self._db, name)


def refuse(code):
    import sqlite3

    def raiser(_db):
        error = sqlite3.OperationalError("told to refuse")
        error.sqlite_errorcode = code
        raise error

    return raiser


@pytest.mark.parametrize("code", [13, 778, 1034, 8, 14], ids=["full", "write", "fsync", "readonly", "cantopen"])
def test_a_disk_that_refuses_costs_nothing_that_memory_holds(tmp_path, code):
    fault, reports = [], Reports()
    options = Options(commit_interval=0.002, memory_bytes=100_000, ballast=1 << 14)
    with opened(
        tmp_path / "b.db", options=options, report=reports, connect=lambda path: Refusing(path, fault)
    ) as buffer:
        put(buffer, T, b"before")
        buffer.flush().result(60)
        fault.append(refuse(code))
        held = [buffer.append(T, b"held %d" % n) for n in range(20)]
        alarm = buffer.append(A, b"alarm")
        until(lambda: buffer.stats().degraded and buffer.committed(A) == 1)
        assert numbers(everything(buffer, "main", A)) == {1}, "an alarm leaves although the disk is full"
        assert numbers(everything(buffer, "main", T)) >= set(range(2, 22))
        assert not alarm.committed.done()
        for route in ("main", "spare"):
            buffer.settle(route, buffer.log, A, 1, 1)
        flood = [buffer.append(T, bytes(1000)) for _ in range(200)]
        assert sum(1 for one in flood if one.committed.done()) <= len(flood)
        fault.clear()
        buffer.flush().result(60)
        assert isinstance(held[0].committed.exception(5), Shed), "the oldest telemetry went first"
        assert flood[-1].committed.result(60) is None
        assert alarm.committed.result(60) is None
        shed = gone(buffer, T)
        assert shed == set(range(2, max(shed) + 1))
        assert numbers(everything(buffer, "main", T)) == {1, *range(max(shed) + 1, 222)}
        assert accounted(buffer, "main")
        assert accounted(buffer, "spare")
        until(lambda: reports.of("buffer.recovered"))
        assert len(reports.of("buffer.degraded")) == len(reports.of("buffer.recovered")) == 1
        assert until(lambda: reports.of("buffer.shed"))[0]["reason"] == "memory"


def test_a_buffer_born_on_a_refusing_disk_works_from_memory_and_recovers(tmp_path):
    fault, reports = [refuse(14)], Reports()
    with opened(tmp_path / "b.db", report=reports, connect=lambda path: Refusing(path, fault)) as buffer:
        waiting = buffer.append(T, b"1")
        until(lambda: buffer.committed(T) == 1)
        assert [b.body for b in buffer.read("main", T).result(60)] == [b"1"]
        fault.clear()
        waiting.committed.result(60)
        put(buffer, T, b"2")
        assert numbers(everything(buffer, "main", T)) == {1, 2}
        until(lambda: reports.of("buffer.recovered"))
        log = buffer.log
    with opened(tmp_path / "b.db") as buffer:
        assert numbers(everything(buffer, "main", T, log)) == {1, 2}


def test_the_ballast_is_set_only_where_there_is_room(tmp_path, monkeypatch):
    ballast = disk.Ballast(tmp_path / "b.db", 4096)
    assert ballast.set()
    assert (tmp_path / "b.db.ballast").stat().st_size == 4096
    assert ballast.release()
    monkeypatch.setattr(disk, "free", lambda _folder: 5000)
    assert not ballast.set()
    assert not (tmp_path / "b.db.ballast").exists()


CHILD = """
import resource, sys
from buffer.store import Buffer
from buffer.model import Lane, Options
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
buffer = Buffer.open(sys.argv[1], options=Options(commit_interval=0.002, ballast=1 << 12, memory_bytes=200_000))
for n in range(400):
    buffer.append(Lane.TELEMETRY, bytes(3000)).committed.exception
    buffer.append(Lane.ALARM, b"a%d" % n)
try:
    buffer.flush().result(60)
except Exception as error:
    print(type(error).__name__)
stats = buffer.stats()
print("fault", stats.fault, "alarms", stats.issued[Lane.ALARM])
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
buffer.flush().result(60)
print("degraded", buffer.stats().degraded)
assert buffer.close(20)
"""


@pytest.mark.parametrize("limit", [4096, 100_000, 800_000, 900_000])
def test_a_file_that_may_not_grow_stops_nothing(tmp_path, limit):
    """RLIMIT_FSIZE fails any write beyond it (EFBIG), wherever that happens to be: file, -wal, ballast, lock."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n" + CHILD,
            tmp_path / "b.db",
            str(limit),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path.cwd(),
    )
    assert done.returncode == 0, done.stderr
    assert "fault None alarms 400" in done.stdout
    assert "degraded False" in done.stdout
    with opened(tmp_path / "b.db") as buffer:
        old = buffer.logs()[0].log
        assert numbers(everything(buffer, "main", A, old)) == set(range(1, 401))
        assert accounted(buffer, "main")


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 2 MB, where we may mount one."""
    place = tmp_path / "small"
    place.mkdir()
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], check=False).returncode
    ):
        pytest.skip("needs the right to mount a tmpfs; the RLIMIT_FSIZE test covers the same path")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_file_system(small_disk):
    reports = Reports()
    options = Options(commit_interval=0.002, ballast=128 << 10, memory_bytes=100_000)
    with opened(small_disk / "b.db", options=options, report=reports, routes=[RouteSpec("main")]) as buffer:
        put(buffer, T, *[WORDS] * 50)
        filler = small_disk / "filler"
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            collections.deque((file.write(bytes(4096)) for _ in itertools.count()), maxlen=0)
        for _ in range(60):
            buffer.append(A, b"alarm")
            for _ in range(20):
                buffer.append(T, WORDS)
        until(lambda: buffer.committed(A) == 60)
        filler.unlink()
        until(lambda: not buffer.stats().degraded, 60)
        put(buffer, T, b"after")
        assert not gone(buffer, A)
        assert numbers(everything(buffer, "main", A)) == set(range(1, 61))
        assert numbers(everything(buffer, "main", T)) | gone(buffer, T) == set(range(1, 50 + 1200 + 2))
        assert accounted(buffer, "main")
        assert not buffer.stats().fault
