"""Text on a line, against a pseudo-terminal and a TCP listener; and the simulated actuator."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from drivers.actuators import sim, text
from drivers.actuators.sim import SimConfig
from drivers.actuators.text import TextConfig
from drivers.api import Action, Context, Verdict
from drivers.simulated.line import Pty
from tests.support.until import until
from tests.support.virtual import run

CONTEXT = Context(Path(), lambda *_: None)
WARNING = "红色山洪预警，请立即转移到安全地点。"


class Screen:
    """What arrives behind a pseudo-terminal."""

    def __init__(self):
        self._pty = Pty()
        self.url = f"serial://{self._pty.path}?baud=115200"
        self.data = b""
        asyncio.get_running_loop().add_reader(self._pty.fd, self._read)

    def _read(self):
        self.data += os.read(self._pty.fd, 4096)

    def close(self):
        asyncio.get_running_loop().remove_reader(self._pty.fd)
        self._pty.close()


def display(url, **keys):
    return text.create(TextConfig(name="board", url=url, **keys), CONTEXT)


def show(actuator, words, seconds, said):
    action = Action("display", text=words, key="a1")
    return asyncio.create_task(actuator.perform(action, asyncio.get_running_loop().time() + seconds, said.append))


def test_text_is_written_again_while_it_stands_and_cleared_at_its_end():
    async def main():
        screen = Screen()
        said = []
        outcome = await show(display(screen.url, refresh=0.1), WARNING, 0.35, said)
        line = WARNING.encode("gb18030") + b"\r\n"
        await until(lambda: screen.data.endswith(b"\f"))
        assert screen.data.count(line) >= 3
        assert screen.data == line * screen.data.count(line) + b"\f"
        assert [(one.verdict, one.evidence) for one in said] == [(Verdict.DONE, {"written": len(line)})]
        assert outcome.evidence["ended"] == "ended"
        screen.close()

    asyncio.run(main())


def test_nothing_but_text_reaches_the_line():
    async def main():
        screen = Screen()
        hostile = "立即\x1b[2J转移\u202eesrever\x00\r\n\x07到 \N{PILE OF POO}"
        task = show(display(screen.url, encoding="gb2312"), hostile, 30, [])
        await until(lambda: screen.data.endswith(b"\r\n"))
        body = screen.data[:-2]
        assert not any(byte < 0x20 for byte in body)
        assert body.decode("gb2312") == "立即 [2J转移esrever 到 ?"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: screen.data.endswith(b"\f"))
        screen.close()

    asyncio.run(main())


def test_a_new_text_takes_over_without_a_blank_and_silence_clears():
    async def main():
        screen = Screen()
        board = display(screen.url, encoding="utf-8")
        first = show(board, "一", 30, [])
        await until(lambda: b"\r\n" in screen.data)
        second = show(board, "二", 30, [])
        assert (await first).evidence["ended"] == "replaced"
        await until(lambda: "二".encode() in screen.data)
        assert b"\f" not in screen.data
        assert (await board.silence()).verdict is Verdict.DONE
        assert (await second).evidence["ended"] == "silenced"
        await until(lambda: screen.data.endswith(b"\f"))
        screen.close()

    asyncio.run(main())


def test_a_display_that_is_switched_on_late_is_said_to_fail_and_then_shows():
    async def main():
        probe = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = probe.sockets[0].getsockname()[1]
        probe.close()
        await probe.wait_closed()
        board = display(f"tcp://127.0.0.1:{port}", refresh=1.0)
        assert (await board.probe()).reason == "display_unreachable"
        said, seen = [], asyncio.Queue()
        task = show(board, WARNING, 60, said)
        await until(lambda: said)

        async def serve(reader, _writer):
            seen.put_nowait(await reader.readline())

        server = await asyncio.start_server(serve, "127.0.0.1", port)
        async with asyncio.timeout(20):
            assert (await seen.get()).decode("gb18030") == WARNING + "\r\n"
        await until(lambda: len(said) == 2)
        assert [one.verdict for one in said] == [Verdict.FAILED, Verdict.DONE]
        assert board.status()["state"] == "up"
        await board.silence()
        await task
        server.close()

    asyncio.run(main())


def test_a_missing_port_and_wrong_settings_are_named_by_check():
    def codes(**keys):
        return [problem.code for problem in text.check(TextConfig(**{"name": "x", "url": "tcp://h:1"} | keys), CONTEXT)]

    assert codes() == []
    assert codes(url="serial:///dev/no-such-port") == ["port.missing"]
    assert codes(url="replay:file") == ["url.scheme"]
    assert codes(refresh=0.1, most=3) == ["actuator.refresh", "actuator.most"]


def test_the_simulated_siren_writes_down_what_it_did(tmp_path):
    async def main():
        context = Context(tmp_path, lambda *_: None)
        siren = sim.create(SimConfig(name="siren", file="log.jsonl", max_on=5.0), context)
        siren._now = asyncio.get_running_loop().time
        said = []
        until_ = siren._now() + 60
        outcome = await siren.perform(Action("siren", pattern="fast", key="a1"), until_, said.append)
        assert outcome.evidence["seconds"] == 5.0
        assert said[0].verdict is Verdict.DONE
        lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
        assert [(line["on"], line["pattern"], line["key"]) for line in lines] == [
            (True, "fast", "a1"),
            (False, "fast", "a1"),
        ]
        assert list(siren.log) == lines
        assert lines[0]["at"] > 0

    run(main())


@pytest.mark.parametrize("fault", ["dead", "mismatch"])
def test_simulated_faults_are_failures(fault):
    async def main():
        siren = sim.create(SimConfig(name="siren", fault=fault), CONTEXT)
        siren._now = asyncio.get_running_loop().time
        said = []
        outcome = await siren.perform(Action("siren", key="a1"), siren._now() + 3, said.append)
        assert (outcome.verdict, outcome.reason) == (Verdict.FAILED, f"sim_{fault}")
        assert said[0].verdict is Verdict.FAILED

    run(main())
