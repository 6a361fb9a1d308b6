"""`[[bearer]]` and `[narrow]`: every mistake with its table and key, and nothing loaded where there is none."""

import subprocess
import sys

import pytest

from agent.config_load import load
from tests.support.tree import ROOT

HEAD = """
[station]
id = "s1"
[clock]
source = "system"
[[route]]
name = "county"
url = "mqtt://127.0.0.1"
"""
KEY = "11" * 32
BEARER = """
[[bearer]]
name = "beidou"
driver = "sim"
air = "air"
"""


def found(tmp_path, text):
    (tmp_path / "headend.pub").write_text(KEY + "\n")
    file = tmp_path / "station.toml"
    file.write_text(HEAD + text)
    config, findings = load(file)
    return config, sorted((one.table, one.problem.key, one.problem.code) for one in findings)


def test_keys_of_the_driver_and_common_ones_stand_in_one_table(tmp_path):
    config, wrong = found(tmp_path, BEARER + 'mtu = 100\nperiod = "6h"\ncost = 0.3\n[narrow]\nheadend = "headend.pub"')
    assert wrong == []
    [bearer] = config.bearers
    assert (bearer.config.mtu, bearer.config.cost, bearer.common.cost) == (100, 0.3, 0.3)
    assert bearer.common.period == 6 * 3600
    assert config.narrow.headend == "headend.pub"


@pytest.mark.parametrize(
    ("line", "key", "code"),
    [
        ('route = "city"', "route", "bearer.route"),
        ("mtuu = 3", "mtuu", "config.unknown_key_near"),
        ("perod = 3", "perod", "config.unknown_key_near"),
        ('period = "1s"', "period", "value.range"),
        ("daily_budget = -1", "daily_budget", "value.range"),
        ("loss = 2.0", "loss", "value.range"),
        ('headend = "nowhere.pub"', "headend", "bearer.key_unreadable"),
        ('headend = "station.toml"', "headend", "bearer.key"),
        ('cost = "dear"', "cost", "config.wrong_value"),
    ],
)
def test_a_mistake_is_named_with_table_and_key(tmp_path, line, key, code):
    config, wrong = found(tmp_path, BEARER + line)
    assert config is None
    assert wrong == [("bearer beidou", key, code)]


def test_all_mistakes_come_at_once(tmp_path):
    text = BEARER + 'route = "city"\nperiod = 1\n[narrow]\nheadend = "x"\npatience = "1min"\nseries = ["a.b"]'
    _, wrong = found(tmp_path, text + BEARER.replace("beidou", "county").replace("sim", "smi"))
    assert wrong == [
        ("bearer beidou", "period", "value.range"),
        ("bearer beidou", "route", "bearer.route"),
        ("bearer county", "driver", "driver.unknown"),
        ("narrow", "headend", "bearer.key_unreadable"),
        ("narrow", "patience", "value.range"),
    ]


def test_a_platform_must_be_named_where_there_are_two(tmp_path):
    two = '[[route]]\nname = "city"\nurl = "mqtt://127.0.0.1"\n' + BEARER
    assert found(tmp_path, two)[1] == [("bearer beidou", "route", "bearer.which_route")]
    assert found(tmp_path, two + 'route = "city"')[1] == []


def test_a_bearer_may_not_be_called_as_a_route(tmp_path):
    assert found(tmp_path, BEARER.replace("beidou", "county"))[1] == [("bearer county", "name", "bearer.name")]


def test_a_station_without_bearers_loads_nothing_of_them():
    script = (
        "import agent.station, agent.config, sys; print([n for n in sys.modules if 'narrow' in n or 'bearers' in n])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
