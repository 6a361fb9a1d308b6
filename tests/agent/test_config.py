"""A station's file: every mistake at once, with file, table and key; nothing started."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agent.cli.language import configured
from agent.config import names_of
from agent.config_load import load

GOOD = """
[station]
id = "village-7"
areas = ["330102001"]

[[route]]
name = "county"
url = "mqtt://127.0.0.1:1883"

[[bus]]
name = "rs485"
url = "tcp://127.0.0.1:502"

[[sensor]]
name = "met"
bus = "rs485"
profile = "renke-rs-fsxcs-n01"
"""


def findings(tmp_path: Path, text: str) -> dict[tuple[str, str], str]:
    file = tmp_path / "station.toml"
    file.write_text(text, "utf-8")
    config, found = load(file)
    assert (config is None) == bool(found)
    return {(one.table, one.problem.key): one.problem.code for one in found}


def test_a_good_file_has_no_findings_and_defaults_in_force(tmp_path):
    assert findings(tmp_path, GOOD) == {}
    config, _ = load(tmp_path / "station.toml")
    assert config.routes[0].root == "fengsui/1"
    assert config.buffer.commit_interval == 1.0
    assert config.state == tmp_path / "state"
    assert config.socket == tmp_path / "state" / "control.sock"


def test_every_mistake_is_named_at_once(tmp_path):
    bad = (
        GOOD.replace('id = "village-7"', 'id = "village 7"\ntimzone = "x"')
        .replace("330102001", "33010")
        .replace("renke-rs-fsxcs-n01", "renke-rs-nothing")
        .replace('url = "mqtt://127.0.0.1:1883"', 'url = "http://x"\nformat = "xml"')
        + '\n[[bus]]\nname = "rs485"\nurl = "serial:///dev/does-not-exist"\n\n[colour]\nx = 1\n'
    )
    found = findings(tmp_path, bad)
    assert found[("", "colour")] == "config.unknown_table"
    assert found[("station", "timzone")] == "config.unknown_key_near"
    assert found[("route county", "format")] == "config.wrong_value"
    assert found[("bus rs485", "name")] == "config.duplicate_name"


def test_rules_between_tables_are_checked_when_each_table_is_well_typed(tmp_path):
    bad = GOOD.replace("village-7", "village 7").replace("330102001", "33010").replace("tcp://127.0.0.1:502", "ftp://x")
    found = findings(tmp_path, bad)
    assert found[("station", "id")] == "config.station_id"
    assert found[("station", "areas")] == "config.area_code"
    assert ("bus rs485", "url") in found


def test_a_port_that_does_not_exist_is_a_finding(tmp_path):
    found = findings(tmp_path, GOOD.replace("tcp://127.0.0.1:502", "serial:///dev/does-not-exist?baud=9600"))
    assert ("bus rs485", "url") in found


def test_names_of_areas_are_read_and_what_is_wrong_in_them_is_named(tmp_path):
    named = GOOD.replace('id = "village-7"', 'id = "village-7"\nnames = "areas.toml"')
    assert findings(tmp_path, named)[("station", "names")] == "names.unreadable"
    (tmp_path / "areas.toml").write_text('330102001 = "榆树村"\n')
    assert findings(tmp_path, named) == {}
    config, _ = load(tmp_path / "station.toml")
    assert names_of(config).whole(330102001) == "浙江省 榆树村"
    (tmp_path / "areas.toml").write_text('3301021 = "榆树村"\n')
    assert findings(tmp_path, named)[("station", "names")] == "names.code"


def test_two_sensors_may_not_write_one_series(tmp_path):
    twice = GOOD + '\n[[sensor]]\nname = "met2"\nbus = "rs485"\nprofile = "renke-rs-fsxcs-n01"\nunit = 2\n'
    assert "config.duplicate_series" in findings(tmp_path, twice).values()
    assert findings(tmp_path, twice + 'prefix = "roof"\n') == {}


HALL = """
[[actuator]]
name = "hall"
driver = "amplifier"
relay = { driver = "modbus-relay", bus = "rs485", board = "waveshare-8ch", channel = 2 SHARED }
voice = { driver = "sim", kind = "voice" }
"""


def test_a_relay_inside_an_amplifier_is_a_relay_on_its_bus(tmp_path):
    """Sensors are polled on that bus: a sensor that is slow to answer would delay the voice."""
    found = findings(tmp_path, GOOD + HALL.replace("SHARED", ""))
    assert found[("actuator hall.relay", "bus")] == "actuator.bus_shared"
    found = findings(tmp_path, GOOD + HALL.replace("SHARED", ", shared = true"))
    assert ("actuator hall.relay", "bus") not in found
    siren = HALL[: HALL.index("relay =")].replace("amplifier", "modbus-relay").replace("hall", "siren")
    taken = siren + 'bus = "rs485"\nboard = "waveshare-8ch"\nchannel = 2\nshared = true\n'
    found = findings(tmp_path, GOOD + taken + HALL.replace("SHARED", ", shared = true"))
    assert found[("actuator hall.relay", "channel")] == "actuator.channel_taken"


def test_an_actuator_without_a_keyring_is_refused(tmp_path):
    assert findings(tmp_path, GOOD + '\n[[actuator]]\nname = "siren"\ndriver = "sim"\n') == {
        ("warnings", "keyset"): "config.no_keyring"
    }


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[station\n", "config.not_toml"),
        ("station = 1\n", "config.not_a_table"),
        ("", "config.missing_table"),
        ('[station]\nid = "a"\n[bus]\nname = "x"\n', "config.not_a_list"),
        ('[station]\nid = "a"\n[[sensor]]\ndriver = "telepathy"\n', "driver.unknown"),
        ("[station]\nid = 7\n", "config.wrong_value"),
        ('[station]\nid = "a"\nlanguage = "fr"\ntimezone = "Mars/Olympus"\n', "config.choice"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, text, code):
    assert code in findings(tmp_path, text).values()


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"\x00" * 100, b"[" * 100_000])
def test_bytes_that_are_no_text(tmp_path, data):
    file = tmp_path / "station.toml"
    file.write_bytes(data)
    config, found = load(file)
    assert config is None
    assert found[0].problem.code == "config.not_toml"


def test_a_file_without_an_end_is_not_read_to_it(tmp_path):
    """Nor is one that is too long used without its last tables."""
    file = tmp_path / "station.toml"
    file.write_text('[station]\nid = "a"\n' + "#" * (1 << 20) + "\n[warnings]\n")
    for endless in (file, Path("/dev/zero")):
        config, found = load(endless)
        assert config is None
        assert (found[0].problem.code, found[0].problem.facts["why"]) == ("config.unreadable", "File too large")
    assert configured(["--config", "/dev/zero"]) == ""


def fengsui(*arguments: str, **keywords) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "agent.cli", *arguments], check=False, capture_output=True, text=True, **keywords
    )


def test_check_prints_all_findings_and_leaves_with_2(tmp_path):
    file = tmp_path / "station.toml"
    file.write_text(GOOD.replace("village-7", "a b").replace("330102001", "1"))
    done = fengsui("--lang", "en", "check", "--config", str(file))
    assert done.returncode == 2
    assert f"{file}: [station] id: " in done.stderr
    assert f"{file}: [station] areas: " in done.stderr
    told = json.loads(fengsui("check", "--json", "--config", str(file)).stdout)
    assert [one["key"] for one in told["findings"]] == ["id", "areas"]


def test_check_shows_what_is_in_force(tmp_path):
    file = tmp_path / "station.toml"
    file.write_text(GOOD)
    done = fengsui("check", "--json", "--config", str(file))
    assert done.returncode == 0
    assert json.loads(done.stdout)["in_force"]["route"][0]["linger"] == 10.0


@pytest.mark.parametrize("verb", ["run", "read", "status", "check"])
def test_a_missing_file_is_said_and_nothing_starts(tmp_path, verb):
    done = fengsui("--lang", "en", verb, "--config", str(tmp_path / "nothing.toml"))
    assert done.returncode == 2
    assert "nothing.toml: cannot read this file" in done.stderr
    assert list(tmp_path.iterdir()) == []
