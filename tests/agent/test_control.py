"""The control socket: who may ask, what comes back, what is refused."""

import asyncio
import json
import socket
import stat
from pathlib import Path

import pytest

from agent.control import LONGEST_LINE, Control, ask


async def echo(request):
    return {"heard": request.get("word")}


async def broken(_request):
    raise RuntimeError("on purpose")


def serve(tmp_path, talk):
    async def main():
        async with Control(tmp_path / "run" / "control.sock", {"echo": echo, "broken": broken}) as control:
            return await talk(control)

    return asyncio.run(main())


def test_a_question_is_answered_and_the_socket_is_the_groups_own(tmp_path):
    async def talk(control):
        assert stat.S_IMODE(control.path.stat().st_mode) == 0o660
        return await asyncio.to_thread(ask, control.path, "echo", word="雨")

    assert serve(tmp_path, talk) == {"heard": "雨"}
    assert not (tmp_path / "run" / "control.sock").exists()


@pytest.mark.parametrize("line", [b"{", b"[]", b"null", b'{"do":"nothing"}', b'{"do":["a"]}', b'"do"', b"\xff\xfe"])
def test_what_is_no_request_gets_one_clear_error(tmp_path, line):
    async def talk(control):
        reader, writer = await asyncio.open_unix_connection(control.path)
        writer.write(line + b"\n")
        answer = json.loads(await reader.readline())
        writer.close()
        return answer

    assert serve(tmp_path, talk) == {"error": "control.unknown", "known": ["broken", "echo"]}


def test_a_verb_that_fails_says_so_and_the_next_is_served(tmp_path):
    async def talk(control):
        first = await asyncio.to_thread(ask, control.path, "broken")
        return first, await asyncio.to_thread(ask, control.path, "echo", word=1)

    assert serve(tmp_path, talk) == ({"error": "control.failed", "why": "on purpose"}, {"heard": 1})


def test_an_endless_line_ends_the_connection_not_the_agent(tmp_path):
    async def talk(control):
        reader, writer = await asyncio.open_unix_connection(control.path)
        writer.write(b"x" * (LONGEST_LINE * 3))
        gone = await reader.read(1)
        writer.close()
        return gone, await asyncio.to_thread(ask, control.path, "echo", word=2)

    assert serve(tmp_path, talk) == (b"", {"heard": 2})


def test_a_socket_left_by_a_killed_agent_is_replaced_and_a_living_one_is_not(tmp_path):
    path = tmp_path / "run" / "control.sock"
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    async def talk(control):
        with pytest.raises(OSError, match="another agent"):
            async with Control(control.path, {}):
                pass
        return await asyncio.to_thread(ask, control.path, "echo", word=3)

    assert serve(tmp_path, talk) == {"heard": 3}


def test_nobody_there_is_none(tmp_path):
    assert ask(tmp_path / "nobody", "status") is None


def test_an_agent_that_dies_in_the_middle_of_a_word_has_not_answered(tmp_path):
    async def torn(reader, writer):
        await reader.readline()
        writer.write(b'{"half": ')
        writer.close()

    async def main():
        async with await asyncio.start_unix_server(torn, tmp_path / "sock"):
            return await asyncio.to_thread(ask, tmp_path / "sock", "status")

    assert asyncio.run(main()) is None


@pytest.mark.parametrize(("closed", "barred"), [(0, False), (1, True)])
def test_a_door_that_is_closed_to_us_is_no_empty_house(monkeypatch, closed, barred):
    """The state is the service's alone and tells nothing; the unit's folder is there only while the agent runs."""
    from agent import control

    paths = [Path("/state/control.sock"), Path("/run/unit/control.sock")]

    def denied(path, _do, **_facts):
        if path == paths[closed]:
            raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(control, "ask", denied)
    if barred:
        with pytest.raises(PermissionError):
            control.ask_any(paths, "status")
    else:
        assert control.ask_any(paths, "status") is None
