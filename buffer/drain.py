"""Reading blocks back: pending ones for a route, any for a resend. Short keyset reads; never an open cursor."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from buffer import tables
from buffer.book import UNREADABLE
from buffer.engine import Engine
from buffer.faults import Refused
from buffer.intake import Entry, Intake
from buffer.model import Block, Lane
from buffer.ranges import Ranges
from buffer.schema import Row


class Range(NamedTuple):
    """Numbers of one lane of one log."""

    log: str
    lane: Lane
    first: int
    last: int


class Room:
    """What one answer may hold. The first block always fits, or a large one would never leave."""

    def __init__(self, most_bytes: int, most_blocks: int = 1_000) -> None:
        self.bytes, self.blocks = most_bytes, most_blocks
        self.taken: list[Block] = []

    @property
    def full(self) -> bool:
        return bool(self.taken) and (self.bytes <= 0 or self.blocks <= 0)

    def take(self, block: Block) -> bool:
        if self.taken and (len(block.body) > self.bytes or self.blocks < 1):
            self.bytes = 0
            return False
        self.taken.append(block)
        self.bytes -= len(block.body)
        self.blocks -= 1
        return True


class Drain:
    def __init__(self, engine: Engine, intake: Intake, salvaging: Callable[[], bool]) -> None:
        self._engine, self._intake, self._salvaging = engine, intake, salvaging

    def pending(self, route: str, wanted: Range, room: Room) -> list[Block]:
        """Committed blocks with a number this route still wants, ascending; those held in memory come after them."""
        for first, last in self._engine.ledger.holes(route, *wanted):
            reached = room.taken[-1].last if room.taken else 0  # a block may reach over several holes
            self._take(wanted._replace(first=max(first, reached + 1), last=last), room)
            if room.full:
                break
        return room.taken

    def history(self, wanted: Range, room: Room) -> list[Block]:
        """Whatever is stored of it, settled or not."""
        last = min(wanted.last, self._engine.ledger.last(wanted.log, wanted.lane))
        self._take(wanted._replace(first=max(1, wanted.first), last=last), room)
        return room.taken

    def _take(self, wanted: Range, room: Room) -> None:
        if wanted.first > wanted.last or wanted.log not in self._engine.ledger.logs:
            return
        held = self._held(wanted)
        stored = wanted._replace(last=held[0].number - 1) if held else wanted
        rows, whole = self._stored(stored, room)
        blocks = [row.block for row in rows]
        if whole:
            blocks += [_held_block(wanted.log, entry) for entry in held]
        for block in blocks:
            if not room.take(block):
                return

    def _stored(self, wanted: Range, room: Room) -> tuple[Sequence[Row], bool]:
        """Rows, and whether that is all of them. None while there is no usable file: whoever asks will ask again."""
        ordinal = self._engine.ledger.logs[wanted.log].ordinal
        try:
            with self._engine.using() as db:
                rows, whole = tables.read_blocks(
                    db,
                    wanted.lane,
                    ordinal,
                    wanted.first,
                    wanted.last,
                    max_bytes=max(room.bytes, 1),
                    max_blocks=max(room.blocks, 1),
                )
        except Refused:
            return [], True
        ours = [row for row in rows if row.sound and row.log.hex() == wanted.log]
        self._account(wanted if whole else wanted._replace(last=rows[-1].last), ours)
        return ours, whole

    def _held(self, wanted: Range) -> list[Entry]:
        if wanted.log != self._engine.log:
            return []
        return self._intake.held(wanted.lane, wanted.first, wanted.last)

    def _account(self, wanted: Range, rows: Sequence[Row]) -> None:
        """A number that should be here and is not, or fails its checksum, is unreadable from now on: nobody waits for it."""
        if self._salvaging():
            return
        sound = Ranges((row.first, row.last) for row in rows)
        ledger, log, lane = self._engine.ledger, wanted.log, wanted.lane
        for low, high in sound.holes(wanted.first, wanted.last):
            if ledger.lose(log, lane, UNREADABLE, low, high):
                self._engine.notices.lost("buffer.unreadable", log, lane, UNREADABLE, first=low, last=high)


def _held_block(log: str, entry: Entry) -> Block:
    return Block(log, entry.lane, entry.number, entry.number, entry.body, entry.keep)
