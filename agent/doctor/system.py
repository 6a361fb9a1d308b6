"""Facts of the machine from /proc, /sys and /run. Each function reads what it needs below the root it is given, and answers
`None` or nothing where the machine does not say. Judges nothing.
"""

import contextlib
import ctypes
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from agent.doctor.facts import Clock, Disk, Journal, Listener, Port, Power, Secret

MOST_FILES = 10_000  # looked at of a journal
UNSYNCHRONISED = 5  # TIME_ERROR, adjtimex(2)
TIMEX_BYTES = 256  # struct timex has 208 on 64-bit Linux
# Bits of get_throttled (raspberrypi.com, vcgencmd get_throttled): now, and since the start 16 bits higher.
THROTTLED = {0: "undervoltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
LISTEN, UNCONNECTED = "0A", "07"  # states in /proc/net/tcp and udp: TCP_LISTEN; TCP_CLOSE, which a UDP server has
UNSTABLE = ("ttyUSB", "ttyACM")  # numbered in the order in which they came up


def clock(source: str, root: Path = Path("/")) -> Clock:
    now = time.time()
    synced = None
    with contextlib.suppress(OSError):
        synced = now - (root / "run/systemd/timesync/synchronized").stat().st_mtime
    return Clock(now, source, synchronised(), synced, _number(root / "sys/class/rtc/rtc0/since_epoch"))


def synchronised() -> bool | None:
    """The kernel's own word, whoever disciplines it; asks only (modes = 0)."""
    try:
        return bool(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)) != UNSYNCHRONISED)
    except (OSError, AttributeError):
        return None


def disk(state: Path, buffer: Path, limit: int) -> Disk:
    """Of the file system that keeps the state; the nearest folder above where it is not made yet."""
    there = next(folder for folder in (state, *state.absolute().parents) if folder.exists())
    found = os.statvfs(there)
    grown = sum(one.stat().st_size for one in buffer.parent.glob(buffer.name + "*")) if buffer.parent.exists() else 0
    wanted = max(0, limit - grown)
    writable = not found.f_flag & os.ST_RDONLY
    return Disk(
        found.f_bavail * found.f_frsize,
        found.f_blocks * found.f_frsize,
        found.f_favail,
        found.f_files,
        wanted,
        writable,
    )


def power(root: Path = Path("/")) -> Power:
    """What a Raspberry Pi's firmware or a board's supply monitor say."""
    now: list[str] = []
    before: list[str] = []
    known = False
    for file in (root / "sys/devices/platform").glob("**/get_throttled"):
        word = _number(file, 16)
        if word is not None:
            known = True
            now += [name for bit, name in THROTTLED.items() if int(word) >> bit & 1]
            before += [name for bit, name in THROTTLED.items() if int(word) >> (bit + 16) & 1]
    for file in (root / "sys/class/hwmon").glob("hwmon*/in*_lcrit_alarm"):
        known = True
        now += ["undervoltage"] if _number(file) else []
    heat = _number(root / "sys/class/thermal/thermal_zone0/temp")
    return Power(tuple(dict.fromkeys(now)) if known else None, tuple(before), None if heat is None else heat / 1000)


def holders(root: Path = Path("/")) -> dict[str, list[tuple[int, str]]]:
    """Which processes have which files and sockets open; of others' processes only root is told."""
    found: dict[str, list[tuple[int, str]]] = {}
    for process in (root / "proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            name = (process / "comm").read_text().strip()
            for handle in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    who = (int(process.name), name)
                    target = str(handle.readlink())
                    if who not in found.setdefault(target, []):
                        found[target].append(who)
    return found


def port(path: Path, held: Mapping[str, Sequence[tuple[int, str]]], agent: int = 0) -> Port:
    who = tuple(_named(*one, agent) for one in held.get(os.path.realpath(path), ()))
    stable = not path.name.startswith(UNSTABLE)
    return Port(str(path), path.exists(), os.access(path, os.R_OK | os.W_OK), who, stable)


def secret(path: Path, *, wanted: bool = True) -> Secret:
    try:
        found = path.stat()
    except OSError:
        return Secret(str(path), None, wanted=wanted)
    return Secret(str(path), found.st_mode & 0o777, found.st_uid, wanted)


def listeners(
    held: Mapping[str, Sequence[tuple[int, str]]], agent: int = 0, root: Path = Path("/")
) -> Iterator[Listener]:
    """Every TCP listener and unconnected UDP socket (proc_pid_net(5))."""
    for protocol, state in (("tcp", LISTEN), ("tcp6", LISTEN), ("udp", UNCONNECTED), ("udp6", UNCONNECTED)):
        with contextlib.suppress(OSError):
            for line in (root / "proc/net" / protocol).read_text().splitlines()[1:]:
                words = line.split()
                if len(words) > 9 and words[3] == state:
                    who = held.get(f"socket:[{words[9]}]", ())
                    address, _, number = words[1].partition(":")
                    name = ", ".join(_named(*one, agent) for one in who)
                    ours = any(pid == agent for pid, _ in who)
                    yield Listener(protocol[:3], address_of(address), int(number, 16), name, ours)


def address_of(digits: str) -> str:
    """Words of 32 bits, each in the machine's byte order; little-endian on all that we run on."""
    import ipaddress

    raw = bytes.fromhex(digits)
    turned = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    return str(ipaddress.ip_address(turned))


def swaps(root: Path = Path("/")) -> list[str]:
    """On the card; zram is memory."""
    try:
        lines = (root / "proc/swaps").read_text().splitlines()[1:]
    except OSError:
        return []
    return [name for line in lines if line.strip() and "zram" not in (name := line.split()[0])]


def journal(root: Path = Path("/")) -> Journal:
    folder = root / "var/log/journal"
    size = 0
    with contextlib.suppress(OSError):
        for _, file in zip(range(MOST_FILES), folder.rglob("*.journal"), strict=False):
            size += file.stat().st_size
    return Journal(folder.is_dir(), size)


def _named(pid: int, name: str, agent: int) -> str:
    return f"{'fengsui' if pid == agent else name} ({pid})"


def _number(file: Path, base: int = 10) -> float | None:
    try:
        return float(int(file.read_text().strip(), base))
    except (OSError, ValueError):
        return None
