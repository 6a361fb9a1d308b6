"""The access list of the documentation on a real Mosquitto: a station writes only below its own topic, only issuers warn."""

import threading

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.contract.documents import text
from tests.support.broker import Broker

USERS = ("s-1", "s-2", "platform", "issuer-510107", "issuer-province")
WAIT = 20.0  # seconds; an answer that does not come is a failure
ROOT = "fengsui/1"

MAY_WRITE = [
    ("s-1", "s-1/readings"),
    ("s-1", "s-1/events"),
    ("s-1", "s-1/digest"),
    ("s-1", "s-1/status"),
    ("s-1", "s-1/reply/x"),
    ("platform", "s-1/command/resend"),
    ("platform", "s-2/command/drill"),
    ("issuer-510107", "warnings/510107/9-1"),
    ("issuer-510107", "warnings/510107/beacon/9"),
    ("issuer-province", "warnings/51/8-1"),
]
MAY_NOT_WRITE = [
    ("s-1", "s-2/readings"),
    ("s-1", "s-2/status"),
    ("s-1", "s-1/command/resend"),
    ("s-1", "s-2/command/resend"),
    ("s-1", "warnings/510107/9-1"),
    ("s-1", "warnings/510107/beacon/9"),
    ("s-1", "s-1/other"),
    ("s-1", "readings"),
    ("platform", "s-1/readings"),
    ("platform", "s-1/status"),
    ("platform", "warnings/510107/9-1"),
    ("issuer-510107", "warnings/510108/9-1"),
    ("issuer-510107", "warnings/all/9-1"),
    ("issuer-510107", "s-1/command/resend"),
    ("issuer-province", "s-1/events"),
]


class Client:
    """One user, MQTT 5: what a publish or a subscription is answered with, and what arrives. Used as a context.

    Mosquitto 2.0 may close the connection behind a refusal, so that each question is put on a connection of its own.
    """

    def __init__(self, broker, user):
        self.heard, self.answers, self.changed = [], {}, threading.Condition()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, f"test-{user}", protocol=mqtt.MQTTv5)
        self.client.username_pw_set(user, "secret")
        self.client.on_connect = lambda *_: self._note("connected", None)
        self.client.on_publish = self._on_answer
        self.client.on_subscribe = self._on_answer
        self.client.on_message = lambda _client, _data, message: self.heard.append(message.topic)
        self.client.connect("127.0.0.1", broker.port)

    def __enter__(self):
        self.client.loop_start()
        self._wait("connected")
        return self

    def __exit__(self, *_):
        self.client.disconnect()
        self.client.loop_stop()

    def _on_answer(self, _client, _data, mid, reason, _properties):
        self._note(mid, reason[0] if isinstance(reason, list) else reason)

    def _note(self, name, answer):
        with self.changed:
            self.answers[name] = answer
            self.changed.notify_all()

    def publish(self, topic):
        return self._wait(self.client.publish(topic, b"x", qos=1).mid)

    def subscribe(self, topic):
        return self._wait(self.client.subscribe(topic, qos=1)[1])

    def _wait(self, name):
        with self.changed:
            assert self.changed.wait_for(lambda: name in self.answers, WAIT)
            return self.answers[name]


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    users = dict.fromkeys(USERS, "secret")
    with Broker(tmp_path_factory.mktemp("acl"), acl=text("acl-mosquitto.conf"), users=users) as found:
        yield found


@pytest.mark.broker
@pytest.mark.parametrize(("user", "topic"), MAY_WRITE)
def test_who_may_write(broker, user, topic):
    with Client(broker, user) as client:
        assert not client.publish(f"{ROOT}/{topic}").is_failure


@pytest.mark.broker
@pytest.mark.parametrize(("user", "topic"), MAY_NOT_WRITE)
def test_who_may_not(broker, user, topic):
    with Client(broker, user) as client:
        assert client.publish(f"{ROOT}/{topic}").getName() == "Not authorized"


SENT = {
    "s-1/command/resend": "platform",
    "s-2/readings": "s-2",
    "s-2/events": "s-2",
    "warnings/all/8-2": "issuer-province",
}


@pytest.mark.broker
@pytest.mark.parametrize(
    ("user", "hears"),
    [
        ("platform", set(SENT)),
        ("s-1", {"s-1/command/resend", "warnings/all/8-2"}),
        ("s-2", {"warnings/all/8-2"}),
        ("issuer-510107", {"s-2/events", "warnings/all/8-2"}),
    ],
)
def test_who_hears_what(broker, user, hears):
    """Mosquitto takes any subscription and filters what it delivers: what arrives is what is allowed."""
    with Client(broker, user) as listener:
        listener.subscribe(f"{ROOT}/#")
        for topic, sender in SENT.items():
            if sender == user:
                listener.publish(f"{ROOT}/{topic}")
                continue
            with Client(broker, sender) as client:
                client.publish(f"{ROOT}/{topic}")
        listener.subscribe(f"{ROOT}/fence")  # answered in order: what was on its way has arrived
    assert {topic.removeprefix(f"{ROOT}/") for topic in listener.heard} == hears
