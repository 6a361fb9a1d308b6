"""Warnings through a real broker to a relay's coil and a display: what is genuine acts, and nothing else makes a sound."""

import asyncio
import os
import signal

import pytest

from drivers.simulated.modbus import TcpBus
from drivers.simulated.unit import Fault, Unit
from protocols import envelope
from protocols.alert import MsgType, Status
from protocols.seal import carry, seal
from tests.support.broker import Broker
from tests.support.proxy import Proxy
from tests.support.station import AREA, FOREIGN, TEXT, WITHIN, command, station, table
from tests.support.until import until

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


def told(tmp_path, broker, story, **how):
    """Runs `story(site)` on a station with a siren and a display, and no sensor unless one is asked for."""

    async def tell():
        async with station(tmp_path, broker.port, siren=True, **{"sensor": False, **how}) as site:
            await story(site)
            assert "Traceback" not in site.agent.said(), site.agent.said()

    asyncio.run(tell())


async def ready(site):
    await site.up()
    await until(lambda: site.status()["bearers"]["p"]["urgent"]["subscribed"], WITHIN)


async def counted(site, reason, many=1):
    await until(lambda: site.status()["warnings"]["counts"].get(reason, 0) >= many, WITHIN)


async def silent_until_a_genuine_one(site):
    """What is published in order is judged in order: when the genuine one sounds, those before it have been judged."""
    assert site.activations() == 0
    site.warn()
    await until(lambda: site.platform.said("warning.started", channel="siren"), WITHIN)
    assert len(site.platform.said("warning.started", channel="siren")) == 1


# What is genuine


def test_two_holders_sound_the_siren_and_climb_the_ladder_in_order(tmp_path, broker):
    async def story(site):
        await ready(site)
        alert = site.warn()
        await until(lambda: site.sounding, WITHIN)
        await until(lambda: len(site.platform.said("warning.started")) == 2, WITHIN)
        site.cancel(alert)
        await until(lambda: not site.sounding, WITHIN)
        await until(lambda: len(site.platform.said("warning.ended")) >= 2, WITHIN)
        assert site.shown()[0]["on"] is True
        assert TEXT in site.shown()[0]["text"]
        first = site.platform.types("warning.")[:3]
        assert first == ["warning.received", "warning.verified", "warning.decided"]
        assert site.platform.said("warning.verified")[0]["holders"] == ["county", "province"]
        assert {one["channel"] for one in site.platform.said("warning.started")} == {"siren", "display"}
        assert site.platform.said("warning.decided", reason="started")
        assert site.platform.said("warning.decided", reason="cancelled")
        assert len({one["alert"] for one in site.platform.said("warning.started")[:2]}) == 1
        assert all("/alarm/" in one["id"] for one in site.platform.events if one["type"].startswith("warning."))

    told(tmp_path, broker, story)


def test_one_holder_shows_and_the_second_copy_adds_the_siren(tmp_path, broker):
    """In two separate messages, each of one signer, over the same words."""

    async def story(site):
        await ready(site)
        alert, keys = site.authority.alert(AREA, TEXT), site.authority
        site.platform.warn(alert, carry(seal(alert, [keys._county]), TEXT))
        await until(site.shown, WITHIN)
        await until(lambda: site.platform.said("warning.decided", reason="started"), WITHIN)
        (decided,) = site.platform.said("warning.decided")
        assert decided["withheld"]["siren"] == "second-holder"
        assert site.activations() == 0
        site.platform.warn(alert, carry(seal(alert, [keys._province]), TEXT))
        await until(lambda: site.sounding, WITHIN)
        await until(lambda: site.platform.said("warning.decided", reason="upgraded"), WITHIN)

    told(tmp_path, broker, story)


def test_an_update_replaces_what_is_shown(tmp_path, broker):
    async def story(site):
        await ready(site)
        alert = site.warn()
        await until(lambda: site.sounding, WITHIN)
        site.warn("水位继续上涨", chain=alert.chain, msg_type=MsgType.UPDATE)
        await until(lambda: any("水位继续上涨" in one["text"] for one in site.shown() if one["on"]), WITHIN)
        await until(lambda: site.platform.said("warning.decided", reason="replaced"), WITHIN)
        await until(lambda: site.sounding, WITHIN)  # the board is re-armed by a short off

    told(tmp_path, broker, story)


def test_an_exercise_is_shown_as_one_and_makes_no_sound_and_a_test_does_nothing(tmp_path, broker):
    async def story(site):
        await ready(site)
        site.warn("演练 drill", status=Status.TEST)
        await counted(site, "test")
        assert site.shown() == []
        site.warn("演练 drill", status=Status.EXERCISE)
        await until(site.shown, WITHIN)
        await until(lambda: site.platform.said("warning.started", channel="display"), WITHIN)
        assert site.platform.said("warning.started")[0]["exercise"] is True
        assert site.shown()[0]["exercise"] is True
        assert site.shown()[0]["text"] != "演练 drill"  # marked, also for who reads no more than the first words
        await silent_until_a_genuine_one(site)

    told(tmp_path, broker, story)


# What is not


def test_what_is_worth_nothing_is_counted_and_silent(tmp_path, broker):
    async def story(site):
        await ready(site)
        alert = site.authority.alert(AREA, TEXT)
        good = site.authority.genuine(alert, TEXT)
        site.platform.warn(alert, site.authority.forged(alert, TEXT))
        site.platform.warn(alert, os.urandom(300))
        site.platform.warn(alert, b"")
        site.platform.warn(alert, good[:-1])
        site.platform.warn(alert, good + b"\0")
        site.platform.warn(alert, good + b"\0" * (64 << 10))
        site.platform.publish(envelope.warning(site.root, AREA, "1", 7) + "/deeper", good)
        await silent_until_a_genuine_one(site)
        counts = site.status()["warnings"]["counts"]
        assert sum(count for reason, count in counts.items() if reason != "started") >= 5, counts
        assert counts.get("too_large") == 1, counts
        assert len(site.platform.said("warning.received")) == 1  # no receipt for what no seal vouches for

    told(tmp_path, broker, story)


@pytest.mark.parametrize(
    ("words", "reason"),
    [({"lasts": -60}, "expired"), ({"area": FOREIGN}, "foreign-area"), ({"status": Status.SYSTEM}, "system")],
)
def test_what_is_sealed_and_not_for_here_and_now_is_refused_with_its_reason(tmp_path, broker, words, reason):
    async def story(site):
        await ready(site)
        words_ = dict(words)
        alert = site.authority.alert(words_.pop("area", AREA), TEXT, **words_)
        site.platform.warn(alert, site.authority.genuine(alert, TEXT))
        await until(lambda: site.platform.said("warning.refused"), WITHIN)
        assert site.platform.said("warning.refused")[0]["reason"] == reason
        await silent_until_a_genuine_one(site)

    told(tmp_path, broker, story)


def test_a_replay_is_silent_under_another_topic_after_its_cancel_and_after_a_restart(tmp_path, broker):
    async def story(site):
        await ready(site)
        alert = site.authority.alert(AREA, TEXT)
        good = site.authority.genuine(alert, TEXT)
        site.platform.warn(alert, good)
        await until(lambda: site.sounding, WITHIN)
        site.cancel(alert)
        await until(lambda: not site.sounding, WITHIN)
        heard = site.activations()
        site.platform.publish(envelope.warning(site.root, "all", "9", 1), good, retain=False)
        site.platform.publish(envelope.warning(site.root, AREA[:6], "1", alert.seq), good)
        await counted(site, "duplicate", 2)
        await site.agent.end(signal.SIGTERM)
        await ready(site)
        site.platform.publish(envelope.warning(site.root, "all", "9", 2), good, retain=False)
        await counted(site, "duplicate", 2)  # this life's: the retained one and this
        await site.kill()
        await ready(site)
        site.platform.publish(envelope.warning(site.root, "all", "9", 3), good, retain=False)
        await counted(site, "duplicate", 2)
        assert site.activations() == heard
        assert len(site.platform.said("warning.started", channel="siren")) == 1

    told(tmp_path, broker, story)


def test_a_retained_repeat_after_a_new_connection_is_silent(tmp_path, broker):
    async def story(site):
        with Proxy("127.0.0.1", broker.port) as proxy:
            site.route["url"] = proxy.url
            site.write()
            await ready(site)
            site.warn("again and again")
            await until(lambda: site.sounding, WITHIN)
            for more in range(1, 4):
                proxy.reset()
                await counted(site, "duplicate", more)
            await until(lambda: site.platform.said("warning.started", channel="siren"), WITHIN)
            await until(site.caught_up, WITHIN)
            assert len(site.platform.said("warning.started", channel="siren")) == 1
            assert len(site.platform.said("warning.received")) == 1

    told(tmp_path, broker, story)


# While the agent is away, or busy


def test_a_warning_sent_while_the_agent_is_away_waits_for_it(tmp_path, broker):
    """Not retained, so that it is the session that keeps it."""

    async def story(site):
        await ready(site)
        await site.agent.end(signal.SIGTERM)
        alert = site.authority.alert(AREA, TEXT)
        site.platform.warn(alert, site.authority.genuine(alert, TEXT), retain=False)
        await site.agent.start()
        await until(lambda: site.sounding, WITHIN)

    told(tmp_path, broker, story)


def test_a_warning_of_before_its_time_is_heard_from_what_the_broker_retains(tmp_path, broker):
    async def story(site):
        site.warn()  # no session has ever been
        await site.agent.start()
        await until(lambda: site.sounding, WITHIN)

    told(tmp_path, broker, story)


def test_killed_while_it_sounds_the_board_falls_silent_alone_and_a_restart_goes_on(tmp_path, broker):
    async def story(site):
        await ready(site)
        site.warn()
        await until(lambda: site.platform.said("warning.started", channel="siren"), WITHIN)
        await site.kill()
        await until(lambda: not site.sounding, WITHIN)  # by the board's own timer: nobody is left to write
        assert not site.agent.running
        await site.agent.start()
        await until(lambda: len(site.platform.said("warning.started", channel="siren")) == 2, WITHIN)
        await until(lambda: site.sounding, WITHIN)

    told(tmp_path, broker, story)


def test_no_siren_outlives_its_limit_over_several_lives(tmp_path, broker):
    async def story(site):
        """Of twelve seconds, each kill costs up to five that were paid for beforehand (decision 62)."""
        site.warnings(siren_limit="12s")
        site.write()
        await ready(site)
        site.warn()
        for life in (1, 2):
            await until(lambda life=life: len(site.platform.said("warning.started", channel="siren")) == life, WITHIN)
            await site.kill()
            await until(lambda: not site.sounding, WITHIN)
            await ready(site)
        await until(lambda: site.platform.said("warning.ended", channel="siren"), WITHIN)
        await until(lambda: not site.sounding, WITHIN)
        changes = [one for one in site.board.log if one.channel == 0]
        assert [one.on for one in changes] == [True, False] * (len(changes) // 2)
        loud = sum(end.at - begin.at for begin, end in zip(changes[::2], changes[1::2], strict=True))
        assert loud < 12 + 1  # a bound that the station promises, not a figure: one more for the board's tenths

    told(tmp_path, broker, story)


def test_it_is_heard_while_a_backlog_drains_and_while_sensors_hang(tmp_path, broker):
    async def story(site):
        hangs = Unit(9, holding={2: 0, 3: 0}, fault=Fault("dead"))
        async with TcpBus([hangs]) as slow:
            site.bus("slow", slow.url)
            site.sensor("hangs", "slow", unit=9, prefix="hangs", timeout="60s")
            site.route["url"] = "mqtt://127.0.0.1:1"
            del site.tables["sensor gauge"]
            site.sensor("gauge", "field", interval="50ms")
            site.write()
            await site.agent.start()
            await until(lambda: site.committed >= 60, WITHIN)
            await site.kill()
            site.warn()
            with Proxy("127.0.0.1", broker.port) as proxy:
                proxy.rate_up = 3000  # bytes a second: the backlog takes a while
                site.route["url"] = proxy.url
                site.write()
                await site.agent.start()
                await until(lambda: site.sounding, WITHIN)
                assert site.status()["buffer"]["pending"]["p"] > 0
                assert site.status()["sensors"]["hangs"]["state"] != "up"

    told(tmp_path, broker, story, sensor=True)


def test_a_dead_relay_is_told_and_the_display_shows_all_the_same(tmp_path, broker):
    async def story(site):
        await ready(site)
        site.board.fault = Fault("dead")
        site.warn()
        await until(site.shown, WITHIN)
        await until(lambda: site.platform.said("warning.failed", channel="siren"), WITHIN)
        assert site.platform.said("warning.failed")[0]["reason"]
        site.board.fault = None
        await until(lambda: site.sounding, WITHIN)  # it is asked again while it should sound

    told(tmp_path, broker, story)


def test_a_flood_of_forgeries_does_not_keep_the_genuine_one_out(tmp_path, broker):
    async def story(site):
        await ready(site)
        for _ in range(300):
            alert = site.authority.alert(AREA, TEXT)
            site.platform._client.publish(
                envelope.warning(site.root, AREA, "1", alert.seq), site.authority.forged(alert, TEXT), qos=1
            )
        await silent_until_a_genuine_one(site)
        await until(lambda: site.platform.said("warning.started", channel="siren"), WITHIN)
        assert len(site.platform.said("warning.received")) == 1
        assert len(site.platform.said("warning.junk")) <= 2

    told(tmp_path, broker, story)


# The key-set


def test_a_key_set_that_goes_back_is_refused_also_by_a_station_that_lost_its_own(tmp_path, broker):
    async def story(site):
        newer, older = site.authority.keyset(number=5), site.authority.keyset(number=4)
        file = site.folder / "keyset.cbor"
        file.write_bytes(newer)
        await ready(site)
        assert site.status()["warnings"]["keyring"] == 5
        await site.agent.end(signal.SIGTERM)
        file.write_bytes(older)  # what is in force is kept with the state
        await ready(site)
        assert site.status()["warnings"]["keyring"] == 5
        await site.agent.end(signal.SIGTERM)
        (site.folder / "state" / "keyset").unlink()  # its number is remembered beside it
        await ready(site)
        await until(lambda: site.platform.said("keyring.refused"), WITHIN)
        site.warn()
        await until(lambda: site.status()["warnings"]["counts"], WITHIN)
        assert site.activations() == 0
        await site.delivers(5)
        await site.agent.end(signal.SIGTERM)
        file.write_bytes(newer)
        await ready(site)
        await until(lambda: site.sounding, WITHIN)  # the retained one, with a key-set that is believed

    told(tmp_path, broker, story, sensor=True)


def test_a_station_without_areas_or_keys_does_not_start(tmp_path, broker):
    async def story(site):
        (site.folder / "keyset.cbor").write_bytes(os.urandom(200))
        site.station["areas"] = []
        site.write()
        await site.agent.start()
        assert await site.agent.ended() == 2
        assert "keyset" in site.agent.said()
        site.tables["warnings"] = table("warnings", keyset="missing.cbor", roots=site.authority.roots)
        checked = await command("check", "--config", site.write())
        assert checked.returncode == 2
        assert "missing.cbor" in checked.stderr

    told(tmp_path, broker, story)
