"""What a broker keeps is got also behind a crowd: what matters first, all of it once more, and by name what is named."""

import asyncio
import time
from contextlib import contextmanager

import pytest

from agent.issue import beacon_of
from agent.links import subscribing
from agent.links.downlink import MOST_FIRST, Downlink
from agent.links.subscribing import CROWD, MOST_NAMED, Subscriber
from protocols import beacon
from tests.agent.test_mqtt import make, publish, up
from tests.agent.test_station_warnings import ready, told
from tests.support.broker import Broker
from tests.support.station import AREA, TEXT, WITHIN
from tests.support.until import until

JUNK = 1200  # messages; Mosquitto keeps a thousand for a session


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


class Wire:
    """A connection that only writes down what is asked of it, and grants all but what begins with "no"."""

    def __init__(self, kept=()):
        self.asked, self.ended, self.kept = [], [], list(kept)
        self.link = None

    async def subscribe(self, filters):
        self.asked.append(tuple(filters))
        for _ in range(self.kept.pop(0) if self.kept else 0):
            self.link.came()
        return {each: 0x87 if each.startswith("no") else 1 for each in filters}

    def unsubscribe(self, topics):
        self.ended.append(tuple(topics))


@contextmanager
def subscribed(wire, filters=("w/#",), first=lambda: ["b/1"]):
    said = []
    link = wire.link = Subscriber(filters, lambda kind, facts: said.append((kind, facts)), {}, first)
    tasks = [asyncio.create_task(one(wire)) for one in (link.run, link.get)]
    try:
        yield link, said
    finally:
        for task in tasks:
            task.cancel()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    for name in ("QUIET", "NAMED_PAUSE", "RESUBSCRIBE"):
        monkeypatch.setattr(subscribing, name, 0.02)


def test_what_matters_goes_first_and_a_quiet_start_is_one_round():
    async def main():
        wire = Wire(kept=[0, CROWD - 1])
        with subscribed(wire) as (link, _):
            await asyncio.sleep(0.2)
            assert wire.asked == [("b/1",), ("w/#",)]
            assert link.subscribed == {"w/#"}

    asyncio.run(main())


def test_after_a_crowd_all_is_subscribed_to_again_and_not_for_ever():
    async def main():
        wire = Wire(kept=[0, CROWD])
        with subscribed(wire):
            await until(lambda: len(wire.asked) == 4)
            await asyncio.sleep(0.2)
            assert len(wire.asked) == 4
        wire = Wire(kept=[CROWD] * 100)
        with subscribed(wire):
            await asyncio.sleep(1)
            assert len(wire.asked) == 2 * subscribing.ROUNDS

    asyncio.run(main())


def test_a_crowd_without_end_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(subscribing, "LONGEST_CROWD", 0.3)

    async def main():
        wire = Wire()
        with subscribed(wire) as (link, _):

            async def noise():
                while True:
                    for _ in range(CROWD):
                        link.came()
                    await asyncio.sleep(0.001)

            task = asyncio.create_task(noise())
            await until(lambda: len(wire.asked) >= 4)
            task.cancel()

    asyncio.run(main())


def test_what_is_refused_is_tried_again_and_keeps_nothing_else_waiting():
    async def main():
        wire = Wire()
        with subscribed(wire, filters=("w/#", "no/#"), first=list) as (link, said):
            await until(lambda: wire.asked.count(("no/#",)) >= 3)
            assert link.subscribed == {"w/#"}
            assert link.refused == {"no/#": 0x87}
            assert [kind for kind, _ in said] == ["link.subscription_refused"]

    asyncio.run(main())


def test_what_is_named_is_asked_for_by_name_let_go_and_bounded():
    async def main():
        wire = Wire()
        with subscribed(wire, first=list) as (link, _):
            await until(lambda: wire.asked)
            link.want([f"w/{number}" for number in range(1000)])
            link.want(["w/more"])
            await until(lambda: len(wire.asked) == 2)
            assert len(wire.asked[1]) == MOST_NAMED
            assert wire.ended == [wire.asked[1]]
            link.want(["w/more"])
            await until(lambda: wire.asked[-1] == ("w/more",))

    asyncio.run(main())


def test_beacons_of_those_who_speak_here_go_first_and_are_bounded():
    words = {"root": "r", "station": "s", "areas": ["3302"], "on_command": None, "report": lambda *_: None}
    link = Downlink("m", **words, on_warning=lambda *_: None, on_trust=lambda *_: None, issuers=lambda: [2, 1])
    assert link.first() == [
        "r/warnings/all/keyset",
        *(f"r/warnings/{area}/beacon/{issuer}" for issuer in (1, 2) for area in ("33", "3302", "all")),
    ]
    many = Downlink("m", **words, on_warning=lambda *_: None, on_trust=lambda *_: None, issuers=lambda: range(64))
    assert len(many.first()) == MOST_FIRST
    assert Downlink("m", **words, on_warning=None).first() == []


def test_a_kept_message_arrives_behind_a_thousand_others_by_name(tmp_path):
    async def main(port):
        seen = []

        def receive(message):
            seen.append(message.topic)
            message.ack()

        await asyncio.to_thread(publish, port, "down/a", "kept", "-r")
        async with up(make(port, filters=["other/#"], receive=receive)) as link:
            link.subscriber.want(["down/a"])
            await until(lambda: seen == ["down/a"])
            await asyncio.to_thread(publish, port, "down/a", "later")
            await asyncio.sleep(0.2)
            assert seen == ["down/a"], "it was let go of"

    with Broker(tmp_path) as one:
        asyncio.run(main(one.port))


async def junk(site, *, retain):
    """More than the broker keeps for a session, while the agent is away."""
    await ready(site)
    await site.kill()
    for _ in range(JUNK):
        alert = site.authority.alert(AREA, TEXT)
        topic = f"{site.root}/warnings/{AREA}/1-{alert.seq}"
        site.platform._client.publish(topic, site.authority.forged(alert, TEXT), qos=1, retain=retain)
    await until(lambda: not site.platform._client._out_messages, WITHIN)


@pytest.mark.broker
def test_twelve_hundred_messages_of_junk_in_a_session_hide_no_genuine_warning(tmp_path, broker):
    async def story(site):
        await junk(site, retain=False)
        alert = site.authority.alert(AREA, TEXT)
        site.platform.warn(alert, site.authority.genuine(alert, TEXT))
        await site.agent.start()
        await until(lambda: site.sounding, WITHIN)
        assert site.activations() == 1

    told(tmp_path, broker, story)


@pytest.mark.broker
def test_nor_do_they_where_the_broker_keeps_them_all_and_a_beacon_names_it(tmp_path):
    async def story(site):
        await junk(site, retain=True)
        alert = site.authority.alert(AREA, TEXT)
        site.platform.warn(alert, site.authority.genuine(alert, TEXT))
        sign = beacon_of(1, 1, [alert], int(time.time()))
        site.platform.publish(f"{site.root}/warnings/{AREA}/beacon/1", beacon.seal(sign, [site.authority._county]))
        await site.agent.start()
        await until(lambda: site.sounding, WITHIN)

    with Broker(tmp_path / "broker") as own:
        told(tmp_path, own, story)
