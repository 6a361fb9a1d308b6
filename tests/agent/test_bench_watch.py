"""`fengsui watch`: one frame of a station's status, and no agent."""

import asyncio
import contextlib
import fcntl
import os
import pty
import struct
import sys
import termios

import pytest

from agent.cli import main
from agent.control import Control
from agent.watch_frame import History, fitted, frame, sparkline
from tests.support.tree import ROOT
from tests.support.until import until

STATUS = {
    "station": "s-1",
    "version": "0",
    "clock": {"trusted": True},
    "readings": {"taken": 5, "committed": 4},
    "newest": {"rain.total": {"value": 1.5, "unit": "mm", "quality": "good", "age": 0.4}},
    "sensors": {"gauge": {"state": "up"}},
    "bearers": {"county": {"state": "up", "accepted": 7, "deep": {"a": 1}}},
    "buffer": {"used": 1 << 20, "limit": 64 << 20, "pending": {"county": {"telemetry": 3}}, "degraded": False},
    "warnings": {"active": [{"alert": "1-2", "text": "evil\x1b[2J"}]},
}


def test_a_frame_has_everything_a_technician_looks_for():
    history = History()
    for value in (1.0, 2.0, 1.5):
        history.take({"newest": {"rain.total": {"value": value}}})
    text = "\n".join(frame(STATUS, history))
    for part in (
        "s-1",
        "rain.total",
        "1.5",
        "▁█▅",
        "gauge",
        "county",
        "accepted 7",
        "1.0 of 64 MiB",
        "county 3",
        "1-2",
    ):
        assert part in text
    assert "\x1b" not in text


def test_a_bearer_says_first_whether_it_is_up():
    for bearer, word in (({"state": "up"}, "up"), ({"urgent": {"up": True}}, "up"), ({"accepted": 3}, "down")):
        lines = list(frame({"bearers": {"p": bearer}}, History()))
        assert next(line for line in lines if line.startswith("  p ")).split()[:2] == ["p", word]


def test_a_station_that_says_little_is_shown_all_the_same():
    assert "none" in "\n".join(frame({}, History()))


def test_sparklines_stay_within_their_bars():
    assert sparkline([]) == ""
    assert sparkline([5.0, 5.0]) == "▁▁"
    assert sparkline([-1.0, 0.0, 1.0]) == "▁▅█"


def test_without_an_agent_it_says_so(capsys, tmp_path):
    (tmp_path / "station.toml").write_text('[station]\nid = "s-1"\n[control]\nsocket = "none.sock"\n')
    assert main(["--lang", "en", "watch", "--once", "--config", str(tmp_path / "station.toml")]) == 3
    assert "none.sock" in capsys.readouterr().err
    assert main(["--lang", "en", "watch", "--config", str(tmp_path / "nope.toml")]) == 2


def test_what_does_not_fit_on_a_small_terminal_are_series():
    many = STATUS | {"newest": {f"rain.{n}": STATUS["newest"]["rain.total"] for n in range(40)}}
    lines = fitted(many, History(), 40, 20)
    assert len(lines) == 20
    assert "evil" in lines[-1]
    assert [line for line in lines if "more series" in line] == [lines[3 + sum("1.5 mm" in line for line in lines)]]
    assert all("1.5 mm" in line[:40] for line in lines[3:5])
    assert len(fitted(STATUS, History(), 80, 50)) == len(list(frame(STATUS, History())))
    assert fitted({}, History(), 10, 1)


class Terminal:
    """The command on a terminal of its own; what it has drawn since it was last looked at."""

    def __init__(self, ours, process):
        self._ours, self.process, self.drawn = ours, process, ""
        os.set_blocking(ours, False)
        asyncio.get_running_loop().add_reader(ours, self._read)

    def _read(self):
        with contextlib.suppress(OSError):
            self.drawn += os.read(self._ours, 65536).decode("utf-8", "replace")

    async def shows(self, word):
        await until(lambda: word in self.drawn, 30)

    def size(self, rows, columns):
        self.drawn = ""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def types(self, keys):
        os.write(self._ours, keys)


@contextlib.asynccontextmanager
async def terminal(*arguments):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 30, 100, 0, 0))
    env = {
        name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")
    }  # pytest-xdist sets them
    env |= {"TERM": "xterm", "NO_COLOR": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agent.cli", "--lang", "en", *map(str, arguments), cwd=ROOT,
        stdin=theirs, stdout=theirs, stderr=theirs, env=env,
    )  # fmt: skip
    try:
        yield Terminal(ours, process)
    finally:
        asyncio.get_running_loop().remove_reader(ours)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        os.close(ours)
        os.close(theirs)


async def _status(_request):
    return STATUS


@pytest.mark.parametrize("key", [b"q", b"\x1b[A\x04"])
def test_it_lives_through_a_resize_and_a_restart_and_leaves_at_a_key(tmp_path, key):
    (tmp_path / "station.toml").write_text('[station]\nid = "s-1"\nareas = []\n')
    (tmp_path / "state").mkdir()
    door = tmp_path / "state/control.sock"

    async def watched():
        async with contextlib.AsyncExitStack() as stack:
            async with Control(door, {"status": _status}):
                seen = await stack.enter_async_context(
                    terminal("watch", "--config", tmp_path / "station.toml", "--every", 0.1)
                )
                await seen.shows("gauge")
                seen.size(12, 40)
                await seen.shows("more series")
            seen.drawn = ""
            await seen.shows("does not answer")
            seen.drawn = ""
            async with Control(door, {"status": _status}):
                await until(lambda: "gauge" in seen.drawn and "answer" not in seen.drawn.rpartition("gauge")[2], 30)
                seen.types(key)
                async with asyncio.timeout(30):
                    return await seen.process.wait()

    assert asyncio.run(watched()) == 0
