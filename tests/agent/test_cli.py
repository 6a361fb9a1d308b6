"""The commands from outside, as a tired technician meets them: what was wrong, where, what to do, and never a traceback."""

import json
import os
import re
import subprocess
import sys
import tomllib

import pytest

from agent.cli import VERBS
from tests.support.station import fengsui
from tests.support.tree import ROOT

NOBODY = "mqtt://127.0.0.1:1"
ALERT = ["--issuer", "1", "--area", "330102001", "--event", "11A51", "--level", "red", "--action", "evacuate"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with keys, rubbish of every kind, and files that are nearly right."""
    folder = tmp_path_factory.mktemp("desk")
    for name in ("one", "two", "three"):
        assert fengsui("warn", "key", "new", f"{name}.pem", cwd=folder, env=here()).returncode == 0
    files = {
        "rubbish": os.urandom(300),
        "empty": b"",
        "list.json": b"[]",
        "types.json": b'{"issuer": "one", "area": 5, "level": "purple"}',
        "deep.json": b"[" * 100_000,
        "level.json": json.dumps({"issuer": 1, "area": ["33"], "event": "11A51", "level": "purple", "action": "inform"}).encode(),
        "bad.xml": b"<alert",
        "bad.toml": b"number =",
        "who.toml": b'number = 1\n[[holder]]\nname = "a"\nissuers = [1]\n[[key]]\nholder = "a"\npublic = "zz"\nmay = ["fly"]\nareas = []\n',
        "station.toml": b'[station]\nid = "s1"\n',
        "open.toml": b'username = "u"\npassword = "p"\n',
        "half.toml": b'password = "not to be shown"\n',
    }  # fmt: skip
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "half.toml").chmod(0o600)
    (folder / "open.toml").chmod(0o644)
    return folder


def here():
    return os.environ | {"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["run", "--config", "nope.toml"], 2, "nope.toml"),
        (["run", "--config", "rubbish"], 2, "rubbish"),
        (["run", "--config", "."], 2, "--config"),
        (["check", "--config", "bad.toml"], 2, "not valid TOML"),
        (["check", "--config", "empty"], 2, "[station]|the table"),
        (["read", "--once", "--config", "nope"], 2, "nope"),
        (["read", "--once", "--config", "station.toml"], 2, "sensor"),
        (["read", "--every", "-1", "--config", "station.toml"], 2, "--every"),
        (["read", "--every", "nan", "--config", "station.toml"], 2, "--every"),
        (["status", "--config", "nope"], 2, "nope"),
        (["status", "--config", "station.toml"], 3, "control.sock"),
        (["listen"], 2, "--broker"),
        (["listen", "--broker", "foo"], 2, "mqtt://"),
        (["listen", "--broker", "http://x"], 2, "mqtt://"),
        (["listen", "--broker", "mqtt://127.0.0.1:99999"], 2, "mqtt://"),
        (["listen", "--broker", "mqtt://user:secret@127.0.0.1"], 2, "mqtt://"),
        (["listen", "--broker", NOBODY], 1, "refused"),
        (["listen", "--broker", "mqtt://no-such-host.invalid"], 1, "no-such-host"),
        (["profile", "show", "x" * 300], 2, "xxx"),
        (["scan", "x" * 300], 2, "xxx"),
        (["listen", "--broker", NOBODY, "--state", "rubbish"], 2, "rubbish"),
        (["listen", "--broker", NOBODY, "--state", "."], 2, "--state"),
        (["listen", "--broker", NOBODY, "--seconds", "-3"], 2, "--seconds"),
        (["listen", "--broker", NOBODY, "--credentials", "nope"], 2, "nope"),
        (["listen", "--broker", NOBODY, "--credentials", "open.toml"], 2, "open.toml"),
        (["listen", "--broker", NOBODY, "--credentials", "half.toml"], 2, "half.toml"),
        (["listen", "--broker", "mqtts://127.0.0.1:1", "--ca", "nope"], 2, "nope"),
        (["listen", "--broker", "mqtts://127.0.0.1:1", "--ca", "rubbish"], 2, "rubbish"),
        (["warn"], 2, "STEP"),
        (["warn", "key", "new", "one.pem"], 2, "never overwritten"),
        (["warn", "key", "new", "no/such/folder"], 2, "no/such/folder"),
        (["warn", "keyset", "nope", "--root", "one.pem", "--root", "two.pem", "-o", "x"], 2, "nope"),
        (["warn", "keyset", "bad.toml", "--root", "one.pem", "--root", "two.pem", "-o", "x"], 2, "bad.toml"),
        (["warn", "keyset", "who.toml", "--root", "one.pem", "--root", "two.pem", "-o", "x"], 2, "who.toml"),
        (["warn", "keyset", "who.toml", "--root", "rubbish", "-o", "x"], 2, "rubbish"),
        (["warn", "exercise", "--key", "nope", *ALERT], 2, "nope"),
        (["warn", "exercise", "--key", "rubbish", *ALERT], 2, "rubbish"),
        (["warn", "exercise", "--key", "one.pem", "--key", "one.pem", *ALERT], 2, "one key"),
        (["warn", "exercise", "--key", "one.pem"], 2, "--issuer"),
        (["warn", "exercise", "--key", "one.pem", "--from", "nope"], 2, "nope"),
        (["warn", "exercise", "--key", "one.pem", "--from", "rubbish"], 2, "rubbish|utf-8|bad-xml"),
        (["warn", "exercise", "--key", "one.pem", "--from", "list.json"], 2, "list.json"),
        (["warn", "exercise", "--key", "one.pem", "--from", "types.json"], 2, "types.json"),
        (["warn", "exercise", "--key", "one.pem", "--from", "deep.json"], 2, "deep.json"),
        (["warn", "exercise", "--key", "one.pem", "--from", "level.json"], 2, "purple.*red"),
        (["warn", "exercise", "--key", "one.pem", "--from", "bad.xml", "--issuer", "1"], 2, "bad-xml"),
        (["warn", "exercise", "--key", "one.pem", *ALERT, "--minutes", "inf"], 2, "minutes"),
        (["warn", "exercise", "--key", "one.pem", *ALERT, "--minutes", "nan"], 2, "minutes"),
        (["warn", "exercise", "--key", "one.pem", *ALERT, "--minutes", "-5"], 2, "minutes"),
        (["warn", "exercise", "--key", "one.pem", *ALERT, "--seq", "9" * 30], 2, "sealed"),
        (["warn", "exercise", "--key", "one.pem", *ALERT, "--sender", "me"], 2, "--identifier"),
        (["warn", "exercise", "--key", "one.pem", *ALERT, "-o", "no/such/folder"], 2, "no/such/folder"),
        (["warn", "publish", "nope", "--broker", NOBODY], 2, "nope"),
        (["warn", "publish", "rubbish", "--broker", NOBODY], 2, "sealed"),
        (["decode", "sealed", "rubbish"], 1, "sealed"),
        (["decode", "nmea", "empty"], 2, "nothing to decode"),
        (["decode", "nmea", "-"], 2, "nothing to decode"),
        (["decode", "no-such-kind", "00"], 2, "no-such-kind"),
        (["demo", "--data", "nope"], 2, "nope"),
        (["demo", "--data", "rubbish"], 2, "rubbish"),
        (["demo", "--data", "empty"], 2, "empty"),
        (["demo", "--data", "."], 2, "SURFRAD"),
        (["no-such-verb"], 2, "no-such-verb"),
        ([], 2, "COMMAND"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_what_is_wrong_is_said_with_its_place_and_its_code(desk, arguments, code, says):
    done = fengsui(*arguments, cwd=desk, env=here())
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said
    assert done.returncode == code, said
    assert re.search(says, said, re.DOTALL), said
    assert "not to be shown" not in said
    assert "secret" not in said.replace("mqtt://user:secret", "")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_and_its_exit_codes(verb):
    done = fengsui(verb, "--help")
    assert done.returncode == 0
    assert "exit code" in done.stdout.lower(), done.stdout


def test_help_loads_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "agent.cli", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )  # fmt: skip
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    heavy = {"asyncio", "paho", "pymodbus", "cryptography", "sqlite3", "rich", "lxml", "aiohttp", "serial", "cbor2"}
    assert not heavy & loaded


def test_run_loads_only_what_it_uses(tmp_path):
    """Idle weight on a small gateway: what inspection, the terminal and the desk need is not the agent's."""
    (tmp_path / "station.toml").write_text('[station]\nid = "s1"\n')
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom agent.config_load import load\nfrom agent.station import Station\n"
        "station = Station(load(Path(sys.argv[1]))[0])\nstation.stop.set()\nasyncio.run(station.run())\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "station.toml")], cwd=ROOT, capture_output=True, text=True, check=True
    )  # fmt: skip
    assert not {"rich", "lxml", "sqlite_utils", "aiohttp", "aiocoap", "iotcore"} & set(done.stdout.split())


def test_all_mistakes_are_named_at_once_in_words_and_as_json(tmp_path):
    file = tmp_path / "station.toml"
    file.write_text(
        '[station]\nid = "no good"\nareas = ["1"]\ncolour = "red"\n[clok]\n[[route]]\nname = "p"\nurl = "ftp://x"\nlinger = "soon"\n'
        '[[route]]\nname = "p"\nurl = "mqtt://x"\n[[bus]]\nname = "b"\nurl = "serial:///dev/no-such-port?baud=9600"\n'
        '[[sensor]]\nname = "a"\nbus = "c"\nprofile = "sl651-level"\n[[sensor]]\nname = "b"\nbus = "b"\nprofile = "nothing"\n'
    )
    plain, data = (fengsui("check", "--config", file, *more) for more in ((), ("--json",)))
    assert plain.returncode == data.returncode == 2
    found = json.loads(data.stdout)
    assert found["ok"] is False
    places = {(one["table"], one["key"]) for one in found["findings"]}
    assert {("station", "colour"), ("", "clok"), ("route p", "linger"), ("route p", "name")} <= places
    for one in found["findings"]:
        assert one["code"] != one["text"]
        assert one["text"] in plain.stderr
    assert str(file) in plain.stderr


def test_what_is_in_force_is_shown_with_defaults_and_without_secrets(tmp_path):
    (tmp_path / "credentials").write_text('username = "u"\npassword = "hush-hush"\n')
    (tmp_path / "credentials").chmod(0o600)
    file = tmp_path / "station.toml"
    file.write_text(
        '[station]\nid = "s1"\n[[route]]\nname = "p"\nurl = "mqtt://127.0.0.1"\ncredentials = "credentials"\n'
    )
    done = fengsui("check", "--config", file, "--json")
    facts = json.loads(done.stdout)
    assert done.returncode == 0
    assert facts["in_force"]["route"][0]["linger"] == 10
    assert "hush-hush" not in done.stdout + fengsui("check", "--config", file).stdout


def test_both_languages_say_it(tmp_path):
    command = [sys.executable, "-m", "agent.cli", "--lang", "zh", "check", "--config", str(tmp_path / "none.toml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert re.search("[一-鿿]", done.stderr.decode())


def test_a_reader_that_leaves_early_is_no_error(tmp_path):
    """`fengsui check … | head -1`."""
    file = tmp_path / "station.toml"
    file.write_text(
        '[station]\nid = "s1"\n' + "".join(f'[[route]]\nname = "r{n}"\nurl = "mqtt://x"\n' for n in range(99))
    )
    line = f"{sys.executable} -m agent.cli check --config {file} | head -1"
    done = subprocess.run(line, cwd=ROOT, shell=True, capture_output=True, text=True, check=False)  # noqa: S602 - a pipe is the point
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_the_lock_of_the_project_names_what_the_project_needs():
    """A command that fails to import on a fresh machine is the worst message of all."""
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    locked = (ROOT / "requirements.lock").read_text().lower().replace("_", "-")
    for one in needed:
        name = re.split(r"[>=; ]", one, maxsplit=1)[0].lower()
        assert f"{name}==" in locked, name
