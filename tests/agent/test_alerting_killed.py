"""kill -9 while the siren sounds, on real lines: the board's own clock says when it fell silent, and how much in all."""

import asyncio
import sys
import time

import pytest

from agent.alerts.journal_entries import SIREN_SLICE
from drivers.simulated.modbus import PtyBus, TcpBus
from drivers.simulated.relay import RelayBoard
from tests.support.relay import spells
from tests.support.seals import sealed
from tests.support.until import until

LINES = {"rtu": lambda board: PtyBus([board]), "tcp": lambda board: TcpBus([board])}
SILENT_WITHIN = 5.0  # seconds after the agent's death, by the board's clock: what the issue promises
BUDGET = 12.0  # seconds of sounding that the child's policy gives


async def child(url, state, *message):
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.alerting_child", url, str(state), *message
    )


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_the_board_falls_silent_by_itself_and_the_next_start_resumes_what_is_left(line, tmp_path):
    async def main():
        board = RelayBoard()
        async with line(board) as wire:
            first = await child(wire.url, tmp_path, sealed("county bureau").hex())
            await until(lambda: len(spells(board)) >= 2)
            first.kill()
            died = time.monotonic()
            await first.wait()
            await until(lambda: not board.on(0))
            silent = spells(board)[-1][1]
            assert silent - died <= SILENT_WITHIN
            before = len(spells(board))

            second = await child(wire.url, tmp_path)
            await until(lambda: len(spells(board)) > before)
            await until(lambda: _rests(board), 60)
            second.kill()
            await second.wait()
        found = spells(board)
        on = found[before - 1][1] - found[0][0] + found[-1][1] - found[before][0]
        assert (
            BUDGET - SIREN_SLICE - 2 <= on <= BUDGET + 1
        )  # a slice is lost with the agent, and a pause of the pattern

    asyncio.run(main())


def _rests(board):
    """Silent for longer than any pause of the pattern."""
    found = spells(board)
    return not board.on(0) and time.monotonic() - found[-1][1] > 2
