"""What an SQLite error means for us: the file is damaged, or the disk refuses for now. Pure."""

import sqlite3
from enum import Enum, auto

# https://sqlite.org/rescode.html
GENERIC, CORRUPT, FULL, CONSTRAINT, NOTADB = 1, 11, 13, 19, 26
UNREADABLE_CODES = frozenset({10 | 1 << 8, 10 | 2 << 8, 10 | 33 << 8})  # IOERR_READ, _SHORT_READ, _CORRUPTFS

DAMAGE = frozenset(
    {GENERIC, CORRUPT, CONSTRAINT, NOTADB}
)  # GENERIC: our statements are fixed, so a table is not what it was


class Fault(Enum):
    DAMAGED = auto()  # set the file aside
    FULL = auto()  # make room, then retry
    REFUSED = auto()  # retry later


class Refused(Exception):
    """There is no usable file at the moment."""


def fault_of(error: Exception) -> Fault:
    if isinstance(error, sqlite3.ProgrammingError):
        raise error  # our own bug: nobody is helped by calling it damage
    code = getattr(error, "sqlite_errorcode", None) or 0
    if code in UNREADABLE_CODES or code & 0xFF in DAMAGE:
        return Fault.DAMAGED
    if isinstance(error, sqlite3.DatabaseError) and not code:
        return Fault.DAMAGED  # what sqlite3 itself raises on impossible content, and NewerSchema
    return Fault.FULL if code & 0xFF == FULL else Fault.REFUSED
