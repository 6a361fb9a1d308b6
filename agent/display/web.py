"""The page over HTTP: three files and one stream of events, on loopback only. Nothing it is sent becomes HTML.

A request under any other name than this machine's own is refused, so that no website that the kiosk might open can read
the page under a name it has pointed here.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from aiohttp import web

from agent.display.board import MOST_PAGES, Board, Drawn

HERE = Path(__file__).parent
FILES = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
OWN_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})
TICK = 1.0  # seconds between events: the time left counts down
LARGEST_REQUEST = 1024  # bytes of a body: a page says two numbers
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Pages:
    """All open pages. `tell` is called when one came, went, or has drawn; `words` are the sentences of the page itself."""

    tell: Callable[[], None]

    def __init__(self, board: Board, words: Mapping[str, str]) -> None:
        self._board, self._words, self.tell = board, dict(words), _nobody
        self._changed: set[asyncio.Event] = set()

    def changed(self) -> None:
        for event in self._changed:
            event.set()

    def application(self) -> web.Application:
        app = web.Application(middlewares=[_guarded], client_max_size=LARGEST_REQUEST)
        for path, (name, kind) in FILES.items():
            app.router.add_get(path, _file(HERE / name, kind))
        app.router.add_get("/events", self._events)
        app.router.add_post("/drawn", self._drawn)
        return app

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events (HTML Living Standard §9.2): the whole view, at each change and every second."""
        if len(self._changed) >= MOST_PAGES:
            raise web.HTTPServiceUnavailable(text="too many pages")
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream"})
        event = asyncio.Event()
        self._changed.add(event)
        try:
            await response.prepare(request)
            self._count()
            while True:
                await response.write(self._event())
                await _wait(event)
        except ConnectionError:
            return response
        finally:
            self._changed.discard(event)
            self._count()

    def _event(self) -> bytes:
        view = {**self._board.view(time.monotonic()), "words": self._words}
        return b"data: " + json.dumps(view, ensure_ascii=False).encode() + b"\n\n"

    async def _drawn(self, request: web.Request) -> web.Response:
        try:
            said = await request.json()
            self._board.draw(Drawn(int(said["life"]), int(said["number"])))
        except (ValueError, KeyError, TypeError):
            raise web.HTTPBadRequest from None
        self.tell()
        return web.Response(status=204, headers=HEADERS)

    def _count(self) -> None:
        self._board.pages = len(self._changed)
        self.tell()


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    name = request.host.rpartition(":")[0] if ":" in request.host else request.host
    if name not in OWN_NAMES:
        raise web.HTTPForbidden(text="this page is for this machine")
    return await handler(request)


def _file(path: Path, kind: str) -> Handler:
    data = path.read_bytes()

    async def serve(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=data, content_type=kind, charset="utf-8", headers=HEADERS)

    return serve


def _nobody() -> None:
    """No agent is to be told."""


async def _wait(event: asyncio.Event) -> None:
    """Until something changed, and a tick at most."""
    try:
        async with asyncio.timeout(TICK):
            await event.wait()
    except TimeoutError:
        return
    event.clear()
