"""The display's process, put together: the agent's socket on one side, the browser's port on the other."""

import asyncio
import json
import signal
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from agent.display.board import Board
from agent.display.feed import Feed
from agent.display.web import Pages

LOOPBACK = "127.0.0.1"
SHUTDOWN = 1.0  # seconds that open pages have to go: they never do by themselves


async def serve(socket: Path, port: int, words: Mapping[str, str]) -> None:
    """Until SIGTERM or Ctrl-C. Prints the page's address when it can be opened. OSError: port or socket is taken."""
    board, stop = Board(), asyncio.Event()
    pages = Pages(board, words)
    feed = Feed(socket, board, pages.changed)
    pages.tell = feed.tell
    runner = web.AppRunner(pages.application(), access_log=None, shutdown_timeout=SHUTDOWN)
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with feed:
        await runner.setup()
        try:
            site = web.TCPSite(runner, LOOPBACK, port)
            await site.start()
            own = runner.addresses[0][1]
            print(json.dumps({"url": f"http://{LOOPBACK}:{own}/", "socket": str(socket)}), flush=True)  # noqa: T201 - a command
            await stop.wait()
        finally:
            await runner.cleanup()
