"""What was promised and is gone: a start with no network and then `kill -9`, for us and for a Mosquitto 2 bridge as Debian
ships it. Promised means: on disk, as the agent says; acknowledged by PUBACK, as the bridge says.
"""

import random
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from paho.mqtt.client import Client, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.report import Figure, Measured, Value, measures
from buffer.ranges import Ranges
from tests.support.broker import Broker, free_port
from tests.support.listener import Listener
from tests.support.lives import Worker

MESSAGES = 800
RATE = 200.0  # a second
PATIENCE = 10.0  # seconds for what is left to arrive
ROUNDS = 5


def ours() -> tuple[int, int, int]:
    """Numbers said to be on disk, of those lost, and those that came again under the same key."""
    committed: defaultdict[tuple[str, str], Ranges] = defaultdict(Ranges)
    with tempfile.TemporaryDirectory() as name, Broker(Path(name) / "b", extra=["log_type none"]) as broker:
        folder = Path(name)
        for seed in range(ROUNDS):
            worker = Worker(folder, "mqtt://127.0.0.1:1", committed)
            time.sleep(1.0)
            worker.work(random.Random(seed))
            worker.kill()
        with Listener(broker.port) as platform:
            Worker(folder, broker.url, committed, "drain").finish()
            time.sleep(1.0)
            told = sum(held.count for held in committed.values())
            lost = sum(_missing(platform.numbers.get(key, Ranges()), held) for key, held in committed.items())
            return told, lost, sum(platform.repeats.values())


def _missing(arrived: Ranges, told: Ranges) -> int:
    return sum(last - first + 1 for first, last in told.difference(arrived))


def bridge() -> tuple[int, int]:
    """Messages the bridge acknowledged, and of those lost."""
    with tempfile.TemporaryDirectory() as name:
        folder, remote = Path(name), free_port()
        to = ["connection up", f"address 127.0.0.1:{remote}", "topic # out 1", "bridge_protocol_version mqttv50"]
        near = Broker(folder / "near", extra=["persistence true", f"persistence_location {folder}/near/", *to])
        near.start()
        acknowledged = _publish(near.port)
        near.kill()
        with Broker(folder / "far", port=remote, extra=["log_type none"]) as far:
            arrived: list[bytes] = []
            client = Client(CallbackAPIVersion.VERSION2)
            client.on_message = lambda _c, _d, message: arrived.append(bytes(message.payload))
            client.connect("127.0.0.1", far.port)
            client.subscribe("r/#", 1)
            client.loop_start()
            near.start()
            time.sleep(PATIENCE)
            client.disconnect()
            client.loop_stop()
        near.stop()
        return acknowledged, acknowledged - len(set(arrived))


def _publish(port: int) -> int:
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    sent: list[MQTTMessageInfo] = []
    for number in range(MESSAGES):
        sent.append(client.publish("r/x", b"%d" % number, 1))
        time.sleep(1 / RATE)
    for each in sent:
        each.wait_for_publish(PATIENCE)
    client.disconnect()
    client.loop_stop()
    return sum(each.is_published() for each in sent)


@measures(
    3,
    Figure("readings lost, started with no network, then kill -9", "of all", "0"),
    Figure("numbers committed in that test", "numbers", "reported"),
    Figure("numbers that came again in it, told by their ranges", "numbers"),
)
def beside_bridge() -> Measured:
    told, lost, repeats = ours()
    promised, gone = bridge()
    who = (
        f"Mosquitto 2 bridge, persistence on: {gone} of {promised} acknowledged (thingsboard-gateway 3.8.5: 196 of 196)"
    )
    return {
        "readings lost, started with no network, then kill -9": Value(float(lost), float(gone), who),
        "numbers committed in that test": float(told),
        "numbers that came again in it, told by their ranges": float(repeats),
    }
