"""CoAP as a bearer, against platforms that are not ours: aiocoap's server, libcoap's, and a few bytes by hand."""

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from drivers.api import Accepted, Context, Declined, Unknown
from drivers.bearers import coap
from drivers.bearers.coap_client import Patience
from drivers.bearers.coap_words import RESERVED, Clear, Sealed, outcome, question
from drivers.collect import collect
from drivers.oscore_files import Marks
from protocols import coap_message, oscore
from protocols.coap_message import Message
from protocols.coap_packet import Packet, Type, decode_packet, encode_packet
from protocols.errors import RemoteError
from tests.support import coap as world
from tests.support.broker import free_port
from tests.support.until import until


class Reports(list):
    def __call__(self, kind, fields):
        self.append((kind, dict(fields)))


def made(port, folder=Path(), reports=None, **keys):
    base = f"coap://127.0.0.1:{port}"
    table = {"name": "sat", "to": f"{base}/up/station", "from": f"{base}/down/station", "downlink": "none"}
    config, problems = collect(coap.FACTORY.config, table | {"ack_timeout": 0.2, "retries": 1} | keys)
    assert problems == []
    return coap.FACTORY.create(config, Context(folder, Reports() if reports is None else reports, state=folder))


class Running:
    def __init__(self, bearer):
        self.bearer = bearer

    async def __aenter__(self):
        self.task = asyncio.create_task(self.bearer.run())
        await until(lambda: self.bearer._client)
        return self.bearer

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.wait([self.task])


class Platform(asyncio.DatagramProtocol):
    """Answers as it is told to: `answer(packet)` gives a message, or None for silence."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    async def __aenter__(self):
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.port = self.transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(self, *_):
        self.transport.close()

    def datagram_received(self, data, peer):
        packet = decode_packet(data)
        self.asked.append(packet)
        answer = self.answer(packet)
        if answer is not None:
            self.transport.sendto(encode_packet(Packet(Type.ACK, packet.id, packet.token, answer)), peer)


async def first(bearer, seconds=20):
    async with asyncio.timeout(seconds):
        return (await anext(aiter(bearer.incoming()))).data


# Up


@pytest.mark.parametrize(
    ("code", "options", "sent"),
    [
        (0x44, (), Accepted("2.04")),
        (0x41, (), Accepted("2.01")),
        (0x9D, (), Declined("4.29", 60.0)),
        (0x9D, ((14, b"\x0a"),), Declined("4.29", 10.0)),
        (0xA3, ((14, b""),), Declined("5.03", 0.0)),
        (0x80, (), Declined("4.00", None)),
        (0x8D, (), Declined("4.13", None)),
        (0x81, (), Declined("4.01", 600.0)),
        (0x84, (), Declined("4.04", 600.0)),
        (0xA0, (), Unknown("5.00")),
        (0xA4, (), Unknown("5.04")),
    ],
)
def test_what_answers_mean(code, options, sent):
    assert outcome(Message(code, options)) == sent

    async def main():
        async with Platform(lambda _packet: Message(code, options)) as platform, Running(made(platform.port)) as bearer:
            assert await bearer.send(b"\x01datagram") == sent
            assert bearer.status()["state"] == "up"
            (packet,) = platform.asked
            assert packet.type is Type.CON
            assert (packet.message.code, packet.message.path, packet.message.payload) == (
                2,
                "up/station",
                b"\x01datagram",
            )
            assert packet.message.uint(coap_message.CONTENT_FORMAT) == 42

    asyncio.run(main())


def test_nobody_answers_and_then_somebody_does():
    async def main():
        reports, talks = Reports(), []
        async with (
            Platform(lambda _packet: Message(0x44) if talks else None) as platform,
            Running(made(platform.port, reports=reports)) as bearer,
        ):
            assert await bearer.send(b"x") == Unknown("no_answer")
            assert len(platform.asked) == 2  # once, and again
            assert len({packet.id for packet in platform.asked}) == 1
            assert bearer.status()["state"] == "down"
            talks.append(True)
            assert await bearer.send(b"x") == Accepted("2.04")
            assert [kind for kind, _ in reports] == ["device.down", "device.up"]

    asyncio.run(main())


def test_a_name_that_is_nobodys_and_a_port_that_is_closed():
    async def main():
        async with Running(made(free_port(), to="coap://no-such-host.invalid/up")) as bearer:
            assert await bearer.send(b"x") == Declined("unreachable", 300.0)
        async with Running(made(free_port())) as bearer:
            assert isinstance(await bearer.send(b"x"), Unknown)

    asyncio.run(main())


def test_sizes_and_a_bearer_that_does_not_run():
    async def main():
        bearer = made(free_port(), mtu=100)
        assert await bearer.send(b"x" * 101) == Declined("size", None)
        assert await bearer.send(b"") == Declined("size", None)
        assert (await bearer.send(b"x")).reason == "socket"
        assert bearer.traits.mtu == 100

    asyncio.run(main())


def test_giving_up_leaves_it_usable_and_one_goes_after_the_other():
    async def main():
        async with (
            Platform(lambda packet: Message(0x44) if packet.message.payload == b"two" else None) as platform,
            Running(made(platform.port)) as bearer,
        ):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await bearer.send(b"one")
            assert await bearer.send(b"two") == Accepted("2.04")
            assert [packet.message.payload for packet in platform.asked] == [b"one", b"one", b"two"]

    asyncio.run(main())


def test_patience():
    """RFC 7252 §4.8.2: with its own defaults 93 s."""
    assert Patience(2.0, 4).most == 93.0
    assert Patience(20.0, 3).most == 450.0


# Down


def test_what_waits_is_asked_for_until_nothing_new_is_there():
    waiting = [b"one", b"two", b"three"]

    def answer(packet):
        tag = packet.message.all(4)
        at = waiting.index(bytes.fromhex(tag[0].hex())) + 1 if tag else 0
        return Message(0x45, ((4, waiting[at]),), waiting[at]) if at < 3 else Message(0x43)

    async def main():
        async with Platform(answer) as platform, Running(made(platform.port, downlink="poll")) as bearer:
            assert [await first(bearer) for _ in range(3)] == waiting
            await until(lambda: len(platform.asked) == 4)
            assert {packet.message.path for packet in platform.asked} == {"down/station"}

    asyncio.run(main())


def test_an_answer_may_carry_a_datagram_back_and_repeats_are_known():
    async def main():
        async with (
            Platform(lambda _packet: Message(0x44, (), b"back")) as platform,
            Running(made(platform.port)) as bearer,
        ):
            for _ in range(3):
                assert await bearer.send(b"x") == Accepted("2.04")
            assert await first(bearer) == b"back"
            assert bearer.status()["counters"]["received"] == 1
            assert bearer.status()["inbox"] == 0

    asyncio.run(main())


def test_what_is_too_long_or_a_fault_is_no_datagram():
    answers = [Message(0x45, (), b"x" * 2000), Message(0x84, (), b"not found"), Message(0x45)]

    async def main():
        async with Platform(lambda _packet: answers.pop(0) if answers else None) as platform:
            bearer = made(platform.port, downlink="poll", poll=0.05)
            async with Running(bearer):
                await until(lambda: not answers)
                assert bearer.status()["inbox"] == 0

    asyncio.run(main())


# Under OSCORE


def sealing_platform(folder):
    """A platform that opens what the station sealed, and seals its answers."""
    key = folder / "sat.json"
    key.write_text(json.dumps({"secret_hex": world.SECRET, "sender-id_hex": "01", "recipient-id_hex": "02"}))
    key.chmod(0o600)
    keys = oscore.derive(bytes.fromhex(world.SECRET), b"\2", b"\1")
    seen = []

    def answer(packet):
        option = oscore.decode_option(packet.message.all(9)[0])
        inner, binding = oscore.open_request(keys, option, packet.message.payload)
        seen.append((option.number, coap_message.decode(inner)))
        said = oscore.protect_response(keys, binding, coap_message.encode(Message(0x44)))
        return Message(0x44, ((9, said.option),), said.payload)

    return answer, seen


def test_sealed_questions_and_numbers_that_are_never_used_twice(tmp_path):
    answer, seen = sealing_platform(tmp_path)

    async def main():
        async with Platform(answer) as platform:
            for _ in range(2):
                async with Running(made(platform.port, tmp_path, key="sat.json")) as bearer:
                    assert await bearer.send(b"one") == Accepted("2.04")
                    assert await bearer.send(b"two") == Accepted("2.04")
            assert all(b"one" not in packet.message.payload for packet in platform.asked)

    asyncio.run(main())
    assert [number for number, _ in seen] == [0, 1, RESERVED, RESERVED + 1]
    assert [inner.payload for _, inner in seen] == [b"one", b"two"] * 2
    assert {inner.path for _, inner in seen} == {"up/station"}


def test_an_answer_in_the_clear_proves_nothing(tmp_path):
    sealing_platform(tmp_path)

    async def main():
        async with (
            Platform(lambda _packet: Message(0x44)) as platform,
            Running(made(platform.port, tmp_path, key="sat.json")) as bearer,
        ):
            assert await bearer.send(b"x") == Unknown("coap.unprotected")

    asyncio.run(main())


@pytest.mark.parametrize("broken", ["coap-sat.json", "sat.json"])
def test_without_its_key_or_its_marks_nothing_is_sent(tmp_path, broken):
    sealing_platform(tmp_path)
    (tmp_path / broken).write_text("{")

    async def main():
        reports = Reports()
        bearer = made(free_port(), tmp_path, reports, key="sat.json")
        task = asyncio.create_task(bearer.run())
        await until(lambda: reports)
        assert reports[0][1]["reason"] == "socket"
        assert isinstance(await bearer.send(b"x"), Declined)
        task.cancel()

    asyncio.run(main())


def test_a_number_that_cannot_be_stored_is_not_used(tmp_path):
    keys = oscore.derive(bytes.fromhex(world.SECRET), b"\1", b"\2")
    shield = Sealed(keys, Marks(tmp_path / "gone" / "marks.json"))
    with pytest.raises(OSError, match="No such file"):
        shield.ask(question(2, ["a"]))
    with pytest.raises(RemoteError):
        Sealed(keys, Marks(None)).answer(Clear().ask(Message(2)), Message(0x44))


# Others' servers


AIOCOAP = """
import asyncio, sys, aiocoap
from aiocoap import resource
class Up(resource.Resource):
    async def render_post(self, request):
        await asyncio.sleep(0.5)  # later than the empty acknowledgement
        return aiocoap.Message(code=aiocoap.CHANGED, payload=request.payload[::-1])
class Down(resource.ObservableResource):
    count = 0
    def notify(self):
        self.count += 1
        self.updated_state()
        asyncio.get_running_loop().call_later(0.1, self.notify)
    async def add_observation(self, request, observation):
        asyncio.get_running_loop().call_later(0.1, self.notify)
        await super().add_observation(request, observation)
    async def render_get(self, request):
        return aiocoap.Message(payload=b"state %d" % self.count)
async def main():
    site = resource.Site()
    site.add_resource(["up", "station"], Up())
    site.add_resource(["down", "station"], Down())
    await aiocoap.Context.create_server_context(site, bind=("127.0.0.1", int(sys.argv[1])), transports=["udp6"])
    print("ready", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


class Server:
    def __init__(self, *command, ready=b""):
        self.command, self.ready = command, ready

    async def __aenter__(self):
        self.process = await asyncio.create_subprocess_exec(
            *self.command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        if self.ready:
            assert self.ready in await self.process.stdout.readline()

    async def __aexit__(self, *_):
        self.process.terminate()
        await self.process.wait()


def test_aiocoaps_server_with_a_late_answer_and_an_observation():
    async def main():
        port = free_port()
        async with (
            Server(sys.executable, "-c", AIOCOAP, str(port), ready=b"ready"),
            Running(made(port, downlink="observe", ack_timeout=2.0)) as bearer,
        ):
            assert [await first(bearer) for _ in range(3)] == [b"state 0", b"state 1", b"state 2"]
            assert await bearer.send(b"abc") == Accepted("2.04")
            await until(lambda: bearer.status()["counters"]["received"] >= 5)
            assert bearer.status()["state"] == "up"

    asyncio.run(main())


def libcoap():
    found = shutil.which("coap-server-notls")
    if found is None:
        pytest.skip("coap-server-notls is not installed (Debian: apt install libcoap3-bin)")
    return found


@pytest.mark.parametrize("downlink", ["observe", "poll"])
def test_libcoaps_server(downlink):
    async def main():
        port = free_port()
        async with Server(libcoap(), "-A", "127.0.0.1", "-p", str(port), "-d", "8"):
            base = f"coap://127.0.0.1:{port}"
            keys = {
                "to": f"{base}/station",
                "from": f"{base}/station",
                "method": "put",
                "ack_timeout": 1.0,
                "retries": 3,
            }
            async with Running(made(port, poll=0.05, downlink="none", **keys)) as bearer:
                assert await bearer.send(b"first") == Accepted("2.01")
                assert await bearer.send(b"second") == Accepted("2.04")
            async with Running(made(port, poll=0.05, downlink=downlink, **keys)) as bearer:
                assert await first(bearer) == b"second"
                assert await bearer.send(b"third") == Accepted("2.04")
                assert await first(bearer) == b"third"
                posting = made(port, **keys | {"method": "post"})
            async with Running(posting):
                assert await posting.send(b"fourth") == Accepted("2.04")
                assert await posting.send(b"x", to=f"{base}/") == Declined("4.05", 600.0)

    asyncio.run(main())


def test_the_library_is_not_loaded_before_it_runs():
    script = "import sys; import drivers.bearers.coap; print('aiocoap' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# Configuration


@pytest.mark.parametrize(
    ("keys", "codes"),
    [
        ({}, []),
        ({"to": "http://a/b"}, ["coap.uri"]),
        ({"to": "coap:///b"}, ["coap.uri"]),
        ({"to": "coap://[::1/b"}, ["coap.uri"]),
        ({"to": "coap://a:70000/b"}, ["coap.uri"]),
        ({"from": "coap://a/b?c"}, ["coap.uri"]),
        ({"from": ""}, ["coap.no_source"]),
        ({"from": "", "downlink": "none"}, []),
        ({"downlink": "observe", "key": "none.json"}, ["coap.key_unreadable", "coap.observe_sealed"]),
        ({"ack_timeout": 0.5, "retries": 9, "mtu": 5000, "poll": 1}, ["value.range"] * 4),
    ],
)
def test_check(tmp_path, keys, codes):
    table = {"name": "sat", "to": "coap://a/up", "from": "coap://a/down"} | keys
    config, problems = collect(coap.FACTORY.config, table)
    assert problems == []
    assert sorted(one.code for one in coap.FACTORY.check(config, Context(tmp_path, Reports()))) == codes
