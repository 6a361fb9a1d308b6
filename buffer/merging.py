"""Joins neighbouring blocks at leisure: fewer rows, fewer and better packed messages. Never changes a number."""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from buffer import tables
from buffer.engine import Engine
from buffer.model import Lane, Merge
from buffer.schema import Row, row_of

LANE = Lane.TELEMETRY  # the only lane whose bodies are many and alike
MERGE_BYTES = 32 << 10  # of a merged body: one message must not hold a narrow link for long


class Merger:
    """A round joins up to merge_most numbers of one log, in pieces: between two of them the worker serves everybody else, and
    the interpreter is free for a warning.
    """

    def __init__(self, engine: Engine, merge: Merge | None) -> None:
        self.merged = 0
        self._engine, self._merge = engine, merge
        self._round: Iterator[None] | None = None

    def step(self) -> bool:
        """One piece, a few milliseconds long; False when nothing is ripe."""
        if self._round is None:
            ripe = self._ripe() if self._merge else None
            if ripe is None:
                return False
            self._round = self._merging(*ripe)
        if next(self._round, _OVER) is _OVER:
            self._round = None
        return True

    def _merging(self, log: str, ordinal: int, first: int) -> Iterator[None]:
        last = first + self._engine.options.merge_most - 1
        found, whole = self._read(ordinal, first, last)
        rows = [row for row in found if row.first >= first and row.last <= last]
        joined = []
        for run in self._runs(log, rows):
            for pair in self._joined(run):
                if pair is not None:
                    joined.append(pair)
                yield
        if log in self._engine.ledger.logs:
            self._write(log, [pair for pair in joined if self._still(log, pair[0])])
            self._engine.ledger.resize(log, LANE, 0, merged=last if whole or not rows else rows[-1].last)

    def _read(self, ordinal: int, first: int, last: int) -> tuple[list[Row], bool]:
        with self._engine.using() as db:
            return tables.read_blocks(db, LANE, ordinal, first, last, max_bytes=8 * MERGE_BYTES, max_blocks=1_000)

    def _still(self, log: str, rows: Sequence[Row]) -> bool:
        """Meanwhile a block may have been settled in part, thinned or deleted, or the file set aside."""
        there, _ = self._read(rows[0].ordinal, rows[0].first, rows[-1].last)
        return there == list(rows) and len(list(self._runs(log, rows))) == 1

    def _ripe(self) -> tuple[str, int, int] | None:
        """The first log with enough unmerged numbers. The newest of the open log rest for a round: they may be in flight."""
        most, ledger = self._engine.options.merge_most, self._engine.ledger
        with ledger.lock:
            for log in ledger.logs.values():
                book = log.books.get(LANE)
                wanted = 2 * most if log.id == self._engine.log else 1
                if book and book.last - book.merged >= wanted:
                    return log.id, log.ordinal, book.merged + 1
        return None

    def _runs(self, log: str, rows: Sequence[Row]) -> Iterator[list[Row]]:
        """Neighbours without a gap, alike in flags and settled by the same routes, in full."""
        run: list[Row] = []
        before: tuple[object, ...] | None = None
        for row in rows:
            state = self._state(log, row)
            if run and (state is None or state != before or run[-1].last + 1 != row.first):
                yield run
                run = []
            run.append(row)
            before = state
        if run:
            yield run

    def _state(self, log: str, row: Row) -> tuple[object, ...] | None:
        """None for a block that must stay alone: damaged, settled in part, or of a log that was forgotten meanwhile."""
        ledger = self._engine.ledger
        with ledger.lock:
            if log not in ledger.logs:
                return None
            done = [ledger.logs[log].book(LANE).done_on(route) for route in ledger.routes]
            holes = [sum(b - a + 1 for a, b in ranges.holes(row.first, row.last)) for ranges in done]
        if not row.sound or row.log.hex() != log or any(0 < hole <= row.span for hole in holes):
            return None
        return (row.flags, *(hole == 0 for hole in holes))

    def _joined(self, run: Sequence[Row]) -> Iterator[tuple[Sequence[Row], Row] | None]:
        """What the agent's merge makes of a run, as many at a time as go together; None after each piece of the work."""
        while len(run) > 1 and self._merge is not None:
            taken = 1
            for done in self._merge([row.body for row in _light(run)]):
                if done is not None and done[1] > 1:
                    body, taken = done
                    yield run[:taken], _one(run[:taken], body)
                else:
                    yield None
            run = run[taken:]

    def _write(self, log: str, joined: Sequence[tuple[Sequence[Row], Row]]) -> None:
        if not joined:
            return
        with self._engine.transaction(states=False) as db:
            tables.delete_blocks(db, [row.key for rows, _ in joined for row in rows])
            tables.insert_blocks(db, [row for _, row in joined])
        before = sum(len(row.body) for rows, _ in joined for row in rows)
        self._engine.ledger.resize(log, LANE, sum(len(row.body) for _, row in joined) - before)
        self._engine.frames += 8
        self.merged += sum(len(rows) for rows, _ in joined)


_OVER = object()


def _light(run: Sequence[Row]) -> Sequence[Row]:
    """As many from the first as may stand in one body, before it is packed better."""
    sizes = accumulate(len(row.body) for row in run)
    return run[: max(2, sum(1 for size in sizes if size <= MERGE_BYTES))]


def _one(rows: Sequence[Row], body: bytes) -> Row:
    first, last = rows[0], rows[-1].last
    return row_of(first.log, first.ordinal, first.lane, first.first, last=last, flags=first.flags, body=body)
