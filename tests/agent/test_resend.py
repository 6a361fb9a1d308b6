"""`resend` on a real buffer and a real broker: what was sent comes again under its own keys, and what cannot says why."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.links import resend as resending
from agent.links.answering import commands_of
from agent.links.downlink import Command
from agent.links.uplink_encode import encoder
from buffer import tables
from buffer.model import Lane, RouteSpec
from buffer.store import Buffer
from protocols import envelope, resend
from protocols.errors import RemoteError
from protocols.key import MAX_NUMBER, Key
from tests.support.broker import Broker
from tests.support.listener import Listener
from tests.support.uplinks import STATION, fill, make, open_buffer, pending, running, until, wall

NOWHERE = "0123456789abcdef"


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path / "broker") as broker:
        yield broker


@asynccontextmanager
async def answering(buffer, broker, directory, records, **changes):
    """A route with its commands, as the station wires them."""
    uplinks = []
    route = make(buffer, broker.url, directory=directory, **changes).route
    commands = commands_of(
        route,
        station=STATION,
        buffer=buffer,
        encode=encoder(STATION, route.format, wall),
        record=lambda kind, facts: records.append((kind, dict(facts))),
        uplink=lambda: uplinks[0],
    )
    uplinks.append(make(buffer, broker.url, directory=directory, on_command=commands.take, **changes))
    async with running(uplinks[0]) as uplink:
        task = asyncio.ensure_future(commands.run())
        await until(lambda: uplink.urgent.subscribed and uplink.telemetry.connected)
        try:
            yield uplink, commands
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def ask(listener, *keys):
    """As a platform asks: over the broker, with an answer wanted."""
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties = Properties(PacketTypes.PUBLISH)
    properties.ResponseTopic = f"{envelope.DEFAULT_ROOT}/platform/answers"
    properties.CorrelationData = b"c1"
    listener.publish(envelope.command(envelope.DEFAULT_ROOT, STATION, "resend"), resend.encode(keys), properties)


class Platform(Listener):
    def publish(self, topic, payload, properties=None):
        self._client.publish(topic, payload, 1, properties=properties)

    def answers(self):
        return [json.loads(payload) for topic, payload in self.messages if topic.endswith("/platform/answers")]

    def resent(self):
        return [key for kind, key in self.order if kind == "resend"]


def key(buffer, first, last, lane="telemetry", log=None):
    return Key(STATION, log or buffer.log, lane, first, last)


@pytest.mark.broker
@pytest.mark.parametrize("form", ["json", "packed"])
def test_a_broker_that_forgot_is_healed_from_history(tmp_path, broker, form):
    async def main():
        buffer, records = open_buffer(tmp_path), []
        try:
            fill(buffer, 300)
            async with answering(buffer, broker, tmp_path, records, format=form):
                with Platform(broker.port):  # somebody listens, so that the broker accepts
                    await until(lambda: pending(buffer) == 0)
                with Platform(broker.port) as late:
                    await asyncio.to_thread(ask, late, key(buffer, 1, 100), key(buffer, 90, 300))
                    await until(late.answers)
                    return late.numbers[buffer.log, "telemetry"], late.repeats, late.answers(), records, late.resent()
        finally:
            buffer.close()

    numbers, repeats, [answer], records, resent = asyncio.run(main())
    assert list(numbers) == [(1, 300)]
    assert sum(repeats.values()) == 0, "what was asked for twice in one command goes once"
    assert resent
    assert (answer["type"], answer["sent"], answer["missing"]) == ("command.done", 300, [])
    assert [kind for kind, _ in records] == ["command.done"]


@pytest.mark.broker
def test_events_are_sent_again_too_and_live_data_goes_on(tmp_path, broker):
    async def main():
        buffer, records = open_buffer(tmp_path), []
        try:
            fill(buffer, 20, Lane.EVENT)
            with Platform(broker.port) as platform:
                async with answering(buffer, broker, tmp_path, records):
                    await until(lambda: pending(buffer) == 0)
                    await asyncio.to_thread(ask, platform, key(buffer, 3, 5, "event"))
                    fill(buffer, 5, start=100)
                    await until(lambda: platform.answers() and pending(buffer) == 0)
                    return platform.resent(), platform.answers()[0], platform.count("telemetry")
        finally:
            buffer.close()

    resent, answer, telemetry = asyncio.run(main())
    assert [(each.lane, each.first, each.last) for each in resent] == [("event", n, n) for n in (3, 4, 5)]
    assert answer["sent"] == 3
    assert telemetry == 5


def delete(buffer, first, last):
    """As retention does with what every platform has."""
    buffer._ledger.lose(buffer.log, Lane.TELEMETRY, "history", first, last)

    engine, ordinal = buffer._engine, buffer._ledger.logs[buffer.log].ordinal

    def rows():
        extents = tables.read_extents(engine.db, Lane.TELEMETRY, ordinal, first, last, most=100)
        tables.delete_blocks(engine.db, [extent.key for extent in extents if first <= extent.first <= last])
        return len(extents)

    assert buffer._worker.ask(rows).result(20)


@pytest.mark.broker
def test_each_range_that_cannot_go_says_why(tmp_path, broker):
    async def main():
        older = open_buffer(tmp_path)
        fill(older, 10)
        older.close()
        buffer, records = open_buffer(tmp_path), []
        try:
            fill(buffer, 30)
            buffer._ledger.lose(buffer.log, Lane.TELEMETRY, "space", 4, 6)
            delete(buffer, 20, 22)
            asked = [key(buffer, 1, 40), key(buffer, 1, 5, log=NOWHERE), key(buffer, 8, MAX_NUMBER, log=older.log)]
            with Platform(broker.port) as platform:
                async with answering(buffer, broker, tmp_path, records, linger=60):
                    await asyncio.to_thread(ask, platform, *asked)
                    await until(platform.answers)
                    return buffer.log, older.log, platform.answers()[0]
        finally:
            buffer.close()

    log, older, answer = asyncio.run(main())
    assert {(each["range"], each["reason"]) for each in answer["missing"]} == {
        (f"{log}/telemetry/31-40", "not-issued"),
        (f"{log}/telemetry/4-6", "space"),
        (f"{log}/telemetry/20-22", "deleted"),
        (f"{NOWHERE}/telemetry/1-5", "unknown"),
        (f"{older}/telemetry/11-{MAX_NUMBER}", "unknown"),
    }
    assert answer["sent"] == 30 - 6 + 3
    assert answer["more"] == 0


@pytest.mark.broker
def test_a_data_plan_bounds_what_a_stranger_can_draw_from_it(tmp_path, broker, monkeypatch):
    monkeypatch.setattr(resending, "METERED", (20_000, 0.01))

    async def main():
        buffer, records = open_buffer(tmp_path), []
        try:
            fill(buffer, 400)
            with Platform(broker.port) as platform:
                async with answering(buffer, broker, tmp_path, records, metered=True):
                    await until(lambda: pending(buffer) == 0)
                    before = platform.bytes
                    await asyncio.to_thread(ask, platform, key(buffer, 1, 400))
                    await until(platform.answers)
                    return platform.answers()[0], platform.bytes - before
        finally:
            buffer.close()

    answer, drawn = asyncio.run(main())
    assert {each["reason"] for each in answer["missing"]} == {"later"}
    assert drawn < 50_000
    assert 0 < answer["sent"] < 400
    assert answer["sent"] + sum(_count(each["range"]) for each in answer["missing"]) == 400


def _count(text):
    first, _, last = text.rpartition("/")[2].partition("-")
    return int(last) - int(first) + 1


@pytest.mark.broker
def test_a_platform_nobody_hears_is_told_of_as_refused(tmp_path, broker):
    async def main():
        buffer, records = open_buffer(tmp_path), []
        try:
            fill(buffer, 5)
            async with answering(buffer, broker, tmp_path, records) as (_, commands):
                payload = resend.encode([key(buffer, 1, 5)])
                commands.take(Command("resend", payload, "", b""), lambda: None)
                await until(lambda: records)
                return records, pending(buffer)
        finally:
            buffer.close()

    [(_, facts)], left = asyncio.run(main())
    assert [each["reason"] for each in facts["missing"]] == ["refused"]
    assert left == 5


ABSURD = [
    b"{}",
    b"[" * 60_000,
    b'{"version":1,"ranges":[]}',
    b'{"version":1,"ranges":"x"}',
    json.dumps({"version": 1, "ranges": [f"{NOWHERE}/telemetry/-5--1"]}).encode(),
    json.dumps({"version": 1, "ranges": [f"{NOWHERE}/telemetry/9-1"]}).encode(),
    json.dumps({"version": 1, "ranges": [f"{NOWHERE}/telemetry/1-{1 << 63}"]}).encode(),
    json.dumps({"version": 1, "ranges": [f"{NOWHERE}/telemetry/1-2"] * 1_000_000}).encode(),
]


@pytest.mark.parametrize("payload", ABSURD, ids=lambda payload: f"{payload[:40]!r}")
def test_absurd_ranges_get_one_error(payload):
    with pytest.raises(RemoteError):
        resend.decode(STATION, payload)


class Nothing:
    """A store that has never heard of anything; history must not be asked."""

    log = "f" * 16

    def committed(self, _lane):
        return 3

    def logs(self):
        return []

    def shed(self, _log, _lane):
        return {}

    def stats(self):
        return type("Stats", (), {"salvaging": False, "degraded": False})


@given(
    st.lists(
        st.tuples(st.integers(1, MAX_NUMBER), st.integers(1, MAX_NUMBER)).map(sorted),
        min_size=1,
        max_size=resend.MAX_RANGES,
    )
)
def test_ranges_of_any_size_cost_by_their_count(pairs):
    async def main():
        by = resending.Resend("p", station=STATION, buffer=Nothing(), encode=None, way=None)
        return await by.obey(resend.encode([Key(STATION, NOWHERE, "telemetry", *pair) for pair in pairs]))

    facts = asyncio.run(main())
    assert {each["reason"] for each in facts["missing"]} == {"unknown"}
    assert len(json.dumps(facts)) < 40_000


def test_the_answer_to_a_full_command_fits_into_an_event(tmp_path):
    async def main():
        buffer = Buffer.open(tmp_path / "b.db", routes=[RouteSpec("p")])
        try:
            by = resending.Resend("p", station=STATION, buffer=buffer, encode=None, way=None)
            keys = [Key(STATION, f"{n:016x}", "telemetry", MAX_NUMBER - 1, MAX_NUMBER) for n in range(256)]
            return await by.obey(resend.encode(keys))
        finally:
            buffer.close()

    facts = asyncio.run(main())
    assert len(facts["missing"]) == 256
    assert len(json.dumps(facts)) < 40_000
