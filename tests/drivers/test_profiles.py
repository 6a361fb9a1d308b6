"""Every shipped profile: sound, sourced, and in agreement with the published frames."""

import json
import tomllib
from pathlib import Path

import pytest

from drivers.profile import SHIPPED, find, names
from drivers.sensors.dlt645 import open_meter
from drivers.sensors.line_profile import open_line
from drivers.sensors.modbus_profile import open_modbus
from drivers.sensors.nmea_profile import open_nmea
from drivers.sensors.sdi12_profile import open_sdi12
from drivers.sensors.vaisala import open_vaisala
from protocols.modbus_pdu import READ_HOLDING, decode_reply
from protocols.modbus_plan import Planner
from protocols.modbus_rtu import unseal

VECTORS = json.loads((Path(__file__).parent.parent / "vectors/modbus.json").read_text())
OPEN = {
    "modbus": open_modbus,
    "nmea": open_nmea,
    "line": open_line,
    "vaisala": open_vaisala,
    "dlt645": open_meter,
    "sdi12": open_sdi12,
}

# Holding registers with an address or a speed: a poll must never touch them (sensors that change them lose their place).
FORBIDDEN = {0x07D0, 0x07D1, 0x2F, 0x30, 0x03F4, 0x03F6, 0x1000, 0x6002, 0x6003}


def kind(name):
    return tomllib.loads((SHIPPED / f"{name}.toml").read_text())["kind"]


def opened(name):
    profile, problems = OPEN[kind(name)](name)
    assert problems == []
    return profile


@pytest.mark.parametrize("name", names())
def test_a_shipped_profile_is_sound_and_says_where_it_comes_from(name):
    profile = opened(name)
    assert profile.name == name
    assert profile.title
    assert len(profile.source) > 10
    assert all(series.span for series in profile.series), "what the sensor can report is in its datasheet"


@pytest.mark.parametrize("name", [name for name in names() if kind(name) == "modbus"])
def test_what_a_profile_polls_is_one_request_and_no_forbidden_register(name):
    profile = opened(name)
    registers = [series.register() for series in profile.series]
    (block,) = Planner(registers, profile.planned()).blocks()
    assert block.count <= profile.limits.registers
    if block.function == READ_HOLDING:
        assert not FORBIDDEN & set(range(block.address, block.address + block.count))


# Published replies: (profile, reply frame, first address asked for, what the maker says it means).
PUBLISHED = [
    ("qianjia-rain", "02030605A1000800BA8878", 0, {"rain.total": 144.1, "rain.second": 0.8, "rain.third": 18.6}),
    ("dfrobot-sen0492-laser", "500302070B067F", 52, {"distance": 1803}),
    ("renke-sn-3001-soil", "01030200E7F80E", 0, {"soil.moisture": 23.1}),
    ("renke-sn-3001-soil", "010302FF9BB81F", 1, {"soil.temperature": -10.1}),
    ("renke-rs-fsxcs-n01", "010302FF9BB81F", 505, {"air.temperature": -10.1}),
]


@pytest.mark.parametrize(("name", "frame", "address", "means"), PUBLISHED)
def test_a_published_reply_means_what_its_maker_says(name, frame, address, means):
    assert frame in {row["frame"] for row in VECTORS["rtu"]}
    unit, pdu = unseal(bytes.fromhex(frame))
    words = decode_reply(pdu).values
    profile = opened(name)
    if name in ("qianjia-rain", "dfrobot-sen0492-laser"):
        assert unit == profile.defaults.unit
    read = {
        series.name: series.register().decode(words[series.address - address : series.address - address + 1])
        for series in profile.series
        if address <= series.address < address + len(words)
    }
    assert read == means


def test_every_collected_map_has_its_profile():
    has = {
        "renke_rs_fsxcs_n01": "renke-rs-fsxcs-n01",
        "sl651_modbus_profile": "sl651-rain",
        "renke_sn3001_soil": "renke-sn-3001-soil",
        "dfrobot_sen0676_radar": "dfrobot-sen0676-radar",
        "qdy30a_submersible": "qdy30a-level",
        "rain_qianjia": "qianjia-rain",
        "waveshare_ai8": "waveshare-ai8",
        "adam_4017p": "advantech-adam-4017",
    }
    assert VECTORS["maps"].keys() - has.keys() == {"waveshare_relay8"}  # an actuator's
    assert all(find(name) for name in has.values())


def test_the_guide_names_every_shipped_profile():
    guide = (Path(__file__).parents[2] / "docs/sensors.md").read_text()
    assert [name for name in names() if f"`{name}`" not in guide] == []


def test_what_every_shipped_profile_means_is_held_by_a_test():
    """Read somewhere, shipped nowhere untried: each is named where frames are decoded by it."""
    here = Path(__file__).parent
    tests = "".join(file.read_text() for file in here.glob("test_*.py") if file != Path(__file__))
    assert [name for name in names() if f'"{name}"' not in tests and f"'{name}'" not in tests] == []
