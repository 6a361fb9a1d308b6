"""Devices that publish to a broker near by; the broker is a real one."""

import asyncio
import json

import cbor2
import pytest
from paho.mqtt import publish

from drivers.api import Context
from drivers.collect import collect
from drivers.sensors import mqtt_lan
from drivers.sensors.mqtt_lan import FACTORY, Topic, TopicConfig
from protocols.errors import RemoteError
from tests.support.broker import Broker
from tests.support.until import until

LEVELS = {"north": {"name": "north.stage", "unit": "m"}, "south": {"name": "south.stage", "unit": "m"}}
AIR = {"temperature": {"name": "hut.temperature", "unit": "Cel"}, "humidity": {"name": "hut.humidity", "unit": "%{RH}"}}
RAIN = {"rain": {"name": "hut.rain", "unit": "mm"}}
TOPICS = [
    {"topic": "weir/+/level", "series": LEVELS},
    {"topic": "hut/air", "series": AIR, "payload": "senml"},
    {"topic": "hut/rain", "series": RAIN},
    {"topic": "hut/cbor", "series": {"pressure": {"name": "hut.pressure", "unit": "hPa"}}, "payload": "senml-cbor"},
]


class Reports(list):
    def __call__(self, kind, fields):
        self.append((kind, dict(fields)))


def made(port, reports=None, base=None, **keys):
    config, problems = collect(FACTORY.config, {"name": "broker", "port": port, "topic": TOPICS} | keys)
    assert problems == []
    return FACTORY.create(config, Context(base, Reports() if reports is None else reports))


class Running:
    def __init__(self, source):
        self.source, self.got = source, []

    async def __aenter__(self):
        self.task = asyncio.create_task(self.source.run(self.got.extend))
        await until(lambda: self.source.listening)
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.wait([self.task])


async def say(broker, *messages, **keys):
    await asyncio.to_thread(publish.multiple, list(messages), hostname="127.0.0.1", port=broker.port, **keys)


@pytest.mark.broker
def test_numbers_and_senml(tmp_path):
    pack = json.dumps(
        [{"bn": "hut/", "n": "temperature", "u": "Cel", "v": 21.5, "t": -30}, {"n": "humidity", "u": "%RH", "v": 60}]
    )

    async def main():
        with Broker(tmp_path) as broker:
            async with Running(made(broker.port)) as running:
                await say(
                    broker,
                    ("weir/north/level", b"1.25", 0, False),
                    ("weir/south/level", b" -0.5\n", 1, False),
                    ("hut/air", pack.encode(), 1, False),
                    ("hut/rain", b"12", 0, False),
                    ("hut/cbor", cbor2.dumps([{0: "pressure", 1: "hPa", 2: 1013.2}]), 0, False),
                )
                await until(lambda: len(running.got) == 6)
                values = {one.series: one.value for one in running.got}
                assert values == {
                    "north.stage": 1.25, "south.stage": -0.5, "hut.temperature": 21.5, "hut.humidity": 60.0,
                    "hut.rain": 12.0, "hut.pressure": 1013.2,
                }  # fmt: skip
                at = {one.series: one.at for one in running.got}
                assert at["hut.humidity"] - at["hut.temperature"] == 30_000
                assert running.source.status()["state"] == "up"
                assert all(spec.lan for spec in running.source.series.values())
                assert len(await running.source.read_once()) == 6

    asyncio.run(main())


@pytest.mark.broker
def test_what_is_no_value_is_counted_and_nothing_else(tmp_path):
    async def main():
        with Broker(tmp_path) as broker:
            await say(broker, ("hut/rain", b"99", 1, True))
            source = made(broker.port)
            async with Running(source) as running:
                wrong = [b"", b"nan", b"1e999", b"0x10", b"1,5", b"1" * 40, b"\xff", "١".encode(), b"1 2"]
                await say(broker, *[("hut/rain", payload, 1, False) for payload in wrong])
                await say(broker, ("hut/rain", b"1" * 5000, 0, False), ("weir/east/level", b"1", 0, False))
                await say(
                    broker,
                    ("hut/air", b"[" * 3000, 1, False),
                    ("hut/air", b'[{"n":"temperature","u":"m","v":1}]', 1, False),
                )
                await say(broker, ("hut/rain", b"7", 1, False))
                await until(lambda: running.got)
                counters = source.status()["counters"]
                assert counters["retained"] == 1
                assert counters["mqtt.number"] == len(wrong)
                assert counters["oversize"] == counters["strange_series"] == 1
                assert counters["senml.syntax"] == counters["senml.unit"] == 1
                assert [one.value for one in running.got] == [7.0]

    asyncio.run(main())


@pytest.mark.broker
def test_a_payload_of_megabytes_is_cut_while_it_arrives(tmp_path):
    async def main():
        with Broker(tmp_path) as broker:
            source = made(broker.port)
            async with Running(source) as running:
                await say(broker, ("hut/rain", b"1" * 3_000_000, 1, False), ("hut/rain", b"3", 1, False))
                await until(lambda: running.got)
                assert source.status()["counters"]["oversize"] == 1
                assert [one.value for one in running.got] == [3.0]

    asyncio.run(main())


@pytest.mark.broker
def test_a_broker_that_goes_and_comes_back(tmp_path, monkeypatch):
    monkeypatch.setattr(mqtt_lan, "AGAIN_FIRST", 0.05)
    monkeypatch.setattr(mqtt_lan, "AGAIN_MOST", 0.1)

    async def main():
        reports = Reports()
        with Broker(tmp_path) as broker:
            source = made(broker.port, reports)
            async with Running(source) as running:
                await say(broker, ("hut/rain", b"1", 1, False))
                await until(lambda: running.got)
                await asyncio.to_thread(broker.kill)
                await until(lambda: source.status()["state"] == "down")
                await asyncio.to_thread(broker.start)
                await until(lambda: source.listening)
                await say(broker, ("hut/rain", b"2", 1, False))
                await until(lambda: len(running.got) == 2)
                assert [kind for kind, _ in reports] == ["device.down", "device.up"]

    asyncio.run(main())


@pytest.mark.broker
def test_a_login_and_a_refusal(tmp_path, monkeypatch):
    monkeypatch.setattr(mqtt_lan, "AGAIN_FIRST", 0.05)
    (tmp_path / "login").write_text("node:secret")

    async def main():
        with Broker(tmp_path, users={"node": "secret"}) as broker:
            async with Running(made(broker.port, base=tmp_path, login="login")):
                pass
            reports = Reports()
            task = asyncio.create_task(made(broker.port, reports).run(list))
            await until(lambda: reports)
            assert reports[0][1]["reason"] == "broker"
            task.cancel()

    asyncio.run(main())


def test_silence_is_said_once():
    async def main():
        reports = Reports()
        source = made(1, reports, stale="40ms")
        watching = asyncio.create_task(source._watch())
        await until(lambda: reports)
        assert reports[0][1]["reason"] == "silent"
        with pytest.raises(RemoteError):
            await source.read_once()
        watching.cancel()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("pattern", "topic", "which"),
    [
        ("a/b", "a/b", ""),
        ("a/b", "a/c", None),
        ("a/+/c", "a/b/c", "b"),
        ("a/+/c", "a/b/d/c", None),
        ("a/+", "a/", None),
        ("a.b", "axb", None),
        ("+", "x", "x"),
    ],
)
def test_topics(pattern, topic, which):
    assert Topic(TopicConfig(topic=pattern, series={})).match(topic) == which


def checked(base=None, **keys):
    config, problems = collect(FACTORY.config, {"name": "broker", "topic": TOPICS} | keys)
    assert problems == []
    return [one.code for one in FACTORY.check(config, Context(base, Reports()))]


def test_check(tmp_path):
    assert checked() == []
    assert checked(host="192.168.1.2") == []
    assert checked(host="8.8.8.8") == checked(host="broker.example") == ["lan.far"]
    assert checked(port=0, stale=0) == ["value.range"] * 2
    assert checked(topic=[]) == ["lan.no_series", "value.range"]
    for wrong in ("", "a/#", "+/+", "a+/b"):
        assert checked(topic=[{"topic": wrong, "series": RAIN}]) == ["lan.topic"]
    assert checked(topic=[{"topic": "a", "series": LEVELS}]) == ["lan.one_number"]
    assert checked(tmp_path, login="none") == ["file.missing"]
    (tmp_path / "login").write_text("a:b")
    (tmp_path / "login").chmod(0o644)
    assert checked(tmp_path, login="login") == ["coap.key_mode"]
