"""Forecasts: from the real encoders, in proportion to what is configured, and within reach of what was measured."""

import json

import pytest

from agent.cli import main
from agent.config_load import load
from agent.forecast import MONTH, forecast

HEAD = """
[station]
id = "s1"
[[bus]]
name = "b"
url = "tcp://127.0.0.1:5"
"""


def route(name="p", **facts):
    facts = {"name": name, "url": "mqtt://127.0.0.1:1"} | facts
    return "[[route]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in facts.items())


def sensor(interval="1s", name="level", profile="sl651-level", unit=1):
    return f'[[sensor]]\nname = "{name}"\nbus = "b"\nprofile = "{profile}"\ninterval = "{interval}"\nunit = {unit}\nprefix = "{name}"\n'


def of(tmp_path, *tables, extra=""):
    file = tmp_path / "station.toml"
    file.write_text(HEAD + extra + "".join(tables))
    config, findings = load(file)
    assert config is not None, findings
    return forecast(config)


def test_formats_by_what_their_encoders_make_of_the_same_minutes(tmp_path):
    weather = sensor(profile="surfrad-met")
    found = of(tmp_path, weather, *(route(form, format=form, linger="60s") for form in ("json", "cbor", "packed")))
    json_, cbor, packed = found["route"]
    assert json_["megabytes"] > cbor["megabytes"] > packed["megabytes"]
    assert 40 < json_["bytes_per_reading"] < 150
    assert packed["bytes_per_reading"] < json_["bytes_per_reading"] / 2


def test_twice_the_readings_cost_about_twice(tmp_path):
    once = of(tmp_path, sensor("2s"), route(linger="60s"))["route"][0]
    twice = of(tmp_path, sensor("1s"), route(linger="60s"))["route"][0]
    assert twice["megabytes"] - twice["idle_megabytes"] == pytest.approx(
        2 * (once["megabytes"] - once["idle_megabytes"]), rel=0.1
    )


def test_longer_linger_and_slower_status_cost_less(tmp_path):
    quick, slow = of(
        tmp_path, sensor(), route("quick", linger="1s"), route("slow", linger="60s", status_interval="10min")
    )["route"]
    assert quick["messages_a_day"] > 10 * slow["messages_a_day"]
    assert quick["megabytes"] > slow["megabytes"]
    assert quick["idle_megabytes"] > slow["idle_megabytes"]


def test_a_metered_link_pings_less_and_tls_costs_more(tmp_path):
    plain, metered, secure = of(
        tmp_path, sensor(), route("plain"), route("metered", metered=True), route("secure", url="mqtts://h")
    )["route"]
    assert metered["idle_megabytes"] < plain["idle_megabytes"] < secure["idle_megabytes"]
    assert secure["megabytes"] > plain["megabytes"]


def test_a_station_without_sensors_costs_its_status_only(tmp_path):
    found = of(tmp_path, route())
    assert found["route"][0]["megabytes"] == found["route"][0]["idle_megabytes"]
    assert found["flash"]["years"] is None


def test_the_card_lives_as_long_as_it_is_written_to(tmp_path):
    each_second = of(tmp_path, sensor(), route())["flash"]
    each_minute = of(tmp_path, sensor(), route(), extra='[buffer]\ncommit_interval = "60s"\n')["flash"]
    better = of(tmp_path, sensor(), route(), extra='[buffer]\nendurance = "100TB"\n')["flash"]
    assert each_minute["years"] > 20 * each_second["years"]
    assert better["years"] == pytest.approx(10 * each_second["years"], rel=0.02)


def test_some_twenty_series_a_second_are_written_as_was_measured(tmp_path):
    """417 bytes a reading in the first minute of a station, start included; about 350 after that."""
    found = of(tmp_path, sensor(profile="surfrad-met"), route())
    assert 200 < found["flash"]["bytes_per_reading"] < 600


@pytest.mark.parametrize("interval", ["50ms", "1d"])
def test_very_quick_and_very_slow_sensors(tmp_path, interval):
    found = of(tmp_path, sensor(interval), route())
    assert found["route"][0]["megabytes"] > 0
    assert MONTH / 86_400 == 30


def test_check_prints_it(tmp_path, capsys):
    of(tmp_path, sensor(), route())
    assert main(["--lang", "en", "check", "--config", str(tmp_path / "station.toml")]) == 0
    out = capsys.readouterr().out
    assert "MB a month" in out
    assert "the card:" in out
    assert main(["check", "--json", "--config", str(tmp_path / "station.toml")]) == 0
    assert json.loads(capsys.readouterr().out)["forecast"]["route"][0]["route"] == "p"
