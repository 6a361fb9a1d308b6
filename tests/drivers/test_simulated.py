import asyncio
import json
import sys
from pathlib import Path

import pytest
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from drivers.bus import Bus, BusConfig
from drivers.simulated.modbus import PtyBus, TcpBus
from drivers.simulated.playback import MISSING_WORD, Playback, surfrad_unit, word
from drivers.simulated.relay import ALL, FLASH_OFF, FLASH_ON, RelayBoard
from drivers.simulated.surfrad import COLUMNS, parse
from drivers.simulated.unit import Unit, words_of
from protocols.modbus_pdu import ON, TOGGLE, Refused, Request
from tests.drivers.modbus_world import context, run, world
from tests.drivers.test_modbus_source import FACTORY, ModbusConfig

HEADING = [" Alamosa", "   37.70  105.92 2317 m version 1"]
MINUTE = (
    " 2016   1  1  1  0  0  0.000  91.65    -1.8 0    -0.8 0     1.8 0     2.3 0   186.3 0    -5.7 0    -6.2 0   276.0 0"
    "    -6.3 0    -6.4 0 -9999.9 1 -9999.9 1    -1.0 0   -89.7 0   -90.7 0    -7.6 0    52.7 0     3.1 0   304.7 0   773.5 0"
)


def test_pymodbus_reads_our_simulators():
    """An independent client against our codec and ports."""

    async def main():
        unit = Unit(3, holding=words_of(range(50)), coils={0: 1, 1: 0, 2: 1})
        async with PtyBus([unit]) as line, TcpBus([unit]) as server:
            for client in (
                AsyncModbusSerialClient(line.path, baudrate=9600),
                AsyncModbusTcpClient("127.0.0.1", port=server.port),
            ):
                await client.connect()
                assert (await client.read_holding_registers(5, count=3, device_id=3)).registers == [5, 6, 7]
                assert (await client.read_coils(0, count=3, device_id=3)).bits[:3] == [True, False, True]
                await client.write_registers(5, [55, 66], device_id=3)
                assert unit.holding[6] == 66
                assert (await client.read_holding_registers(49, count=2, device_id=3)).exception_code == 2
                unit.holding[5], unit.holding[6] = 5, 6
                client.close()

    run(main())


def test_our_bus_reads_pymodbus_servers():
    """An independent server: its framing, its exceptions."""

    async def main():
        device = SimDevice(id=1, simdata=[SimData(0, values=list(range(40)), datatype=DataType.REGISTERS)])
        tcp = ModbusTcpServer([device], address=("127.0.0.1", 0))
        await tcp.serve_forever(background=True)
        port = tcp.transport.sockets[0].getsockname()[1]
        await reads(f"tcp://127.0.0.1:{port}")
        await tcp.shutdown()

    async def reads(url):
        bus = Bus(BusConfig(name="b", url=url))
        assert await bus.read(1, 3, 10, 5) == [10, 11, 12, 13, 14]
        await bus.write_registers(1, 10, [7, 8])
        assert await bus.read(1, 3, 9, 4) == [9, 7, 8, 12]
        with pytest.raises(Refused):
            await bus.read(1, 3, 39, 2)
        await bus.close()

    run(main())


def test_our_bus_reads_pymodbus_serial_server_through_a_pair_of_ptys():
    import os
    import pty
    import tty

    async def main():
        loop = asyncio.get_running_loop()
        ends = [pty.openpty() for _ in range(2)]
        for n, (master, slave) in enumerate(ends):
            tty.setraw(slave)
            loop.add_reader(master, lambda ours=master, other=ends[1 - n][0]: os.write(other, os.read(ours, 4096)))
        names = [os.ttyname(slave) for _, slave in ends]
        device = SimDevice(id=1, simdata=[SimData(0, values=list(range(40)), datatype=DataType.REGISTERS)])
        server = ModbusSerialServer([device], port=names[0], baudrate=9600)
        await server.serve_forever(background=True)
        bus = Bus(BusConfig(name="b", url=f"serial://{names[1]}"))
        assert await bus.read(1, 3, 0, 40) == list(range(40))
        await bus.close()
        await server.shutdown()
        for master, slave in ends:
            loop.remove_reader(master)
            os.close(master)
            os.close(slave)

    run(main())


def test_a_relays_one_shot_ends_by_itself():
    now = [100.0]
    board = RelayBoard(1, now=lambda: now[0])
    board.write(Request(5, FLASH_ON + 2, 1, (7,)))
    assert board.on(2)
    now[0] = 100.5
    board.write(Request(5, FLASH_ON + 2, 1, (7,)))  # armed again before it ends
    now[0] = 101.1
    assert board.on(2)
    now[0] = 105.0
    assert not board.on(2)
    assert [tuple(one) for one in board.log] == [(100.0, 2, True), (pytest.approx(101.2), 2, False)]


def test_all_relays_and_what_a_board_refuses():
    board = RelayBoard(1, now=lambda: 0.0)
    board.write(Request(5, ALL, 1, (ON,)))
    board.write(Request(5, 3, 1, (TOGGLE,)))
    board.write(Request(15, 0, 2, (0, 1)))
    board.write(Request(5, FLASH_OFF + 7, 1, (5,)))
    assert [board.on(n) for n in range(8)] == [False, True, True, False, True, True, True, False]
    for bad in (
        Request(5, 8, 1, (ON,)),
        Request(5, 0, 1, (0x0100,)),
        Request(6, 0, 1, (1,)),
        Request(15, 7, 2, (1, 1)),
    ):
        with pytest.raises(Refused):
            board.write(bad)


def test_a_surfrad_minute():
    (row,) = parse([*HEADING, MINUTE, ""])
    values = dict(zip(COLUMNS, row.values, strict=True))
    assert (values["temp"], values["rh"], values["windspd"], values["pressure"]) == (-7.6, 52.7, 3.1, 773.5)
    assert (values["uvb"], row.flags[10]) == (None, 1)
    assert row.at.isoformat() == "2016-01-01T00:00:00+00:00"
    with pytest.raises(ValueError, match="line 3"):
        list(parse([*HEADING, "2016 1 1"]))


def test_playback_goes_on_and_begins_again():
    now = [0.0]
    table = Playback([[1.0], [2.5], [None]], period=1.0, now=lambda: now[0])
    seen = []
    for now[0] in (0.0, 0.9, 1.0, 2.0, 3.0):
        seen.append(table(0))
    assert seen == [10, 10, 25, MISSING_WORD, 10]
    assert table(1) is None
    assert [word(value) for value in (-0.1, 3276.7, 3276.8, -4000.0)] == [0xFFFF, 0x7FFF, MISSING_WORD, MISSING_WORD]


def test_a_played_back_station_through_its_profile():
    async def main():
        (row,) = parse([*HEADING, MINUTE])
        async with world([surfrad_unit([row])]) as (bus, reports, _line):
            sensor = FACTORY.create(ModbusConfig(name="met", bus="bus", profile="surfrad-met"), context(bus, reports))
            values = {one.series: one.value for one in await sensor.read_once()}
            assert len(sensor.series) == 20
            assert len(values) == 18
            assert (values["air.temperature"], values["air.pressure"], values["wind.direction"]) == (-7.6, 773.5, 304.7)
            assert sensor.status()["counters"] == {"ok": 1, "missing": 2}

    run(main())


def test_the_command_line(tmp_path):
    async def main():
        arguments = ["bus", "--tcp", "0", "--unit", "1=counting", "--unit", "5=relay", "--fault", "1=dead"]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "drivers.simulated",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        try:
            bus = Bus(BusConfig(name="b", url=json.loads(await process.stdout.readline())["url"]))
            await bus.write_coil(5, 0x0200, 1)
            changes = [json.loads(await process.stdout.readline()) for _ in range(2)]
            assert [(one["unit"], one["channel"], one["on"]) for one in changes] == [(5, 0, True), (5, 0, False)]
            await bus.close()
        finally:
            process.terminate()
            await process.wait()

    run(main())
