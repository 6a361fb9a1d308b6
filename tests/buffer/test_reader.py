import sqlite3
from contextlib import closing

import pytest

from buffer.model import Lane
from buffer.reader import Reader
from tests.buffer.support import everything, merge, opened, put

T, A = Lane.TELEMETRY, Lane.ALARM


def test_a_reader_sees_what_the_agent_has_committed_and_is_in_nobodys_way(tmp_path):
    with opened(tmp_path / "b.db", merge=merge) as buffer:
        put(buffer, T, *[b"%d" % n for n in range(1, 600)])
        put(buffer, A, b"alarm")
        buffer.flush().result(60)
        with Reader(tmp_path / "b.db") as reader:
            assert [b.body for b in reader.blocks(A)] == [b"alarm"]
            blocks = reader.blocks()
            assert next(blocks).lane is A
            put(buffer, T, b"while a reader stands in the middle")
            assert sum(b.last - b.first + 1 for b in blocks) == 600
            assert reader.tail(T, 2)[-1].last == 600
            stats = reader.stats()
            assert stats.logs[0].books[A].last == 1
            assert stats.used_bytes <= stats.file_bytes
            verdict = reader.verify()
            assert verdict.sound
            assert verdict.numbers == 601
        assert len(everything(buffer, "main", A)) == 1


def test_verify_names_what_is_damaged(tmp_path):
    with opened(tmp_path / "b.db") as buffer:
        put(buffer, T, *[b"%d" % n for n in range(1, 1000)])
        log = buffer.log
    with sqlite3.connect(tmp_path / "b.db") as db:
        db.execute("UPDATE block SET body = 'lies' WHERE key & 0xfffffffff = 7")
        db.execute("UPDATE log SET crc = 1")
    db.close()
    with Reader(tmp_path / "b.db") as reader:
        verdict = reader.verify()
        assert verdict.unsound == ((log, "telemetry", 7),)
        assert verdict.unsound_logs == 1
        assert not verdict.sound
        assert 7 not in {b.first for b in reader.blocks()}
    data = bytearray((tmp_path / "b.db").read_bytes())
    data[len(data) // 2 :] = b"\x77" * (len(data) - len(data) // 2)  # the first pages hold the schema
    (tmp_path / "b.db").write_bytes(data)
    with Reader(tmp_path / "b.db") as reader:
        assert reader.verify().errors


def test_there_may_be_nothing_to_read(tmp_path):
    with pytest.raises(FileNotFoundError):
        Reader(tmp_path / "b.db")
    (tmp_path / "b.db").write_bytes(b"no database" * 500)
    with pytest.raises(sqlite3.DatabaseError):
        Reader(tmp_path / "b.db")


def test_a_file_whose_agent_died_before_its_tables_holds_nothing(tmp_path):
    with closing(sqlite3.connect(tmp_path / "b.db")) as db:
        db.execute("PRAGMA journal_mode=WAL")
    with Reader(tmp_path / "b.db") as reader:
        assert list(reader.blocks()) == reader.tail(Lane.TELEMETRY) == list(reader.logs()) == []
        assert reader.meta() == {}
        assert reader.verify().sound
