"""What all drivers of bearers stand on: the line kept open, one send at a time, an inbox with a bound."""

import asyncio
from collections import Counter

import pytest

from drivers import address
from drivers.api import Accepted, Context, Datagram, Declined, Unknown
from drivers.bearers import common
from drivers.bearers.common import INBOX_MOST, Inbox, LineBearer, Turn
from drivers.simulated.hosted import MachineLine, MachineStream
from protocols.framing import Send
from tests.drivers.modbus_world import Reports, run
from tests.support import virtual


class Parrot:
    """A device that repeats what it hears, a while later, in two pieces."""

    def __init__(self, after=2):
        self.deadline = None
        self._after = after
        self._heard = b""

    def receive(self, data, now):
        self._heard += data
        self.deadline = now + self._after
        return []

    def tick(self, _now):
        self.deadline, heard, self._heard = None, self._heard, b""
        return [Send(heard[:1]), Send(heard[1:])]


class Echo:
    """A machine that sends a line and is content when it comes back; after nine seconds it gives up."""

    def __init__(self):
        self.deadline = None
        self.started = 0
        self._wanted, self._heard = b"", b""

    def start(self, _now):
        self.started += 1
        return [Send(b"hello\n")]

    def send(self, data, now):
        self._wanted, self._heard, self.deadline = data + b"\n", b"", now + 9
        return [Send(self._wanted)]

    def receive(self, data, _now):
        *lines, self._heard = (self._heard + data).split(b"\n")
        events = []
        for line in lines:
            if line + b"\n" == self._wanted:
                self._wanted, self.deadline = b"", None
                events.append(Accepted())
            else:
                events.append(line)
        return events

    def tick(self, _now):
        self.deadline = None
        return [Unknown("silent")]


class EchoBearer(LineBearer):
    def _take(self, event):
        self.condition.succeeded()
        if isinstance(event, bytes):
            self._inbox.put(Datagram(event))
        else:
            self._turn.settle(event)

    async def send(self, data):
        return await self.ask(lambda now: self._machine.send(data, now))

    def _show(self, _now):
        return {"signal": 80}


def bearer(url="sim:parrot"):
    where, problems = address.parse(url)
    assert problems == []
    reports = Reports()
    return EchoBearer("echo", where, Echo(), Context(None, reports, now=lambda: 7)), reports


@pytest.fixture
def opening(monkeypatch):
    """What opening a stream does next: a stream, or an error; the last one stands."""
    answers = [MachineStream]

    async def open_stream(*_):
        made = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(made, OSError):
            raise made
        return made(Parrot()) if made is MachineStream else made

    monkeypatch.setattr(common, "open_stream", open_stream)
    return answers


def soon():
    return asyncio.sleep(0.01)


async def until(one, state):
    while one.status()["state"] != state:
        await soon()


def test_a_send_waits_for_its_own_outcome_and_for_its_turn(opening):
    async def main():
        one, _ = bearer()
        assert await one.send(b"early") == Declined("port", common.REOPEN_MOST)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(one.run())
            await soon()
            first, second = await asyncio.gather(one.send(b"first"), one.send(b"second"))
            assert (first, second) == (Accepted(), Accepted())
            assert asyncio.get_running_loop().time() >= 4  # one after the other
            assert (await anext(one.incoming())).data == b"hello"
            assert one.status()["state"] == "up"
            assert (one.status()["signal"], one.status()["ready_in"], one.status()["busy"]) == (80, 0, False)
            running.cancel()

    virtual.run(main())


def test_who_gives_up_waiting_leaves_the_device_usable(opening):
    async def main():
        one, _ = bearer()
        running = asyncio.create_task(one.run())
        await soon()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await one.send(b"given up")
        assert one.status()["busy"]
        assert await one.send(b"next") == Accepted()
        running.cancel()

    virtual.run(main())


class Silent:
    async def read(self):
        await asyncio.Event().wait()

    async def write(self, data):
        pass

    def close(self):
        pass


def test_the_machines_deadline_ends_a_wait(opening):
    async def main():
        opening[0] = Silent()
        one, _ = bearer()
        running = asyncio.create_task(one.run())
        await soon()
        assert await one.send(b"nobody there") == Unknown("silent")
        running.cancel()

    virtual.run(main())


def test_a_lost_line_ends_the_send_is_told_once_and_is_opened_again(opening):
    class Ends(Silent):
        async def read(self):
            await asyncio.sleep(5)
            raise TimeoutError(110, "the network gave up")  # an OSError as well, and not the machine's deadline

    async def main():
        opening[:] = [OSError(2, "no such port"), OSError(2, "no such port"), Ends(), OSError(5, "gone"), MachineStream]
        one, reports = bearer()
        running = asyncio.create_task(one.run())
        await asyncio.sleep(2)
        assert await one.send(b"lost") == Unknown("port")
        assert one.status()["state"] == "down"
        assert await one.send(b"closed") == Declined("port", common.REOPEN_MOST)
        await until(one, "up")
        assert await one.send(b"again") == Accepted()
        assert [kind for kind, _ in reports] == ["device.down", "device.up"]
        assert reports[0][1]["frames"] == ["no such port"]
        assert one.counters["port"] == 4
        running.cancel()

    virtual.run(main())


def test_a_line_that_takes_nothing_is_opened_again(opening):
    class Held(Silent):
        async def write(self, _data):
            await asyncio.Event().wait()

    async def main():
        opening[:] = [Held(), MachineStream]
        one, _ = bearer()
        running = asyncio.create_task(one.run())
        await until(one, "up")
        assert asyncio.get_running_loop().time() >= common.WRITE_MOST
        running.cancel()

    virtual.run(main())


def test_an_inbox_drops_its_oldest_and_says_so():
    async def main():
        counters = Counter()
        inbox = Inbox(counters)
        for number in range(INBOX_MOST + 3):
            inbox.put(Datagram(bytes([number])))
        assert (len(inbox), counters["inbox"]) == (INBOX_MOST, 3)
        assert (await anext(inbox)).data == b"\3"
        waiting = asyncio.create_task(anext(Inbox(counters)))
        await soon()
        assert not waiting.done()
        waiting.cancel()

    virtual.run(main())


def test_an_outcome_that_nobody_waits_for_is_nothing():
    turn = Turn()
    turn.settle(Accepted())
    assert not turn.busy


def test_a_device_behind_a_pseudo_terminal():
    async def main():
        async with MachineLine(Parrot(0.05)) as line:
            one, _ = bearer(line.url)
            running = asyncio.create_task(one.run())
            assert (await anext(one.incoming())).data == b"hello"
            assert await one.send(b"over the wire") == Accepted()
            line.unplug()
            await until(one, "down")
            running.cancel()

    run(main())
