"""The file as the worker thread has it: opened or replaced, written in whole transactions. Decides nothing about space."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from buffer import disk, tables
from buffer.faults import Fault, Refused, fault_of
from buffer.ledger import Ledger, Log, LogRow
from buffer.meta import Meta
from buffer.model import Lane, Locked, Options
from buffer.notices import Notices
from buffer.schema import MOST_ORDINAL, Database, NewerSchema, prepare

Connect = Callable[[Path], Database]
ROOM_FOR_SALVAGE = 1 << 16  # ordinals left free below a fresh file's first log, for the logs of the file set aside
MOST_REPLACED = 3  # files set aside by one process; after that it is the disk, and RAM serves better
UNPLACED = MOST_ORDINAL  # our log's ordinal until a file is open: newer than any other


class Engine:
    def __init__(
        self, path: Path, options: Options, *, ledger: Ledger, meta: Meta, notices: Notices, connect_: Connect
    ) -> None:
        self.path, self.options = path, options
        self.ledger, self.meta, self.notices = ledger, meta, notices
        self.lock = disk.OwnerLock(path)
        self.ballast = disk.Ballast(path, options.ballast)
        self.log = os.urandom(8).hex()
        self.id = bytes.fromhex(self.log)
        self.ordinal = UNPLACED
        self.fault: Fault | None = None  # why the last transaction failed
        self.commits = self.write_errors = 0
        self.frames = 0  # about how many pages the -wal holds; SQLite does not say
        self.set_aside: list[Path] = []  # files waiting for salvage
        self._connect = connect_
        self._db: Database | None = None
        self._replaced = 0
        self._inode: int | None = None
        self._missed = False  # the file's place was lost and could not be taken again
        ledger.add_log(self.log, self.ordinal)

    @property
    def db(self) -> Database:
        """Raises Refused while there is no usable file."""
        if self._db is None:
            raise Refused("the file is not open")
        return self._db

    # --- opening ---------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """A damaged file is set aside and a fresh one opened. Refused when the disk does not let us, for now."""
        while self._db is None:
            try:
                self._open()
            except (sqlite3.Error, OSError) as error:
                self._fail_open(error)

    def lock_or_raise(self) -> None:
        """Locked goes to the caller; a disk that can't even hold the lock file is the worker's trouble, later."""
        try:
            self.lock.take()
        except Locked:
            raise
        except OSError as error:
            self.notices.say("buffer.lock_failed", error=str(error))

    def _open(self) -> None:
        if not self.lock.held:
            self.lock.take()
        if self.path.is_dir():
            raise sqlite3.DatabaseError("a folder stands in its place")
        self._db = self._connect(self.path)
        prepare(self._db, self.options.max_bytes)
        disk.pregrow_wal(self.path)
        self._inode = disk.inode(self.path)
        if self.ordinal == UNPLACED:
            self._load(self._db)

    def _fail_open(self, error: sqlite3.Error | OSError) -> None:
        damaged = isinstance(error, sqlite3.Error) and fault_of(error) is Fault.DAMAGED
        if not damaged or not self.replace(error):
            self.shut()
            self.fault = Fault.REFUSED
            raise Refused(str(error)) from error

    def _load(self, db: Database) -> None:
        highest = tables.highest_ordinal(db)
        if highest >= MOST_ORDINAL - 1:
            raise NewerSchema("log ordinals are used up")  # after millions of starts a fresh file continues
        for row in tables.read_logs(db):
            self._adopt(db, row)
        self.meta.load(tables.read_meta(db))
        fresh = max(map(disk.generation, disk.quarantined(self.path)), default=0) % 256 * ROOM_FOR_SALVAGE
        self.ordinal = max(highest, fresh) + 1
        self.ledger.place(self.log, self.ordinal)

    def _adopt(self, db: Database, row: LogRow) -> None:
        log = Log(row.id.hex(), row.ordinal)
        try:
            log.decode(row.checked())
        except ValueError as error:
            self._rename(db, log)
            self.notices.say("buffer.state_lost", log=log.id, error=str(error))
        self.ledger.adopt(log)
        if not log.closed:
            self._close_log(db, log)

    def _rename(self, db: Database, log: Log) -> None:
        """A damaged log row may lie about the id too; its blocks carry the id under a checksum of their own."""
        block = tables.first_of(db, log.ordinal)
        if block and block.sound:
            log.id = block.log.hex()

    def _close_log(self, db: Database, log: Log) -> None:
        """The state of the log that was open last is some seconds behind its blocks: only its tail is looked at."""
        for lane in Lane:
            known = self.ledger.last(log.id, lane)
            last = tables.tail(db, lane, log.ordinal)
            if last > known:
                self.ledger.extend(log.id, lane, last, tables.bytes_beyond(db, lane, log.ordinal, known))
        log.closed = True
        self.ledger.put_back([log.id])

    # --- trouble ---------------------------------------------------------------------------------------------------

    def replace(self, error: Exception) -> bool:
        """Sets the damaged file aside. Renamed before it is closed: closing would fold the -wal into the damage."""
        self._replaced += 1
        if self._replaced > MOST_REPLACED:
            return False
        self.ballast.release()
        try:
            place = disk.set_aside(self.path)
        except OSError:
            return False
        self.shut()
        self.set_aside.append(place)
        self.ledger.start_over()
        self.meta.rewrite_all()
        self.notices.say("buffer.damaged", error=str(error), kept=str(place.relative_to(self.path.parent)))
        return True

    def shut(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with suppress(sqlite3.Error):
                db.close()

    def keep_place(self) -> None:
        """Deleted under us, the file is whole for as long as we have it open: it is written out again. What somebody put in its
        place is set aside.
        """
        if self._db is None or disk.inode(self.path) == self._inode:
            return
        fresh = self.path.with_name(self.path.name + ".rescued")
        try:
            fresh.unlink(missing_ok=True)
            self._db.execute("VACUUM INTO ?", (str(fresh),))
            disk.sync(fresh)
            if any(file.exists() for file in disk.siblings(self.path)):
                disk.set_aside(self.path)
            fresh.rename(self.path)
        except (sqlite3.Error, OSError) as error:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)  # half of it, on a disk that is full
            if not self._missed:  # once: it is tried again every minute
                self.notices.say("buffer.file_gone", rescued=False, error=str(error))
            self._missed = True
            return
        self._missed = False
        self.shut()
        self.frames = 0
        self.notices.say("buffer.file_gone", rescued=True, error="")
        self.open()

    @contextmanager
    def using(self) -> Iterator[Database]:
        """The open file; whatever goes wrong with it is dealt with here and comes out as Refused."""
        try:
            yield self.db
            self.fault = None
        except sqlite3.Error as error:
            self._suffer(error)
            raise Refused(str(error)) from error

    def _suffer(self, error: sqlite3.Error) -> None:
        self.write_errors += 1
        self.fault = fault_of(error)
        if self.fault is Fault.FULL:
            return
        if self.fault is Fault.DAMAGED and self.replace(error):
            with suppress(Refused):
                self.open()
        else:
            self.shut()  # after a failed write or sync nothing cached about the file can be believed

    @contextmanager
    def transaction(self, *, states: bool) -> Iterator[Database]:
        """All or nothing. With `states`, the ledger's and the meta values that changed go with it."""
        logs: list[LogRow] = []
        values, futures = self.meta.take()
        try:
            with self.using() as db, _atomic(db):
                yield db
                logs = self.ledger.take_dirty() if states else []
                tables.write_logs(db, logs)
                tables.write_meta(db, values)
        except BaseException:
            self.ledger.put_back(row.id.hex() for row in logs)
            self.meta.put_back(values, futures)
            raise
        self.commits += 1
        self.frames += 2 + len(logs)
        for future in futures:
            if future.set_running_or_notify_cancel():
                future.set_result(None)


@contextmanager
def _atomic(db: Database) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            if db.in_transaction:
                db.execute("ROLLBACK")
        raise
