"""Devices fail and come back; the core fails and takes the process along. In virtual time throughout."""

import asyncio
import contextlib
import itertools
import os
import subprocess
import sys
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.supervisor import Backoff, CoreFault, Supervisor
from tests.support import virtual


class Ear:
    """A report that remembers."""

    def __init__(self):
        self.heard = []

    def __call__(self, kind, fields):
        self.heard.append((kind, dict(fields)))

    @property
    def kinds(self):
        return [kind for kind, _ in self.heard]


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_the_pause_doubles_and_stays_bounded(failures, chance):
    backoff = Backoff(first=1.0, most=60.0)
    pause = backoff.pause(failures, chance)
    full = 60.0 if failures > 6 else 2.0 ** (failures - 1)
    assert full / 2 <= pause <= full


def test_parts_felled_together_come_back_apart():
    assert len({Backoff().pause(3, chance / 10) for chance in range(10)}) == 10


def starts_of(work, seconds, **options):
    """Loop times at which `work` was started within so many seconds."""
    starts = []

    async def main():
        loop = asyncio.get_running_loop()

        async def noted():
            starts.append(loop.time())
            await work()

        async with Supervisor(chance=lambda: 1.0, **options) as house:
            house.keep("part", noted)
            await asyncio.sleep(seconds)
            house.stop()

    virtual.run(main())
    return starts


def test_a_crash_is_waited_out_longer_each_time():
    async def crash():
        raise OSError("unplugged")

    starts = starts_of(crash, 400)
    gaps = [round(b - a) for a, b in itertools.pairwise(starts)]
    assert gaps[:8] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_work_that_simply_ends_is_started_again():
    async def end():
        return

    assert len(starts_of(end, 10)) == 4  # at 0, 1, 3, 7


def test_a_long_good_spell_clears_the_record():
    async def hour():
        await asyncio.sleep(3600)
        raise OSError("gone")

    starts = starts_of(hour, 3 * 3600 + 60)
    assert [round(b - a) for a, b in itertools.pairwise(starts)] == [3601, 3601, 3601]


def test_someone_elses_cancelled_future_is_a_crash_not_an_end():
    async def fooled():
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    assert len(starts_of(fooled, 10)) == 4


def test_the_platform_hears_once_per_spell(caplog):
    ear = Ear()
    crashes = iter([OSError("a"), OSError("a"), RuntimeError("b")])

    async def work():
        if (error := next(crashes, None)) is not None:
            raise error
        await asyncio.Event().wait()

    starts_of(work, 1000, report=ear)
    assert ear.heard == [
        ("part.failing", {"part": "part", "error": "OSError: a"}),
        ("part.recovered", {"part": "part", "failures": 3}),
    ]
    assert [bool(record.exc_info) for record in caplog.records] == [True, False, True]  # a trace for each new error


def test_cancellation_passes_and_the_work_can_tidy_up():
    tidied = []

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            tidied.append(True)

    assert len(starts_of(work, 5)) == 1
    assert tidied == [True]


@pytest.mark.parametrize("start", [Supervisor.keep, Supervisor.core])
def test_work_that_swallows_its_cancellation_is_stopped_all_the_same(start):
    async def deaf():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    async def main():
        async with Supervisor() as house:
            start(house, "deaf", deaf)
            asyncio.get_running_loop().call_later(5, house.stop)
        return asyncio.get_running_loop().time()

    assert virtual.run(main()) == 5


def test_one_part_failing_leaves_its_neighbour_alone():
    async def main():
        ticks = []

        async def tick():
            while True:
                ticks.append(1)
                await asyncio.sleep(1)

        async def crash():
            raise OSError("dead")

        async with Supervisor() as house:
            house.keep("dead", crash)
            house.keep("alive", tick)
            await asyncio.sleep(100.5)
            states = house.status()
            house.stop()
        return len(ticks), states

    ticks, states = virtual.run(main())
    assert ticks == 101
    assert states["alive"] == {"running": True, "failures": 0, "crashes": 0, "error": ""}
    assert states["dead"]["error"] == "OSError: dead"
    assert not states["dead"]["running"]


@pytest.mark.parametrize("ending", ["raises", "returns", "cancelled under it"])
def test_a_core_fault_ends_the_house_and_names_the_part(ending):
    async def core():
        await asyncio.sleep(5)
        if ending == "raises":
            raise ValueError("broken invariant")
        if ending != "returns":
            future = asyncio.get_running_loop().create_future()
            future.cancel()
            await future

    async def main():
        async with Supervisor() as house:
            house.keep("device", asyncio.Event().wait)
            house.core("buffer", core)

    with pytest.raises(CoreFault) as fault:
        virtual.run(main())
    assert fault.value.part == "buffer"


def test_stopping_is_no_fault():
    async def main():
        async with Supervisor() as house:
            house.core("buffer", asyncio.Event().wait)
            house.keep("device", asyncio.Event().wait)
            asyncio.get_running_loop().call_later(5, house.stop)
        return True

    assert virtual.run(main())


def test_two_parts_of_one_name_are_refused():
    async def main():
        async with Supervisor() as house:
            house.keep("bus", asyncio.Event().wait)
            try:
                with pytest.raises(ValueError, match="bus"):
                    house.keep("bus", asyncio.Event().wait)
            finally:
                house.stop()

    virtual.run(main())


def test_a_process_whose_core_fails_exits_non_zero():
    script = """
        import asyncio
        from agent.supervisor import Supervisor

        async def broken():
            raise ValueError("broken invariant")

        async def main():
            async with Supervisor() as house:
                house.core("decide", broken)

        asyncio.run(main())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )  # fmt: skip
    assert done.returncode != 0
    assert "CoreFault: decide: ValueError: broken invariant" in done.stderr
