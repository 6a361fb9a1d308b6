"""sd_notify(3) against real datagram sockets, with a path and in the abstract name space."""

import os
import socket
import uuid

import pytest

from agent.notify import STATUS_LIMIT, Notifier


@pytest.fixture(params=["path", "abstract"])
def systemd(request, tmp_path):
    """(receiving socket, the address as systemd would put it into the environment)"""
    name = f"@fengsui-{uuid.uuid4()}" if request.param == "abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + name[1:] if name.startswith("@") else name)
        receiver.setblocking(False)
        yield receiver, name


def heard(receiver):
    return receiver.recv(4096).decode().split("\n")


def test_each_call_is_one_datagram_of_assignments(systemd):
    receiver, address = systemd
    notifier = Notifier({"NOTIFY_SOCKET": address})
    notifier.ready("buffer open")
    assert heard(receiver) == ["READY=1", "STATUS=buffer open"]
    notifier.watchdog("online")
    assert heard(receiver) == ["WATCHDOG=1", "STATUS=online"]
    notifier.status("stalled: sampling")
    assert heard(receiver) == ["STATUS=stalled: sampling"]
    notifier.stopping("asked to")
    assert heard(receiver) == ["STOPPING=1", "STATUS=asked to"]


def test_a_status_cannot_add_an_assignment_nor_grow_without_bound(systemd):
    receiver, address = systemd
    Notifier({"NOTIFY_SOCKET": address}).status("stalled\nWATCHDOG=1\r\n" + "x" * 10_000)
    (line,) = heard(receiver)
    assert line.startswith("STATUS=stalled WATCHDOG=1 xxx")
    assert len(line) == len("STATUS=") + STATUS_LIMIT


def test_off_systemd_every_call_is_silent():
    for environ in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}, {"NOTIFY_SOCKET": "relative"}):
        notifier = Notifier(environ)
        notifier.ready("x")
        notifier.watchdog("x")
        assert notifier.watchdog_period is None


def test_what_could_not_be_said_is_said_with_the_next_but_no_stale_progress(tmp_path):
    address = tmp_path / "notify"
    notifier = Notifier({"NOTIFY_SOCKET": str(address)})
    notifier.ready("first")  # nobody listens yet
    notifier.watchdog("second")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(address))
        notifier.status("third")
        assert heard(receiver) == ["READY=1", "STATUS=third"]


def test_a_full_socket_neither_blocks_nor_raises(systemd):
    receiver, address = systemd
    notifier = Notifier({"NOTIFY_SOCKET": address})
    for _ in range(10_000):  # far past any net.unix.max_dgram_qlen
        notifier.watchdog("working")
    assert heard(receiver) == ["WATCHDOG=1", "STATUS=working"]


def test_the_watchdog_period_is_for_this_process_only():
    assert Notifier({"WATCHDOG_USEC": "30000000"}).watchdog_period == 30.0
    assert Notifier({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}).watchdog_period == 30.0
    assert Notifier({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}).watchdog_period is None
    for nonsense in ("", "0", "-5", "soon"):
        assert Notifier({"WATCHDOG_USEC": nonsense}).watchdog_period is None
