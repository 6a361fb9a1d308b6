"""A broker for the demonstration: Mosquitto where it is installed, else the embedded one."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

LARGEST = 1 << 20  # bytes of a payload; the embedded broker hangs up on more than 20 kB unless told
STARTS_WITHIN = 15.0  # seconds, on a busy machine


class NoBroker(Exception):
    """Neither of them is on this machine."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def find_mosquitto() -> str | None:
    return shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


class DemoBroker:
    """`with DemoBroker(directory) as broker:`; `name` and `version` (of MQTT) say which it is and what it speaks."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.name, self.version, self._command = self._choose()

    def _choose(self) -> tuple[str, str, list[str]]:
        if binary := find_mosquitto():
            return "mosquitto", "5", [binary, "-c", str(self._configuration())]
        try:
            import iotcore  # noqa: F401 - only asked whether it is there
        except ImportError as missing:
            raise NoBroker from missing
        code = f"from iotcore import IotCoreBroker; IotCoreBroker(listen='127.0.0.1', port={self.port}, "
        code += f"max_payload_size={LARGEST}).run_forever()"
        return "iotcore", "3.1.1", [sys.executable, "-c", code]

    def _configuration(self) -> Path:
        file = self.directory / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous true", "set_tcp_nodelay true", "persistence false"]
        if os.geteuid() == 0:
            lines.append("user root")
        file.write_text("\n".join(lines) + "\n")
        return file

    def __enter__(self) -> Self:
        with (self.directory / "broker.log").open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + STARTS_WITHIN
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.__exit__()
                    raise NoBroker from None
                time.sleep(0.05)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(STARTS_WITHIN)
