"""Programs that must not outlive us: a synthesiser, a player. Fed and read through pipes, ended in any case.

Twice bound: the kernel kills the child when its parent dies (PR_SET_PDEATHSIG, by util-linux' setpriv, which then becomes
the child itself), and where that is missing its input ends with us, and with it what it has to play.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
from collections.abc import Sequence
from functools import cache
from typing import Self

PIPE_BYTES = 4096  # the kernel's least: a tenth of a second of speech, half a second of the slowest clip
MOST_STDERR = 4096  # bytes of a program's last words
OUTPUT_CHUNK = 65536  # bytes buffered of what it writes
END = 1.0  # seconds a child has to end after it was killed


@cache
def _bound_to_us() -> tuple[str, ...]:
    found = shutil.which("setpriv")
    return (found, "--pdeathsig", "KILL", "--") if found else ()


class Child:
    """`async with Child([program, ...]) as child:`; at the end of the block it is dead."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = (*_bound_to_us(), *command)
        self._in = -1

    async def __aenter__(self) -> Self:
        theirs, self._in = os.pipe()
        fcntl.fcntl(self._in, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        os.set_blocking(self._in, False)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=theirs,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=OUTPUT_CHUNK,
            )
        except BaseException:
            self._close_input()
            raise
        finally:
            os.close(theirs)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._close_input()
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END):
                    await self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.returncode is not None

    async def feed(self, data: bytes) -> None:
        """All of it, then the end of input. BrokenPipeError when the child does not want it."""
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._in, left[:PIPE_BYTES]) :]
            except BlockingIOError:
                await _writable(self._in)
        self._close_input()

    async def output(self, most: int) -> bytes:
        """Everything it writes. ValueError when that is more than `most`."""
        out, found = self._process.stdout, bytearray()
        assert out is not None  # noqa: S101 - it was asked for
        while data := await out.read(OUTPUT_CHUNK):
            found += data
            if len(found) > most:
                raise ValueError(f"more than {most} bytes")
        return bytes(found)

    async def result(self) -> tuple[int, str]:
        """Exit code and last words, once it has ended by itself."""
        err = self._process.stderr
        assert err is not None  # noqa: S101 - it was asked for
        words = await err.read(MOST_STDERR)
        return await self._process.wait(), words.decode("utf-8", "replace").strip()[:200]

    def _close_input(self) -> None:
        if self._in >= 0:
            os.close(self._in)
            self._in = -1


async def _writable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(fd)
