"""Real brokers for tests: Mosquitto on a free port, configured as a test needs it, and the embedded one as a stand-in.

with Broker(tmp_path, persistence=True) as broker: ...       # mqtt://127.0.0.1:{broker.port}
broker.kill(); broker.start()                                # a power cut of the broker
broker.restart(forget=True)                                  # and one that forgot everything
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

STARTS_WITHIN = 20.0  # seconds: a busy machine under test, not a figure


def mosquitto() -> str:
    """The Mosquitto binary. Missing: a failure under CI=true, elsewhere a skip that says why."""
    found = shutil.which(
        "mosquitto", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    )
    if found is None:
        reason = "mosquitto is not installed (Debian: apt install mosquitto); this test needs a real broker"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        print(reason)  # noqa: T201 - a skipped broker test must be seen in the output
        pytest.skip(reason)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, host: str = "127.0.0.1", within: float = STARTS_WITHIN) -> None:
    deadline = time.monotonic() + within
    while True:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


class Broker:
    """One Mosquitto. `extra` are lines of its configuration, `acl` the content of an ACL file, `users` name → password."""

    def __init__(
        self,
        directory: Path,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        persistence: bool = False,
        extra: Sequence[str] = (),
        acl: str | None = None,
        users: Mapping[str, str] | None = None,
        tls: Mapping[str, Path] | None = None,  # cafile, certfile, keyfile, and require_certificate by `extra`
        prefix: Sequence[str] = (),  # run it as `ip netns exec NAME`
    ) -> None:
        self.binary = mosquitto()
        self.directory = directory
        self.directory.mkdir(parents=True, exist_ok=True)
        self.host = host
        self.port = port or free_port()
        self.log = directory / "mosquitto.log"
        self._persistence = persistence
        self._extra = list(extra)
        self._acl = acl
        self._users = users
        self._tls = tls
        self._prefix = list(prefix)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"{'mqtts' if self._tls else 'mqtt'}://{'localhost' if self._tls else self.host}:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        self._write_configuration()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._prefix, self.binary, "-c", str(self.directory / "mosquitto.conf")], stdout=log, stderr=log
            )
        try:
            wait_for_port(self.port, self.host)
        except OSError as error:
            self.stop()
            raise RuntimeError(f"mosquitto did not start: {self.log.read_text(errors='replace')[-2000:]}") from error

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Neither reads nor answers, and keeps every connection open."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def restart(self, *, forget: bool = False) -> None:
        self.stop()
        if forget:
            (self.directory / "mosquitto.db").unlink(missing_ok=True)
        self.start()

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(how)
            self._process.wait(STARTS_WITHIN)
            self._process = None

    def _write_configuration(self) -> None:
        (self.directory / "mosquitto.conf").write_text("\n".join(self._lines()) + "\n")
        if self._acl is not None:
            self._private("acl", self._acl)
        if self._users is not None:
            self._private("passwords", "".join(f"{name}:{secret}\n" for name, secret in self._users.items()))
            subprocess.run(["mosquitto_passwd", "-U", str(self.directory / "passwords")], check=True)

    def _private(self, name: str, text: str) -> None:
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o600)

    def _lines(self) -> list[str]:
        lines = ["per_listener_settings false", "set_tcp_nodelay true", "max_queued_messages 0", "log_type all"]
        if os.geteuid() == 0:
            lines.append("user root")  # else it drops to a user who cannot read a test's directory
        lines.append(f"persistence {'true' if self._persistence else 'false'}")
        if self._persistence:
            lines += [f"persistence_location {self.directory}/", "autosave_on_changes true", "autosave_interval 1"]
        lines.append(f"allow_anonymous {'false' if self._users is not None else 'true'}")
        if self._users is not None:
            lines.append(f"password_file {self.directory}/passwords")
        if self._acl is not None:
            lines.append(f"acl_file {self.directory}/acl")
        lines.append(f"listener {self.port} {self.host}")
        if self._tls is not None:
            lines += [f"{key} {path}" for key, path in self._tls.items()]
        return lines + self._extra


_EMBEDDED = """
id = 0
[router]
id = 0
max_connections = 100
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
{servers}
"""
_EMBEDDED_SERVER = """
[{version}.1]
name = "{version}"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1
[{version}.1.connections]
connection_timeout_ms = 60000
max_payload_size = 1048576
max_inflight_count = 200
dynamic_filters = true
"""


class EmbeddedBroker:
    """`iotcore` (rumqttd) as a child process: 3.1.1 on `port`, 5 on `port5`.

    It says success when nobody listens and knows no access control: good for a demo, not for a verdict.
    """

    def __init__(self, directory: Path) -> None:
        self.host = "127.0.0.1"
        self.port, self.port5 = free_port(), free_port()
        directory.mkdir(parents=True, exist_ok=True)
        self._configuration = directory / "rumqttd.toml"
        servers = [_EMBEDDED_SERVER.format(version=v, port=p) for v, p in (("v4", self.port), ("v5", self.port5))]
        self._configuration.write_text(_EMBEDDED.format(servers="".join(servers)))
        self._broker: Any = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The MQTT 5 listener's."""
        return f"mqtt://{self.host}:{self.port5}"

    def start(self) -> None:
        import iotcore  # only where it is used: it is no dependency of the other broker

        self._broker = iotcore.Broker(config_path=str(self._configuration))
        self._broker.start()

    def stop(self) -> None:
        if self._broker is not None:
            self._broker.stop()
            self._broker = None
