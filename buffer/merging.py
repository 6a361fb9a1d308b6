"""Joins neighbouring blocks at leisure: fewer rows, fewer and better packed messages. Never changes a number."""

from collections.abc import Iterator, Sequence

from buffer import tables
from buffer.engine import Engine
from buffer.model import Lane, Merge
from buffer.schema import Row, row_of

LANE = Lane.TELEMETRY  # the only lane whose bodies are many and alike
MERGE_BYTES = 32 << 10  # of a merged body: one message must not hold a narrow link for long


class Merger:
    def __init__(self, engine: Engine, merge: Merge | None) -> None:
        self.merged = 0
        self._engine, self._merge = engine, merge

    def step(self) -> bool:
        """Merges up to merge_most numbers of one log; False when nothing is ripe."""
        ripe = self._ripe() if self._merge else None
        if ripe is None:
            return False
        log, ordinal, first = ripe
        last = first + self._engine.options.merge_most - 1
        with self._engine.using() as db:
            rows, whole = tables.read_blocks(
                db, LANE, ordinal, first, last, max_bytes=8 * MERGE_BYTES, max_blocks=1_000
            )
        rows = [row for row in rows if row.first >= first and row.last <= last]
        self._write(log, [pair for run in self._runs(log, rows) for pair in self._joined(run)])
        self._engine.ledger.resize(log, LANE, 0, merged=last if whole or not rows else rows[-1].last)
        return True

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
        yield run

    def _state(self, log: str, row: Row) -> tuple[object, ...] | None:
        """None for a block that must stay alone: damaged, or settled in part."""
        ledger = self._engine.ledger
        with ledger.lock:
            done = [ledger.logs[log].book(LANE).done_on(route) for route in ledger.routes]
            holes = [sum(b - a + 1 for a, b in ranges.holes(row.first, row.last)) for ranges in done]
        if not row.sound or row.log.hex() != log or any(0 < hole <= row.span for hole in holes):
            return None
        return (row.flags, *(hole == 0 for hole in holes))

    def _joined(self, run: Sequence[Row]) -> Iterator[tuple[Sequence[Row], Row]]:
        """What the agent's merge() makes of a run; where the whole does not go together, of its halves."""
        if len(run) < 2 or self._merge is None:
            return
        first, last, middle = run[0], run[-1], len(run) // 2
        small = sum(len(row.body) for row in run) <= MERGE_BYTES
        body = self._merge([row.body for row in run]) if small else None
        if body is not None:
            yield (
                run,
                row_of(first.log, first.ordinal, first.lane, first.first, last=last.last, flags=first.flags, body=body),
            )
            return
        yield from self._joined(run[:middle])
        yield from self._joined(run[middle:])

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
