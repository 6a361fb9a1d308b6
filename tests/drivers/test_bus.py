import asyncio
import socket
from functools import partial

import pytest

from drivers.api import Context
from drivers.bus import Bus, BusConfig, Priority, check_bus
from drivers.simulated.modbus import PtyBus, TcpBus
from drivers.simulated.relay import RelayBoard
from drivers.simulated.unit import Fault, Unit, babble, words_of
from protocols.errors import LocalError, RemoteError
from protocols.modbus_pdu import Refused, Reply, encode
from protocols.modbus_rtu import seal
from tests.drivers.modbus_world import run, until, world

PORTS = {"pty": PtyBus, "tcp": TcpBus, "rtu+tcp": partial(TcpBus, rtu=True)}
everywhere = pytest.mark.parametrize("port", PORTS.values(), ids=PORTS)


def counting(number, **more):
    return Unit(number, holding=words_of(range(200)), registers=words_of(range(1000, 1200)), **more)


@everywhere
def test_reading_and_writing(port):
    async def main():
        unit = counting(1)
        unit.coils = {n: n % 3 == 0 for n in range(20)}
        async with world([unit], port) as (bus, _reports, _line):
            assert await bus.read(1, 3, 10, 4) == [10, 11, 12, 13]
            assert await bus.read(1, 4, 0, 125) == list(range(1000, 1125))
            assert await bus.read_coils(1, 0, 10) == [n % 3 == 0 for n in range(10)]
            await bus.write_register(1, 7, 4711)
            await bus.write_registers(1, 8, [1, 2])
            await bus.write_coil(1, 1, 0xFF00)
            assert await bus.read(1, 3, 7, 3) == [4711, 1, 2]
            assert await bus.read_coils(1, 1, 1) == [True]
            assert bus.log.counters(1)["ok"] == 8

    run(main())


@everywhere
@pytest.mark.parametrize(
    ("fault", "reasons"),
    [
        ("dead", {"timeout"}),
        ("babble", {"garbage", "truncated", "crc"}),
        ("wrong-id", {"foreign"}),
        ("truncated", {"truncated"}),
        ("exception", {"exception-4"}),
    ],
)
def test_what_a_bad_device_is_counted_for(port, fault, reasons):
    async def main():
        async with world([counting(1), counting(2, fault=Fault(fault))], port) as (bus, _reports, _line):
            with pytest.raises(RemoteError) as wrong:
                await bus.read(2, 3, 0, 5)
            assert wrong.value.reason in reasons
            assert bus.log.counters(2) == {wrong.value.reason: 1}
            assert await bus.read(1, 3, 3, 2) == [3, 4]
            assert any("020300000005" in frame for frame in bus.log.frames())

    run(main())


def test_a_wrong_checksum_is_no_value():
    async def main():
        async with world([counting(2, fault=Fault("bad-crc"))]) as (bus, _reports, _line):
            with pytest.raises(RemoteError, match="crc"):
                await bus.read(2, 3, 0, 5)

    run(main())


def test_nobody_answers_for_a_device_that_is_not_there():
    async def main():
        async with world([counting(1)]) as (bus, _reports, _line):
            with pytest.raises(RemoteError, match="timeout"):
                await bus.read(9, 3, 0, 1)

    run(main())


def test_a_good_reply_behind_noise_and_other_units_frames_is_taken():
    """More of it than pymodbus would hold."""

    async def main():
        async with world([counting(1)]) as (bus, _reports, line):
            await bus.read(1, 3, 0, 1)
            asking = asyncio.create_task(bus.read(1, 3, 4, 2))
            line.write(seal(3, encode(Reply(3, (9, 9)))) + babble(1) * 20)
            assert await asking == [4, 5]

    run(main())


def test_a_late_answer_is_never_taken_for_the_next():
    async def main():
        slow = counting(2, fault=Fault("slow", delay=0.15))
        async with world([counting(1), slow], patience=0.1) as (bus, _reports, _line):
            with pytest.raises(RemoteError, match="timeout"):
                await bus.read(2, 3, 50, 2)
            slow.fault = None
            other = asyncio.create_task(bus.read(2, 3, 70, 2))  # same unit, function and length
            assert await bus.read(1, 3, 10, 2) == [10, 11]  # a neighbour does not wait for it
            assert not other.done()
            assert await other == [70, 71]

    run(main())


def test_the_siren_goes_before_the_technician_and_both_before_polling():
    async def main():
        board, probe = RelayBoard(5), counting(1, turnaround=0.02)
        async with world([probe, board]) as (bus, _reports, _line):
            await bus.read(1, 3, 0, 1)
            order = []

            async def note(name, work):
                await work
                order.append(name)

            polls = [asyncio.create_task(note(f"poll{n}", bus.read(1, 3, n, 1))) for n in range(3)]
            await asyncio.sleep(0)
            technician = asyncio.create_task(note("technician", bus.read(1, 3, 9, 1, priority=Priority.TECHNICIAN)))
            siren = asyncio.create_task(note("siren", bus.write_coil(5, 0x0200, 7)))
            await asyncio.gather(*polls, technician, siren)
            assert order == ["poll0", "siren", "technician", "poll1", "poll2"]
            assert board.log[0].on

    run(main())


def test_a_request_that_is_cancelled_leaves_the_bus_in_order():
    async def main():
        async with world([counting(1), counting(2, fault=Fault("dead"))], patience=5.0) as (bus, _reports, _line):
            await bus.read(1, 3, 0, 1)
            asking = asyncio.create_task(bus.read(2, 3, 0, 1))
            await until(lambda: any("> 0203" in frame for frame in bus.log.frames()))
            asking.cancel()
            assert await bus.read(1, 3, 5, 1) == [5]

    run(main())


def test_an_adapter_that_echoes():
    async def main():
        unit = counting(1)
        async with world([unit], echo=True) as (bus, _reports, line):
            line._echo = True
            assert await bus.read(1, 3, 5, 2) == [5, 6]
            await bus.write_register(1, 5, 77)
            unit.fault = Fault("dead")
            with pytest.raises(RemoteError, match="timeout"):
                await bus.write_register(1, 5, 78)

    run(main())


@everywhere
def test_a_port_that_vanishes_is_reported_once_and_opened_again(port):
    async def main():
        async with world([counting(1)], port) as (bus, reports, line):
            assert await bus.read(1, 3, 0, 1) == [0]
            await line.__aexit__(None, None, None)
            for _ in range(3):
                with pytest.raises(OSError, match=r"."):
                    await bus.read(1, 3, 0, 1)
            assert len(reports.of("bus.down")) == 1
            assert bus.log.counters(1)["port"] >= 1

    run(main())


def test_a_server_that_hangs_up_is_dialled_again():
    async def main():
        async with world([counting(1)], TcpBus) as (bus, reports, line):
            for _ in range(3):
                assert await bus.read(1, 3, 0, 1) == [0]
                line.disconnect()
                await until(lambda: not bus.status()["open"])
            assert reports == []

    run(main())


def test_a_closed_port_is_not_asked_again_at_once_except_for_a_siren(monkeypatch):
    async def main():
        tried = []
        monkeypatch.setattr("drivers.modbus_port._look_at", tried.append)
        bus = Bus(BusConfig(name="b", url="serial:///dev/nowhere"))
        for priority in (Priority.POLL, Priority.POLL, Priority.ACTUATOR):
            with pytest.raises(OSError, match=r"."):
                await bus.read(1, 3, 0, 1, priority=priority)
        assert len(tried) == 2

    run(main())


def test_tcp_does_not_wait_to_fill_a_packet():
    async def main():
        async with world([counting(1)], TcpBus) as (bus, _reports, _line):
            await bus.read(1, 3, 0, 1)
            connection = bus._port._client.ctx.transport.get_extra_info("socket")
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    run(main())


def test_a_port_is_ours_alone():
    async def main():
        async with world([counting(1)]) as (bus, _reports, line):
            await bus.read(1, 3, 0, 1)
            second = Bus(BusConfig(name="second", url=line.url))
            with pytest.raises(OSError, match="busy"):
                await second.read(1, 3, 0, 1)

    run(main())


def test_an_answer_that_begins_in_time_is_heard_to_its_end():
    """Eighty characters at 1200 baud take six times the patience, and come one by one."""

    async def main():
        async with world([counting(1, turnaround=0.02)], baud=1200, fifo=1) as (bus, _reports, _line):
            assert await bus.read(1, 3, 10, 40) == list(range(10, 50))

    run(main())


def test_a_line_tells_what_passed_and_how_long_it_had_been_quiet():
    async def main():
        passed = []
        async with world([counting(1, turnaround=0.02)], baud=9600, fifo=8, told=passed.append, gap=0.03) as (bus, *_):
            await bus.read(1, 3, 0, 10)
            await bus.read(1, 3, 5, 1)
        first, second = passed
        assert first.frame.hex().startswith("01030000000a")
        assert first.until - first.at == pytest.approx((8 + 25) * 10 / 9600 + 0.02)
        assert second.quiet == pytest.approx(second.at - first.until)
        assert second.quiet >= 0.03  # the pause that was configured

    run(main())


def test_refusals_are_answers():
    async def main():
        async with world([counting(1)]) as (bus, _reports, _line):
            with pytest.raises(Refused) as refused:
                await bus.read(1, 3, 199, 2)
            assert refused.value.code == 2

    run(main())


@pytest.mark.parametrize("wrong", [(0, 3, 0, 1), (256, 3, 0, 1), (1, 3, 0, 126), (1, 16, 0, 1), (1, 3, 65535, 2)])
def test_what_is_never_sent(wrong):
    async def main():
        with pytest.raises(LocalError):
            await Bus(BusConfig(name="b", url="serial:///dev/nowhere")).read(*wrong)

    run(main())


def test_what_check_says(tmp_path):
    def codes(**config):
        return [one.code for one in check_bus(BusConfig(name="b", **config), Context(tmp_path, print))]

    assert codes(url="tcp://localhost") == []
    assert codes(url="sim:x") == ["url.scheme"]
    assert codes(url="serial:///dev/nowhere?parity=Q") == ["url.choice"]
    assert codes(url="serial:///dev/nowhere", timeout=0.0, gap=9.0) == ["port.missing", "value.range", "value.range"]
