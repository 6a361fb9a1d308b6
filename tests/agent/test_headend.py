"""The headend on a real broker, with stations on simulated bearers: what they say is published once, acknowledged after, and
not forgotten; what is no station's is counted and not answered.
"""

import asyncio
import contextlib
import json
import os
import random

import pytest

from agent.bearers.keeper import open_private
from agent.cli import main
from agent.headend.config import load
from agent.headend.service import Headend
from buffer.ranges import Ranges
from protocols import envelope, event
from protocols.key import Key
from protocols.narrow import fragments, header, schema
from protocols.narrow.digest import Digest, Newest
from protocols.narrow.header import Kind
from protocols.narrow.hello import Welcome
from protocols.narrow.keys import public_of
from protocols.narrow.receipt import Reason
from protocols.quality import GOOD
from protocols.reading import Reading
from tests.support.broker import Broker
from tests.support.listener import Listener
from tests.support.station import Platform as StationPlatform
from tests.support.until import until
from tests.support.voice import BOOT, LOG, Voice

pytestmark = pytest.mark.broker
WITHIN = 30.0
SERIES = schema.schema(
    [schema.series("river.stage", "m", step=0.01, span=(0, 40)), schema.series("rain.total", "mm", step=0.1)]
)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


class Site:
    """A headend's folder, its voices, and what its platform hears."""

    def __init__(self, folder, broker, root, stations=("s1",), **bearer):
        self.folder, self.broker, self.root = folder, broker, root
        self.public = public_of(open_private(folder / "headend.key"))
        self.voices = {name: Voice(folder, name, self.public, **bearer) for name in stations}
        self.bearer = bearer
        self.write()

    def write(self, own=""):
        own = own or f'name = "{self.root[:8]}"'
        traits = {"mtu": 77, "interval": 0.0, "latency": 0.0, "to": "*", **self.bearer}
        keys = "".join(f"{name} = {json.dumps(value)}\n" for name, value in traits.items() if name != "address")
        stations = "".join(
            f'[[station]]\nid = "{name}"\nkey = "{voice.public.hex()}"\nareas = ["330102001"]\nat = {{ bd = "{name}" }}\n'
            for name, voice in self.voices.items()
        )
        (self.folder / "headend.toml").write_text(
            f'[headend]\n{own}\ngather = "50ms"\nstate = "state"\n'
            f'[platform]\nurl = "mqtt://127.0.0.1:{self.broker.port}"\nroot = "{self.root}"\n'
            f'[[bearer]]\nname = "bd"\ndriver = "sim"\nair = "air"\naddress = "headend"\n{keys}{stations}'
        )

    @contextlib.asynccontextmanager
    async def running(self):
        config, findings = load(self.folder / "headend.toml")
        assert config is not None, [str(one) for one in findings]
        headend = Headend(config)
        work = asyncio.create_task(headend.run())
        try:
            await until(
                lambda: work.done() or (hasattr(headend, "platform") and headend.platform.link.connected), WITHIN
            )
            assert not work.done(), work.result()
            yield headend
        finally:
            headend.stop.set()
            await asyncio.wait_for(work, WITHIN)


@pytest.fixture
def root(request):
    return f"h{random.randrange(1 << 32):08x}/1"


def story(work):
    asyncio.run(asyncio.wait_for(work(), 100))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('[station]\nid = "s1"\n', "config.not_a_list"),
        ("station = [1]\n", "config.not_a_list"),
        ("bearer = 1\n", "config.not_a_list"),
        ("[[platform]]\n", "config.not_a_table"),
        ("headend = 1\n", "config.not_a_table"),
    ],
)
def test_a_stations_file_is_none_for_a_headend_and_that_is_said(tmp_path, text, code):
    (tmp_path / "headend.toml").write_text(text)
    config, findings = load(tmp_path / "headend.toml")
    assert config is None
    assert [one.problem.code for one in findings] == [code]


def test_an_event_comes_out_as_the_station_would_have_said_it_and_is_acknowledged_after(tmp_path, broker, root):
    async def go():
        site = Site(tmp_path, broker, root)
        voice = site.voices["s1"]
        with Listener(broker.port, root=root) as platform:
            async with site.running() as headend, voice:
                assert (await voice.greet()).welcome is Welcome.WELCOME
                receipt = await voice.say_event(7, "rule.raised", rule="stage", level="red", text="红色预警 " * 30)
                assert receipt.complete
                ((_, payload),) = [one for one in platform.messages if one[0].endswith("/events")]
                body = event.encode(
                    "rule.raised", BOOT, 5000, {"rule": "stage", "level": "red", "text": "红色预警 " * 30}
                )
                key = Key("s1", LOG, "alarm", 7, 7)
                assert payload == event.to_wire(body, key, voice.origin.wall, floor=7, kind="live")
                assert (await voice.say_event(7, "rule.raised", rule="stage")).complete  # the number is held
                assert headend.counts["bd"]["event"] == 2
                await asyncio.sleep(0.2)
        assert sum(topic.endswith("/events") for topic, _ in platform.messages) == 1

    story(go)


def test_nothing_is_acknowledged_while_the_broker_is_away_and_everything_comes_after_a_restart(tmp_path, root):
    async def go():
        with Broker(tmp_path / "own") as broker:
            site = Site(tmp_path, broker, root)
            voice = site.voices["s1"]
            async with voice:
                async with site.running():
                    await voice.greet()
                    broker.kill()
                    message = voice.sealed_event(1, "rule.raised", rule="stage")
                    for frame in fragments.cut(message, 77).values():
                        await voice.send(header.encode(frame._replace(wanted=True)))
                    await asyncio.sleep(1.0)
                    assert voice.receipts == []
                broker.start()
                with Listener(broker.port, root=root) as platform:
                    async with site.running():
                        await until(lambda: platform.numbers.get((LOG, "alarm")), WITHIN)
                        assert (
                            await voice.say(message)
                        ).complete  # heard before the restart: again, and now it is there
                        await asyncio.sleep(0.2)
                assert platform.repeats.total() == 0

    story(go)


def test_packed_detail_settles_real_numbers_and_leaves_out_what_came_over_mqtt(tmp_path, broker, root):
    async def go():
        site = Site(tmp_path, broker, root)
        voice = site.voices["s1"]
        rows = [[Reading("river.stage", 1000 * n, 3.0 + n / 100, "m", GOOD)] for n in range(1, 21)]
        with Listener(broker.port, root=root) as platform:
            async with site.running() as headend, voice:
                await voice.greet()
                refused = await voice.say_rows(SERIES, 1, rows)
                assert refused.refused is Reason.CONTEXT
                again = await voice.say(voice.last)
                assert again.refused is Reason.CONTEXT  # refused is not held: the same message is refused once more
                assert (await voice.say_schema(SERIES)).complete
                headend.desks["s1"].holder.add(Key("s1", LOG, "telemetry", 5, 8))  # these came by the wide way
                assert (await voice.say_rows(SERIES, 1, rows)).complete
                assert platform.numbers[LOG, "telemetry"] == Ranges([(1, 4), (9, 20)])
                values = [
                    record["v"]
                    for topic, payload in platform.messages
                    if topic.endswith("/readings")
                    for record in json.loads(payload)
                ]
                assert values == [row[0].value for n, row in enumerate(rows, 1) if not 5 <= n <= 8]
                await voice.say_rows(SERIES, 1, rows)
        assert platform.repeats.total() == 0

    story(go)


def test_a_digest_has_a_topic_of_its_own(tmp_path, broker, root):
    async def go():
        site = Site(tmp_path, broker, root)
        voice = site.voices["s1"]
        with Listener(broker.port, root=root) as platform:
            async with site.running(), voice:
                await voice.greet()
                await voice.say_schema(SERIES)
                digest = Digest(SERIES.id, 1_700_000_100, True, 60, {0: Newest(3.27, 4)})
                assert (await voice.say_digest(SERIES, digest)).complete
                ((_, payload),) = [one for one in platform.messages if one[0].endswith("/digest")]
        said = json.loads(payload)
        assert {"n": "river.stage", "u": "m", "v": 3.27, "age": 4}.items() <= said["series"][0].items()
        assert (said["station"], said["bearer"]) == ("s1", "bd")

    story(go)


def test_strangers_forgers_and_noise_are_counted_and_nobody_is_answered(tmp_path, broker, root):
    async def go():
        site = Site(tmp_path, broker, root)
        voice = site.voices["s1"]
        stranger = Voice(tmp_path, "s9", site.public)
        chance = random.Random(1)
        with Listener(broker.port, root=root) as platform:
            async with site.running() as headend, voice, stranger:
                for _ in range(300):
                    await stranger.send(chance.randbytes(chance.randrange(1, 78)))
                    await asyncio.sleep(0.002)
                await voice.greet()
                before = len(voice.heard)
                for _ in range(300):
                    junk = bytearray(chance.randbytes(chance.randrange(1, 78)))
                    junk[0] = 0x40 | junk[0] & 0x3F  # the right version
                    await voice.send(bytes(junk))
                    await asyncio.sleep(0.002)
                await until(lambda: headend.counts["bd"]["heard"] >= 590, WITHIN)
                counts = headend.counts["bd"]
                assert sum(count for why, count in counts.items() if why.startswith(("unknown", "frame."))) >= 290
                answers = len(voice.heard) - before
                assert answers <= 10  # "who" once in ten minutes, and what is missing of pieces, gathered
                assert (await voice.say_event(1, "rule.raised", rule="x")).complete
                assert len(headend.reassembly) <= 4
        assert [topic for topic, _ in platform.messages if "s9" in topic] == []
        assert platform.numbers == {(LOG, "alarm"): Ranges([(1, 1)])}

    story(go)


def test_receipts_of_many_stations_go_in_one_broadcast(tmp_path, broker, root):
    async def go():
        names = [f"s{n}" for n in range(5)]
        site = Site(tmp_path, broker, root, names, broadcast=True)
        with Listener(broker.port, root=root):
            async with contextlib.AsyncExitStack() as stack:
                headend = await stack.enter_async_context(site.running())
                for voice in site.voices.values():
                    await stack.enter_async_context(voice)
                    await voice.greet()
                headend.config.headend.gather = 0.5
                await asyncio.gather(*(voice.say_event(1, "rule.raised", rule="x") for voice in site.voices.values()))
                acks = {
                    one.data
                    for voice in site.voices.values()
                    for one in voice.heard
                    if header.decode(one.data).kind is Kind.ACKS
                }
                assert acks
                assert max(len(one) for one in acks) <= 77

    story(go)


def test_an_alert_goes_down_twice_and_a_command_until_it_is_received(tmp_path, broker, root):
    async def go():
        site = Site(tmp_path, broker, root)
        voice = site.voices["s1"]
        async with site.running() as headend, voice:
            await voice.greet()
            with StationPlatform(broker.port, root) as platform:
                payload = os.urandom(130)
                platform.publish(envelope.warning(root, "330102", "issuer", 5), payload)
                platform.publish(envelope.warning(root, "990102", "issuer", 6), os.urandom(130))
                await voice.until(lambda: len(voice.sealed) >= 2)
                assert {frame.piece.total for frame in voice.sealed} == {2}
                platform.publish(envelope.command(root, "s1", "resend"), b'{"version":1,"ranges":[]}', retain=False)
                await voice.until(lambda: voice.commands)
                assert voice.commands[0].endswith(b'{"version":1,"ranges":[]}')
        assert headend.counts["bd"]["down.sealed"] == 1

    story(go)


def test_two_headends_of_a_group_share_the_way_down_and_one_alone_has_all_of_it(tmp_path, broker, root, monkeypatch):
    """Double devices: each alert leaves by one of them at once and by the other later, and none is missed when one is gone,
    though the broker goes on giving it its share.
    """
    monkeypatch.setattr("agent.headend.down.COVER", 0.5)

    def took(headend):
        return _sealed(headend) - headend.down.covered

    async def go():
        sites = [Site(_folder(tmp_path, name), broker, root) for name in ("one", "two")]
        for number, site in enumerate(sites, 1):
            site.write(f'name = "h{number}{root[:7]}"\ninstance = {number}')
        with StationPlatform(broker.port, root) as platform:
            async with sites[0].running() as first:
                async with sites[1].running() as second:
                    await until(lambda: first.platform.watch.connected and second.platform.watch.connected, WITHIN)
                    for number in range(12):
                        platform.publish(envelope.warning(root, "330102", "issuer", number), os.urandom(130))
                    await until(lambda: _sealed(first) == _sealed(second) == 12, WITHIN)
                    assert 0 < took(first) < 12 == took(first) + took(second)
                for number in range(12, 18):
                    platform.publish(envelope.warning(root, "330102", "issuer", number), os.urandom(130))
                await until(lambda: _sealed(first) == 18, WITHIN)

    story(go)


def _folder(parent, name):
    (parent / name).mkdir()
    return parent / name


def _sealed(headend):
    return headend.counts["bd"]["down.sealed"]


def test_an_old_epoch_is_told_to_go_above_the_newest(tmp_path, broker, root):
    async def go():
        site = Site(tmp_path, broker, root)
        voice = site.voices["s1"]
        async with site.running(), voice:
            await voice.greet()
            voice.renew(1_600_000_000)
            voice.answers.clear()
            answer = await voice.greet()
            assert answer.welcome is Welcome.BEHIND
            voice.renew(answer.highest + 1)
            voice.answers.clear()
            assert (await voice.greet()).welcome is Welcome.WELCOME
            assert (await voice.ping()).complete

    story(go)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ('[[bearer]]\nname = "bd"\ndriver = "nonsense"\n', "nonsense"),
        ('[[station]]\nid = "s1"\nkey = "12"\n', "hexadecimal"),
        (f'[[station]]\nid = "s 1"\nkey = "{"ab" * 32}"\n', "s 1"),
        (f'[[station]]\nid = "s2"\nkey = "{"ab" * 32}"\nat = {{ xx = "1" }}\n', "xx"),
        ("[headend]\ninstance = 99\n", "instance"),
        ("typo = 1\n", "typo"),
        ("[headend", "TOML"),
    ],
)
def test_check_says_everything_that_is_wrong(tmp_path, capsys, change, said):
    file = tmp_path / "headend.toml"
    file.write_text(f'{change}[platform]\nurl = "mqtt://127.0.0.1:1883"\n')
    assert main(["--lang", "en", "headend", "--config", str(file), "--check"]) == 2
    assert said in capsys.readouterr().err


def test_the_key_is_made_once_and_printed(tmp_path, capsys):
    (tmp_path / "headend.toml").write_text(
        '[platform]\nurl = "mqtt://127.0.0.1:1883"\n[[bearer]]\nname = "bd"\ndriver = "sim"\nair = "air"\n'
    )
    for _ in range(2):
        assert main(["headend", "--config", str(tmp_path / "headend.toml"), "--key"]) == 0
    first, second = capsys.readouterr().out.split()
    assert first == second
    assert len(first) == 64
    assert (tmp_path / "headend.key").stat().st_mode & 0o077 == 0
