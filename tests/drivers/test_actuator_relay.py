"""The siren relay: against boards of every kind in virtual time, and against real lines in real time."""

import asyncio
import contextlib
import itertools
from pathlib import Path

import msgspec
import pytest

from drivers.actuators import relay
from drivers.actuators.relay import create
from drivers.actuators.relay_config import RelayConfig, check, conflicts
from drivers.api import Action, Context, Verdict
from drivers.bus import Bus, BusConfig, Priority
from drivers.simulated.modbus import PtyBus, TcpBus
from drivers.simulated.relay import RelayBoard
from drivers.values import decode
from tests.support.relay import DirectBus, Extending, Ignoring, LcTech, Restarting, spells
from tests.support.virtual import run

SIREN = Action("siren", pattern="steady", key="a1")
SHIPPED = Path(relay.__file__).parent / "boards"


def config(**keys):
    return RelayConfig(**{"name": "siren", "bus": "relays", "board": "waveshare-8ch"} | keys)


def profile(tmp_path, rearm):
    text = (SHIPPED / "waveshare-8ch.toml").read_text().replace('rearm = "unknown"', f'rearm = "{rearm}"')
    (tmp_path / f"{rearm}.toml").write_text(text)
    return rearm


class Bench:
    """A relay on a board without a wire, by the loop's own clock."""

    def __init__(self, made=Restarting, profiles=(), **keys):
        self.now = asyncio.get_running_loop().time
        self.board = made(now=self.now)
        self.bus = DirectBus(self.board)
        context = Context(Path(), lambda *_: None, {"relays": self.bus}, profiles=tuple(profiles))
        self.relay = create(config(**keys), context, self.now)
        self.said = []

    async def perform(self, seconds, action=SIREN):
        return await self.relay.perform(action, self.now() + seconds, self.said.append)

    def start(self, seconds, action=SIREN):
        return asyncio.create_task(self.perform(seconds, action))

    def writes(self):
        return [request for request in self.board.requests if request.function != 1]


BOARDS = [
    (Restarting, "restarts"),
    (Extending, "extends"),
    (Ignoring, "ignores"),
    (Restarting, "unknown"),
    (Extending, "unknown"),
    (Ignoring, "unknown"),
]


@pytest.mark.parametrize(("board", "rearm"), BOARDS, ids=lambda value: getattr(value, "__name__", value))
def test_a_long_tone_has_no_gap_that_can_be_heard(board, rearm, tmp_path):
    async def main():
        bench = Bench(board, [tmp_path], board=profile(tmp_path, rearm))
        await asyncio.sleep(5)
        outcome = await bench.perform(30)
        assert outcome.verdict is Verdict.DONE
        found = spells(bench.board)
        assert 29.9 <= found[-1][1] - found[0][0] <= 30.2
        gaps = [later[0] - earlier[1] for earlier, later in itertools.pairwise(found)]
        assert all(gap <= 0.02 for gap in gaps)
        if rearm in ("restarts", "extends"):
            assert not gaps
        assert bench.bus.priorities == {Priority.ACTUATOR}

    run(main())


@pytest.mark.parametrize(("board", "rearm"), BOARDS, ids=lambda value: getattr(value, "__name__", value))
@pytest.mark.parametrize("killed_after", [0.05, 0.99, 4.4, 61.7])
def test_whenever_the_agent_dies_the_board_ends_it(board, rearm, killed_after, tmp_path):
    async def main():
        bench = Bench(board, [tmp_path], board=profile(tmp_path, rearm))
        await asyncio.sleep(5)
        task = bench.start(170)
        await asyncio.sleep(killed_after)
        died, bench.bus.dead = bench.now(), True  # nothing we do from here on reaches the board
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await asyncio.sleep(60)
        assert not bench.board.on(0)
        assert spells(bench.board)[-1][1] - died <= 3.2

    run(main())


def test_the_first_request_is_the_write_and_the_second_looks():
    async def main():
        bench = Bench()
        await asyncio.sleep(5)
        await bench.perform(1)
        first, second = bench.board.requests[:2]
        assert (first.function, first.address, first.values) == (5, 0x0200, (10,))
        assert (second.function, second.address) == (1, 0)
        assert [(said.verdict, said.evidence["coil"]) for said in bench.said] == [(Verdict.DONE, True)]

    run(main())


def test_a_tone_is_rearmed_three_times_a_shot():
    async def main():
        bench = Bench(profiles=(), board="waveshare-8ch")
        await asyncio.sleep(5)
        outcome = await bench.perform(30)
        assert 28 <= outcome.evidence["arms"] <= 31
        arms = [request for request in bench.writes() if request.address == 0x0200]
        assert len(arms) == outcome.evidence["arms"]
        assert max(request.values[0] for request in arms) == 30

    run(main())


def test_the_default_signals_need_no_rearming_at_all():
    async def main():
        for pattern, on, off in [("fast", 1.0, 0.5), ("slow", 2.0, 4.0)]:
            bench = Bench()
            await asyncio.sleep(5)
            await bench.perform(30, Action("siren", pattern=pattern))
            found = spells(bench.board)
            assert len(found) == 30 / (on + off)
            assert all(abs(end - start - on) < 0.11 for start, end in found)
            assert all(request.address == 0x0200 for request in bench.writes()[:-1])

    run(main())


def test_the_cap_in_the_driver_holds_whoever_asks():
    async def main():
        bench = Bench(max_on=5.0, max_on_per_hour=8.0)
        await asyncio.sleep(5)
        outcome = await bench.perform(1000)
        assert outcome.evidence["ended"] == "siren_cap"
        assert (await bench.perform(1000)).reason == "siren_cap"  # the same alert has had its time
        await bench.perform(1000, Action("siren", pattern="steady", key="b2"))
        assert (await bench.perform(9, Action("siren", pattern="steady", key="c3"))).verdict is Verdict.REFUSED
        assert sum(end - start for start, end in spells(bench.board)) <= 8.2
        assert bench.said[-1].verdict is Verdict.REFUSED

    run(main())


def test_a_coil_that_reads_open_is_said_retried_and_taken_back_when_it_closes():
    async def main():
        bench = Bench()
        await asyncio.sleep(5)
        bench.bus.blind = True
        task = bench.start(20)
        await asyncio.sleep(3)
        bench.bus.blind = False
        outcome = await task
        assert [(said.verdict, said.reason) for said in bench.said] == [
            (Verdict.FAILED, "relay_readback"),
            (Verdict.DONE, ""),
        ]
        assert outcome.verdict is Verdict.DONE
        assert outcome.evidence["mismatches"] >= 3

    run(main())


def test_a_dead_relay_is_said_once_and_never_flooded():
    async def main():
        bench = Bench()
        await asyncio.sleep(5)
        bench.bus.dead = True
        begun = bench.now()
        outcome = await bench.perform(60)
        assert bench.now() - begun < 63
        assert [said.reason for said in bench.said] == ["relay_no_answer"]
        assert (outcome.verdict, outcome.reason) == (Verdict.FAILED, "relay_never_closed")
        assert outcome.evidence["arms"] <= 60

    run(main())


def test_a_board_without_the_one_shot_says_so():
    async def main():
        bench = Bench(channel=1)
        bench.board.channels = 0  # every address is refused
        outcome = await bench.perform(2)
        assert bench.said[0].reason == "relay_refused"
        assert outcome.verdict is Verdict.FAILED

    run(main())


@pytest.mark.parametrize(("board", "rearm"), BOARDS[:3])
def test_lost_answers_make_it_neither_silent_nor_endless(board, rearm, tmp_path):
    async def main():
        bench = Bench(board, [tmp_path], board=profile(tmp_path, rearm))
        await asyncio.sleep(5)
        task = bench.start(20)
        for _ in range(9):
            await asyncio.sleep(2)
            bench.bus.lost = 1
        await task
        await asyncio.sleep(10)
        found = spells(bench.board)
        assert found[-1][1] - found[0][0] <= 24
        assert sum(end - start for start, end in found) >= 15

    run(main())


def test_a_second_call_takes_over_without_a_gap():
    async def main():
        bench = Bench()
        await asyncio.sleep(5)
        first = bench.start(60)
        await asyncio.sleep(4.5)
        second = bench.start(10, Action("siren", pattern="steady", key="b2"))
        assert (await first).evidence["ended"] == "replaced"
        assert bench.board.on(0)
        assert (await second).evidence["ended"] == "ended"
        assert not bench.board.on(0)
        found = spells(bench.board)
        assert all(later[0] - earlier[1] <= 0.02 for earlier, later in itertools.pairwise(found))

    run(main())


@pytest.mark.parametrize("how", ["silence", "cancel"])
def test_silence_is_one_write_away(how):
    async def main():
        bench = Bench()
        await asyncio.sleep(5)
        task = bench.start(60)
        await asyncio.sleep(4.5)
        asked = bench.now()
        if how == "silence":
            outcome = await bench.relay.silence()
            assert outcome.verdict is Verdict.DONE
            assert (await task).evidence["ended"] == "silenced"
        else:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert spells(bench.board)[-1][1] - asked < 0.02
        await asyncio.sleep(10)
        assert not bench.board.on(0)

    run(main())


def test_a_relay_that_stays_closed_is_reported_and_the_boards_timer_ends_it():
    async def main():
        bench = Bench()
        await asyncio.sleep(5)
        task = bench.start(60)
        await asyncio.sleep(1)
        bench.bus.dead = True
        outcome = await bench.relay.silence()
        assert (outcome.verdict, outcome.reason) == (Verdict.FAILED, "relay_no_answer")
        await task
        await asyncio.sleep(3)
        assert not bench.board.on(0)

    run(main())


def test_a_probe_is_inaudible():
    async def main():
        bench = Bench()
        assert (await bench.relay.probe()).verdict is Verdict.DONE
        assert not bench.writes()
        bench.bus.dead = True
        assert (await bench.relay.probe()).reason == "relay_no_answer"

    run(main())


def test_what_cannot_be_performed_is_refused_and_said():
    async def main():
        bench = Bench()
        outcome = await bench.perform(5, Action("siren", pattern="raid"))
        assert (outcome.verdict, outcome.reason) == (Verdict.REFUSED, "pattern_unknown")
        assert bench.said == [outcome]
        assert (await bench.perform(-1)).verdict is Verdict.REFUSED
        assert not bench.writes()

    run(main())


def test_lc_tech_is_armed_by_two_registers():
    async def main():
        bench = Bench(LcTech, board="lc-tech", channel=2)
        await asyncio.sleep(5)
        await bench.perform(2)
        first = bench.writes()[0]
        assert (first.function, first.address, first.values) == (16, 8, (4, 20))
        assert len(spells(bench.board, 1)) == 1

    run(main())


def test_a_new_agent_does_not_trust_the_board_to_be_at_rest(tmp_path):
    """It was killed while it sounded, and is back before the shot has run out."""

    async def main():
        bench = Bench(Extending, [tmp_path], board=profile(tmp_path, "extends"))
        bench.board.answer(bytes.fromhex("05 0200 001E"))
        task = bench.start(60)
        await asyncio.sleep(1.5)
        died, bench.bus.dead = bench.now(), True
        await asyncio.sleep(60)
        assert spells(bench.board)[-1][1] - died <= 3.2
        await task

    run(main())


@pytest.mark.parametrize("line", [lambda board: PtyBus([board]), lambda board: TcpBus([board])], ids=["rtu", "tcp"])
def test_over_a_real_line(line):
    async def main():
        board = RelayBoard()
        async with line(board) as wire:
            bus = Bus(BusConfig(name="relays", url=wire.url))
            siren = create(config(shot=0.9), Context(Path(), lambda *_: None, {"relays": bus}))
            said = []
            until = asyncio.get_running_loop().time() + 1.6
            outcome = await siren.perform(SIREN, until, said.append)
            await bus.close()
        assert outcome.verdict is Verdict.DONE
        assert said[0].evidence == {"coil": True, "address": 0}
        assert not board.on(0)
        assert 1.2 <= sum(end - start for start, end in spells(board)) <= 1.8

    asyncio.run(main())


CONTEXT = Context(Path(), lambda *_: None, {"relays": object()})


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({}, None),
        ({"bus": "other"}, "actuator.bus_unknown"),
        ({"board": "no-such"}, "actuator.board_unknown"),
        ({"channel": 9}, "actuator.channel"),
        ({"channel": 0}, "actuator.channel"),
        ({"unit": 0}, "actuator.unit"),
        ({"shot": 5.0}, "actuator.shot"),
        ({"shot": 0.1}, "actuator.shot"),
        ({"timeout": 2.0}, "actuator.timeout"),
        ({"max_on": 3000.0}, "actuator.max_on"),
        ({"max_on_per_hour": 10.0}, "actuator.max_on_per_hour"),
        ({"patterns": {"raid": {"on": 6.0, "off": 6.0}}}, "actuator.pattern_air_defence"),
    ],
)
def test_check_names_what_is_wrong(keys, code):
    data = {"name": "s", "bus": "relays", "board": "waveshare-8ch"} | keys
    made = msgspec.convert(data, RelayConfig, dec_hook=decode)
    codes = [problem.code for problem in check(made, CONTEXT)]
    assert code in codes if code else codes == []


def test_check_sees_actuators_side_by_side():
    a, b, c = config(name="a"), config(name="b"), config(name="c", channel=2, bus="field")
    found = {(name, problem.code) for name, problem in conflicts([a, b, c], ["field"])}
    assert found == {("b", "actuator.channel_taken"), ("c", "actuator.bus_shared")}
    assert not list(conflicts([config(bus="field", shared=True)], ["field"]))
