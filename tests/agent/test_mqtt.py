"""A link on a real broker: every trap of paho that a field station has met, and what the server may say."""

import asyncio
import random
import subprocess
import time
from contextlib import asynccontextmanager
from functools import partial

import pytest

from agent.links.mqtt import Backoff, Connection, Link, LinkDown, Options, Will, accepting
from tests.support.broker import Broker
from tests.support.fake_broker import FakeBroker
from tests.support.proxy import Proxy

pytestmark = pytest.mark.broker
WITHIN = 30.0  # seconds: generous, no figure

ACL = """
topic readwrite ok/#
topic read denied/#
"""


def options(port, **changes):
    return Options(**({"host": "127.0.0.1", "port": port, "client_id": "s1"} | changes))


async def until(condition, within=WITHIN):
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "did not come about"
        await asyncio.sleep(0.01)


async def idle(connection: Connection) -> None:
    await asyncio.Event().wait()


def make(port, reports=None, **changes):
    link_changes = {k: changes.pop(k) for k in ("filters", "receive", "will") if k in changes}
    report = (lambda kind, facts: reports.append((kind, dict(facts)))) if reports is not None else (lambda _k, _f: None)
    return Link("urgent", options(port, **changes), report=report, random=random.Random(1).random, **link_changes)


@asynccontextmanager
async def running(link, serve=idle):
    task = asyncio.ensure_future(link.run(serve))
    try:
        yield link
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def up(link, serve=idle):
    async with running(link, serve):
        await until(lambda: link.connects > 0 and link.connected)
        yield link


def publish(port, topic, payload, *more):
    subprocess.run(["mosquitto_pub", "-p", str(port), "-t", topic, "-m", payload, "-q", "1", *more], check=True)


def test_accepting_is_below_0x80_and_somebody_listens():
    assert accepting(0, no_subscribers_ok=False)
    assert not accepting(0x10, no_subscribers_ok=False)
    assert accepting(0x10, no_subscribers_ok=True)
    assert not any(accepting(code, no_subscribers_ok=True) for code in (0x80, 0x87, 0x97, 0x99))


def test_backoff_doubles_under_full_jitter_and_forgets_after_a_stable_spell():
    backoff = Backoff(lambda: 1.0)
    assert [backoff.after(0.0) for _ in range(7)] == [1, 2, 4, 8, 16, 28, 28]
    assert backoff.after(3600.0) == 1
    assert 0 <= Backoff(random.Random(3).random).after(0.0) < 1


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_publish_resolves_to_the_servers_word(tmp_path, version):
    async def main(port):
        async with up(make(port, version=version)) as link:
            command = ["mosquitto_sub", "-p", str(port), "-t", "ok/#", "-C", "1"]
            listening = asyncio.ensure_future(asyncio.to_thread(subprocess.check_output, command))
            codes = set()
            while not listening.done():
                codes.add(await link.publish("ok/a", b"one").done)
                await asyncio.sleep(0.02)
            assert listening.result() == b"one\n"
            assert codes <= {0, 0x10}
            assert 0 in codes

    with Broker(tmp_path) as broker:
        asyncio.run(main(broker.port))


def test_nobody_listening_is_not_an_acceptance(tmp_path):
    async def main(port):
        async with up(make(port)) as link:
            assert await link.publish("ok/a", b"one").done == 0x10

    with Broker(tmp_path) as broker:
        asyncio.run(main(broker.port))


def test_a_refused_publish_is_not_a_success(tmp_path):
    async def main(port):
        async with up(make(port)) as link:
            assert await link.publish("denied/a", b"one").done == 0x87

    with Broker(tmp_path, acl=ACL) as broker:
        asyncio.run(main(broker.port))


def test_version_3_1_1_cannot_tell_a_refusal(tmp_path):
    """Why `check` warns: the message is gone and the server says success."""

    async def main(port):
        async with up(make(port, version="3.1.1")) as link:
            assert await link.publish("denied/a", b"one").done == 0

    with Broker(tmp_path, acl=ACL) as broker:
        asyncio.run(main(broker.port))


def test_a_refused_subscription_is_said_once_and_tried_again(monkeypatch):
    monkeypatch.setattr("agent.links.subscribing.RESUBSCRIBE", 0.05)

    def suback(filters):
        return [0x87 if each.startswith("no") else 1 for each in filters]

    async def main():
        reports = []
        # Mosquitto 2.0 grants every filter and stays silent on what its access list forbids; others refuse it here.
        async with (
            FakeBroker(suback=suback) as broker,
            up(make(broker.port, reports, filters=["no/#", "ok/#"])) as link,
        ):
            await until(lambda: len(broker.subscribed) == 3)
            assert broker.subscribed == [["no/#", "ok/#"], ["no/#"], ["no/#"]]
            assert link.subscribed == {"ok/#"}
            assert link.refused == {"no/#": 0x87}
            assert [kind for kind, _ in reports] == ["link.up", "link.subscription_refused"]

    asyncio.run(main())


def test_a_callback_that_raises_ends_the_connection_and_the_link_lives(tmp_path):
    seen = []

    def receive(message):
        seen.append(message.payload)
        if len(seen) == 1:
            raise ValueError("a bug")
        message.ack()

    async def main(port):
        link = make(port, filters=["down/#"], receive=receive, clean=False, session_expiry=3600)
        async with up(link):
            await until(lambda: link.subscribed)
            await asyncio.to_thread(publish, port, "down/a", "hello")
            await until(lambda: len(seen) == 2)
            assert seen == [b"hello", b"hello"]
            assert link.connects == 2
            assert link.failures == {"internal": 1}

    with Broker(tmp_path) as broker:
        asyncio.run(main(broker.port))


def test_what_serves_a_connection_may_fail(tmp_path):
    async def main(port):
        served = []

        async def serve(_connection):
            served.append(1)
            if len(served) == 1:
                raise KeyError("a bug")
            await asyncio.Event().wait()

        link = make(port)
        async with up(link, serve):
            await until(lambda: len(served) == 2)
            assert link.failures == {"internal": 1}

    with Broker(tmp_path) as broker:
        asyncio.run(main(broker.port))


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_warning_sent_while_the_agent_is_away_arrives(tmp_path, version):
    async def main(port):
        seen = []

        def receive(message):
            seen.append(message.payload)
            message.ack()

        for round_ in range(2):
            link = make(port, version=version, filters=["down/#"], receive=receive, clean=False, session_expiry=3600)
            async with up(link):
                await until(partial(getattr, link, "subscribed"))
                if round_:
                    await until(lambda: seen)
            await asyncio.to_thread(publish, port, "down/a", "while away")
        assert seen[0] == b"while away"

    with Broker(tmp_path) as broker:
        asyncio.run(main(broker.port))


def test_an_unacknowledged_message_comes_again(tmp_path):
    async def main(port):
        seen = []
        link = make(port, filters=["down/#"], receive=seen.append, clean=False, session_expiry=3600)
        async with up(link):
            await until(lambda: link.subscribed)
            await asyncio.to_thread(publish, port, "down/a", "one")
            await until(lambda: len(seen) == 1)
            stale = seen[0].ack
            link.connection.drop("test")
            await until(lambda: len(seen) == 2)
            stale()  # an acknowledgement for a connection that is over says nothing on the next
            link.connection.drop("test")
            await until(lambda: len(seen) == 3)
            seen[2].ack()
            await link.publish("ok/flush", b"").done
            link.connection.drop("test")
            await until(lambda: link.connects == 4 and link.subscribed)
            await asyncio.sleep(0.2)
            assert len(seen) == 3

    with Broker(tmp_path) as broker:
        asyncio.run(main(broker.port))


def test_retained_messages_come_again_though_the_session_is_present(tmp_path):
    async def main(port):
        seen = []

        def receive(message):
            seen.append((message.payload, message.retain))
            message.ack()

        await asyncio.to_thread(publish, port, "down/a", "kept", "-r")
        link = make(port, filters=["down/#"], receive=receive, clean=False, session_expiry=3600)
        async with up(link):
            await until(lambda: len(seen) == 1)
            link.connection.drop("test")
            await until(lambda: len(seen) == 2)
            assert link.connection.granted.session_present
            assert seen == [(b"kept", True)] * 2

    with Broker(tmp_path) as broker:
        asyncio.run(main(broker.port))


@pytest.mark.parametrize("forget", [False, True])
def test_the_broker_is_restarted_with_and_without_its_session(tmp_path, forget):
    async def main(broker):
        seen = []

        def receive(message):
            seen.append(message.payload)
            message.ack()

        link = make(broker.port, filters=["down/#"], receive=receive, clean=False, session_expiry=3600)
        async with up(link):
            await until(lambda: link.subscribed)
            await asyncio.to_thread(broker.restart, forget=forget)
            await until(lambda: link.connects == 2 and link.subscribed)
            assert link.connection.granted.session_present is not forget
            await asyncio.to_thread(publish, broker.port, "down/a", "after")
            await until(lambda: seen == [b"after"])

    with Broker(tmp_path, persistence=True) as broker:
        asyncio.run(main(broker))


def test_receive_maximum_and_packet_limits_are_read(tmp_path):
    async def main(port):
        async with up(make(port)) as link:
            assert link.connection.granted.receive_maximum == 7
            assert link.connection.granted.maximum_packet == 5000

    with Broker(tmp_path, extra=["max_inflight_messages 7", "max_packet_size 5000"]) as broker:
        asyncio.run(main(broker.port))


def test_another_client_takes_the_session_over(tmp_path):
    async def main(port):
        reports = []
        async with up(make(port, reports)) as first, up(make(port)):
            await until(lambda: first.connects >= 3)
            # Two stations with one client id throw each other out for ever: said once, ever more slowly.
            assert [kind for kind, _ in reports] == ["link.up", "link.down"]
            assert first._backoff._limit >= 4

    with Broker(tmp_path) as broker:
        asyncio.run(main(broker.port))


def test_the_servers_disconnect_has_its_reason():
    async def main():
        reports = []
        async with FakeBroker() as broker, up(make(broker.port, reports)) as link:
            broker.disconnect(0x8E)
            await until(lambda: link.connects == 2)
            assert [facts.get("reason") for _, facts in reports] == [None, "server.session-taken-over"]

    asyncio.run(main())


def test_a_server_that_keeps_nothing_is_asked_without_retain():
    def will(_session):
        return Will("ok/status", b"offline", 5)

    async def main():
        async with FakeBroker(connack=(0x9A, b"")) as broker:
            link = make(broker.port, will=will)
            async with running(link):
                await until(lambda: broker.connects)
                broker.connack = (0, bytes([0x25, 0]))  # accepted, retain not available
                await until(lambda: link.connects == 1)
                assert not link.connection.granted.retain
                retain_flags = [bool(body[7] & 0x20) for body in broker.connects]
                assert retain_flags[0]
                assert not retain_flags[-1]

    asyncio.run(main())


def test_wrong_credentials_are_said_once(tmp_path):
    secret = tmp_path / "credentials"
    secret.write_text('username = "s1"\npassword = "wrong"\n')
    secret.chmod(0o600)

    async def main(port):
        reports = []
        link = make(port, reports, credentials=secret)
        link._backoff = Backoff(lambda: 0.0)
        async with running(link):
            await until(lambda: sum(link.failures.values()) >= 3)
        assert [(kind, facts["reason"]) for kind, facts in reports] == [("link.down", "refused.not-authorized")]

    with Broker(tmp_path, users={"s1": "right"}) as broker:
        asyncio.run(main(broker.port))


def test_a_credentials_file_that_others_can_read_is_not_used(tmp_path):
    secret = tmp_path / "credentials"
    secret.write_text('username = "s1"\npassword = "right"\n')
    secret.chmod(0o644)

    async def main(port):
        reports = []
        async with running(make(port, reports, credentials=secret)):
            await until(lambda: reports)
        assert reports[0][1]["reason"] == "secret"
        assert "right" not in str(reports)

    with Broker(tmp_path, users={"s1": "right"}) as broker:
        asyncio.run(main(broker.port))


def test_the_will_is_kept_and_an_orderly_end_says_the_same(tmp_path):
    def will(session):
        return Will("ok/status", b"offline " + session.encode(), 0)

    def status(port):
        command = ["mosquitto_sub", "-p", str(port), "-t", "ok/status", "-C", "1", "-W", "10"]
        return subprocess.run(command, capture_output=True, check=True).stdout.strip()

    async def main(port):
        link = make(port, will=will)
        async with up(link):
            first = link.session
            link.connection.drop("test")
            await until(lambda: link.connects == 2)
            assert await asyncio.to_thread(status, port) == b"offline " + first.encode()
            second = link.session
        assert second != first
        assert await asyncio.to_thread(status, port) == b"offline " + second.encode()

    with Broker(tmp_path) as broker:
        asyncio.run(main(broker.port))


def test_start_without_a_broker_and_connect_when_it_comes(tmp_path):
    broker = Broker(tmp_path)

    async def main():
        reports = []
        link = make(broker.port, reports)
        async with running(link):
            await until(lambda: link.failures.get("connection-refused"))
            await asyncio.to_thread(broker.start)
            link.hurry()
            await until(lambda: link.connects == 1)
        assert [kind for kind, _ in reports] == ["link.down", "link.up"]

    try:
        asyncio.run(main())
    finally:
        broker.stop()


def test_a_server_that_never_answers_connect_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr("agent.links.mqtt_connection.CONNECT_TIMEOUT", 0.3)

    async def main(port):
        link = make(port)
        async with running(link):
            await until(lambda: link.failures.get("timeout"))

    with Broker(tmp_path) as broker, Proxy("127.0.0.1", broker.port) as proxy:
        proxy.silent = True
        asyncio.run(main(proxy.port))


def test_swallowed_pubacks_end_the_connection(tmp_path):
    async def main(proxy):
        proxy.swallow_pubacks = True
        link = make(proxy.port, patience=0.5, keepalive=60)
        async with up(link):
            flight = link.publish("ok/a", b"one")
            with pytest.raises(LinkDown, match="no-puback"):
                await flight.done
            proxy.swallow_pubacks = False
            await until(lambda: link.connects == 2)
            assert await link.publish("ok/a", b"one").done == 0x10

    with Broker(tmp_path) as broker, Proxy("127.0.0.1", broker.port) as proxy:
        asyncio.run(main(proxy))


def test_a_black_hole_is_noticed_within_one_and_a_half_keepalives(tmp_path):
    async def main(proxy):
        link = make(proxy.port, keepalive=4)
        async with up(link):
            proxy.black_hole = True
            down = await asyncio.wait_for(asyncio.shield(link.connection.ended), WITHIN)
            assert down.reason == "silent"
            assert link.beat() < 5  # a link without a network is as alive as any

    with Broker(tmp_path) as broker, Proxy("127.0.0.1", broker.port) as proxy:
        asyncio.run(main(proxy))


@pytest.mark.parametrize("fault", ["reset", "close", "half packet"])
def test_a_connection_that_is_cut_is_made_anew(tmp_path, fault):
    async def main(proxy):
        link = make(proxy.port)
        async with up(link):
            if fault == "half packet":
                proxy.cut_up_after = 20
                flight = link.publish("ok/a", b"x" * 100)
                with pytest.raises(LinkDown):
                    await flight.done
                proxy.cut_up_after = None
            else:
                getattr(proxy, fault)()
            await until(lambda: link.connects == 2)
            assert await link.publish("ok/a", b"one").done == 0x10

    with Broker(tmp_path) as broker, Proxy("127.0.0.1", broker.port) as proxy:
        asyncio.run(main(proxy))


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_huge_message_costs_bounded_memory_and_does_not_stall(tmp_path, version):
    async def main(port):
        seen = []

        def receive(message):
            seen.append(len(message.payload))
            message.ack()

        async with up(make(port, version=version, filters=["down/#"], receive=receive)) as link:
            await until(lambda: link.subscribed)
            big = tmp_path / "big"
            big.write_bytes(bytes(64 << 20))
            await asyncio.to_thread(
                subprocess.run,
                ["mosquitto_pub", "-p", str(port), "-t", "down/a", "-q", "1", "-f", str(big)],
                check=True,
            )
            await asyncio.to_thread(publish, port, "down/a", "small")
            await until(lambda: 5 in seen)
            assert link.connects == 1
            # MQTT 5: never sent to us. 3.1.1: cut while it arrived, still too long to be taken for anything.
            assert len(seen) == (1 if version == "5" else 2)
            assert max(seen) < 32 << 20

    with Broker(tmp_path) as broker:
        asyncio.run(main(broker.port))


def test_server_disconnects_and_refusals_have_stable_codes(tmp_path):
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.reasoncodes import ReasonCode

    from agent.links.mqtt_words import slug

    assert slug(ReasonCode(PacketTypes.CONNACK, identifier=0x87)) == "not-authorized"
    assert slug(ReasonCode(PacketTypes.DISCONNECT, identifier=0x8E)) == "session-taken-over"
    assert slug(ReasonCode(PacketTypes.DISCONNECT, identifier=0x93)) == "receive-maximum-exceeded"
