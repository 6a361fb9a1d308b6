"""Files that were scribbled on, cut, or lost their -wal: start-up is never refused, what can be read comes home."""

import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from buffer import disk
from buffer.model import Lane, RouteSpec
from buffer.schema import PAGE
from tests.buffer.support import Reports, accounted, everything, merge, numbers, opened, put, until
from tests.support.scale import count

T, A = Lane.TELEMETRY, Lane.ALARM


def fill(path, many=400, body=60):
    """A file with `many` telemetry numbers, the first tenth settled, and three alarms; the log."""
    with opened(path, merge=merge) as buffer:
        for start in range(1, many + 1, 2000):  # memory is bounded: nobody may append without end and not wait
            put(buffer, T, *[b"%0*d" % (body, n) for n in range(start, min(start + 2000, many + 1))])
        put(buffer, A, b"a1", b"a2", b"a3")
        buffer.settle("main", buffer.log, T, 1, many // 10)
        buffer.settle("spare", buffer.log, T, 1, many // 10)
        return buffer.log


def recovered(path, reports):
    """Opens, appends (which must work at once), waits for the salvage; the buffer stays open for the test."""
    with opened(path, report=reports, merge=merge) as buffer:
        assert put(buffer, T, b"new") == 1
        until(lambda: not buffer._salvage.running)
        put(buffer, T, b"newer")
        assert accounted(buffer, "main")
        yield buffer
        assert accounted(buffer, "main")
        assert not buffer.stats().fault


def scribble(path, pages, seed=1):
    rng = random.Random(seed)
    size = path.stat().st_size
    with path.open("r+b") as file:
        for page in pages:
            file.seek(page * PAGE % size)
            file.write(rng.randbytes(PAGE))


def test_a_file_that_is_no_database_is_set_aside(tmp_path):
    path, reports = tmp_path / "b.db", Reports()
    path.write_bytes(b"\xff" * 10_000)
    for buffer in recovered(path, reports):
        assert numbers(everything(buffer, "main", T)) == {1, 2}
    assert reports.of("buffer.damaged")
    assert (disk.quarantined(path)[0] / "b.db").read_bytes() == b"\xff" * 10_000


@pytest.mark.parametrize("page", [0, 1, 2])
def test_everything_comes_home_when_an_index_page_is_gone(tmp_path, page):
    path, reports = tmp_path / "b.db", Reports()
    log = fill(path)
    scribble(path, [page])
    for buffer in recovered(path, reports):
        held = numbers(everything(buffer, "main", T, log))
        unreadable = {n for ranges in buffer.shed(log, T).values() for a, b in ranges for n in range(a, b + 1)}
        assert held | unreadable >= set(range(41, 401))
        assert len(held) > 300
        bodies = {
            n: w
            for b in everything(buffer, "main", T, log)
            for n, w in zip(range(b.first, b.last + 1), b.body.split(b","), strict=True)
        }
        assert all(int(body) == number for number, body in bodies.items())


def test_one_page_in_a_thousand_costs_its_own_rows_only(tmp_path):
    path, reports = tmp_path / "b.db", Reports()
    log = fill(path, many=count(30_000), body=120)
    pages = path.stat().st_size // PAGE
    scribble(path, random.Random(5).sample(range(pages), max(1, pages // 1000)))
    with opened(path, report=reports) as buffer:
        put(buffer, T, b"new")
        everything(buffer, "main", T, log)  # meets the damage, if opening did not
        until(lambda: not buffer._salvage.running)
        issued, kept = count(30_000), len(numbers(everything(buffer, "main", T, log)))
        assert kept >= 0.97 * issued - issued // 10
        assert accounted(buffer, "main")


def test_a_page_met_while_running_is_set_aside_and_the_log_goes_on(tmp_path):
    path, reports = tmp_path / "b.db", Reports()
    log = fill(path, many=2000)
    with opened(path, report=reports) as buffer:
        assert put(buffer, T, b"1", b"2") == 2
        buffer._worker.ask(lambda: buffer._engine.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()).result(60)
        buffer._worker.ask(lambda: buffer._engine.db.execute("PRAGMA shrink_memory").fetchall()).result(60)
        scribble(path, range(16, 40))
        everything(buffer, "spare", T, log)
        until(lambda: reports.of("buffer.damaged") and not buffer._salvage.running)
        assert put(buffer, T, b"3") == 3
        assert numbers(everything(buffer, "main", T)) == {1, 2, 3}
        assert len(numbers(everything(buffer, "main", T, log))) > 1200
        assert accounted(buffer, "main")
        until(lambda: reports.of("buffer.salvaged"))


def test_a_truncated_file_gives_back_its_front(tmp_path):
    path, reports = tmp_path / "b.db", Reports()
    log = fill(path, many=2000)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2 // PAGE * PAGE + 100)
    with opened(path, report=reports) as buffer:
        put(buffer, T, b"new")
        everything(buffer, "main", T, log)
        until(lambda: not buffer._salvage.running)
        held = numbers(everything(buffer, "main", T, log))
        assert len(held) > 500
        assert accounted(buffer, "main")


def crashed(path, many):
    """Leaves file and -wal as kill -9 does; the log."""
    with opened(path) as buffer:
        for n in range(many):
            put(buffer, T, b"%d" % n)
        log = buffer.log
        for file in disk.siblings(path):
            file.with_name("crash-" + file.name).write_bytes(file.read_bytes())
    for file in disk.siblings(path):
        file.unlink(missing_ok=True)
        file.with_name("crash-" + file.name).rename(file)
    return log


def used_wal(path):
    """Bytes of the -wal that hold frames: it is grown ahead of use."""
    return len(path.with_name(path.name + "-wal").read_bytes().rstrip(b"\0"))


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.8, 0.99])
def test_a_lying_card_loses_the_end_of_the_wal_and_no_number_is_used_again(tmp_path, kept):
    path = tmp_path / "b.db"
    log = crashed(path, 60)
    wal = path.with_name("b.db-wal")
    with wal.open("r+b") as file:
        file.truncate(int(used_wal(path) * kept))
    with opened(path) as buffer:
        assert buffer.log != log
        put(buffer, T, b"new")
        held = numbers(everything(buffer, "main", T, log))
        assert held == set(range(1, len(held) + 1))
        assert (len(held) > 30) == (kept >= 0.8)


def test_a_scribbled_wal_gives_what_is_sound(tmp_path):
    path = tmp_path / "b.db"
    log = crashed(path, 60)
    wal = path.with_name("b.db-wal")
    data = bytearray(wal.read_bytes())
    data[used_wal(path) // 2 : used_wal(path) // 2 + 5000] = b"\x55" * 5000
    wal.write_bytes(data)
    with opened(path) as buffer:
        put(buffer, T, b"new")
        held = numbers(everything(buffer, "main", T, log))
        assert held == set(range(1, len(held) + 1))


def test_a_newer_schema_is_kept_aside_and_its_rows_come_home(tmp_path):
    path, reports = tmp_path / "b.db", Reports()
    log = fill(path)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version=99")
    db.close()
    for buffer in recovered(path, reports):
        assert numbers(everything(buffer, "main", T, log)) == set(range(41, 401))
        assert numbers(everything(buffer, "main", A, log)) == {1, 2, 3}
        assert buffer.shed(log, T) == {}
        assert buffer.floor("main", log, T) == 41
    assert "99" in reports.of("buffer.damaged")[0]["error"]


def test_a_file_of_somebody_else_is_left_alone_in_quarantine(tmp_path):
    path, reports = tmp_path / "b.db", Reports()
    with sqlite3.connect(path) as db:
        db.executescript("CREATE TABLE block (other); PRAGMA user_version=1;")
    db.close()
    for buffer in recovered(path, reports):
        assert numbers(everything(buffer, "main", T)) == {1, 2}
    assert reports.of("buffer.damaged")


@pytest.mark.parametrize(
    "state", ["{}", "[]", '{"closed":true,"telemetry":{"last":"x"}}', "nonsense", '{"closed":0,"telemetry":7}']
)
@pytest.mark.parametrize("honest", [True, False])
def test_corrupt_settled_ranges_send_again_and_are_reported(tmp_path, state, honest):
    from zlib import crc32

    path, reports = tmp_path / "b.db", Reports()
    log = fill(path)
    with sqlite3.connect(path) as db:
        crc = crc32(state.encode(), crc32(bytes.fromhex(log))) if honest else 1
        db.execute("UPDATE log SET state = ?, crc = ?", (state, crc))
    db.close()
    with opened(path, report=reports) as buffer:
        assert buffer.floor("main", log, T) == 1
        assert numbers(everything(buffer, "main", T, log)) == set(range(1, 401))
        put(buffer, T, b"new")
        assert until(lambda: reports.of("buffer.state_lost"))[0]["log"] == log


def test_a_row_that_fails_its_checksum_is_never_delivered(tmp_path):
    path, reports = tmp_path / "b.db", Reports()
    log = fill(path)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE block SET body = 'lies' WHERE key & 0xfffffffff = 50 AND key >> 61 = 2")
        db.execute("UPDATE block SET span = NULLIF(span, span) WHERE 0")
    db.close()
    with opened(path, report=reports) as buffer:
        put(buffer, T, b"new")
        assert 50 not in numbers(everything(buffer, "main", T, log))
        assert buffer.shed(log, T) == {"unreadable": ((50, 50),)}
        assert buffer.history(log, T, 50, 50).result(60) == []
        assert accounted(buffer, "main")
        assert until(lambda: reports.of("buffer.unreadable"))[0]["ranges"] == [(50, 50)]


def test_an_interrupted_salvage_begins_anew_and_brings_nothing_twice(tmp_path):
    path = tmp_path / "b.db"
    log = fill(path, many=3000)
    scribble(path, [0])
    with opened(path) as buffer:
        put(buffer, T, b"new")
    for _ in range(2):
        with opened(path) as buffer:
            put(buffer, T, b"new")
            until(lambda: buffer._salvage.running is False)
            assert len(numbers(everything(buffer, "main", T, log))) >= 2600
            (disk.quarantined(path)[0] / "salvaged").unlink()


def test_quarantine_keeps_the_last_two(tmp_path):
    path = tmp_path / "b.db"
    for _ in range(5):
        path.write_bytes(b"\xff" * 5000)
        path.with_name("b.db-wal").unlink(missing_ok=True)
        with opened(path) as buffer:
            put(buffer, T, b"new")
            until(lambda: not buffer._salvage.running)
    assert [disk.generation(place) for place in disk.quarantined(path)] == [4, 5]


def test_random_damage_never_refuses_a_start(tmp_path):
    path = tmp_path / "b.db"
    log = crashed(path, 40)
    sound = {file: file.read_bytes() for file in disk.siblings(path)}
    for seed in range(count(300)):
        rng = random.Random(seed)
        for file, data in sound.items():
            bad = bytearray(data)
            for _ in range(rng.randrange(4)):
                at = rng.randrange(len(bad))
                bad[at : at + rng.randrange(1, 3000)] = rng.randbytes(rng.randrange(1, 3000))
            file.write_bytes(bad[: rng.randrange(len(bad)) if rng.random() < 0.3 else len(bad)])
        with opened(path, routes=[RouteSpec("main")]) as buffer:
            put(buffer, T, b"new", b"newer")
            everything(buffer, "main", T, log)
            until(lambda: not buffer._salvage.running)
            assert numbers(everything(buffer, "main", T)) >= {1, 2}
            assert accounted(buffer, "main")
            assert not buffer.stats().fault


@pytest.mark.parametrize("how", ["file", "everything", "replaced"])
def test_a_file_deleted_under_a_running_agent_is_written_out_again(tmp_path, how):
    path, reports = tmp_path / "state" / "b.db", Reports()
    path.parent.mkdir()
    with opened(path, report=reports, merge=merge) as buffer:
        put(buffer, T, b"1", b"2")
        for file in disk.siblings(path):
            if how != "file" or file == path:
                file.unlink()
        if how == "replaced":
            path.write_bytes(b"somebody else's")
        put(buffer, T, b"3")
        buffer._worker.ask(buffer._engine.keep_place).result(60)
        put(buffer, T, b"4")
        log = buffer.log
        assert numbers(everything(buffer, "main", T)) == {1, 2, 3, 4}
        assert not buffer.stats().fault
        until(lambda: reports.of("buffer.file_gone"))
    assert [facts["rescued"] for facts in reports.of("buffer.file_gone")] == [True]
    assert not reports.of("buffer.damaged")
    with opened(path) as buffer:
        assert numbers(everything(buffer, "main", T, log)) == {1, 2, 3, 4}
    if how == "replaced":
        assert (disk.quarantined(path)[0] / "b.db").read_bytes() == b"somebody else's"


def test_a_rescue_that_the_disk_refuses_leaves_the_file_open_and_nothing_lying_about(tmp_path, monkeypatch):
    path, reports, rename = tmp_path / "b.db", Reports(), Path.rename

    def refused(file, target):
        if file.suffix == ".rescued":
            raise OSError(28, "No space left on device")
        return rename(file, target)

    with opened(path, report=reports) as buffer:
        put(buffer, T, b"1")
        path.unlink()
        with monkeypatch.context() as refusing:
            refusing.setattr(Path, "rename", refused)
            buffer._worker.ask(buffer._engine.keep_place).result(60)
        assert not path.with_name("b.db.rescued").exists()
        put(buffer, T, b"2")
        buffer._worker.ask(buffer._engine.keep_place).result(60)
        log = buffer.log
        until(lambda: len(reports.of("buffer.file_gone")) == 2)
    with opened(path) as buffer:
        assert numbers(everything(buffer, "main", T, log)) == {1, 2}
    assert [facts["rescued"] for facts in reports.of("buffer.file_gone")] == [False, True]


def test_a_place_that_is_gone_too_leaves_the_file_open(tmp_path):
    path, reports = tmp_path / "state" / "b.db", Reports()
    path.parent.mkdir()
    with opened(path, report=reports) as buffer:
        put(buffer, T, b"1")
        shutil.rmtree(path.parent)
        buffer._worker.ask(buffer._engine.keep_place).result(60)
        buffer._worker.ask(buffer._engine.keep_place).result(60)  # told once
        assert numbers(everything(buffer, "main", T)) == {1}
        path.parent.mkdir()
        buffer._worker.ask(buffer._engine.keep_place).result(60)
        put(buffer, T, b"2")
        log = buffer.log
        until(lambda: len(reports.of("buffer.file_gone")) == 2)
    with opened(path) as buffer:
        assert numbers(everything(buffer, "main", T, log)) == {1, 2}
    assert [facts["rescued"] for facts in reports.of("buffer.file_gone")] == [False, True]


def test_a_folder_in_the_files_place_is_set_aside(tmp_path):
    path, reports = tmp_path / "b.db", Reports()
    path.mkdir()
    (path / "note").write_text("kept")
    for buffer in recovered(path, reports):
        assert numbers(everything(buffer, "main", T)) == {1, 2}
    assert (disk.quarantined(path)[0] / "b.db" / "note").read_text() == "kept"
