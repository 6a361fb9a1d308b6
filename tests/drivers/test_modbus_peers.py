"""Modbus against what others wrote in C: mbpoll reads our simulated devices, our bus reads libmodbus' server."""

import asyncio
import os
import re
import shutil
from contextlib import asynccontextmanager

import pytest

from drivers.bus import Bus, BusConfig
from drivers.simulated.line import Pty
from drivers.simulated.modbus import PtyBus, TcpBus
from drivers.simulated.unit import Fault, Unit, words_of
from protocols.modbus_pdu import Refused
from tests.drivers.modbus_world import run
from tests.support import libmodbus
from tests.support.broker import free_port

needs_mbpoll = pytest.mark.skipif(
    shutil.which("mbpoll") is None and not os.environ.get("CI"), reason="mbpoll (Debian package) is not installed"
)
needs_libmodbus = pytest.mark.skipif(
    libmodbus.library() is None and not os.environ.get("CI"), reason="libmodbus5 (Debian package) is not installed"
)
UNIT = 3
RTU = ("-m", "rtu", "-b", "9600", "-P", "none")


def counting(**more):
    return Unit(
        UNIT, holding=words_of(range(50)), registers=words_of(range(1000, 1050)), coils={0: 1, 1: 0, 2: 1}, **more
    )


async def mbpoll(place, *options, write=()):
    """(values by address, all that it said); once, with addresses as on the wire."""
    child = await asyncio.create_subprocess_exec(
        *("mbpoll", "-1", "-0", "-a", str(UNIT), "-o", "1", *options, place, *write),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await child.communicate())[0].decode()
    return {int(at): int(value) for at, value in re.findall(r"^\[(\d+)\]:\s+(-?\d+)", said, re.MULTILINE)}, said


@asynccontextmanager
async def reached(kind, unit):
    """What mbpoll is told of a simulated device: where it is, and how it is spoken to."""
    async with PtyBus([unit], baud=9600, fifo=1) if kind == "rtu" else TcpBus([unit]) as port:
        yield (port.path, RTU) if kind == "rtu" else ("127.0.0.1", ("-m", "tcp", "-p", str(port.port)))


@needs_mbpoll
@pytest.mark.parametrize("kind", ["rtu", "tcp"])
def test_mbpoll_reads_and_writes_a_simulated_device(kind):
    async def main():
        unit = counting()
        async with reached(kind, unit) as (place, how):
            assert (await mbpoll(place, *how, "-t", "4", "-r", "5", "-c", "3"))[0] == {5: 5, 6: 6, 7: 7}
            assert (await mbpoll(place, *how, "-t", "3", "-r", "0", "-c", "2"))[0] == {0: 1000, 1: 1001}
            assert (await mbpoll(place, *how, "-t", "0", "-r", "0", "-c", "3"))[0] == {0: 1, 1: 0, 2: 1}
            await mbpoll(place, *how, "-t", "4", "-r", "5", write=("55", "66"))
            assert (unit.holding[5], unit.holding[6]) == (55, 66)
            values, said = await mbpoll(place, *how, "-t", "4", "-r", "49", "-c", "2")
            assert (values, "Illegal data address" in said) == ({}, True)

    run(main())


@needs_mbpoll
def test_mbpoll_believes_no_answer_that_a_simulated_device_has_spoilt():
    async def main():
        async with reached("rtu", counting(fault=Fault("bad-crc"))) as (place, how):
            values, said = await mbpoll(place, *how, "-t", "4", "-r", "5", "-c", "3")
            assert (values, "Invalid CRC" in said) == ({}, True)

    run(main())


@needs_libmodbus
def test_our_bus_reads_libmodbus_through_a_pair_of_terminals():
    async def main():
        loop, ours, theirs = asyncio.get_running_loop(), Pty(), Pty()
        for one, other in ((ours, theirs), (theirs, ours)):
            loop.add_reader(one.fd, lambda one=one, other=other: other.write(os.read(one.fd, 4096)))
        async with libmodbus.serving(theirs.path, UNIT):
            await reads(f"serial://{ours.path}?baud=9600")
        for one in (ours, theirs):
            loop.remove_reader(one.fd)
            one.close()

    run(main())


@needs_libmodbus
def test_our_bus_reads_libmodbus_over_tcp():
    async def main():
        port = free_port()
        async with libmodbus.serving(str(port), UNIT):
            await reads(f"tcp://127.0.0.1:{port}")

    run(main())


async def reads(url):
    bus = Bus(BusConfig(name="b", url=url))
    assert await bus.read(UNIT, 3, 0, 40) == list(range(40))
    assert await bus.read(UNIT, 4, 10, 3) == [1010, 1011, 1012]
    assert await bus.read_coils(UNIT, 0, 9) == [n % 3 == 0 for n in range(9)]
    await bus.write_registers(UNIT, 10, [7, 8])
    await bus.write_coil(UNIT, 1, 0xFF00)
    assert await bus.read(UNIT, 3, 9, 4) == [9, 7, 8, 12]
    assert await bus.read_coils(UNIT, 0, 3) == [True, True, False]
    with pytest.raises(Refused) as refused:
        await bus.read(UNIT, 3, 39, 2)
    assert refused.value.code == 2
    await bus.close()
