"""The agent as a process of its own: started, ended in any way, and weighed from outside through /proc (proc(5))."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


class AgentProcess:
    """`folder` holds `station.toml`; what the agent says is appended to `agent.log` beside it. `options` of `run`."""

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        self.folder, self.options = folder, options
        self.written_before = 0  # bytes that processes which have ended sent to the storage layer
        self._process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the agent was not started")
        return self._process.pid

    @property
    def control(self) -> Path:
        return self.folder / "state" / "control.sock"

    @property
    def database(self) -> Path:
        return self.folder / "state" / "buffer.db"

    async def start(self) -> None:
        with (self.folder / "agent.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "agent.cli", "--lang", "en", "run"),
                *("--config", str(self.folder / "station.toml"), *self.options),
                stdout=log,
                stderr=log,
            )

    async def end(self, how: signal.Signals = signal.SIGTERM) -> int | None:
        """The exit code; None when there was nothing to end."""
        if self._process is None or self._process.returncode is not None:
            return None
        self.written_before += self.written()
        self._process.send_signal(how)
        return await self._process.wait()

    async def ended(self) -> int:
        """Wait for it to end by itself."""
        if self._process is None:
            raise RuntimeError("the agent was not started")
        return await self._process.wait()

    def said(self) -> str:
        return (self.folder / "agent.log").read_text(errors="replace")

    def cpu_seconds(self) -> float:
        """User and system time so far: fields 14 and 15 of stat."""
        fields = self._proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mib(self) -> float:
        return self._value("status", "VmRSS") / 1024

    def written(self) -> int:
        """Bytes sent to the storage layer by this process."""
        return self._value("io", "write_bytes")

    def _proc(self, name: str) -> str:
        return Path(f"/proc/{self.pid}/{name}").read_text()

    def _value(self, file: str, name: str) -> int:
        lines = (line for line in self._proc(file).splitlines() if line.startswith(f"{name}:"))
        return int(next(lines).split()[1])
