"""`fengsui trust`, and the trust of a whole station: key-sets from the air, beacons, signed acknowledgements."""

import asyncio
import io
import json
import time
from contextlib import redirect_stderr, redirect_stdout

import pytest

from agent import cli
from agent.config_load import load
from agent.demo.authority import COUNTY, EVERYTHING, PROVINCE
from agent.keyset_check import roots_fingerprint
from protocols import beacon, envelope, receipt
from protocols.alert import Level
from protocols.beacon import Beacon
from protocols.keyring import Holder, Key, Keyring, seal_keyset
from tests.support.broker import Broker
from tests.support.station import AREA, TEXT, WITHIN, command, station, table
from tests.support.until import until

DAY = 86_400


def keyset(authority, number, holders=(COUNTY, PROVINCE), days=365, roots=2):
    now = int(time.time())
    private = {COUNTY: authority._county, PROVINCE: authority._province}
    keys = tuple(
        Key(
            name,
            private[name].public_key().public_bytes_raw(),
            EVERYTHING,
            (33,),
            Level.RED,
            now - DAY,
            now + round(days * DAY),
        )
        for name in holders
    )
    issuers = {COUNTY: 1, PROVINCE: 2}
    ring = Keyring(number, now, tuple(Holder(name, (issuers[name],)) for name in holders), keys)
    return seal_keyset(ring, authority._roots[:roots])


def run(*arguments):
    said, heard = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(heard):
        code = cli.main(["--lang", "en", *map(str, arguments)])
    return code, said.getvalue(), heard.getvalue()


class Village:
    """A configuration with a siren, whose key-set is yet to come; no agent runs."""

    def __init__(self, folder):
        from agent.demo.authority import Authority

        self.folder, self.authority = folder, Authority()
        self.file = folder / "station.toml"
        siren = table("[actuator]", name="display", driver="sim", kind="display", file="display.jsonl")
        head = table("station", id="s1", areas=[AREA], language="en")
        self.file.write_text(head + table("warnings", keyset="keyset.cbor", roots=self.authority.roots) + siren)

    def trust(self, step, *arguments):
        return run("trust", step, *arguments, "--config", self.file)

    def keyset(self, name="new.cbor", number=1, **how):
        (self.folder / name).write_bytes(keyset(self.authority, number, **how))
        return self.folder / name


@pytest.fixture
def village(tmp_path, monkeypatch):
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    return Village(tmp_path)


# The command


def test_a_first_key_set_is_added_shown_and_good(village):
    assert village.trust("show")[0] == 1
    assert run("check", "--config", village.file)[0] == 2
    code, _, heard = village.trust("add", village.keyset())
    assert (code, heard.strip()) == (0, "key-set 1 is in force from now on")
    assert (village.folder / "state" / "keyset").stat().st_mode & 0o777 == 0o600
    assert village.trust("check")[0] == 0
    assert run("check", "--config", village.file)[0] == 0, "what was added counts as the station's key-set"


def test_show_has_eight_groups_to_compare(village):
    village.trust("add", village.keyset())
    code, said, _ = village.trust("show")
    config, _ = load(village.file)
    assert code == 0
    assert roots_fingerprint(config) in said
    assert len(roots_fingerprint(config).split()) == 8
    shown = json.loads(village.trust("show", "--json")[1])
    assert shown["number"] == 1
    assert [key["holder"] for key in shown["keys"]] == [COUNTY, PROVINCE]
    assert all(len(key["fingerprint"].split()) == 8 for key in shown["keys"])


def test_an_older_one_and_one_root_are_refused_and_change_nothing(village):
    village.trust("add", village.keyset(number=5))
    for wrong in (village.keyset("old", number=4), village.file, village.folder / "nope"):
        code, _, heard = village.trust("add", wrong)
        assert code in {1, 2}
        assert "not believed" in heard
    assert json.loads(village.trust("show", "--json")[1])["number"] == 5


def test_check_says_what_ends_soon_and_what_has_ended(village):
    village.trust("add", village.keyset(days=20))
    code, _, heard = village.trust("check")
    assert code == 0
    assert heard.count("ends in 19 days") + heard.count("ends in 20 days") == 2
    code, _, heard = village.trust("check", village.keyset("gone", number=2, days=-0.5))
    assert code == 1
    assert heard.count("has ended") == 2


def test_check_says_that_no_top_level_warning_could_sound(village):
    code, _, heard = village.trust("check", village.keyset("one", holders=(COUNTY,)))
    assert code == 1
    assert "no two holders" in heard


def test_a_station_that_warns_nobody_has_nothing_to_trust(village):
    village.file.write_text(table("station", id="s1"))
    assert village.trust("show")[0] == 2


# A whole station


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


def told(tmp_path, broker, story):
    async def tell():
        async with station(tmp_path, broker.port, siren=True, sensor=False) as site:
            await site.up()
            await until(lambda: site.status()["bearers"]["p"]["urgent"]["subscribed"], WITHIN)
            await story(site)
            assert "Traceback" not in site.agent.said(), site.agent.said()

    asyncio.run(tell())


def warnings(site):
    return site.status()["warnings"]


@pytest.mark.broker
def test_a_key_set_from_the_air_is_in_force_at_once_and_over_a_kill(tmp_path, broker):
    async def story(site):
        topic = envelope.keyset(site.root)
        site.platform.publish(topic, keyset(site.authority, 2, holders=(PROVINCE,)))
        await until(lambda: site.platform.said("keyset.adopted", number=2, before=1), WITHIN)
        site.warn(both=False)
        await until(lambda: warnings(site)["counts"].get("unknown-issuer"), WITHIN)
        await site.kill()
        await site.up()
        assert warnings(site)["keyset"]["number"] == 2
        site.platform.publish(topic, keyset(site.authority, 1))
        await until(lambda: warnings(site)["counts"].get("keyset-old"), WITHIN)
        site.platform.publish(topic, keyset(site.authority, 3))
        await until(lambda: warnings(site)["keyset"]["number"] == 3, WITHIN)
        site.warn()
        await until(lambda: site.platform.said("warning.started", channel="siren"), WITHIN)

    told(tmp_path, broker, story)


@pytest.mark.broker
def test_a_technician_adds_a_key_set_while_the_agent_runs(tmp_path, broker):
    async def story(site):
        file = site.folder / "two.cbor"
        file.write_bytes(keyset(site.authority, 2))
        done = await command("trust", "add", file, "--config", site.folder / "station.toml")
        assert done.returncode == 0, done.stderr
        assert warnings(site)["keyset"]["number"] == 2
        await until(lambda: site.platform.said("keyset.adopted", source="bench"), WITHIN)

    told(tmp_path, broker, story)


@pytest.mark.broker
def test_a_beacon_by_the_command_is_heard_and_shown(tmp_path, broker):
    async def story(site):
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        key = site.folder / "county.pem"
        key.write_bytes(site.authority._county.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        key.chmod(0o600)
        url = f"mqtt://127.0.0.1:{broker.port}"
        done = await command(
            "warn", "beacon", key, "--issuer", 1, "--number", 4, "--broker", url, "--root", site.root, "--area", AREA
        )
        assert done.returncode == 0, done.stderr
        await until(lambda: warnings(site)["issuers"][0]["bearer"] == "p", WITHIN)
        heard = warnings(site)["issuers"][0]
        assert (heard["issuer"], heard["holder"], heard["silent"]) == (1, COUNTY, False)
        assert heard["seconds_ago"] < WITHIN
        await until(lambda: site.platform.said("keyset.behind", number=4, ours=1), WITHIN)
        assert not warnings(site)["counts"], "a beacon is no junk among the warnings"
        await site.kill()
        await site.up()
        assert warnings(site)["issuers"][0]["bearer"] == "p", "known before the broker has said anything"

    told(tmp_path, broker, story)


@pytest.mark.broker
def test_a_flood_of_forged_beacons_and_key_sets_delays_no_warning(tmp_path, broker):
    async def story(site):
        forged = beacon.seal(Beacon(1, int(time.time()), 1), [site.authority._forger])
        wrong = keyset(site.authority, 9)[:-1]
        for _ in range(300):
            site.platform.publish(envelope.beacon(site.root, AREA, "1"), forged, retain=False)
            site.platform.publish(envelope.keyset(site.root), wrong, retain=False)
        site.warn()
        await until(lambda: site.platform.said("warning.started", channel="siren"), WITHIN)
        counts = warnings(site)["counts"]
        assert counts["beacon-bad-signature"]
        assert warnings(site)["keyset"]["number"] == 1

    told(tmp_path, broker, story)


@pytest.mark.broker
def test_every_acknowledgement_verifies_with_the_key_that_the_station_shows(tmp_path, broker):
    async def story(site):
        site.warn(TEXT)
        await until(lambda: site.platform.said("warning.started", channel="siren"), WITHIN)
        await until(lambda: site.platform.types("station.key") or site.platform.tracker.audit.key_of(site.id), WITHIN)
        public = bytes.fromhex(site.platform.tracker.audit.key_of(site.id))
        ladder = [one for one in site.platform.events if one["type"].startswith("warning.")]
        assert len(ladder) >= 4
        sent = [{name: value for name, value in one.items() if name != "proof"} for one in ladder]
        assert all(receipt.verifies(one, public) for one in sent)
        counters = [one["counter"] for one in ladder]
        assert len(set(counters)) == len(counters)
        await site.kill()
        await site.up()
        site.cancel(site.warn("again"))
        await until(lambda: site.platform.said("warning.decided", reason="cancelled"), WITHIN)
        later = [one["counter"] for one in site.platform.events if one["type"].startswith("warning.")]
        assert len(set(later)) == len(later)
        assert max(later) > max(counters)
        assert site.platform.tracker.summary()["acknowledgements"].keys() <= {"genuine", "unchecked"}

    told(tmp_path, broker, story)
