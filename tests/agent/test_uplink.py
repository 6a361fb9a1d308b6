"""From a real buffer through a real broker to a platform that keeps ranges."""

import asyncio
import subprocess
import time

import pytest

from buffer.model import Lane
from buffer.ranges import Ranges
from tests.support.broker import Broker
from tests.support.fake_broker import FakeBroker
from tests.support.listener import Listener
from tests.support.scale import count
from tests.support.uplinks import fill, happened, make, open_buffer, pending, running, until

pytestmark = pytest.mark.broker


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path / "broker") as one:
        yield one


@pytest.fixture
def buffer(tmp_path):
    one = open_buffer(tmp_path)
    yield one
    one.close()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize("form", ["json", "cbor", "packed"])
def test_everything_arrives_once_and_is_settled(tmp_path, broker, buffer, form, version):
    fill(buffer, 300)
    fill(buffer, 20, Lane.EVENT)
    fill(buffer, 3, Lane.ALARM)

    async def main():
        async with running(make(buffer, broker.url, directory=tmp_path, format=form, version=version)) as uplink:
            await until(lambda: pending(buffer) == 0)
            fill(buffer, 5, start=300)
            await until(lambda: pending(buffer) == 0)
            assert uplink.counts.refused == {}

    with Listener(broker.port) as platform:
        asyncio.run(main())
        platform.wait(lambda p: p.count("telemetry") == 305)
        assert (platform.count("event"), platform.count("alarm")) == (20, 3)
        assert sum(platform.repeats.values()) == 0
        assert platform.numbers[buffer.log, "telemetry"] == Ranges([(1, 305)])


def test_live_goes_before_the_backlog_and_the_newest_first(tmp_path, broker, buffer):
    fill(buffer, 3000)

    async def main():
        uplink = make(buffer, broker.url, directory=tmp_path, format="json", linger=0.0)
        async with running(uplink):
            await until(lambda: uplink.counts.messages > 3)
            fill(buffer, 1, start=3000)
            await until(lambda: pending(buffer) == 0)

    with Listener(broker.port) as platform:
        asyncio.run(main())
        platform.wait(lambda p: p.count("telemetry") == 3001)
        first_kind, first_key = platform.order[0]
        assert first_kind == "backlog"
        assert first_key.last == 3000
        live = next(i for i, (kind, _) in enumerate(platform.order) if kind == "live")
        assert platform.order[live][1].first == 3001
        assert live < len(platform.order) - 1
        ascending = [key.first for kind, key in platform.order[1:] if kind == "backlog"]
        assert ascending == sorted(ascending)


def test_an_older_log_goes_first_and_keeps_its_name(tmp_path, broker):
    older = open_buffer(tmp_path)
    fill(older, 10)
    older.close()
    newer = open_buffer(tmp_path)
    fill(newer, 10)

    async def main():
        async with running(make(newer, broker.url, directory=tmp_path)):
            await until(lambda: pending(newer) == 0)

    try:
        with Listener(broker.port) as platform:
            asyncio.run(main())
            platform.wait(lambda p: p.count("telemetry") == 20)
            assert platform.numbers == {(log, "telemetry"): Ranges([(1, 10)]) for log in (older.log, newer.log)}
    finally:
        newer.close()


def test_live_telemetry_lingers_for_company_and_an_alarm_does_not(tmp_path, broker, buffer):
    async def main():
        async with running(make(buffer, broker.url, directory=tmp_path, linger=4.0)) as uplink:
            await until(lambda: uplink.up and uplink.telemetry.connected)
            for at in range(5):
                fill(buffer, 1, start=at)
            buffer.append(Lane.ALARM, happened("alarm.test", 1), now=True)
            await until(lambda: pending(buffer) == 0)

    with Listener(broker.port) as platform:
        asyncio.run(main())
        platform.wait(lambda p: p.count("telemetry") == 5)
        lanes = [key.lane for _, key in platform.order]
        assert lanes[0] == "alarm"
        assert lanes.count("telemetry") <= 2


def test_nobody_listening_settles_nothing_and_is_said_once(tmp_path, broker, buffer):
    fill(buffer, 50)
    reports = []

    async def main():
        uplink = make(buffer, broker.url, reports, directory=tmp_path)
        async with running(uplink):
            await until(lambda: uplink.counts.refused.get(0x10, 0) > 0)
            assert pending(buffer) == 50
            await asyncio.sleep(0.3)
        assert [facts["code"] for kind, facts in reports if kind == "uplink.refused"] == [0x10]

    asyncio.run(main())
    assert pending(buffer) == 50


def test_a_route_may_take_nobody_listening_for_an_acceptance(tmp_path, broker, buffer):
    fill(buffer, 50)

    async def main():
        async with running(make(buffer, broker.url, directory=tmp_path, no_subscribers_ok=True)):
            await until(lambda: pending(buffer) == 0)

    asyncio.run(main())


def test_refused_by_the_access_list_stays_pending_and_goes_when_allowed(tmp_path, buffer, monkeypatch):
    monkeypatch.setattr("agent.links.uplink_send.FIRST_PAUSE", 0.2)
    monkeypatch.setattr("agent.links.uplink_send.LOOK", 0.1)
    fill(buffer, 50)
    refusing = [True]

    async def main():
        reports = []
        async with FakeBroker(
            puback=lambda topic, _p: 0x87 if refusing[0] and topic.endswith("readings") else 0
        ) as fake:
            uplink = make(buffer, f"mqtt://127.0.0.1:{fake.port}", reports, directory=tmp_path)
            async with running(uplink):
                await until(lambda: uplink.counts.refused.get(0x87, 0) >= 2)
                assert pending(buffer) == 50
                refusing[0] = False
                await until(lambda: pending(buffer) == 0)
            assert [kind for kind, _ in reports].count("uplink.refused") == 1

    asyncio.run(main())


def test_a_lane_that_is_refused_whole_is_slowed_down(tmp_path, buffer):
    fill(buffer, count(5000))

    async def main():
        async with FakeBroker(puback=lambda topic, _p: 0x97 if topic.endswith("readings") else 0) as fake:
            uplink = make(buffer, f"mqtt://127.0.0.1:{fake.port}", directory=tmp_path)
            async with running(uplink):
                await until(lambda: uplink.counts.refused.get(0x97, 0) >= 3)
                await asyncio.sleep(1.0)
                assert uplink.counts.messages < 50

    asyncio.run(main())


def test_one_message_that_is_refused_does_not_stop_the_others(tmp_path, buffer):
    fill(buffer, 40, Lane.EVENT)

    def puback(_topic, payload):
        return 0x99 if b'"n":7}' in payload else 0

    async def main():
        async with FakeBroker(puback=puback) as fake:
            uplink = make(buffer, f"mqtt://127.0.0.1:{fake.port}", directory=tmp_path)
            async with running(uplink):
                await until(lambda: pending(buffer) == 1)
                assert buffer.floor("p", buffer.log, Lane.EVENT) == 8

    asyncio.run(main())


def test_a_body_that_cannot_be_encoded_is_kept_and_the_others_go(tmp_path, broker, buffer):
    fill(buffer, 3, Lane.EVENT)
    buffer.append(Lane.EVENT, b"{broken")
    fill(buffer, 3, Lane.EVENT)

    async def main():
        reports = []
        async with running(make(buffer, broker.url, reports, directory=tmp_path)):
            await until(lambda: pending(buffer) == 1)
        assert ("uplink.refused", -1) in [(kind, facts.get("code")) for kind, facts in reports]

    with Listener(broker.port):
        asyncio.run(main())


def test_the_servers_receive_maximum_and_packet_size_hold(tmp_path, buffer):
    fill(buffer, 500)

    async def main(port):
        uplink = make(buffer, f"mqtt://127.0.0.1:{port}", directory=tmp_path, format="json")
        async with running(uplink):
            await until(lambda: pending(buffer) == 0)
            assert uplink.telemetry.connects == 1  # an overrun would have ended the connection: 0x93, 0x95
            assert uplink.counts.refused == {}

    extra = ["max_inflight_messages 2", "max_packet_size 2000"]
    with Broker(tmp_path / "small", extra=extra) as broker, Listener(broker.port) as platform:
        asyncio.run(main(broker.port))
        platform.wait(lambda p: p.count("telemetry") == 500)
        assert max(len(payload) for _, payload in platform.messages) < 2000


def test_a_server_without_qos_1_gets_nothing(tmp_path, buffer):
    fill(buffer, 5)

    async def main():
        reports = []
        async with FakeBroker(connack=(0, bytes([0x24, 0]))) as fake:
            uplink = make(buffer, f"mqtt://127.0.0.1:{fake.port}", reports, directory=tmp_path)
            async with running(uplink):
                await until(lambda: "link.no_qos1" in [kind for kind, _ in reports])
                await asyncio.sleep(0.2)
            assert [topic for topic, _ in fake.published if topic.endswith("readings")] == []

    asyncio.run(main())
    assert pending(buffer) == 5


def test_status_is_kept_by_the_broker_and_says_offline_at_the_end(tmp_path, broker, buffer):
    async def main():
        async with running(make(buffer, broker.url, directory=tmp_path)) as uplink:
            await until(lambda: uplink.up)
            await until(lambda: _status(broker.port, "online"))

    asyncio.run(main())
    assert _status(broker.port, "offline")


def _status(port, state):
    command = ["mosquitto_sub", "-p", str(port), "-t", "fengsui/1/s1/status", "-C", "1", "-W", "5"]
    said = subprocess.run(command, capture_output=True, check=False).stdout
    return f'"state": "{state}"'.encode() in said


def test_two_routes_do_not_wait_for_each_other(tmp_path, broker):
    buffer = open_buffer(tmp_path, "p", "dead")
    fill(buffer, 50)

    async def main():
        alive = make(buffer, broker.url, directory=tmp_path)
        dead = make(buffer, "mqtt://127.0.0.1:1", directory=tmp_path, name="dead")
        async with running(alive), running(dead):
            await until(lambda: pending(buffer, "p") == 0)
            assert pending(buffer, "dead") == 50
            assert dead.beat() < 30

    try:
        with Listener(broker.port):
            asyncio.run(main())
    finally:
        buffer.close()


def test_memory_while_draining_is_bounded_by_the_window(tmp_path, broker, buffer):
    fill(buffer, count(20_000))

    async def main():
        uplink = make(buffer, broker.url, directory=tmp_path, format="json", max_window=100_000)
        most = 0
        async with running(uplink):
            while pending(buffer):
                sender = uplink._senders.get("telemetry")
                if sender is not None:
                    most = max(most, sender.window.in_flight)
                    assert sum(len(b.body) for s in sender._streams for b in s.ahead) <= 128 * 1024
                await asyncio.sleep(0)
        return most

    with Listener(broker.port):
        assert asyncio.run(main()) <= 100_000 + 64 * 1024


def test_an_alarm_is_not_behind_the_backlog(tmp_path, broker, buffer):
    fill(buffer, count(20_000))

    async def main():
        uplink = make(buffer, broker.url, directory=tmp_path, format="json")
        took = []
        async with running(uplink):
            await until(lambda: uplink.counts.messages > 5)
            while pending(buffer) and len(took) < 20:
                began = time.monotonic()
                buffer.append(Lane.ALARM, happened("alarm.test", 1, n=len(took)), now=True)
                floor = buffer.next(Lane.ALARM)
                await until(lambda floor=floor: buffer.floor("p", buffer.log, Lane.ALARM) == floor)
                took.append(time.monotonic() - began)
        return took

    with Listener(broker.port) as platform:
        took = asyncio.run(main())
        assert took
        platform.wait(lambda p: p.count("alarm") == len(took))


def test_what_a_kept_session_owes_comes_with_connack_and_is_acknowledged(tmp_path):
    """A PUBLISH in one segment with CONNACK was once forgotten: never acknowledged, it held its place for ever."""

    async def main():
        owed = [(f"fengsui/1/warnings/33/1-{n}", b"x") for n in range(1, 4)]
        taken, reports = [], []

        def judge(_bearer, payload, _retained, done):
            taken.append(payload)
            asyncio.get_running_loop().call_later(0.1, done)  # judged, and journalled, after the link is fully up

        buffer = open_buffer(tmp_path)
        try:
            async with FakeBroker(owed=owed) as broker:
                uplink = make(
                    buffer,
                    f"mqtt://127.0.0.1:{broker.port}",
                    reports,
                    directory=tmp_path,
                    on_warning=judge,
                    areas=["33"],
                )
                async with running(uplink):
                    await until(lambda: len(broker.acknowledged) >= 3)
            assert [kind for kind, _ in reports if kind == "link.down"] == []
            return taken, broker.acknowledged
        finally:
            buffer.close()

    taken, acknowledged = asyncio.run(main())
    assert taken[:3] == [b"x"] * 3
    assert acknowledged == [1, 2, 3]
