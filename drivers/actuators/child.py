"""Programs that must not outlive us: a synthesiser, a player. Fed and read through pipes, ended in any case.

Twice bound: the kernel kills the child when its parent dies (PR_SET_PDEATHSIG, by util-linux' setpriv, which then becomes
the child itself), and where that is missing its input ends with us, and with it what it has to play.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
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
                process_group=0,
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
                os.killpg(self._process.pid, signal.SIGKILL)  # with whatever it started itself
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END):
                await self._process.communicate()  # its pipes are read to their ends, and so closed

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.returncode is not None

    async def feed(self, data: bytes) -> None:
        """All of it, then the end of input. Of a child that does not want it, the result says why."""
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._in, left[:PIPE_BYTES]) :]
            except BlockingIOError:
                await self._writable()
            except BrokenPipeError:
                break
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

    async def exactly(self, size: int) -> bytes:
        """So many bytes of what it writes; asyncio.IncompleteReadError when it has ended before."""
        out = self._process.stdout
        assert out is not None  # noqa: S101 - it was asked for
        return await out.readexactly(size)

    async def result(self) -> tuple[int, str]:
        """Exit code and last words, once it has ended by itself."""
        err = self._process.stderr
        assert err is not None  # noqa: S101 - it was asked for
        words = await err.read(MOST_STDERR)
        return await self._process.wait(), words.decode("utf-8", "replace").strip()[:200]

    async def _writable(self) -> None:
        ready = asyncio.Event()
        asyncio.get_running_loop().add_writer(self._in, ready.set)
        try:
            await ready.wait()
        finally:
            if self._in >= 0:
                asyncio.get_running_loop().remove_writer(self._in)

    def _close_input(self) -> None:
        """Whoever waits for it is let go of first: its number may be another file's a moment later."""
        if self._in >= 0:
            asyncio.get_running_loop().remove_writer(self._in)
            os.close(self._in)
            self._in = -1
