"""Serial ports of this machine by names that outlive a reboot, and who holds one. Opens none.

A maker's serial number names the adapter; where there is none, or one that whole batches share, the socket it is plugged
into names it (by-path). Otherwise two adapters would be told apart by which came up first.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NO_SERIAL = frozenset(
    {"", "0", "0000", "0001", "00000000", "0123456789ABCDEF"}
)  # factory defaults of CP210x and others
ON_BOARD = ("ttyAMA*", "ttyS*", "serial0")
_USB = ("ttyUSB*", "ttyACM*")


@dataclass(frozen=True, slots=True)
class Roots:
    """Where names and facts are looked for."""

    dev: Path = Path("/dev")
    sys: Path = Path("/sys/class/tty")
    proc: Path = Path("/proc")


@dataclass(frozen=True, slots=True)
class Port:
    """`path`: the stable name; `device`: what the kernel calls it today; `by`: id, path or name."""

    path: str
    device: str
    by: str
    product: str = ""


def ports(roots: Roots = Roots()) -> list[Port]:
    """All of them, one name each."""
    by_id, by_path = (_links(roots.dev / "serial" / folder) for folder in ("by-id", "by-path"))
    found: dict[str, Port] = {}
    for device in _devices(roots):
        serial, product = _usb(roots.sys / Path(device).name)
        if device in by_id and serial not in NO_SERIAL:
            found[device] = Port(by_id[device], device, "id", product)
        elif device in by_path:
            found[device] = Port(by_path[device], device, "path", product)
        else:
            found[device] = Port(device, device, "name", product)
    return list(found.values())


def _devices(roots: Roots) -> Iterator[str]:
    linked = {*_links(roots.dev / "serial" / "by-id"), *_links(roots.dev / "serial" / "by-path")}
    plain = {os.path.realpath(path) for pattern in _USB for path in roots.dev.glob(pattern)}
    # The kernel makes ttyS0 to ttyS3 whether or not there is hardware: only with a driver's device is one of type > 0.
    board = {
        os.path.realpath(path)
        for pattern in ON_BOARD
        for path in roots.dev.glob(pattern)
        if (roots.sys / Path(os.path.realpath(path)).name / "device").exists() and _is_hardware(roots.sys, path)
    }
    yield from sorted(linked | plain | board)


def _is_hardware(sys: Path, path: Path) -> bool:
    try:
        return (sys / Path(os.path.realpath(path)).name / "type").read_text().strip() != "0"
    except OSError:
        return True


def _links(folder: Path) -> dict[str, str]:
    """Device → its name here."""
    try:
        return {os.path.realpath(link): str(link) for link in sorted(folder.iterdir())}
    except OSError:
        return {}


def _usb(tty: Path) -> tuple[str, str]:
    """Serial number and product of the USB device above a port; empty where there is none."""
    device = Path(os.path.realpath(tty / "device"))
    for parent in (device, *device.parents[:6]):
        if (parent / "idVendor").is_file():
            return _fact(parent / "serial"), _fact(parent / "product")
    return "", ""


def _fact(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""


def holder(device: str, proc: Path = Path("/proc")) -> str:
    """`fengsui (123)`: the process that has the port open, as far as we may see; empty where nobody."""
    wanted = os.path.realpath(device)
    for folder in proc.glob("[0-9]*"):
        if folder.name == str(os.getpid()):
            continue
        try:
            if any(os.path.realpath(link) == wanted for link in (folder / "fd").iterdir()):
                return f"{_fact(folder / 'comm')} ({folder.name})"
        except OSError:  # another user's, or gone
            continue
    return ""
