"""`fengsui scan` and `fengsui monitor` from outside: what is found, what is offered, what is refused."""

import asyncio
import json
import sys
import tomllib

import pytest

from agent.cli import main
from agent.config_load import load
from agent.scan_report import as_json, spans, taken
from drivers.profile import find, names
from drivers.profile_kinds import open_any
from drivers.scan.line import Device, Result
from drivers.scan.ports import Port
from drivers.scan.prober import Prober
from drivers.simulated.line import PtyLine
from drivers.simulated.modbus import PtyBus
from drivers.simulated.profiled import unit_of
from protocols.modbus_pdu import Request, encode
from protocols.modbus_rtu import seal
from protocols.overheard import KINDS, UNKNOWN, recognise
from protocols.scan_plan import Setting
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


HEAD = '[station]\nid = "s1"\nareas = []\n'
RAIN = {"kind": "modbus", "baud": 9600, "parity": "N", "identity": "", "registers": ["3:0"], "candidates": [{"profile": "qianjia-rain", "confidence": 0.95}]}  # fmt: skip
PROBE = {"kind": "sdi12", "baud": 9600, "parity": "N", "identity": "METER TER12 112", "registers": [], "candidates": []}
WIND = {"language": "nmea", "baud": 4800, "candidates": [{"profile": "nmea-weather", "confidence": 0.9}]}
FOUND = [
    {"devices": [RAIN | {"address": "1"}, RAIN | {"address": "2"}, RAIN | {"address": "3", "candidates": []}, RAIN | {"address": "4", "baud": 4800}]},
    {"devices": [PROBE | {"address": "0"}, PROBE | {"address": "b"}]},
    {"devices": [], "heard": WIND},
    {"devices": [], "heard": WIND},
    {"devices": [], "heard": {"language": "vaisala", "baud": 19200, "candidates": []}},
    {"devices": [], "heard": {"language": "at", "baud": 115200, "candidates": []}},
]  # fmt: skip


def offered(file):
    known = [open_any(find(name))[0] for name in names()]
    rows = []
    for number, row in enumerate(FOUND):
        port = file.parent / f"tty:{number}.0"
        port.touch()
        rows.append({"port": str(port), **row})
    return taken(load(file)[0], {one.name: [each.name for each in one.series] for one in known}).tables(rows)


def test_what_is_offered_is_good_when_it_is_added(tmp_path):
    """Two gauges of one kind, probes, instruments, a modem: on a bare station, and twice in a row on one that grows."""
    file = tmp_path / "station.toml"
    file.write_text(HEAD)
    first = offered(file)
    file.write_text(HEAD + first)
    config, findings = load(file)
    assert findings == []
    assert [one.name for one in config.sensors] == [
        "line1-unit1", "line1-unit2", "sdi12", "nmea", "nmea-2", "vaisala",
    ]  # fmt: skip
    assert "# unit 3 answers, and no profile fits" in first
    assert '# name = "line2-unit4"' in first
    assert "115200 baud: a modem becomes a [[bearer]]" in first
    again = offered(file)
    assert tomllib.loads(again) == {}
    assert "# unit 1 is the sensor line1-unit1 already" in again
    file.write_text(HEAD + first + again)
    assert load(file)[1] == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["scan", "/dev/fengsui-none"], "fengsui-none"),
        (["scan", "README.md"], "README.md"),
        (["scan", "--baud", "fast"], "--baud: fast: speeds from 300"),
        (["scan", "--units", "0-5"], "--units: 0-5: addresses from 1 to 247"),
        (["scan", "--units", "1-99999999999"], "--units: 1-99999999999: addresses from 1 to 247"),
        (["scan", "--parity", "X"], "--parity: X: parities are N, E and O"),
        (["scan", "--timeout", "0"], "--timeout: 0 is no time"),
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


def monitored(monkeypatch, lines, *words):
    """The command beside a line that says these again and again; the waits are short."""
    monkeypatch.setattr("agent.cli.monitor.PUZZLED", 0.05)
    monkeypatch.setattr("agent.cli.monitor.NOTHING", 0.05)

    async def main():
        async with PtyLine(lambda _data: None) as line:
            command = asyncio.create_task(
                asyncio.to_thread(run_here, "monitor", line.path, "--json", "--seconds", 0.5, *words)
            )
            while not command.done():
                for data in lines:
                    line.write(data)
                await asyncio.sleep(0.1)
            return await command

    return asyncio.run(main())


def run_here(*arguments):
    return main(["--lang", "en", *map(str, arguments)])


def test_what_nothing_explains_is_shown_as_it_comes_and_said_once(monkeypatch, capsys):
    noise = bytes(range(128, 160))
    assert monitored(monkeypatch, [noise]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out.split("\n")[0])["bytes"].startswith(noise.hex())
    assert err.count("another speed") == 1


def test_a_silent_line_says_what_may_be_wrong(monkeypatch, capsys):
    assert monitored(monkeypatch, []) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "fengsui scan" in err


def test_a_capture_of_a_bus_pairs_what_was_asked_with_the_answer(monkeypatch, capsys, tmp_path):
    asked, answered = seal(4, encode(Request(3, 7, 2))), seal(4, bytes.fromhex("030400010002"))
    assert monitored(monkeypatch, [asked, answered], "--capture", tmp_path / "bus.log") == 0
    live = capsys.readouterr().out.splitlines()
    assert json.loads(live[1]) == {"unit": 4, "function": 3, "is": "reply", "address": 7, "count": 2, "values": [1, 2]}
    assert run_here("decode", "modbus-rtu", tmp_path / "bus.log") == 0
    assert capsys.readouterr().out.splitlines() == live


def test_a_port_in_use_is_told_with_who_uses_it(capsys):
    async def held():
        async with PtyLine(lambda _data: None) as line:
            other = Prober(line.path, Setting(9600))
            try:
                return await asyncio.to_thread(run_here, "monitor", line.path)
            finally:
                other.close()

    assert asyncio.run(held()) == 1
    assert "in use by" in capsys.readouterr().err


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


def test_a_probe_that_names_itself_is_offered_with_its_profile():
    probes = [Device("sdi12", "0", 9600, identity="METER TER12 112"), Device("sdi12", "1", 9600, identity="ACME X 1")]
    known = [open_any(find(name))[0] for name in ("meter-teros-12", "sdi12-level")]
    row = as_json(Result(Port("/dev/null", "/dev/null", "name"), "scanned", devices=probes), (), known)
    series = {one.name: [each.name for each in one.series] for one in known}
    table = tomllib.loads(taken(None, series).tables([row]))["sensor"][0]["probe"]
    assert [(one["address"], one["profile"]) for one in table] == [("0", "meter-teros-12"), ("1", "sdi12-level")]
