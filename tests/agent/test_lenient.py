"""`--lenient` by the real commands: what is wrong with a profile, a sensor or a rule is named, and the rest is there."""

import asyncio
import json

import pytest

from agent.config_load import load
from agent.control import ask
from agent.demo.process import AgentProcess
from buffer.model import Lane
from buffer.reader import Reader
from tests.support.station import WITHIN, fengsui
from tests.support.until import until

GOOD = """
[station]
id = "s1"
areas = ["330102001"]
language = "en"

[[sensor]]
name = "mast"
driver = "nmea"
port = "sim:weather"
profile = "nmea-weather"
interval = "200ms"
fast = { when = "hole.level > 2", interval = "100ms" }

[[rule]]
name = "storm"
event = "storm"
level = "yellow"
action = "inform"
when = "wind.speed > 60"
text = "storm"
"""
BROKEN = """
[[bus]]
name = "rs485"
url = "tcp://127.0.0.1:1"

[[sensor]]
name = "hole"
bus = "rs485"
profile = "hole"

[[derived]]
kind = "rate"
of = "hole.level"
series = "hole.rate"

[[derived]]
kind = "rate"
of = "hole.rate"
series = "hole.haste"

[[derived]]
kind = "dew-point"
temperature = "air.temperature"
humidity = "air.humidity"
series = "dew"

[[consistency]]
holds = "hole.level > 0"

[[consistency]]
holds = "dew <= air.temperature"

[[rule]]
name = "flood"
event = "storm"
level = "yellow"
action = "inform"
when = "hole.haste > 1"
text = "flood"

[[rule]]
name = "garbled"
event = "storm"
level = "yellow"
action = "inform"
when = "wind.speed >"
text = "?"
"""
PROFILE = """
kind = "modbus"
name = "hole"
source = "this test"
[[series]]
name = "hole.level"
address = 0
unit = "furlong"
"""
LEFT = {"sensor hole", "sensor mast", "derived 1", "derived 2", "consistency 1", "rule flood", "rule garbled"}


@pytest.fixture
def site(tmp_path):
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "hole.toml").write_text(PROFILE)
    (tmp_path / "station.toml").write_text(GOOD + BROKEN)
    return tmp_path


def test_what_depends_on_what_is_wrong_leaves_with_it_and_places_stay(site):
    config, findings = load(site / "station.toml", lenient=True)
    assert {one.table for one in findings} == LEFT
    assert findings == config.left_out
    (wrong,) = [one for one in findings if one.table == "sensor hole"]
    assert "station.toml" in wrong.where
    assert "hole.toml series[hole.level].unit" in wrong.where
    assert [one.name for one in config.sensors] == ["mast"]
    assert config.sensors[0].config.fast is None  # the mast itself is sound
    assert [one.label for one in config.derived] == ["derived 3"]
    assert list(config.consistency) == ["consistency 2"]
    assert [one.name for one in config.rules] == ["storm"]


def test_without_it_nothing_starts(site):
    for verb in (["run"], ["check"], ["read", "--once"]):
        done = fengsui(*verb, "--config", site / "station.toml")
        assert done.returncode == 2
        assert "hole.toml series[hole.level].unit" in done.stderr
        assert "[rule garbled] when" in done.stderr
        assert not (site / "state" / "buffer.db").exists()


def test_check_and_read_name_it_and_go_on(site):
    checked = fengsui("check", "--lenient", "--json", "--config", site / "station.toml")
    found = json.loads(checked.stdout)
    assert checked.returncode == 0
    assert found["ok"] is False
    assert {one["table"] for one in found["findings"]} == LEFT
    assert [one["name"] for one in found["in_force"]["sensor"]] == ["mast"]
    read = fengsui("read", "--once", "--lenient", "--json", "--config", site / "station.toml")
    assert read.returncode == 0
    assert json.loads(read.stdout)["sensor"] == "mast"
    assert "hole.toml series[hole.level].unit" in read.stderr


def test_the_agent_starts_without_it_and_says_so(site):
    async def main():
        agent = AgentProcess(site, ["--lenient"])
        try:
            await agent.start()
            await until(lambda: "dew" in (ask(agent.control, "status", timeout=WITHIN) or {}).get("newest", ()), WITHIN)
            status = ask(agent.control, "status", timeout=WITHIN)
            assert {one["table"] for one in status["left_out"]} == LEFT
            assert list(status["sensors"]) == ["mast"]
            shown = fengsui("status", "--config", site / "station.toml")  # the bench finds the agent all the same
            assert shown.returncode == 0
            assert "hole.level" in shown.stdout
        finally:
            await agent.end()
        with Reader(agent.database) as reader:
            events = [json.loads(block.body) for block in reader.blocks(Lane.EVENT)]
        said = [one for one in events if one["type"] == "config.left_out"]
        assert {one["table"] for one in said} == LEFT
        assert all(one["file"].endswith("station.toml") and one["key"] and one["text"] for one in said)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("wrong", "table"),
    [
        ('[warnings]\nkeyset = "none.cbor"\nroots = ["00"]\n', "warnings"),
        ('[warnings]\nkeyset = "none.cbor"\nroots = ["00"]\nloudest = 1\n', "warnings"),
        ('[[actuator]]\nname = "siren"\ndriver = "nothing"\n', "actuator siren"),
        ('[[route]]\nname = "p"\nurl = "ftp://x"\n', "route p"),
        ("[clok]\n", ""),
    ],
)
def test_whom_to_believe_what_to_sound_and_whom_to_tell_is_never_forgiven(site, wrong, table):
    (site / "station.toml").write_text(GOOD + BROKEN + wrong)
    done = fengsui("run", "--lenient", "--config", site / "station.toml")
    assert done.returncode == 2
    assert f"[{table}]" in done.stderr or not table
    config, findings = load(site / "station.toml", lenient=True)
    assert config is None
    assert table in {one.table for one in findings}


def test_a_digest_goes_on_without_a_series_that_nothing_gives(site):
    (site / "key.hex").write_text("11" * 32)
    bearer = '[[route]]\nname = "p"\nurl = "mqtt://127.0.0.1:1"\n[narrow]\nheadend = "key.hex"\nseries = ["hole.level", "wind.speed"]\n'
    bearer += '[[bearer]]\nname = "b"\ndriver = "sim"\nair = "air"\n'
    (site / "station.toml").write_text(GOOD + BROKEN + bearer)
    config, findings = load(site / "station.toml", lenient=True)
    assert config is not None, [str(one) for one in findings]
    assert config.narrow.series == ["wind.speed"]


@pytest.mark.parametrize(
    ("line", "kept"),
    [("fast = 3", True), ('fast = { when = "no.such > 1", interval = "x" }', True), ('"fast.x" = 3', False)],
    ids=["number", "interval", "a key of that name"],
)
def test_what_hastens_a_sensor_costs_no_rule_and_ends(tmp_path, line, kept):
    """A rule on the sensor's series stays, since the sensor does; and where nothing can be taken away, it is given up."""
    fast = next(one for one in GOOD.splitlines() if one.startswith("fast"))
    (tmp_path / "station.toml").write_text(GOOD.replace(fast, line))
    config, findings = load(tmp_path / "station.toml", lenient=True)
    assert len(findings) == 1
    assert (config is not None and [one.name for one in config.rules] == ["storm"]) is kept
