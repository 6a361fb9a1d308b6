"""The bench's door: a Unix socket on which a technician's command asks the running agent.

One JSON object a line each way. The kernel says who asks (SO_PEERCRED, unix(7)); the file's mode 0660 and its group say
who may. Nothing here sounds or changes anything without its verb being registered by the station.
"""

import asyncio
import contextlib
import json
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from drivers.within import within

log = logging.getLogger(__name__)

Verb = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
LONGEST_LINE = 65536  # bytes of one request; a request is a verb and a few names
MOST_AT_ONCE = 8  # connections: a bench is one or two people
PATIENCE = 60.0  # seconds for one answer: a slow bus with a dead device takes its time


class Control:
    """Serves `verbs` on `path` while used as a context."""

    def __init__(self, path: Path, verbs: Mapping[str, Verb]) -> None:
        self.path, self.verbs = path, verbs
        self._server: asyncio.Server | None = None
        self._open = 0

    async def __aenter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(self._remove_stale)
        self._server = await asyncio.start_unix_server(self._serve, self.path, limit=LONGEST_LINE)
        self.path.chmod(0o660)
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._server is not None:
            self._server.close()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def _remove_stale(self) -> None:
        """A socket left by a killed agent is in the way; one that answers belongs to somebody."""
        if not self.path.is_socket():
            return
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(str(self.path))
            except OSError:
                self.path.unlink(missing_ok=True)
                return
        raise OSError(f"{self.path}: another agent answers there")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= MOST_AT_ONCE:
                await self._talk(reader, writer)
        except (OSError, ValueError, asyncio.LimitOverrunError) as gone:
            log.debug("control connection ended: %s", gone)
        finally:
            self._open -= 1
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        who = peer(writer.get_extra_info("socket"))
        while line := await reader.readline():
            answer = await self._answer(line, who)
            writer.write(json.dumps(answer, ensure_ascii=False, default=str).encode() + b"\n")
            await writer.drain()

    async def _answer(self, line: bytes, who: str) -> Mapping[str, Any]:
        try:
            request = json.loads(line)
            verb = self.verbs[request["do"]]
        except (ValueError, KeyError, TypeError):
            return {"error": "control.unknown", "known": sorted(self.verbs)}
        log.info("control: %s asks %s", who, request["do"])
        try:
            return await within(verb(request), PATIENCE)
        except TimeoutError:
            return {"error": "control.timeout"}
        except Exception as wrong:
            log.exception("control verb %s failed", request["do"])
            return {"error": "control.failed", "why": str(wrong)}


def peer(sock: socket.socket) -> str:
    """`pid 12 uid 1000` of the process at the other end."""
    pid, uid, _gid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return f"pid {pid} uid {uid}"


def ask_any(paths: Sequence[Path], do: str, **facts: Any) -> dict[str, Any] | None:
    """Ask the first agent that answers. PermissionError: none does, and one sits behind a door that is closed to us."""
    barred: PermissionError | None = None
    for path in paths:
        try:
            answer = ask(path, do, **facts)
        except PermissionError as wrong:
            # A closed folder of the state tells nothing; the last, the unit's, is there only while it runs (systemd.exec(5)).
            if path == paths[-1] or os.access(path.parent, os.X_OK):
                barred = wrong
        else:
            if answer is not None:
                return answer
    if barred is not None:
        raise barred
    return None


def ask(path: Path, do: str, timeout: float = PATIENCE, **facts: Any) -> dict[str, Any] | None:
    """Ask the agent behind `path`; None when no agent answers there. PermissionError: one may be there, and we may not ask
    it. For commands: blocking.
    """
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(timeout)
        try:
            sock.connect(os.fspath(path))
            sock.sendall(json.dumps({"do": do, **facts}).encode() + b"\n")
            with sock.makefile("rb") as answers:
                line = answers.readline()
        except PermissionError as barred:
            raise PermissionError(barred.errno, barred.strerror, os.fspath(path)) from None
        except OSError:
            return None
    answer = json.loads(line) if line.endswith(b"\n") else None  # an agent may die in the middle of a word
    return answer if isinstance(answer, dict) else None
