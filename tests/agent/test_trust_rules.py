"""Rules of trust that concern the whole station: what opens a door, what leaves it, and what time it is at least."""

import asyncio
import json
import logging
import os
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest

from agent.alerts.policy import Place
from agent.control import Control, ask
from agent.trust.keyset import KEPT
from agent.trust_path import open_trust
from protocols.keyring import seal_keyset
from tests.agent.test_beacons_clock import NOW
from tests.agent.test_clock import Hands
from tests.agent.test_mqtt import make, publish, up
from tests.agent.test_station_warnings import ready, told
from tests.support.alerting import Station
from tests.support.broker import Broker
from tests.support.samples import SAMPLES
from tests.support.seals import FULL, ROOTS, T0, key, keyring, private, sealed
from tests.support.station import WITHIN, table
from tests.support.tree import files
from tests.support.until import until
from tests.support.village import Village
from tests.support.virtual import run

# What comes in


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


def every_sample():
    return sorted(path for path in SAMPLES.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", every_sample(), ids=lambda path: str(path.relative_to(SAMPLES)))
def test_no_message_of_another_system_moves_anything_signed_in_xml_or_not(path):
    """CAP, 12379, EBM, CAMF and the hostile ones, as they are, on a warning topic: only the platform imports them."""

    async def main():
        async with Station() as station:
            station.hear(path.read_bytes()[: 1 << 20])
            await asyncio.sleep(30)
            assert station.board.log == []
            assert not station.display.log
            assert not [kind for kind in station.kinds() if kind.startswith("warning.") and kind != "warning.junk"]
            assert station.acks == [0]

    run(main())


def test_what_was_equivocation_is_said_so():
    async def main():
        async with Station() as station:
            await station.heard(sealed("county", seq=T0 + 1, event="11B03"))
            await station.heard(sealed("county", seq=T0 + 1, event="11B07"))
            refused = [fields for kind, fields, _ in station.records if kind == "warning.refused"]
            assert [fields["reason"] for fields in refused] == ["equivocation"]
            assert station.alerting.status()["counts"]["equivocation"] == 1

    run(main())


def test_asked_again_the_broker_brings_what_it_keeps(tmp_path):
    async def main(port):
        seen = []

        def receive(message):
            seen.append(message.payload)
            message.ack()

        await asyncio.to_thread(publish, port, "down/a", "kept", "-r")
        async with up(make(port, filters=["down/#"], receive=receive)) as link:
            await until(lambda: len(seen) == 1)
            link.subscriber.ask_again()
            await until(lambda: len(seen) == 2)

    with Broker(tmp_path) as one:
        asyncio.run(main(one.port))


# What leaves


@pytest.mark.broker
def test_a_local_alarm_leaves_as_an_event_and_never_as_a_warning(tmp_path, broker):
    async def story(site):
        rule = {"event": "flash-flood", "level": "red", "action": "evacuate", "alone": True}
        site.tables["rule"] = table("[rule]", name="flood", when="river.stage > 0.02", **rule)
        site.write()
        heard = []
        site.platform._client.message_callback_add(f"{site.root}/warnings/#", lambda *what: heard.append(what[2].topic))
        site.platform._client.subscribe(f"{site.root}/#", 1)
        await ready(site)
        await until(lambda: site.platform.said("rule.raised"), WITHIN)
        await until(lambda: site.platform.said("warning.started"), WITHIN)
        assert heard == []

    told(tmp_path, broker, story, sensor=True)


# Doors


def listening(pid):
    """Local addresses at which a process waits for connections or datagrams of a network."""
    own = set()
    for name in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208 - a process's own directory
        try:
            own |= set(re.findall(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{name}")))  # noqa: PTH115 - as above
        except OSError:
            continue
    found = []
    for table_ in ("tcp", "tcp6", "udp", "udp6"):
        for row in open(f"/proc/{pid}/net/{table_}").read().splitlines()[1:]:  # noqa: PTH123, SIM115 - as above
            fields = row.split()
            if fields[9] in own and (fields[3] == "0A" or table_.startswith("udp")):
                found.append((table_, fields[1]))
    return found


@pytest.mark.broker
def test_a_station_listens_on_no_network(tmp_path, broker):
    async def story(site):
        await ready(site)
        assert listening(site.agent.pid) == []

    told(tmp_path, broker, story, sensor=True)


def test_who_asks_at_the_bench_is_written_down(tmp_path, caplog):
    async def main():
        async def status(_request):
            return {"fine": True}

        async with Control(tmp_path / "control.sock", {"status": status}) as control:
            assert oct(control.path.stat().st_mode)[-3:] == "660"
            assert await asyncio.to_thread(ask, control.path, "status") == {"fine": True}

    with caplog.at_level(logging.INFO):
        asyncio.run(main())
    assert f"control: pid {os.getpid()} uid {os.getuid()} asks status" in caplog.text


SECRET = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}")
PASSWORD = re.compile(rb"""(?i)\b(?:password|passwd|secret)["']?\s*[=:]\s*["'][^"'{}<$\s]{4,}["']""")


def test_no_key_and_no_password_stands_in_the_repository():
    found = [str(path) for path in files() if SECRET.search(path.read_bytes())]
    assert found == []
    words = {"tests", "messages"}  # sentences about passwords are none
    settings = [one for one in files() if one.suffix in {".toml", ".service", ".conf"} and not words & {*one.parts}]
    assert settings
    assert [str(path) for path in settings if PASSWORD.search(path.read_bytes())] == []


# What time it is at least


def kept_keyset(folder, issued):
    ring = keyring(key("county", FULL), key("bureau", FULL))
    data = seal_keyset(replace(ring, issued=issued), [private("root 1"), private("root 2")])
    (folder / KEPT).write_bytes(data)


def test_a_key_set_says_what_time_has_passed_to_a_station_without_a_clock(tmp_path):
    """What expired before the roots signed is refused though the machine's clock says 1970."""
    kept_keyset(tmp_path, NOW)
    clock = Hands(wall=5_000).clock("none")
    before = clock.read().floor
    buffer = SimpleNamespace(meta=lambda _name: None, set_meta=lambda *_: None)
    config = SimpleNamespace(
        warnings=SimpleNamespace(roots=[root.hex() for root in ROOTS], keyset="none"),
        state=tmp_path,
        path=lambda name: tmp_path / name,
        station=SimpleNamespace(areas=["330205004001"]),
    )
    recorder = SimpleNamespace(buffer=buffer, event=lambda *_: None)
    alerting = SimpleNamespace(numbers=lambda _issuer: (), unheard=lambda _any: None, junk=lambda *_: None)
    open_trust(config, clock, recorder, alerting, fetch=lambda: None)
    assert alerting.keyring.number == 7
    assert before < NOW == clock.read().floor
    assert not clock.read().trusted
    assert json.loads(clock.save())["floor"] // 1000 == before, "for as long as it is in force, and no longer"


def test_what_expired_before_the_key_set_is_refused_there():
    village = Village(trusted=False, unix=T0 + 100, floor=T0 + 100, place=Place((330205004001,)))
    assert village.say("county", expires=T0 + 99, seq=T0 + 1).outcome == "expired"
    assert village.say("county", expires=T0 + 500, seq=T0 + 2).outcome == "started"
