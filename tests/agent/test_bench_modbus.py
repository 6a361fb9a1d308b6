"""`fengsui modbus` on simulated devices: alone on a port, and through the desk that a running agent has."""

import asyncio
import io
import json
import threading
from contextlib import contextmanager

import pytest

from agent.bench import verbs
from agent.cli import main
from agent.control import Control
from drivers.simulated.modbus import TcpBus
from drivers.simulated.unit import Fault, Unit
from tests.drivers.modbus_world import run, world
from tests.support.station import command


@contextmanager
def served(*units):
    """Simulated units behind a TCP port, served by a loop of their own: the command has its own."""
    loop, ready, bus = asyncio.new_event_loop(), threading.Event(), TcpBus(units)

    async def serve():
        async with bus:
            stop.append(asyncio.Event())
            ready.set()
            await stop[0].wait()

    stop = []
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait(10)
    try:
        yield bus.url
    finally:
        loop.call_soon_threadsafe(stop[0].set)
        thread.join(10)
        loop.close()


def said(capsys, *arguments):
    code = main(["--lang", "en", "modbus", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_reads_words_and_numbers(capsys):
    with served(Unit(3, holding={0: 0x4048, 1: 0xF5C3, 2: 0xFFFE}, coils={0: 1, 1: 0})) as url:
        assert said(capsys, "read", url, 3, 0, 3)[1].splitlines()[2].split() == ["2", "0x0002", "FFFE", "65534", "-2"]
        code, out, _ = said(capsys, "read", url, 3, 0, "--type", "float32", "--json")
        assert (code, json.loads(out)["values"]) == (0, [3.14])
        assert json.loads(said(capsys, "read", url, 3, 0, 2, "--fc", 1, "--json")[1])["values"] == [1, 0]


def test_a_refusal_and_a_silence_are_told_apart(capsys):
    with served(Unit(3, holding={0: 1}), Unit(4, fault=Fault("dead"))) as url:
        code, _, err = said(capsys, "read", url, 3, 9)
        assert code == 1
        assert "exception 2" in err
        code, _, err = said(capsys, "read", url, 4, 0, "--timeout", "0.05")
        assert code == 1
        assert "did not answer" in err


def test_a_write_waits_for_a_typed_yes(capsys, monkeypatch):
    unit = Unit(3, holding={0: 1, 1: 2}, coils={5: 0})
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    with served(unit) as url:
        monkeypatch.setattr("builtins.input", lambda: "y")
        code, _, err = said(capsys, "write", url, 3, 0, 7)
        assert code == 1
        assert "WRITES" in err
        assert unit.holding[0] == 1
        monkeypatch.setattr("builtins.input", lambda: "yes")
        assert said(capsys, "write", url, 3, 0, "0x10", "-1")[0] == 0
        assert unit.holding == {0: 16, 1: 0xFFFF}
        assert said(capsys, "write", url, 3, 5, 1, "--coil", "--yes")[0] == 0
        assert unit.coils == {5: 1}


def test_a_yes_from_a_pipe_is_nobodys(capsys, monkeypatch):
    unit = Unit(3, holding={0: 1})
    with served(unit) as url:
        monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
        code, out, err = said(capsys, "write", url, 3, 0, 7)
    assert (code, out) == (2, "")
    assert "--yes" in err
    assert unit.holding == {0: 1}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["write", "tcp://127.0.0.1:1", "0", "0", "3"], "broadcast"),
        (["read", "tcp://127.0.0.1:1", "0", "0"], "broadcast"),
        (["read", "tcp://127.0.0.1:1", "1", "70000"], "70000"),
        (["read", "tcp://127.0.0.1:1", "1", "0", "126"], "125"),
        (["write", "tcp://127.0.0.1:1", "1", "0", "70000"], "65535"),
        (["write", "tcp://127.0.0.1:1", "1", "0", "2", "--coil"], "coil"),
        (["read", "http://127.0.0.1", "1", "0"], "serial"),
        (["read", "tcp://127.0.0.1:1", "1", "0", "--type", "float99"], "float99"),
        (["read", "rs485", "1", "0", "--config", "nope.toml"], "nope.toml"),
    ],
)
def test_wrong_input_is_said_before_anything_is_sent(capsys, arguments, says):
    code, out, err = said(capsys, *arguments)
    assert (code, out) == (2, "")
    assert says in err


def test_no_port_is_one_sentence(capsys):
    code, _, err = said(capsys, "read", "serial:///dev/fengsui-none", 1, 0)
    assert code == 1
    assert "No such file" in err


def test_a_write_through_the_agent_is_on_record():
    async def main():
        async with world([Unit(2, holding={0: 5})]) as (bus, reports, _line):
            desk = verbs({"bus": bus}, reports)
            assert await desk["modbus.read"]({"bus": "bus", "unit": 2, "address": 0}) == {"values": [5]}
            assert await desk["modbus.write"]({"bus": "bus", "unit": 2, "address": 0, "values": [0]}) == {"written": 1}
            assert reports.of("bench.wrote") == [
                {"bus": "bus", "unit": 2, "function": 6, "address": 0, "values": [0], "ok": True}
            ]
            for wrong in ({"bus": "bus", "unit": 0, "address": 0, "values": [1]}, {"bus": "x"}, {"bus": "bus"}):
                assert "error" in await desk["modbus.write"](wrong)

    run(main())


def test_a_port_that_an_agent_has_open_is_asked_through_the_agent(tmp_path):
    """By the name of its bus, by its URL, and by another name of the port; a port of nobody's goes by itself."""
    (tmp_path / "state").mkdir()

    async def main():
        async with world([Unit(2, holding={0: 5})]) as (bus, reports, line):
            (tmp_path / "alias").symlink_to(line.path)
            (tmp_path / "station.toml").write_text(
                f'[station]\nid = "s1"\nareas = []\n[[bus]]\nname = "bus"\nurl = "serial://{tmp_path}/alias?baud=9600"\n'
            )
            await bus.read(2, 3, 0, 1)  # the bus holds its port from here on
            async with Control(tmp_path / "state/control.sock", verbs({"bus": bus}, reports)):
                asked = ("modbus", "read", "--config", tmp_path / "station.toml", "--json")
                for where in ("bus", line.url, f"serial://{tmp_path}/alias?baud=4800"):
                    done = await command(*asked, where, 2, 0)
                    assert json.loads(done.stdout)["values"] == [5], done.stderr
            alone = await command(*asked, line.url, 2, 0)
            assert alone.returncode == 1
            assert "busy" in alone.stderr

    run(main())


def test_read_tells_a_port_and_an_agent_in_trouble_from_a_silent_sensor(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "station.toml").write_text(
        '[station]\nid = "s1"\nareas = []\n[[bus]]\nname = "b"\nurl = "tcp://127.0.0.1:1"\n'
        '[[sensor]]\nname = "g"\nbus = "b"\nprofile = "sl651-level"\nunit = 1\n'
    )
    asked = ("read", "--once", "--config", tmp_path / "station.toml")

    async def late(_request):
        return {"error": "control.timeout"}

    async def main():
        async with Control(tmp_path / "state/control.sock", {"read": late}):
            return await command(*asked)

    busy = asyncio.run(main())
    assert busy.returncode == 1
    assert "?" not in busy.stderr
    alone = asyncio.run(command(*asked))
    assert alone.returncode == 1
    assert "its port cannot be used (Connection refused)" in alone.stderr
