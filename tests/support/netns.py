"""A real network path of our own making: a namespace behind a userspace link with delay, loss, rate and black-outs.

Two TUN devices, one in this namespace and one in the far one, and a small process that carries packets between them. What
TCP does then (retransmission, back-off, TCP_USER_TIMEOUT) is the kernel's, not a proxy's. Needs root and /dev/net/tun;
`require()` skips with the reason where that is missing.

    with Path(delay=0.05, loss=0.02) as path:                      # 100 ms round trip, 2 % lost each way
        broker = Broker(tmp, host=path.far, prefix=path.prefix)     # runs at the far end
        path.set(black_hole=True)
"""

import fcntl
import heapq
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time
from types import TracebackType
from typing import Any, Self

import pytest

_TUNSETIFF = 0x400454CA  # linux/if_tun.h
_IFF_TUN_NO_PI = 0x1001
_CLONE_NEWNET = 0x40000000


def missing() -> str | None:
    """Why a path cannot be made here, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "/dev/net/tun is not there"
    probe = subprocess.run(["ip", "netns", "list"], check=False, capture_output=True)
    return None if probe.returncode == 0 else "ip netns does not work here"


def require() -> None:
    if reason := missing():
        print(reason)  # noqa: T201 - a skipped fault must be seen in the output
        pytest.skip(reason)


class Path:
    """`delay` seconds and `loss` share each way; `rate` bytes per second each way, with a queue of `queue` bytes."""

    def __init__(self, *, delay: float = 0.0, loss: float = 0.0, rate: float = 0.0, queue: int = 1 << 20) -> None:
        tag = os.getpid() % 10_000
        number = _next_number()
        self.name = f"fs{tag}x{number}"
        self.near, self.far = f"10.{201 + number % 50}.{tag % 250}.1", f"10.{201 + number % 50}.{tag % 250}.2"
        self.prefix = ("ip", "netns", "exec", self.name)
        self._settings: dict[str, Any] = {
            "delay": delay,
            "loss": loss,
            "rate": rate,
            "queue": queue,
            "black_hole": False,
        }
        self._relay: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def __enter__(self) -> Self:
        _ip("netns", "add", self.name)
        try:
            self._open()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def set(self, **settings: Any) -> None:
        assert self._control is not None
        self._settings.update(settings)
        self._control.send(json.dumps(self._settings).encode())
        self._control.recv(16)  # it is in force when it answers

    def _open(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, __file__, self.name, self.near, self.far, str(theirs.fileno())]
        self._relay = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        theirs.close()
        self.set()

    def _close(self) -> None:
        if self._control is not None:
            self._control.close()  # the relay ends when this does
        if self._relay is not None:
            self._relay.wait(10)
        _ip("netns", "del", self.name)


_numbers = iter(range(10_000))


def _next_number() -> int:
    return next(_numbers)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


# What follows runs in the relay's own process.


def _tun(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH14x", name.encode(), _IFF_TUN_NO_PI))
    return device


def _up(name: str, address: str, peer: str) -> None:
    _ip("addr", "add", address, "peer", peer, "dev", name)
    _ip("link", "set", name, "up", "mtu", "1500", "txqueuelen", "10000")


def _far_tun(namespace: str, address: str, peer: str) -> int:
    import ctypes

    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.setns(there, _CLONE_NEWNET) == 0
    device = _tun("far0")
    _up("far0", address, peer)
    _ip("link", "set", "lo", "up")
    assert libc.setns(home, _CLONE_NEWNET) == 0
    return device


class _Way:
    """One direction: when each packet leaves, or whether it is lost."""

    def __init__(self, source: int, sink: int, seed: int) -> None:
        self.source, self.sink = source, sink
        self.waiting: list[tuple[float, int, bytes]] = []
        self._random = random.Random(seed)
        self._free = 0.0
        self._count = 0

    def take(self, settings: dict[str, Any], now: float) -> None:
        while True:
            try:
                packet = os.read(self.source, 65536)
            except BlockingIOError:
                return
            if not settings["black_hole"] and self._random.random() >= settings["loss"]:
                self._queue(packet, settings, now)

    def _queue(self, packet: bytes, settings: dict[str, Any], now: float) -> None:
        leaves = now
        if rate := settings["rate"]:
            start = max(now, self._free)
            if (start - now) * rate > settings["queue"]:
                return
            leaves = self._free = start + len(packet) / rate
        self._count += 1
        heapq.heappush(self.waiting, (leaves + settings["delay"], self._count, packet))

    def give(self, now: float) -> None:
        while self.waiting and self.waiting[0][0] <= now:
            try:
                os.write(self.sink, heapq.heappop(self.waiting)[2])
            except OSError:
                return


def _relay(near: int, far: int, control: socket.socket) -> None:
    ways = (_Way(near, far, 1), _Way(far, near, 2))
    settings: dict[str, Any] = {}
    while True:
        due = [way.waiting[0][0] for way in ways if way.waiting]
        pause = max(0.0, min(due) - time.monotonic()) if due else 10.0
        readable, _, _ = select.select([near, far, control.fileno()], [], [], pause)
        if control.fileno() in readable:
            if not (message := control.recv(65536)):
                return
            settings = json.loads(message)
            control.send(b"ok")
        for way in ways:
            if way.source in readable:
                way.take(settings, time.monotonic())
            way.give(time.monotonic())


def _main(namespace: str, near: str, far: str, control: str) -> None:
    name = f"{namespace}n"
    device = _tun(name)
    _up(name, near, far)
    other = _far_tun(namespace, far, near)
    _relay(device, other, socket.socket(fileno=int(control)))


if __name__ == "__main__":
    _main(*sys.argv[1:])
