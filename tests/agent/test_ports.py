"""One serial port has one owner, whatever either of them calls it; `fengsui check` says whose it is and what to do."""

import subprocess
import sys

import pytest

from agent.config_load import load
from agent.say import say
from drivers.simulated.line import Pty
from tests.agent.test_config import GOOD

VANE = '\n[[sensor]]\nname = "vane"\ndriver = "nmea"\nport = "serial://{port}?baud=4800"\nprofile = "nmea-weather"\n'
BUS = '\n[[bus]]\nname = "mast"\nurl = "serial://{port}?baud=9600"\n'
SAT = '\n[[bearer]]\nname = "sat"\ndriver = "sbd"\nport = "serial://{port}"\n'
VOICE = '\n[[actuator]]\nname = "voice"\ndriver = "speech-chip"\nchip = "syn6288"\nurl = "serial://{port}"\n'
SECOND = {"sensor vane": VANE, "bearer sat": SAT, "actuator voice": VOICE}


@pytest.fixture
def line(tmp_path):
    """A port by three names: its own, a link like those in by-id, and a link to that."""
    port = Pty()
    by_id, by_path = tmp_path / "usb-FTDI-port0", tmp_path / "pci-usb-0:1.2"
    by_id.symlink_to(port.path)
    by_path.symlink_to(by_id)
    yield port.path, str(by_id), str(by_path)
    port.close()


def shared(tmp_path, *tables):
    file = tmp_path / "station.toml"
    file.write_text(GOOD + "".join(tables), "utf-8")
    return [(one.table, dict(one.problem.facts)) for one in load(file)[1] if one.problem.code == "port.shared"]


@pytest.mark.parametrize("second", SECOND)
def test_a_port_has_one_owner_by_whatever_names(tmp_path, line, second):
    for other in line:
        found = shared(tmp_path, BUS.format(port=line[1]), SECOND[second].format(port=other))
        assert found == [(second, {"port": other, "other": "bus mast", "called": line[1]})]


def test_two_ports_have_two_owners(tmp_path, line):
    other = Pty()
    assert shared(tmp_path, BUS.format(port=line[0]), VANE.format(port=other.path)) == []
    other.close()


def test_a_port_that_is_not_plugged_in_is_known_by_its_name(tmp_path):
    gone = tmp_path / "nothing"
    link = tmp_path / "link"
    link.symlink_to(gone)
    found = shared(tmp_path, BUS.format(port=gone), VANE.format(port=link))
    assert [table for table, _ in found] == ["sensor vane"]


@pytest.mark.parametrize(("language", "said"), [("en", "one owner"), ("zh", "只能有一个使用者")])
def test_check_says_what_where_and_what_to_do(tmp_path, line, language, said):
    assert shared(tmp_path, BUS.format(port=line[0]), VANE.format(port=line[1]))
    command = [
        sys.executable,
        "-m",
        "agent.cli",
        "--lang",
        language,
        "check",
        "--config",
        str(tmp_path / "station.toml"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    told = next(row for row in (done.stdout + done.stderr).splitlines() if said in row)
    assert all(
        word in told for word in ("station.toml", "sensor vane", "port", "bus mast", line[0], line[1], "[[bus]]")
    )


def test_the_sentence_has_all_its_facts():
    assert "{" not in say("port.shared", port="/dev/a", other="bus b", called="/dev/c")
