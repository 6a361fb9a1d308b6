"""The door by which the agent reaches the display: a Unix socket, one line of JSON each way. The newest agent counts."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from agent.display.board import Board
from protocols.errors import RemoteError
from protocols.page import LONGEST_LINE, SILENT, decode_state, encode

log = logging.getLogger(__name__)

PARTING = 1.0  # seconds for a connection that was closed to end


class Feed:
    """Serves `path` while used as a context. `changed` is called when there is something new to draw."""

    def __init__(self, path: Path, board: Board, changed: Callable[[], None]) -> None:
        self._path, self._board, self._changed = path, board, changed
        self._newest: asyncio.StreamWriter | None = None
        self._talks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._make_room)
        self._server = await asyncio.start_unix_server(self._serve, self._path, limit=LONGEST_LINE)
        self._path.chmod(0o660)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        if self._newest is not None:
            self._newest.close()
        if self._talks:
            await asyncio.wait(self._talks, timeout=PARTING)
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _make_room(self) -> None:
        """What a killed display left behind is in the way; OSError where another one answers."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if not self._path.is_socket():
            return
        if _answers(self._path):
            raise FileExistsError(f"{self._path}: another display answers there")
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a stream callback runs in a task
        self._talks.add(task)
        task.add_done_callback(self._talks.discard)
        if self._newest is not None:
            self._newest.close()
        self._newest = writer
        self._board.connect()
        life = self._board.life
        try:
            await self._talk(reader, writer, life)
        except (OSError, RemoteError, ValueError) as wrong:
            log.info("the agent's connection ended: %s", wrong)
        finally:
            self._board.disconnect(life)
            self._changed()
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, life: int) -> None:
        while line := await reader.readline():
            if life != self._board.life:
                return
            before = self._board.state
            self._board.hear(decode_state(line), time.monotonic())
            if self._board.state != before:
                self._changed()
            await self._answer(writer)

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        writer.write(encode(self._board.seen()))
        async with asyncio.timeout(SILENT):
            await writer.drain()

    def tell(self) -> None:
        """A page has drawn something, or came or went: the agent waits for it."""
        if self._newest is not None and self._board.connected and not self._newest.is_closing():
            self._newest.write(encode(self._board.seen()))


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
