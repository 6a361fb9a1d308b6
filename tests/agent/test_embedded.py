"""The embedded broker, on which the demonstration runs where Mosquitto is missing: both protocol versions, both ways."""

import asyncio

import pytest

from agent.demo.authority import Authority
from agent.demo.publisher import Publisher
from buffer.model import Lane
from tests.support.broker import EmbeddedBroker
from tests.support.listener import Listener
from tests.support.uplinks import fill, make, open_buffer, pending, running, until

pytest.importorskip("iotcore", reason="iotcore has no wheel for this machine")


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_backlog_arrives_and_a_warning_comes_down(tmp_path, version):
    heard = []

    def judge(_bearer, payload, _retained, done):
        heard.append(payload)
        done()

    authority = Authority()

    async def story():
        with EmbeddedBroker(tmp_path / "broker") as broker:
            port = broker.port5 if version == "5" else broker.port
            buffer = open_buffer(tmp_path)
            fill(buffer, 200)
            fill(buffer, 20, Lane.EVENT)
            uplink = make(
                buffer,
                f"mqtt://127.0.0.1:{port}",
                directory=tmp_path,
                version=version,
                on_warning=judge,
                areas=["330102001"],
            )
            with Listener(broker.port5) as listener, Publisher(port, version) as issuer:
                async with running(uplink):
                    await until(lambda: pending(buffer) == 0)
                    await until(lambda: uplink.urgent.subscribed)
                    issuer.warn("330102001", authority.alert("330102001", ""), b"sealed")
                    await until(lambda: heard)
                    await until(lambda: listener.count("telemetry") >= 200 and listener.count("event") >= 20)
            buffer.close()
            return listener.count("telemetry"), listener.count("event")

    assert asyncio.run(story()) == (200, 20)
    assert set(heard) == {b"sealed"}
