"""`[lan]`: where a station may be listened to, as the configuration says it."""

import pytest

from agent.config_load import load
from agent.lan import LanConfig
from agent.sampling import context_of
from drivers.api import Lan
from tests.support import coap as world

STATION = """
[station]
id = "valley-7"
[[route]]
name = "county"
url = "mqtt://127.0.0.1:1883"
[[sensor]]
name = "nodes"
driver = "coap-lan"
[[sensor.node]]
name = "weir"
key = "node1.json"
[sensor.node.series.level]
name = "weir.stage"
unit = "m"
"""


def problems(**keys):
    return [
        problem.code
        for problem in LanConfig(**{"purpose": "nodes at the weir", "listen": "192.168.7.1"} | keys).check()
    ]


@pytest.mark.parametrize(
    ("keys", "codes"),
    [
        ({}, []),
        ({"listen": "", "interface": "wlan0"}, []),
        ({"listen": "fd00::1"}, []),
        ({"listen": "127.0.0.1"}, []),
        ({"purpose": " "}, ["lan.purpose"]),
        ({"listen": ""}, ["lan.where"]),
        ({"interface": "wlan0"}, ["lan.where"]),
        ({"listen": "", "interface": "../../etc"}, ["lan.interface"]),
        ({"listen": "weir.local"}, ["lan.address"]),
        ({"listen": "0.0.0.0"}, ["lan.public"]),  # noqa: S104 - it is refused
        ({"listen": "::"}, ["lan.public"]),
        ({"listen": "8.8.8.8"}, ["lan.public"]),
        ({"listen": "224.0.1.187"}, ["lan.public"]),
    ],
)
def test_where_and_what_for(keys, codes):
    assert problems(**keys) == codes


def written(folder, text):
    world.key_files(folder, 1)
    file = folder / "station.toml"
    file.write_text(text)
    return load(file)


def test_a_station_without_it_listens_nowhere(tmp_path):
    config, findings = written(tmp_path, STATION)
    assert config is None
    assert [finding.problem.code for finding in findings] == ["lan.missing"]


def test_drivers_are_told(tmp_path):
    config, findings = written(tmp_path, STATION + '[lan]\nlisten = "127.0.0.1"\npurpose = "tests"\n')
    assert findings == []
    assert context_of(config, lambda *_: None).lan == Lan("tests", "127.0.0.1")


def test_a_mistake_in_it_is_found(tmp_path):
    config, findings = written(tmp_path, STATION + '[lan]\nlisten = "0.0.0.0"\npurpose = "tests"\n')
    assert config is None
    assert [finding.problem.code for finding in findings] == ["lan.public"]
