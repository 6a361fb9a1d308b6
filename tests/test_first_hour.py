"""The operator's first hour, walked: every command in it is understood, its drill is run, its configuration is checked."""

import io
import json
import re
import shlex
from contextlib import redirect_stdout

import pytest

from agent import cli
from agent.config_load import load
from tests.support.tree import ROOT

GUIDE = ROOT / "docs" / "operator" / "first-hour.md"
TEXT = GUIDE.read_text(encoding="utf-8")
SHELL = "".join(re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
TOML = re.findall(r"^```toml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [shlex.split(line, comments=True)[1:] for line in SHELL.splitlines() if line.startswith(("fengsui ", "fs "))]

# What a machine without the hardware has to say, and nothing else.
NO_HARDWARE = re.compile(r"port|url\.")


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_every_command_is_understood(arguments):
    assert cli.parser(arguments).parse_args(arguments).verb == arguments[0]


def run(arguments):
    said = io.StringIO()
    with redirect_stdout(said):
        assert cli.main(arguments) == 0, arguments
    return json.loads(said.getvalue())


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder in which the guide's own key-set and drill have been made; with the public keys by file."""
    monkeypatch.chdir(tmp_path)
    public = {}
    for arguments in COMMANDS:
        if arguments[:3] == ["warn", "key", "new"]:
            public[arguments[3]] = run(arguments)["public"]
    (tmp_path / "keyset-1.toml").write_text(TOML[2].replace("…", public["exercise.pem"], 1), encoding="utf-8")
    for arguments in COMMANDS:
        if arguments[:2] in (["warn", "keyset"], ["warn", "exercise"]):
            run(arguments)
    return tmp_path, public


def test_the_drill_is_an_exercise_for_the_station_of_the_guide(desk):
    (decoded,) = (run(arguments) for arguments in COMMANDS if arguments[:2] == ["decode", "sealed"])
    assert decoded["alert"]["status"] == "Exercise"
    assert decoded["alert"]["area"] == ["330102001"]


def test_the_configuration_lacks_nothing_but_the_hardware(desk):
    folder, public = desk
    roots = [public[f"root{number}.pem"] for number in (1, 2, 3)]
    station, siren = TOML[:2]
    siren = re.sub(r"^roots = .*$", f"roots = {json.dumps(roots)}", siren, flags=re.MULTILINE)
    file = folder / "station.toml"
    file.write_text(station + siren, encoding="utf-8")
    (folder / "ca.pem").write_text("", encoding="utf-8")
    secret = folder / "county.credentials"
    secret.write_text('username = "slv16001"\npassword = "x"\n', encoding="utf-8")
    secret.chmod(0o600)
    _config, findings = load(file)
    assert [str(finding) for finding in findings if not NO_HARDWARE.search(finding.problem.code)] == []
    assert {finding.table for finding in findings} <= {"bus rs485", "bus siren-bus"}
