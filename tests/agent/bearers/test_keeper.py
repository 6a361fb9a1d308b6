"""The station's memory of what it has used: a number is never given twice, whenever the process dies."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from agent.bearers.keeper import Keeper, open_private
from protocols.errors import LocalError
from protocols.narrow.counter import BLOCK, Counter
from tests.support.scale import count
from tests.support.tree import ROOT

HEADEND = bytes(range(32))


def at_once(function, *arguments):
    function(*arguments)


def keeper(state, headend=HEADEND, unix=1_800_000_000):
    return Keeper(state, headend, unix, at_once)


def reserved(one):
    """A counter as the station makes it."""
    counter = Counter(one.memory.until, lambda until: counter.reserved(one.reserve_now(until)))
    return counter


def test_the_epoch_and_what_is_used_up_outlive_a_restart(tmp_path):
    first = keeper(tmp_path)
    assert first.begun
    counter = reserved(first)
    numbers = [counter.next() for _ in range(3000)]
    again = keeper(tmp_path)
    assert not again.begun
    assert again.epoch == first.epoch
    assert 0 < reserved(again).next() - max(numbers) <= 2 * BLOCK


def test_a_lost_or_damaged_file_begins_another_epoch(tmp_path):
    first = keeper(tmp_path)
    [file] = tmp_path.glob("narrow-*.json")
    for damage in (b"", b"{}", b'{"number":0,"salt":""}', b'{"number":5,"salt":"xyz","until":0}', b"\xff" * 100):
        file.write_bytes(damage)
        after = keeper(tmp_path, unix=1_800_000_001)
        assert after.begun
        assert after.epoch.salt != first.epoch.salt
        assert after.memory.until == 0


def test_another_headend_gets_an_epoch_of_its_own(tmp_path):
    assert keeper(tmp_path).epoch != keeper(tmp_path, bytes(31) + b"\1").epoch


def test_a_new_epoch_rises_whatever_the_clock_says(tmp_path):
    one = keeper(tmp_path, unix=1_800_000_000)
    before = one.epoch
    one.renew(5)
    assert one.epoch.number > before.number
    assert (one.memory.until, one.memory.known) == (0, False)
    assert keeper(tmp_path).epoch == one.epoch


def test_a_number_that_cannot_be_written_down_is_not_given(tmp_path):
    one = keeper(tmp_path)
    counter = reserved(one)
    counter.next()
    one._file = tmp_path / "gone" / "file"
    for _ in range(BLOCK - 1):
        counter.next()
    with pytest.raises(LocalError, match=r"frame\.counter"):
        counter.next()


def test_a_reservation_beside_the_loop_answers_on_it(tmp_path):
    async def story():
        loop = asyncio.get_running_loop()
        one = Keeper(tmp_path, HEADEND, 1, loop.call_soon_threadsafe)
        said = loop.create_future()
        one.reserve(1024, said.set_result)
        assert await said == 1024
        assert keeper(tmp_path).memory.until == 1024

    asyncio.run(story())


CHILD = """
import sys
from pathlib import Path
from agent.bearers.keeper import Keeper
from protocols.narrow.counter import Counter
one = Keeper(Path(sys.argv[1]), bytes(range(32)), 1, lambda f, *a: f(*a))
counter = Counter(one.memory.until, lambda until: one.reserve(until, counter.reserved))
counter.reserved(one.reserve_now(one.memory.until + 1024))
while True:
    try:
        number = counter.next()
    except Exception:
        continue
    sys.stdout.write(f"{one.epoch.number}.{one.epoch.salt.hex()} {number}\\n")
"""


def test_no_number_is_given_twice_by_a_process_that_is_killed(tmp_path):
    seen = set()
    for life in range(count(60)):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT, text=True
        )
        lines = [child.stdout.readline() for _ in range(50 + 977 * life % 2500)]
        os.kill(child.pid, signal.SIGKILL)
        lines += child.stdout.read().splitlines(keepends=True)
        child.wait()
        whole = [line for line in lines if line.endswith("\n")]
        assert len(whole) == len(set(whole))
        assert whole
        assert not seen & set(whole)
        seen |= set(whole)


def test_the_key_is_made_once_and_is_nobody_elses(tmp_path):
    file = tmp_path / "narrow.key"
    key = open_private(file)
    assert open_private(file) == key
    assert len(key) == 32
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    with pytest.raises(LocalError, match="key-mode"):
        open_private(file)
    file.chmod(0o600)
    file.write_text("no key")
    with pytest.raises(LocalError, match="key-format"):
        open_private(file)
