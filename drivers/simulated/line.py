"""A device behind a pseudo-terminal: what it hears goes to a function, what it says goes out. Knows no protocol."""

import asyncio
import os
import pty
import tty
from collections.abc import Callable
from typing import Self


class PtyLine:
    """`async with PtyLine(device.hear) as line: device.say = line.write; ... line.url`"""

    def __init__(self, hear: Callable[[bytes], None], baud: int = 9600) -> None:
        self._hear, self._baud = hear, baud
        self._fd = self._keep = -1
        self.path = ""

    @property
    def url(self) -> str:
        return f"serial://{self.path}?baud={self._baud}"

    async def __aenter__(self) -> Self:
        self._fd, self._keep = pty.openpty()  # our end of the slave stays open: the line survives a client's close
        tty.setraw(self._keep)
        self.path = os.ttyname(self._keep)
        os.set_blocking(self._fd, False)
        asyncio.get_running_loop().add_reader(self._fd, self._read)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.unplug()

    def unplug(self) -> None:
        """The adapter is pulled."""
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            os.close(self._keep)
            self._fd = -1

    def write(self, data: bytes) -> None:
        if self._fd >= 0:
            try:
                os.write(self._fd, data)
            except BlockingIOError:  # nobody reads: a wire does not wait
                return

    def _read(self) -> None:
        try:
            data = os.read(self._fd, 4096)
        except OSError:
            return
        self._hear(data)
