"""What is read out of damaged files: any bytes must come out as rows with a good checksum, or as nothing."""

import json
import sqlite3
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buffer.carve import Carver, Damaged, cells, record, row_from, varint
from buffer.ledger import Log, LogRow
from buffer.model import Lane
from buffer.schema import PAGE, Row, connect, prepare, row_of
from buffer.tables import insert_blocks, write_logs
from tests.buffer.support import opened, put

LOG = bytes(range(8))


def carved(path):
    carver = Carver(path)
    found = [row for page in range(carver.pages) for row in carver.rows(page)]
    carver.close()
    return found


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 9000), min_size=1, max_size=30), st.booleans())
def test_every_body_is_found_whatever_its_size(tmp_path_factory, sizes, checkpointed):
    path = tmp_path_factory.mktemp("carve") / "b.db"
    db = connect(path)
    prepare(db, 1 << 24)
    rows = [
        row_of(LOG, 1, Lane.BULK, n + 1, last=n + 1, flags=0, body=bytes([n]) * size) for n, size in enumerate(sizes)
    ]
    insert_blocks(db, rows)
    log = LogRow(1, LOG, '{"closed":true}', 0)
    write_logs(db, [log])
    if checkpointed:
        db.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
    found = carved(path)
    db.close()
    assert set(rows) == {row for row in found if isinstance(row, Row)}
    assert not [row for row in found if isinstance(row, LogRow)], "its checksum is wrong"


def test_what_was_written_by_the_buffer_is_found(tmp_path):
    with opened(tmp_path / "b.db") as buffer:
        put(buffer, Lane.TELEMETRY, *[b"%d" % n for n in range(500)])
        buffer.flush().result(60)
        found = carved(tmp_path / "b.db")
        assert {row.first for row in found if isinstance(row, Row)} == set(range(1, 501))
        assert {row.id.hex() for row in found if isinstance(row, LogRow)} == {buffer.log}


@given(st.binary(max_size=PAGE + 50).map(lambda data: (b"\x0d" + data).ljust(PAGE, b"\0")), st.integers(0, PAGE))
def test_a_page_of_anything_gives_cells_or_nothing(page, at):
    for cell in cells(page):
        with suppress(Damaged):
            row_from(cell.key, record(cell.local))
    with suppress(Damaged):
        varint(page, at)


@given(st.binary(max_size=60))
def test_a_record_of_anything_is_columns_or_damage(data):
    try:
        columns = record(data)
    except Damaged:
        return
    row_from(5, columns)


@settings(max_examples=50)
@given(st.binary(max_size=5000))
def test_a_file_of_anything_gives_no_rows(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("carve") / "b.db"
    path.write_bytes(data)
    path.with_name("b.db-wal").write_bytes(data)
    assert carved(path) == []


def test_a_missing_file_gives_nothing(tmp_path):
    assert carved(tmp_path / "none.db") == []


def test_a_record_is_read_as_sqlite_wrote_it(tmp_path):
    with sqlite3.connect(tmp_path / "t.db") as db:
        db.execute(f"PRAGMA page_size={PAGE}")
        db.execute("CREATE TABLE t (a, b, c, d, e, f, g, h)")
        values = (None, 0, 1, -5, 70_000, 2**40, -(2**62), b"blob")
        db.execute("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    db.close()
    page = (tmp_path / "t.db").read_bytes()[PAGE:]
    assert [tuple(record(cell.local)) for cell in cells(page)] == [values]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["closed", "alarm", "last", "bytes", "merged", "settled", "gone", "main"]),
            inner,
            max_size=7,
        )
    ),
    max_leaves=12,
)


@given(JSON.map(json.dumps) | st.text(max_size=40))
def test_a_state_of_anything_is_taken_whole_or_not_at_all(text):
    log = Log("00" * 8, 1)
    try:
        log.decode(text)
    except ValueError:
        assert (log.closed, log.books) == (False, {})
        return
    again = Log("00" * 8, 1)
    again.decode(log.encode())
    assert again == log


@pytest.mark.parametrize("last", [2**63, -1, 1.5, "7", None])
def test_numbers_out_of_bounds_are_no_state(last):
    book = {"last": last, "bytes": 0, "merged": 0, "settled": {}, "gone": {}}
    log = Log("00" * 8, 1)
    with pytest.raises(ValueError, match="can't be read"):
        log.decode(json.dumps({"closed": True, "alarm": book}))
