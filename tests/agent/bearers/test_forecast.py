"""What `fengsui check` says of bearers: in force, with advice, and what a day will cost."""

import json

import pytest

from agent.cli import main
from tests.agent.bearers.test_config import HEAD, KEY

SENSOR = """
[[bus]]
name = "b"
url = "tcp://127.0.0.1:5"
[[sensor]]
name = "met"
bus = "b"
profile = "surfrad-met"
interval = "1min"
unit = 1
"""


def checked(tmp_path, capsys, *bearers, narrow='headend = "headend.pub"', language="en"):
    (tmp_path / "headend.pub").write_text(KEY)
    file = tmp_path / "station.toml"
    tables = "".join(f'[[bearer]]\ndriver = "sim"\nair = "air"\n{one}\n' for one in bearers)
    file.write_text(f"{HEAD}{SENSOR}[narrow]\n{narrow}\n{tables}")
    assert main(["--lang", language, "check", "--config", str(file), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def rows(found):
    return {row["bearer"]: row for row in found["forecast"]["bearer"]}


def test_a_day_with_the_network_and_one_without(tmp_path, capsys):
    beidou = 'name = "beidou"\nperiod = "6h"'
    found = rows(checked(tmp_path, capsys, beidou))["beidou"]
    assert 3 <= found["quiet_messages"] <= 4
    assert 1000 <= found["outage_messages"] <= 1440
    assert found["outage_money"] == 0
    assert (found["told"], found["series"]) == (20, 20)


def test_what_costs_stays_within_its_budget(tmp_path, capsys):
    sbd = 'name = "sbd"\nmtu = 340\ninterval = "40s"\nlatency = "20s"\ncost = 0.8\ncredit = 50\ndaily_budget = 30.0'
    found = rows(checked(tmp_path, capsys, sbd))["sbd"]
    assert 5 < found["outage_money"] <= 30
    assert found["quiet_money"] <= 2 * 0.8


def test_a_small_datagram_tells_the_series_that_matter_most(tmp_path, capsys):
    found = rows(checked(tmp_path, capsys, 'name = "lora"\nmtu = 40'))["lora"]
    assert 3 < found["told"] < 20


def test_a_bearer_without_a_headend_is_told_of_and_forecast_as_nothing(tmp_path, capsys):
    found = checked(tmp_path, capsys, 'name = "lora"', narrow="")
    assert [one["code"] for one in found["advice"] if one["table"] == "bearer lora"] == ["bearer.no_headend"]
    assert found["forecast"]["bearer"] == []
    assert found["in_force"]["bearer"][0]["driver"] == "sim"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_sentence(tmp_path, capsys, language):
    checked(tmp_path, capsys, 'name = "beidou"')
    assert main(["--lang", language, "check", "--config", str(tmp_path / "station.toml")]) == 0
    assert "beidou" in capsys.readouterr().out


def test_two_headends_of_one_platform_are_a_mistake(tmp_path, capsys):
    (tmp_path / "other.pub").write_text("22" * 32)
    (tmp_path / "headend.pub").write_text(KEY)
    file = tmp_path / "station.toml"
    file.write_text(
        f'{HEAD}[narrow]\nheadend = "headend.pub"\n'
        '[[bearer]]\nname = "a"\ndriver = "sim"\nair = "x"\n'
        '[[bearer]]\nname = "b"\ndriver = "sim"\nair = "x"\nheadend = "other.pub"\n'
    )
    assert main(["--lang", "en", "check", "--config", str(file), "--json"]) == 2
    assert [one["code"] for one in json.loads(capsys.readouterr().out)["findings"]] == ["bearer.two_headends"]
