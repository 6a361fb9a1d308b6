"""The machine a bundle is for, and which wheels a release needs there. Asks no index: it reads what lies in a folder.

A resolver on the builder's machine judges markers by the builder's Python (pip does so even with --python-version); here they
are judged by the target's.
"""

import email
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from protocols.errors import LocalError

ARCHITECTURES = ("aarch64", "x86_64", "loongarch64", "riscv64")  # of 64 bits, with glibc
GLIBC = ("2014", "_2_17", "_2_28")  # manylinux tags (PEP 599, PEP 600); 2.28 is Debian 10's, and everything after


class Target(NamedTuple):
    """`python` as in `3.11`."""

    arch: str
    python: str

    @classmethod
    def parse(cls, arch: str, python: str) -> "Target":
        """`python` as people write it: 311 or 3.11."""
        digits = python.replace(".", "", 1)
        if arch not in ARCHITECTURES:
            raise LocalError("bundle-target", f"{arch}: known are {', '.join(ARCHITECTURES)}")
        if not (digits.isascii() and digits.isdigit() and digits[0] == "3" and 311 <= int(digits) < 400):
            raise LocalError("bundle-target", f"Python {python}: 3.11 or newer is needed, written 311 or 3.11")
        return cls(arch, f"3.{int(digits[1:])}")

    @property
    def platforms(self) -> tuple[str, ...]:
        return tuple(f"manylinux{version}_{self.arch}" for version in GLIBC)

    @property
    def environment(self) -> dict[str, str]:
        """What markers ask (PEP 508)."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": self.arch,
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
        }


class Wheel(NamedTuple):
    file: Path
    name: str
    version: str
    requires: tuple[Requirement, ...]
    unpacked: int  # bytes


class Closure(NamedTuple):
    """What is needed of what is there, and what is needed and is not."""

    wheels: tuple[Wheel, ...]
    missing: tuple[Requirement, ...]


def read_wheel(file: Path) -> Wheel:
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA") and name.count("/") == 1]
        facts = email.message_from_bytes(archive.read(names[0]))
        unpacked = sum(info.file_size for info in archive.infolist())
    requires = tuple(Requirement(text) for text in facts.get_all("Requires-Dist", []))
    return Wheel(file, canonicalize_name(facts["Name"]), facts["Version"], requires, unpacked)


def closure(wheels: Mapping[str, Wheel], root: str, extras: frozenset[str], target: Target) -> Closure:
    """From `root` with its extras through everything that it needs on the target."""
    seen: set[tuple[str, str]] = set()
    missing: dict[str, Requirement] = {}
    waiting = [(root, extra) for extra in ("", *extras)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for one in wheels[name].requires:
            if one.marker is not None and not one.marker.evaluate({**target.environment, "extra": extra}):
                continue
            found = wheels.get(canonicalize_name(one.name))
            if found is None or not one.specifier.contains(found.version, prereleases=True):
                missing[str(one)] = one
            else:
                waiting += [(found.name, more) for more in ("", *one.extras)]
    names = sorted({name for name, _ in seen})
    return Closure(tuple(wheels[name] for name in names), tuple(missing.values()))
