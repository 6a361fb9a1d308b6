"""One TOML file → a configuration that can be used, or every mistake in it at once: read, then judged. Opens no port and no
connection.
"""

import errno
import os
import tomllib
from collections.abc import Collection
from pathlib import Path

from agent.config import Config
from agent.config_reader import Reader, read
from agent.config_rules import rules
from agent.finding import Finding
from drivers.api import Problem

LARGEST_FILE = 1 << 20  # bytes; a station's configuration is some kilobytes


def load(file: Path, forgive: Collection[str] = (), *, lenient: bool = False) -> tuple[Config | None, list[Finding]]:
    """Read and check a configuration; None where it cannot be used. Opens no port and no connection. `forgive` names codes of
    problems that the caller is there to mend; `lenient` leaves out what `agent.lenient` may.
    """
    reader = Reader(file, {})
    try:
        reader.data = tomllib.loads(_whole(file).decode())
    except OSError as wrong:
        reader.add("", [Problem("", "config.unreadable", {"why": wrong.strerror or str(wrong)})])
        return None, reader.findings
    except ValueError as wrong:  # TOMLDecodeError and UnicodeDecodeError are both
        reader.add("", [Problem("", "config.not_toml", {"why": str(wrong)})])
        return None, reader.findings
    if lenient:
        from agent.lenient import forgiving

        return forgiving(reader.data, lambda data: _checked(Reader(file, data), forgive))
    return _checked(reader, forgive)


def _whole(file: Path) -> bytes:
    """OSError for one that is too large: cut, it might be a good configuration without its last tables."""
    with file.open("rb") as stream:
        data = stream.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return data


def _checked(reader: Reader, forgive: Collection[str]) -> tuple[Config | None, list[Finding]]:
    config = read(reader)
    if config is not None:
        for table, problems in rules(config):
            reader.add(table, (one for one in problems if one.code not in forgive))
    return (None if reader.findings else config), reader.findings
