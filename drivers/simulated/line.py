"""A device behind a pseudo-terminal: what it hears goes to a function, what it says goes out. Knows no protocol."""

import asyncio
import os
import pty
import tempfile
import termios
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Self


class Pty:
    """Both ends of a pseudo-terminal under a name that nobody gets again.

    The kernel hands the number of a closed terminal to the next who asks for one: whoever still looked for the old line
    there would open a stranger's. So clients get a link, like those udev makes, that goes when the line goes.
    """

    def __init__(self) -> None:
        self.fd, self._keep = pty.openpty()  # our end of the slave stays open: the line survives a client's close
        tty.setraw(self._keep)
        os.set_blocking(self.fd, False)
        self._folder = Path(tempfile.mkdtemp(prefix="fengsui-line-"))
        self.path = str(self._folder / "tty")
        Path(self.path).symlink_to(os.ttyname(self._keep))

    def close(self) -> None:
        """The adapter is pulled; a second time does nothing."""
        if self.fd >= 0:
            Path(self.path).unlink()
            self._folder.rmdir()
            os.close(self.fd)
            os.close(self._keep)
            self.fd = -1

    @property
    def baud(self) -> int:
        """The speed that the client has set; 0 for one that POSIX has no name for."""
        return _SPEEDS.get(termios.tcgetattr(self._keep)[5], 0)

    def write(self, data: bytes) -> None:
        if self.fd >= 0:
            try:
                os.write(self.fd, data)
            except BlockingIOError:  # nobody reads: a wire does not wait
                return


_SPEEDS = {
    getattr(termios, name): int(name[1:]) for name in dir(termios) if name.startswith("B") and name[1:].isdigit()
}


class PtyLine:
    """`async with PtyLine(device.hear) as line: device.say = line.write; ... line.url`"""

    def __init__(self, hear: Callable[[bytes], None], baud: int = 9600) -> None:
        self._hear, self._baud = hear, baud
        self._pty: Pty | None = None

    @property
    def path(self) -> str:
        return self._pty.path if self._pty else ""

    @property
    def url(self) -> str:
        return f"serial://{self.path}?baud={self._baud}"

    @property
    def client_baud(self) -> int:
        return self._pty.baud if self._pty else 0

    async def __aenter__(self) -> Self:
        self._pty = Pty()
        asyncio.get_running_loop().add_reader(self._pty.fd, self._read)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.unplug()

    def unplug(self) -> None:
        """The adapter is pulled."""
        if self._pty and self._pty.fd >= 0:
            asyncio.get_running_loop().remove_reader(self._pty.fd)
            self._pty.close()

    def write(self, data: bytes) -> None:
        if self._pty:
            self._pty.write(data)

    def _read(self) -> None:
        if self._pty is None:
            return
        try:
            data = os.read(self._pty.fd, 4096)
        except OSError:
            return
        self._hear(data)
