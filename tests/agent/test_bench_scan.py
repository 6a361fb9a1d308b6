"""`fengsui scan` and `fengsui monitor` from outside: what is found, what is offered, what is refused."""

import asyncio
import json
import sys
import tomllib

import pytest

from agent.cli import main
from agent.scan_report import spans
from drivers.profile import find
from drivers.profile_kinds import open_any
from drivers.simulated.modbus import PtyBus
from drivers.simulated.profiled import unit_of
from protocols.modbus_pdu import Request, encode
from protocols.modbus_rtu import seal
from protocols.overheard import KINDS, UNKNOWN, recognise
from tests.support.tree import ROOT


def said(capsys, *arguments):
    code = main(["--lang", "en", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


async def beside(line, *arguments):
    """The command in a process of its own, while the line lives in ours."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agent.cli", "--lang", "en", *map(str, arguments),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


def test_what_is_found_is_offered_as_a_configuration():
    async def main():
        units = [unit_of(open_any(find("qianjia-rain"))[0], 2), unit_of(open_any(find("dfrobot-sen0492-laser"))[0], 5)]
        async with PtyBus(units) as line:
            return await beside(
                line, "scan", line.path, "--json", "--baud", 9600, "--parity", "N", "--units", "1-6",
                "--timeout", 0.05, "--listen", 0.05, "--no-sdi12",
            )  # fmt: skip

    code, out, err = asyncio.run(main())
    assert code == 0
    assert "read requests only" in err
    found = json.loads(out)
    assert [one["address"] for one in found["ports"][0]["devices"]] == ["2", "5"]
    config = tomllib.loads(found["toml"])
    assert [one["profile"] for one in config["sensor"]] == ["qianjia-rain", "dfrobot-sen0492-laser"]
    assert config["sensor"][0]["bus"] == config["bus"][0]["name"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["scan", "/dev/fengsui-none"], "fengsui-none"),
        (["scan", "README.md"], "README.md"),
        (["scan", "--baud", "fast"], "--baud"),
        (["scan", "--units", "0-5"], "--units"),
        (["scan", "--parity", "X"], "--parity"),
        (["monitor", "http://x"], "http"),
        (["monitor", "/dev/ttyUSB0", "--baud", "7"], "baud"),
        (["monitor", "sim:weather", "--capture", "no/such/folder/x"], "no/such/folder"),
    ],
)
def test_wrong_input_is_one_sentence(capsys, arguments, says):
    try:
        code, _, err = said(capsys, *arguments)
    except SystemExit as left:
        code, err = left.code, capsys.readouterr().err
    assert code == 2
    assert says in err
    assert "Traceback" not in err


def test_no_port_at_all_is_said(capsys, tmp_path):
    code, _, err = said(capsys, "scan", "--dev", tmp_path, "--sys", tmp_path)
    assert code == 1
    assert "no serial port" in err


def test_a_capture_plays_again_as_it_was_heard(capsys, tmp_path):
    log, copy = ROOT / "tests/captures/bundg_zeus_9.log", tmp_path / "copy.log"
    code, out, err = said(capsys, "monitor", f"replay:{log}", "--capture", copy, "--json")
    assert code == 0
    assert "nmea" in err
    assert copy.read_bytes() == log.read_bytes()
    assert said(capsys, "decode", "nmea", copy)[1].splitlines() == out.splitlines()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (seal(1, encode(Request(3, 0, 2))) * 2, "modbus-rtu"),
        (b"$BDBSI,0,0,0,0,0,0,0,0,0,0,0,0*6D\r\n", None),
        (b"AT+CSQ\r\n+CSQ: 17,99\r\nOK\r\n", "at"),
        (b"AT+SBDIX\r\n+SBDIX: 0, 1, 0, 0, 0, 0\r\n", "sbd"),
        (b"0M!00012\r\n0D0!0+3.14-2.5\r\n", None),
        (b"0+3.14-2.5\r\n", "sdi12"),
        (bytes(range(128, 200)), UNKNOWN),
    ],
)
def test_languages_are_told_apart(data, kind):
    heard = recognise(data)
    assert heard.kind in (*KINDS, UNKNOWN)
    assert kind is None or heard.kind == kind


def test_registers_are_named_by_spans():
    assert spans([(3, 0), (3, 1), (3, 2), (4, 0), (3, 500)]) == ["3:0-2", "3:500", "4:0"]
