"""Makes a bundle in the office: wheels by pip, everything else from the source tree, one tar that is signed or says it is not.

The one part of releases that needs a package index. `requirements.lock` says which version, pip fetches the wheel, and its
digest goes into the list that a station installs by.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.keys import public_of
from agent.release import archive
from agent.release.manifest import PUBLIC, SIGNATURE, SUMS, public_pem, sign, write
from agent.release.target import Closure, Target, Wheel, closure, read_wheel
from protocols.errors import LocalError

PROJECT = "fengsui"
EXTRAS = ("gpio", "modemmanager", "sm")  # what a station may need beyond the usual
LAYERS = ("agent", "buffer", "drivers", "protocols")
GUIDES = ("operator/*.md", "install*.md", "site*.md", "bench*.md", "bearers*.md")  # each in both languages
LOCK = "requirements.lock"
ROUNDS = 4  # of asking for what the target needs and the builder's machine does not
SPARE_KIB = 16 << 10  # of a release's folder beyond its wheels: links, scripts, documents
COMPILED = 2  # unpacked bytes → bytes with byte code; measured: 1.7


class Built(NamedTuple):
    file: Path
    wheels: int
    left_out: tuple[str, ...]  # extras without wheels for the target


def build(source: Path, target: Target, key: Ed25519PrivateKey | None, out: Path, made: int) -> Built:
    """LocalError: what is missing, in pip's own words where they are pip's."""
    if not (source / "pyproject.toml").is_file() or not (source / "systemd").is_dir():
        raise LocalError("bundle-source", f"{source} is not a source tree of this project")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = own_wheel(source, folder)
        fetched, left_out = _fetch_all(own, source / LOCK, target, folder / "wheels")
        needed = _complete(own, source / LOCK, target, folder / "wheels", fetched)
        pip = next((folder / "wheels").glob("pip-*.whl"))
        file = assemble(source, needed.wheels, pip, target, key, out, made)
    return Built(file, len(needed.wheels), left_out)


def own_wheel(source: Path, folder: Path) -> Path:
    """From a copy: a build leaves its traces beside the source."""
    copy = folder / "source"
    copy.mkdir()
    for layer in LAYERS:
        shutil.copytree(source / layer, copy / layer, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(source / name, copy)
    _pip("wheel", "--no-deps", "--wheel-dir", str(folder / "own"), str(copy))
    return next((folder / "own").glob("*.whl"))


def _fetch_all(own: Path, lock: Path, target: Target, wheels: Path) -> tuple[frozenset[str], tuple[str, ...]]:
    """With every extra at once; where that fails, with those that can be had. → (extras, extras left out)"""
    try:
        fetch([f"{own}[{','.join(EXTRAS)}]", "pip"], lock, target, wheels)
    except LocalError:
        fetch([str(own), "pip"], lock, target, wheels)
        had = [extra for extra in EXTRAS if _fetched(f"{own}[{extra}]", lock, target, wheels)]
        return frozenset(had), tuple(extra for extra in EXTRAS if extra not in had)
    return frozenset(EXTRAS), ()


def _fetched(wanted: str, lock: Path, target: Target, wheels: Path) -> bool:
    try:
        fetch([wanted], lock, target, wheels)
    except LocalError:
        return False
    return True


def _complete(own: Path, lock: Path, target: Target, wheels: Path, extras: frozenset[str]) -> Closure:
    """Fetch also what pip, judging by the builder's Python, did not see."""
    for _ in range(ROUNDS):
        had = {one.name: one for one in map(read_wheel, (own, *sorted(wheels.glob("*.whl"))))}
        found = closure(had, PROJECT, extras, target)
        if not found.missing:
            return found
        fetch([f"{one.name}{one.specifier}" for one in found.missing], lock, target, wheels)
    raise LocalError("bundle-closure", f"no wheel that satisfies {found.missing[0]}")


def fetch(wanted: Sequence[str], lock: Path, target: Target, wheels: Path) -> None:
    platforms = [word for name in target.platforms for word in ("--platform", name)]
    _pip(
        *("download", "--dest", str(wheels), "--only-binary=:all:", "--constraint", str(lock)),
        *("--implementation", "cp", "--python-version", target.python, *platforms, *wanted),
    )


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments, "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")] or done.stderr.splitlines()
        raise LocalError("bundle-pip", " ".join(told[:2]) or f"pip {arguments[0]} failed")


def assemble(
    source: Path,
    wheels: Sequence[Wheel],
    pip: Path,
    target: Target,
    key: Ed25519PrivateKey | None,
    out: Path,
    made: int,
) -> Path:
    """Everything into one file, in one step: a bundle is whole or is not there."""
    own = next(one for one in wheels if one.name == PROJECT)
    files = contents(source) | {f"wheels/{one.file.name}": one.file for one in wheels} | {f"wheels/{pip.name}": pip}
    data: dict[str, bytes | Path] = {**files, "requirements.txt": requirements(wheels)}
    need = COMPILED * sum(one.unpacked for one in wheels) // 1024 + SPARE_KIB
    facts = {"VERSION": own.version, "ARCH": target.arch, "PYTHON": target.python, "MADE": made, "NEED_KB": need}
    data["release"] = "".join(f"{name}={value}\n" for name, value in facts.items()).encode()
    manifest = write({name: digest(content) for name, content in data.items()})
    head = {SUMS: manifest, SIGNATURE: b"", PUBLIC: b""}
    if key is not None:
        head |= {SIGNATURE: sign(manifest, key), PUBLIC: public_pem(public_of(key))}
    folder = f"{PROJECT}-{own.version}-{target.arch}-py{target.python.replace('.', '')}"
    out.mkdir(parents=True, exist_ok=True)
    part, whole = out / f".{folder}.part", out / f"{folder}.tar"
    with part.open("wb") as stream:
        archive.pack(data, head, folder, made, stream)
    return part.rename(whole)


def contents(source: Path) -> dict[str, Path]:
    """What is neither wheel nor fact: the installer, what it puts in place, the guides in both languages."""
    system = [*(source / "systemd").glob("*"), *(source / "systemd/release").glob("*")]
    guides = [file for pattern in GUIDES for file in (source / "docs").glob(pattern)]
    found = {f"system/{file.name}": file for file in system if file.is_file() and file.name != archive.PROGRAM}
    found |= {str(file.relative_to(source)): file for file in guides}
    return found | {archive.PROGRAM: source / "systemd/release" / archive.PROGRAM}


def requirements(wheels: Sequence[Wheel]) -> bytes:
    """One line a wheel; pip takes none that has another digest."""
    return "".join(f"{one.name}=={one.version} --hash=sha256:{digest(one.file)}\n" for one in wheels).encode()


def digest(content: bytes | Path) -> str:
    return hashlib.sha256(content if isinstance(content, bytes) else content.read_bytes()).hexdigest()
