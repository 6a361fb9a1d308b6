"""The agent as systemd sees it: a process of its own, with a notify socket, a watchdog and no network."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from tests.support.tree import ROOT

PATIENCE = 60.0  # seconds; a loaded machine starts slowly, and nothing is measured here

STATION = """
[station]
id = "lonely"
state = "state"

[[route]]
name = "nowhere"
url = "mqtt://127.0.0.1:1"
"""


@pytest.fixture
def service(tmp_path):
    """(the agent's process, the socket on which systemd would listen)"""
    (tmp_path / "station.toml").write_text(STATION)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE)
        watched = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
        process = subprocess.Popen(
            [sys.executable, "-m", "agent.cli", "run", "--config", str(tmp_path / "station.toml")],
            cwd=ROOT, env=os.environ | watched, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            yield process, systemd
        finally:
            process.kill()
            process.communicate()


def wait_for(systemd, assignment):
    while assignment not in (said := systemd.recv(4096).decode().split("\n")):
        pass
    return said


def test_it_is_ready_and_fed_with_no_broker_in_reach_and_stops_when_told(service):
    process, systemd = service
    said = wait_for(systemd, "READY=1")
    assert any(line.startswith("STATUS=") for line in said)
    for _ in range(5):
        wait_for(systemd, "WATCHDOG=1")
    process.send_signal(signal.SIGTERM)
    wait_for(systemd, "STOPPING=1")
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
