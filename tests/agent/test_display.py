"""The display page: its own process, reached by the agent's actuator; and what it does when either of them dies."""

import asyncio
import json
import sys

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.cli import main
from agent.display.board import Board, Drawn
from drivers.actuators import page
from drivers.actuators.page import PageConfig
from drivers.api import Action, Context, Verdict
from protocols.errors import RemoteError
from protocols.page import SILENT, Seen, Shown, State, decode_seen, decode_state, encode
from tests.support.until import until

RED = Action("display", text="红色山洪预警，请立即转移到安全地点。", level="red", key="a1", area="江北区")


def shown(until_=60.0, **changed):
    return Shown(**{"text": "预警", "level": "red", "until": until_} | changed)


# What the page shows


def test_a_warning_ends_by_itself_also_without_an_agent():
    board = Board()
    board.connect()
    board.hear(State(1, shown(60.0)), now=0.0)
    assert board.view(0.5)["warning"]["left"] == 60
    board.disconnect(board.life)
    view = board.view(30.0)
    assert (view["agent"], view["warning"]["left"]) == (False, 30)
    assert board.view(60.0)["warning"] is None


def test_an_agent_that_hangs_is_no_agent():
    board = Board()
    board.connect()
    board.hear(State(1), now=0.0)
    assert board.view(SILENT - 0.1)["agent"]
    assert not board.view(SILENT + 0.1)["agent"]


def test_a_restarted_agent_is_not_told_that_its_predecessors_words_were_drawn():
    board = Board()
    board.connect()
    board.hear(State(7, shown()), now=0.0)
    board.draw(Drawn(board.life, 7))
    assert board.seen() == Seen(7, 0, 7)
    first = board.life
    board.connect()
    board.draw(Drawn(first, 9))
    assert board.seen().drawn == -1
    assert board.view(1.0)["number"] == -1
    assert board.view(1.0)["warning"] is not None  # until the agent says otherwise
    board.disconnect(first)
    assert board.connected


# What passes between


@given(st.text(max_size=300), st.text(max_size=30), st.booleans())
def test_a_state_comes_through_displayable(text, place, exercise):
    line = encode(State(3, shown(text=text, exercise=exercise, place=place), place))
    assert line.count(b"\n") == 1
    found = decode_state(line)
    assert found.shown.text.isprintable()
    assert found.shown.exercise is exercise
    assert decode_state(encode(found)) == found


@given(st.binary(max_size=400))
def test_whatever_bytes_come_are_a_message_or_refused(data):
    for decode in (decode_state, decode_seen):
        try:
            decode(data)
        except RemoteError:
            continue


def test_a_line_without_end_is_refused():
    with pytest.raises(RemoteError):
        decode_state(b" " * 20_000)


# The process


class Display:
    def __init__(self, folder, *options):
        self.socket = folder / "display.sock"
        self.command = ("-m", "agent.cli", *options, "display", "--port", "0", "--socket", str(self.socket))

    async def __aenter__(self):
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, *self.command, stdout=asyncio.subprocess.PIPE
        )
        self.url = json.loads(await self.process.stdout.readline())["url"]
        return self

    async def __aexit__(self, *_):
        if self.process.returncode is None:
            self.process.terminate()
            async with asyncio.timeout(20):
                assert await self.process.wait() == 0

    def kill(self):
        self.process.kill()


class Browser:
    """Reads the events and says that it has drawn them, as the page's script does."""

    def __init__(self, url, draws=True):
        self.url, self.draws, self.views = url, draws, []

    async def __aenter__(self):
        self.session = aiohttp.ClientSession()
        self.task = asyncio.create_task(self._read())
        await until(lambda: self.views)
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        await asyncio.wait({self.task})
        await self.session.close()

    async def _read(self):
        async with self.session.get(f"{self.url}events", timeout=aiohttp.ClientTimeout(total=None)) as response:
            async for line in response.content:
                if line.startswith(b"data: "):
                    self.views.append(json.loads(line[6:]))
                    if self.draws:
                        view = self.views[-1]
                        await self.session.post(
                            f"{self.url}drawn", json={"life": view["life"], "number": view["number"]}
                        )

    @property
    def now(self):
        return self.views[-1]


def actuator(display, **keys):
    return page.create(
        PageConfig(name="page", socket=str(display.socket), **keys), Context(display.socket.parent, None)
    )


def monotonic():
    return asyncio.get_running_loop().time()


def test_a_warning_is_drawn_counted_down_and_cleared(tmp_path):
    async def main():
        async with Display(tmp_path) as display, Browser(display.url) as browser:
            board, said = actuator(display, place="榆树村"), []
            assert (await board.probe()).verdict is Verdict.DONE
            assert browser.now["agent"]
            assert browser.now["warning"] is None
            task = asyncio.create_task(board.perform(RED, monotonic() + 3, said.append))
            await until(lambda: said)
            assert said[0].verdict is Verdict.DONE
            assert said[0].evidence == {"pages": 1, "drawn": True}
            warning = browser.now["warning"]
            assert (warning["text"], warning["level"], warning["exercise"]) == (RED.text, "red", False)
            assert browser.now["place"] == "榆树村"
            assert warning["area"] == RED.area == "江北区"
            await until(lambda: browser.now["warning"] and browser.now["warning"]["left"] <= 2)
            assert (await task).evidence["ended"] == "ended"
            await until(lambda: browser.now["warning"] is None)

    asyncio.run(main())


def test_silence_clears_and_a_new_warning_takes_over(tmp_path):
    async def main():
        async with Display(tmp_path) as display, Browser(display.url) as browser:
            board = actuator(display)
            first = asyncio.create_task(board.perform(RED, monotonic() + 60, lambda _: None))
            await until(lambda: browser.now["warning"])
            drill = Action("display", text="这是演练。", level="blue", exercise=True, key="b2")
            second = asyncio.create_task(board.perform(drill, monotonic() + 60, lambda _: None))
            assert (await first).evidence["ended"] == "replaced"
            await until(lambda: browser.now["warning"]["exercise"])
            assert (await board.silence()).verdict is Verdict.DONE
            assert (await second).evidence["ended"] == "silenced"
            await until(lambda: browser.now["warning"] is None)

    asyncio.run(main())


def test_a_port_that_cannot_be_is_said(tmp_path, capsys):
    assert main(["--lang", "en", "display", "--port", "99999", "--socket", str(tmp_path / "display.sock")]) == 2
    assert "port must be 0-65535" in capsys.readouterr().err


def test_it_says_who_is_missing_and_catches_up(tmp_path):
    async def main():
        display = Display(tmp_path)
        board, said = actuator(display), []
        assert (await board.probe()).reason == "display_unreachable"
        task = asyncio.create_task(board.perform(RED, monotonic() + 120, said.append))
        await until(lambda: said)
        assert said[0].reason == "display_unreachable"
        async with display:
            await until(lambda: board.status()["pages"] == 0 and board._seen)
            assert (await board.probe()).reason == "page_nobody"
            async with Browser(display.url, draws=False):
                outcome = await board._show(RED, board._wanted.shown.until)
                assert outcome.reason == "page_not_drawn"
            async with Browser(display.url) as browser:
                await until(lambda: len(said) == 2)
                assert said[1].verdict is Verdict.DONE
                assert browser.now["warning"]["text"] == RED.text
            await board.silence()
            await task

    asyncio.run(main())


AGENT = """if True:
    import asyncio, sys, time
    from pathlib import Path
    from drivers.actuators import page
    from drivers.api import Action, Context
    async def main():
        board = page.create(page.PageConfig(name="page", socket=sys.argv[1]), Context(Path(), None))
        await board.perform(Action("display", text="预警", level="orange"), time.monotonic() + float(sys.argv[2]), print)
    asyncio.run(main())
"""


def test_a_killed_agent_is_said_to_be_gone_and_its_warning_ends_all_the_same(tmp_path):
    async def main():
        async with Display(tmp_path) as display, Browser(display.url) as browser:
            child = await asyncio.create_subprocess_exec(sys.executable, "-c", AGENT, str(display.socket), "6")
            await until(lambda: browser.now["warning"])
            child.kill()
            await child.wait()
            await until(lambda: not browser.now["agent"])
            assert browser.now["warning"]["text"] == "预警"
            assert browser.now["words"]["no_agent"] == "与预警程序失去连接"
            await until(lambda: browser.now["warning"] is None)

    asyncio.run(main())


def test_a_killed_display_leaves_nothing_in_the_way_and_a_second_one_is_refused(tmp_path):
    async def main():
        async with Display(tmp_path) as first:
            first.kill()
            await first.process.wait()
            async with Display(tmp_path):
                other = await asyncio.create_subprocess_exec(
                    sys.executable, *first.command, stderr=asyncio.subprocess.PIPE
                )
                assert await other.wait() == 2
                assert "已有另一个" in (await other.stderr.read()).decode()

    asyncio.run(main())


def test_it_answers_this_machine_only_and_tells_the_browser_to_trust_nothing(tmp_path):
    async def main():
        async with Display(tmp_path) as display, aiohttp.ClientSession() as session:
            async with session.get(display.url) as answer:
                assert answer.status == 200
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
                html = await answer.text()
                assert "<script>" not in html
                assert "style=" not in html
            async with session.get(display.url, headers={"Host": "evil.example"}) as answer:
                assert answer.status == 403
            for body in (b"", b"[]", b'{"life":"x"}', b"\xff", b"9" * 5000):
                async with session.post(f"{display.url}drawn", data=body) as answer:
                    assert answer.status in (400, 413)

    asyncio.run(main())


def test_only_so_many_pages_at_once(tmp_path):
    async def main():
        async with Display(tmp_path) as display, aiohttp.ClientSession() as session:
            open_ = [await session.get(f"{display.url}events") for _ in range(8)]
            async with session.get(f"{display.url}events") as answer:
                assert answer.status == 503
            for answer in open_:
                answer.close()

    asyncio.run(main())


def test_settings_that_cannot_work_are_named(tmp_path):
    codes = [p.code for p in page.check(PageConfig(name="x", socket="/" + "a" * 120, most=2), Context(tmp_path, None))]
    assert codes == ["page.socket", "actuator.most"]
