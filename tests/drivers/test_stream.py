import asyncio
import errno
import os
import pty
import tty
from pathlib import Path

import pytest

from drivers.address import Address, parse
from drivers.opening import open_stream
from drivers.pump import pump
from drivers.simulated.line import Pty
from drivers.stream import SerialStream
from protocols.framing import Send
from tests.drivers.modbus_world import run, until


def opened(url, base=Path()):
    return open_stream(parse(url)[0], base)


def test_a_serial_port_both_ways_until_it_is_pulled():
    async def main():
        master, slave = pty.openpty()
        tty.setraw(slave)
        stream = await opened(f"serial://{os.ttyname(slave)}?baud=115200")
        os.write(master, b"hello")
        assert await stream.read() == b"hello"
        big = os.urandom(100_000)
        writing = asyncio.create_task(stream.write(big))
        got = b""
        while len(got) < len(big):
            got += await asyncio.to_thread(os.read, master, 65536)
        await writing
        assert got == big
        with pytest.raises(OSError, match=r"."):
            await opened(f"serial://{os.ttyname(slave)}")  # it is ours alone
        reading = asyncio.create_task(stream.read())
        await asyncio.sleep(0)
        os.close(master)
        os.close(slave)
        with pytest.raises(OSError, match=r"."):
            await reading
        stream.close()

    run(main())


def test_a_read_that_is_cancelled_loses_nothing():
    async def main():
        master, slave = pty.openpty()
        tty.setraw(slave)
        stream = await opened(f"serial://{os.ttyname(slave)}")
        for _ in range(20):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await stream.read()
        os.write(master, b"still here")
        assert await stream.read() == b"still here"
        stream.close()
        os.close(master)
        os.close(slave)

    run(main())


def test_tcp_and_captures_end_in_an_error(tmp_path):
    async def main():
        async def serve(_reader, writer):
            writer.write(b"one")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        stream = await opened(f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        assert await stream.read() == b"one"
        with pytest.raises(OSError, match=r"."):
            await stream.read()
        server.close()
        (tmp_path / "x.log").write_bytes(b"abc" * 300)
        replay = await opened("replay:x.log", tmp_path)
        assert await replay.read() + await replay.read() == b"abc" * 300
        with pytest.raises(OSError, match="ended"):
            await replay.read()
        stream.close()
        replay.close()
        for url in ("replay:none.log", "serial:///dev/nowhere", "sim:nobody", "rtu+tcp://x"):
            with pytest.raises(OSError, match=r"."):
                await opened(url, tmp_path)

    run(main())


class Echo:
    """Sends back what it hears; gives up hope when its deadline passes."""

    deadline: float | None = 0.0

    def receive(self, data, now):
        self.deadline = now + 0.01
        return [Send(data), data]

    def tick(self, now):  # noqa: ARG002 - the face of a Machine
        self.deadline = None
        return ["silence"]


class Wire:
    def __init__(self):
        self.sent, self.coming = [], asyncio.Queue()

    async def read(self):
        return await self.coming.get()

    async def write(self, data):
        self.sent.append(data)

    def close(self):
        pass


def test_the_pump_keeps_deadlines_and_sends_what_the_machine_wants_sent():
    async def main():
        wire, taken = Wire(), []
        pumping = asyncio.create_task(pump(wire, Echo(), taken.append))
        await until(lambda: taken == ["silence"])
        wire.coming.put_nowait(b"ping")
        await until(lambda: taken == ["silence", b"ping", "silence"])
        assert wire.sent == [b"ping"]
        pumping.cancel()

    run(main())


def test_why_a_port_does_not_open_is_said_in_the_systems_words(tmp_path):
    """Not there; no port; and another's."""
    (tmp_path / "file").touch()

    def why(path):
        with pytest.raises(OSError) as refused:  # noqa: PT011 - which one it is, is the point
            SerialStream(Address("serial", str(path)))
        return refused.value.errno

    line = Pty()
    first = SerialStream(Address("serial", line.path))
    assert [why(path) for path in (tmp_path / "none", tmp_path / "file", line.path)] == [
        errno.ENOENT, errno.ENOTTY, errno.EBUSY,
    ]  # fmt: skip
    first.close()
    line.close()
