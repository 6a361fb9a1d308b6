"""`fengsui profile` as a technician would use it, wrong input included."""

import json

import pytest

from agent.cli import main
from drivers.profile import SHIPPED
from drivers.profile_kinds import KINDS, open_any


def said(capsys, *arguments):
    code = main(["--lang", "en", "profile", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_profile_is_sound_and_names_its_source(path):
    profile, problems = open_any(path)
    assert problems == []
    assert profile.name == path.stem
    assert len(profile.source) > 10


def test_all_are_listed_and_found_by_a_word(capsys, tmp_path):
    code, out, _ = said(capsys, "list", "--json", "--config", tmp_path / "station.toml")
    rows = json.loads(out)
    assert code == 0
    assert len(rows) == len(list(SHIPPED.glob("*.toml")))
    _, out, _ = said(capsys, "list", "rain", "--config", tmp_path / "station.toml")
    assert "qianjia-rain" in out
    assert "adam" not in out


def test_a_station_has_profiles_of_its_own(capsys, tmp_path):
    own = tmp_path / "profiles"
    assert said(capsys, "new", "modbus", "my-gauge", "--folder", own)[0] == 0
    assert said(capsys, "new", "modbus", "my-gauge", "--folder", own)[0] == 1  # never over somebody's work
    code, out, _ = said(capsys, "show", "my-gauge", "--config", tmp_path / "station.toml")
    assert code == 0
    assert "river.stage" in out
    (row,) = json.loads(said(capsys, "list", "my-g", "--json", "--config", tmp_path / "s.toml")[1])
    assert row["own"] is True


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_profile_is_sound_from_the_first(capsys, tmp_path, kind):
    assert said(capsys, "new", kind, "fresh", "--folder", tmp_path)[0] == 0
    assert open_any(tmp_path / "fresh.toml")[1] == []
    assert said(capsys, "new", kind, "fresh")[1] == (tmp_path / "fresh.toml").read_text()


def test_a_mistake_is_named_with_file_and_key(capsys, tmp_path):
    file = tmp_path / "x.toml"
    file.write_text((SHIPPED / "qianjia-rain.toml").read_text().replace('unit = "mm"', 'unit = "furlong"', 1))
    code, _, err = said(capsys, "check", file)
    assert code == 1
    assert str(file) in err
    assert "rain.total" in err
    assert "furlong" in err


def test_all_shipped_are_checked_at_once(capsys, tmp_path):
    code, out, _ = said(capsys, "check", "--config", tmp_path / "station.toml")
    assert code == 0
    assert "nothing wrong" in out


@pytest.mark.parametrize(
    "arguments", [("show", "qianjia-rian"), ("check", "nothing"), ("new", "modbas", "x"), ("new", "modbus", "X y"), ()]
)
def test_wrong_input_has_code_2_and_a_sentence(capsys, tmp_path, arguments):
    code, out, err = said(capsys, *arguments)
    assert code == 2
    assert (out or err).strip()
    assert "Traceback" not in err
