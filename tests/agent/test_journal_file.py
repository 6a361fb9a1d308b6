"""The journal's file through torn tails, bit rot, full and hanging disks, and kill -9 at any moment."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from agent.alerts import journal_file
from agent.alerts.journal import Journal
from agent.alerts.journal_entries import Boot, Mark, Passed, Seen, SirenStart
from agent.alerts.journal_file import MAGIC, MOST_WAITING, JournalFile, frame, read, replay
from tests.support.scale import count
from tests.support.seals import T0, TEXT
from tests.support.village import Village

PATIENCE = 10.0  # seconds any disk here may take


def quiet(_type: str, _fields: Any) -> None:
    pass


def history() -> Village:
    village = Village()
    village.journal = village.journal.fold([Boot("b1")])
    village.written.append(Boot("b1"))
    village.say("county", TEXT)
    village.say("bureau", TEXT)
    village.say("county", seq=T0 + 9, level=2)
    return village


def kept(file: JournalFile, *writes: list[Any]) -> None:
    for entries in writes:
        file.write(entries).result(PATIENCE)


def test_what_was_written_is_there_after_a_restart(tmp_path):
    path = tmp_path / "journal"
    village = history()
    file = JournalFile.open(path)
    kept(file, village.written)
    assert file.journal == village.journal
    file.close()
    assert JournalFile.open(path).journal == village.journal
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_file_is_an_empty_journal_and_no_complaint(tmp_path):
    said: list[str] = []
    file = JournalFile.open(tmp_path / "journal", lambda kind, _: said.append(kind))
    assert (file.journal, said) == (Journal(), [])
    file.close()


def test_a_torn_tail_loses_only_itself():
    writes = [[Mark(1, 10)], [Mark(1, 20), Boot("b")], [Mark(1, 30)]]
    frames = [frame(entries) for entries in writes]
    data = MAGIC + b"".join(frames)
    for length in range(len(MAGIC), len(data)):
        journal, lost = replay(data[:length])
        whole = length - len(MAGIC)
        complete = sum(sum(map(len, frames[: n + 1])) <= whole for n in range(3))
        assert journal == Journal().fold(entry for entries in writes[:complete] for entry in entries)
        assert lost == whole - sum(map(len, frames[:complete]))


def test_a_damaged_frame_costs_that_frame():
    frames = [frame([Mark(number, 5)]) for number in range(1, 6)]
    chance = random.Random(1)
    for _ in range(300):
        data = bytearray(MAGIC + b"".join(frames))
        place = len(MAGIC) + chance.randrange(len(data) - len(MAGIC))
        data[place] ^= 1 << chance.randrange(8)
        journal, lost = replay(bytes(data))
        assert len(journal.marks) == 4
        assert lost == len(frames[0])


def test_a_damaged_file_is_reported_and_mended(tmp_path):
    path = tmp_path / "journal"
    path.write_bytes(MAGIC + frame([Mark(1, 5)]) + b"rubbish" + frame([Mark(2, 6)])[:-1])
    said: list[tuple[str, Any]] = []
    file = JournalFile.open(path, lambda kind, fields: said.append((kind, fields)))
    assert file.journal.marks == {1: 5}
    assert said[0][0] == "journal.damaged"
    kept(file, [Mark(3, 7)])
    file.close()
    assert replay(path.read_bytes())[1] == 0
    assert read(path, quiet).marks == {1: 5, 3: 7}


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", bytes(5000), b"fengsui-journal 2\n"])
def test_what_is_no_journal_is_set_aside_and_reported(tmp_path, content):
    path = tmp_path / "journal"
    path.write_bytes(content)
    said: list[str] = []
    file = JournalFile.open(path, lambda kind, _: said.append(kind))
    kept(file, [Mark(1, 5)])
    file.close()
    assert said == ["journal.unreadable"]
    assert (tmp_path / "journal.bad").read_bytes() == content
    assert read(path, quiet).marks == {1: 5}


def test_a_directory_in_its_place_is_reported_and_warnings_go_on(tmp_path):
    path = tmp_path / "journal"
    path.mkdir()
    (path / "x").touch()
    said: list[str] = []
    file = JournalFile.open(path, lambda kind, _: said.append(kind))
    kept(file, [Mark(1, 5)])
    assert said == ["journal.unreadable"]
    file.close()


def test_no_bytes_break_the_reader():
    chance = random.Random(2)
    genuine = MAGIC + b"".join(frame([entry]) for entry in history().written)
    for _ in range(300):
        data = bytearray(genuine)
        for _ in range(chance.randrange(1, 30)):
            data[chance.randrange(len(MAGIC), len(data))] = chance.randrange(256)
        journal, lost = replay(bytes(data))
        assert 0 <= lost <= len(data)
        assert isinstance(journal, Journal)


def test_no_text_can_hold_a_frame_that_is_found_when_its_own_is_damaged():
    """Texts are UTF-8, and the mark is none: whoever may only show words cannot write into a journal with them."""
    with pytest.raises(UnicodeDecodeError):
        journal_file.MARK.decode()
    forged = frame([Mark(1, 1 << 39)])
    damaged = bytearray(MAGIC + frame([Mark(2, 7)]) + frame([Mark(3, 9)]))
    damaged[len(MAGIC) + 3] ^= 1
    assert replay(bytes(damaged))[0].marks == {3: 9}
    assert forged.decode("utf-8", "replace").encode() != forged


def test_the_file_is_compacted_when_that_halves_it(tmp_path, monkeypatch):
    monkeypatch.setattr(journal_file, "COMPACT_AT", 4096)
    path = tmp_path / "journal"
    file = JournalFile.open(path)
    for number in range(600):
        kept(file, [Mark(1, number)])
    file.close()
    assert path.stat().st_size < 4096 + 200
    assert read(path, quiet).marks == {1: 599}


def test_a_large_journal_is_written_in_several_frames(tmp_path):
    path = tmp_path / "journal"
    entries = [Seen(n.to_bytes(32, "big"), n % 20, n, bytes(8), T0, True, (("county", 31),)) for n in range(5000)]
    file = JournalFile.open(path)
    kept(file, entries[:2500], entries[2500:])
    file.close()
    again = JournalFile.open(path)
    assert again.journal == Journal().fold(entries)
    again.close()
    assert read(path, quiet) == again.journal


def test_a_full_disk_is_reported_once_and_everything_is_written_when_there_is_room(tmp_path, monkeypatch):
    path = tmp_path / "journal"
    said: list[str] = []
    file = JournalFile.open(path, lambda kind, _: said.append(kind))
    kept(file, [Mark(1, 1)])
    full = threading.Event()
    write = os.write

    def refusing(handle: int, data: bytes) -> int:
        if not full.is_set():
            return write(handle, data)
        write(handle, bytes(data)[:3])  # a torn frame, then no space
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", refusing)
    full.set()
    for number in range(2, 5):
        assert isinstance(file.write([Mark(number, 1)]).exception(PATIENCE), OSError)
    assert file.journal.marks == {1: 1, 2: 1, 3: 1, 4: 1}
    full.clear()
    kept(file, [Mark(5, 1)])
    file.close()
    assert said == ["journal.failing", "journal.writing"]
    assert read(path, quiet).marks == dict.fromkeys(range(1, 6), 1)


def test_a_hanging_disk_holds_a_bounded_number_of_writes_and_loses_none(tmp_path, monkeypatch):
    path = tmp_path / "journal"
    file = JournalFile.open(path)
    kept(file, [Mark(0, 1)])
    hang, asked = threading.Event(), threading.Event()
    sync = os.fdatasync

    def hanging(handle: int) -> None:
        asked.set()
        hang.wait(PATIENCE)
        sync(handle)

    monkeypatch.setattr(os, "fdatasync", hanging)
    waiting = [file.write([Mark(1, 1)])]
    assert asked.wait(PATIENCE)
    waiting += [file.write([Mark(number, 1)]) for number in range(2, MOST_WAITING + 50)]
    refused = [one for one in waiting if one.done()]
    assert len(refused) == 48  # one is with the disk, the queue holds the rest
    assert all(isinstance(one.exception(), OSError) for one in refused)
    hang.set()
    for one in waiting:
        one.exception(PATIENCE)
    kept(file, [Mark(9999, 1)])
    file.close()
    assert len(read(path, quiet).marks) == MOST_WAITING + 51


def test_what_is_forgotten_leaves_the_file(tmp_path):
    path = tmp_path / "journal"
    file = JournalFile.open(path)
    kept(file, history().written, [Passed(T0 + 9 * 86_400)])
    file.close()
    again = JournalFile.open(path)
    kept(again, [Mark(9, 9)])
    again.close()
    assert (again.journal.seen, read(path, quiet).seen) == ({}, {})
    assert path.stat().st_size < 2000


WRITER = textwrap.dedent("""
    import sys
    from pathlib import Path
    from agent.alerts import journal_file
    from agent.alerts.journal_entries import Mark, SirenStart
    journal_file.COMPACT_AT = 2000
    file = journal_file.JournalFile.open(Path(sys.argv[1]))
    number = len(file.journal.marks) and file.journal.marks[1]
    print("ready", flush=True)
    while True:
        number += 1
        file.write([SirenStart("remote", number), Mark(1, number)]).result(10)
        print(number, flush=True)
""")


def test_kill_at_any_moment_loses_nothing_that_was_confirmed(tmp_path):
    """Also in the middle of a compaction: the writer compacts every few dozen writes."""
    path = tmp_path / "journal"
    chance = random.Random(3)
    confirmed = 0
    for _ in range(count(100)):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], text=True
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(chance.random() * 0.05)
        writer.send_signal(signal.SIGKILL)
        numbers = [int(line) for line in writer.stdout.read().split("\n")[:-1]]
        writer.wait()
        said: list[tuple[str, Any]] = []
        journal = read(path, lambda kind, fields: said.append((kind, fields)))  # noqa: B023 - used at once
        confirmed = max([confirmed, *numbers])
        assert journal.marks.get(1, 0) >= confirmed
        starts = [start.at for start in journal.siren_starts if isinstance(start, SirenStart)]
        assert starts == sorted(starts)
        confirmed = journal.marks.get(1, 0)
