"""The agent as a process beside a real broker: sensors → buffer → MQTT, its start, its end, and its doors."""

import asyncio
import contextlib
import json
import signal
import socket

import pytest

from agent.control import ask
from drivers.simulated.modbus import PtyBus
from drivers.simulated.playback import PtyPlayer
from tests.support.broker import Broker, free_port
from tests.support.station import WITHIN, Gauge, command, station
from tests.support.tree import ROOT
from tests.support.until import until

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


async def all_arrived(site):
    """The agent ends in order, and whatever it still held arrives with one more life."""
    await site.agent.end(signal.SIGTERM)
    await site.delivers_all()


@pytest.mark.parametrize(
    ("version", "form"), [("5", "json"), ("5", "cbor"), ("5", "packed"), ("3.1.1", "json"), ("3.1.1", "packed")]
)
def test_every_reading_arrives_once_in_every_form(tmp_path, broker, version, form):
    async def story():
        async with station(tmp_path, broker.port) as site:
            site.route |= {"version": version, "format": form}
            site.write()
            await site.up()
            await site.delivers(20)
            await all_arrived(site)
            values = [reading["value"] for reading in site.platform.readings]
            stored = {round(value, 3) for _log, _number, _series, value in site.stored()}
            assert len(set(values)) == len(values)
            assert {round(value, 3) for value in values} == stored
            assert {reading["unit"] for reading in site.platform.readings} == {"m"}

    asyncio.run(story())


def test_a_serial_line_and_an_instrument_that_speaks_deliver_side_by_side(tmp_path, broker):
    async def story():
        async with (
            station(tmp_path, broker.port, sensor=False) as site,
            PtyBus([Gauge(1).unit], baud=9600) as line,
            PtyPlayer(ROOT / "tests/captures/bundg_zeus_9.log") as wind,
        ):
            site.bus("rs485", line.url)
            site.sensor("gauge", "rs485")
            site.tables["sensor wind"] = (
                f'[[sensor]]\nname = "wind"\ndriver = "nmea"\nport = "{wind.url}"\n'
                'profile = "nmea-weather"\ninterval = "200ms"\nprefix = "mast"\n'
            )
            site.write()
            await site.up()
            await until(
                lambda: {"river.stage", "mast.wind.speed"} <= {one["series"] for one in site.platform.readings}, WITHIN
            )
            await all_arrived(site)

    asyncio.run(story())


def test_what_is_implausible_is_delivered_with_its_flag(tmp_path, broker):
    async def story():
        async with station(tmp_path, broker.port) as site:
            del site.tables["sensor gauge"]
            site.sensor("gauge", "field", expect={"river.stage": [0.0, 0.02]})
            site.write()
            await site.up()
            await until(lambda: len({one["quality"] for one in site.platform.readings}) > 1, WITHIN)
            for one in list(site.platform.readings):
                beyond = one["value"] > 0.02
                assert (one["quality"] & 0xF) == (3 if beyond else 1), one

    asyncio.run(story())


def test_started_with_no_network_it_keeps_everything_from_the_first_second(tmp_path, broker):
    """A port that nobody listens on yet; the broker is reached once something forwards it."""

    async def story():
        port = free_port()
        async with station(tmp_path, broker.port, through=port) as site:
            await site.agent.start()
            await until(lambda: site.committed > 10, WITHIN)
            answer = site.status()
            assert answer["bearers"]["p"]["urgent"]["up"] is False
            assert answer["sensors"]["gauge"]["state"] == "up"
            shown = await command("status", "--config", site.folder / "station.toml", "--json")
            assert json.loads(shown.stdout)["station"] == site.id
            assert site.delivered == 0
            async with forwarding(port, broker.port):
                await until(lambda: site.delivered > 10, WITHIN)
                await all_arrived(site)

    asyncio.run(story())


@contextlib.asynccontextmanager
async def forwarding(port, to):
    """A plain relay of bytes from one port to another."""

    async def pump(reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def accept(reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", to)
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()


def test_a_second_agent_on_the_same_state_is_refused_and_told_who_is_there(tmp_path, broker):
    async def story():
        async with station(tmp_path, broker.port) as site:
            await site.up()
            other = await command("run", "--config", site.folder / "station.toml")
            assert other.returncode == 2
            assert str(site.agent.pid) in other.stderr
            assert "Traceback" not in other.stderr
            await site.delivers(3)  # and the first one has not noticed

    asyncio.run(story())


def test_ready_is_said_before_any_broker_answers(tmp_path, broker, monkeypatch):
    async def story():
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind(str(tmp_path / "notify"))
            systemd.settimeout(WITHIN)
            monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
            async with station(tmp_path, broker.port, through=free_port()) as site:
                await site.agent.start()
                said = (await asyncio.to_thread(systemd.recv, 4096)).decode()
                while "READY=1" not in said.split("\n"):
                    said = (await asyncio.to_thread(systemd.recv, 4096)).decode()
                assert "0 of 1 routes up" in said
                assert site.status()["sensors"]["gauge"]["state"] == "up"

    asyncio.run(story())


def test_a_technician_reads_through_the_agent_while_it_polls(tmp_path, broker):
    async def story():
        async with station(tmp_path, broker.port) as site:
            await site.up()
            rows = []
            for _ in range(3):
                done = await command("read", "--once", "--json", "--config", site.folder / "station.toml")
                assert done.returncode == 0, done.stderr
                rows += [json.loads(line) for line in done.stdout.splitlines()]
            assert [row["sensor"] for row in rows] == ["gauge"] * 3
            assert all(row["readings"][0]["series"] == "river.stage" for row in rows)
            await all_arrived(site)  # what a technician reads is shown, not recorded twice

    asyncio.run(story())


def test_many_at_the_door_and_rubbish_leave_it_open(tmp_path, broker):
    async def story():
        async with station(tmp_path, broker.port) as site:
            await site.up()
            for rubbish in (b"\xff\xfe\n", b"[]\n", b"{}\n", b'{"do": ["status"]}\n', b"x" * 200_000, b'{"do": 1'):
                with socket.socket(socket.AF_UNIX) as door, contextlib.suppress(OSError):
                    door.connect(str(site.agent.control))
                    door.sendall(rubbish)
            answers = await asyncio.gather(*(asyncio.to_thread(ask, site.agent.control, "status") for _ in range(8)))
            assert sum(answer is not None and "station" in answer for answer in answers) >= 1
            await until(lambda: site.status() is not None, WITHIN)
            await site.delivers(3)

    asyncio.run(story())


def test_told_to_stop_it_commits_what_it_took_and_leaves_no_socket(tmp_path, broker):
    async def story():
        async with station(tmp_path, broker.port, through=free_port()) as site:
            await site.agent.start()
            await until(lambda: site.committed > 5, WITHIN)
            looks = site.gauge.looks
            assert await site.agent.end(signal.SIGTERM) == 0
            assert len(site.stored()) >= looks  # each look that was answered is in the file
            assert not site.agent.control.exists()
            assert site.agent.database.exists()

    asyncio.run(story())


def test_the_platform_is_told_that_it_leaves_and_that_it_is_back(tmp_path, broker):
    async def story():
        async with station(tmp_path, broker.port) as site:
            await site.up()
            await until(lambda: any(one["status"] == "online" for one in site.platform.statuses), WITHIN)
            await site.agent.end(signal.SIGTERM)
            await until(lambda: site.platform.statuses[-1]["status"] == "offline", WITHIN)
            await site.up()
            await until(lambda: site.platform.statuses[-1]["status"] == "online", WITHIN)
            logs = {one["log"] for one in site.platform.statuses}
            assert len(logs) == 2

    asyncio.run(story())
