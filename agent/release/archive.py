"""A bundle as one file: a plain tar, its list of sums and the signature first. Nothing of it is written to disk that the list
does not name, and the list counts for nothing before a trusted key has signed it.

Only plain files are known here: a link, a device or an extended header ends the reading. So no name leads out of the folder
and no header asks for memory; tarfile(5) is the format's description.
"""

import hashlib
import io
import tarfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from agent.release.manifest import MOST_FILES, PUBLIC, SIGNATURE, SUMS, judge, read
from protocols.errors import LocalError

BLOCK = 512  # bytes, of the format
CHUNK = 1 << 16  # bytes held at a time
LARGEST = 256 << 20  # bytes of a bundle; one with every extra has 20 MB
LARGEST_HEAD = 64 << 10  # bytes of the list; 400 names are some 50 KB
PROGRAM = "install.sh"


class Opened(NamedTuple):
    signed_by: str  # fingerprint; empty: nobody, and that was wanted
    sums: Mapping[str, str]


class Entry(NamedTuple):
    """One file; `chunks` are to be used up before the next entry is asked for."""

    name: str
    size: int
    chunks: Iterator[bytes]


def pack(files: Mapping[str, bytes | Path], head: Mapping[str, bytes], folder: str, made: int, out: BinaryIO) -> None:
    """`head` goes first; everything in one folder, so that whoever unpacks it by hand finds it again."""
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in (*head.items(), *sorted(files.items())):
            data = content if isinstance(content, bytes) else content.read_bytes()
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mode, entry.mtime = len(data), 0o755 if name == PROGRAM else 0o644, made
            tar.addfile(entry, io.BytesIO(data))


def unpack(stream: BinaryIO, folder: Path | None, trusted: Collection[bytes], *, unsigned: bool = False) -> Opened:
    """Check all of it, and write it to `folder` where one is given. LocalError says why it is not to be used; what was written
    until then is the caller's to throw away.
    """
    found = entries(stream)
    manifest, signature, public = (_head(found, name) for name in (SUMS, SIGNATURE, PUBLIC))
    signed_by = "" if unsigned else judge(manifest, signature, public, trusted)
    sums = read(manifest)
    missing = dict(sums)
    for entry in found:
        expected = missing.pop(_inside(entry.name), None)
        if expected is None:
            raise LocalError("bundle-entry", f"{entry.name!r:.80} does not belong in it")
        if _kept(entry, folder) != expected:
            raise LocalError("bundle-damaged", f"{_inside(entry.name)} is not what was listed")
    if missing:
        raise LocalError("bundle-cut", f"{min(missing)} is missing, and {len(missing) - 1} more")
    if folder is not None:
        for name, data in ((SUMS, manifest), (SIGNATURE, signature), (PUBLIC, public)):
            (folder / name).write_bytes(data)
    return Opened(signed_by, sums)


def entries(stream: BinaryIO) -> Iterator[Entry]:
    """The files of a tar, one after the other, whatever is in it."""
    name, read_bytes = "", 0
    for _ in range(2 * (MOST_FILES + 4)):  # a long name is an entry of its own
        block = _exactly(stream, BLOCK)
        if not block.strip(b"\0"):
            return
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        except (tarfile.HeaderError, ValueError) as wrong:
            raise LocalError("bundle-archive", str(wrong)) from None
        read_bytes += info.size
        if not 0 <= info.size <= read_bytes <= LARGEST:
            raise LocalError("bundle-size", f"more than {LARGEST} bytes")
        if info.type == tarfile.GNUTYPE_LONGNAME and info.size <= BLOCK:
            name = _exactly(stream, info.size).rstrip(b"\0").decode("ascii", "replace")
        elif info.isreg() and info.type != tarfile.GNUTYPE_SPARSE:
            yield Entry(name or info.name, info.size, _chunks(stream, info.size))
            name = ""
        else:
            raise LocalError("bundle-entry", f"{info.name!r:.80} is no plain file")
        _exactly(stream, -info.size % BLOCK)
    raise LocalError("bundle-size", f"more than {MOST_FILES} files")


def _head(found: Iterator[Entry], name: str) -> bytes:
    entry = next(found, None)
    if entry is None or _inside(entry.name) != name or entry.size > LARGEST_HEAD:
        raise LocalError("bundle-archive", f"it does not begin with {name}")
    return b"".join(entry.chunks)


def _inside(name: str) -> str:
    return name.partition("/")[2]


def _kept(entry: Entry, folder: Path | None) -> str:
    """Its digest; written on the way where there is a folder."""
    digest = hashlib.sha256()
    with _file(entry, folder) as file:
        for chunk in entry.chunks:
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _file(entry: Entry, folder: Path | None) -> BinaryIO:
    if folder is None:
        return Path("/dev/null").open("wb")
    file = folder / _inside(entry.name)
    file.parent.mkdir(parents=True, exist_ok=True)
    return file.open("xb")


def _chunks(stream: BinaryIO, size: int) -> Iterator[bytes]:
    while size:
        yield _exactly(stream, part := min(size, CHUNK))
        size -= part


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise LocalError("bundle-cut", "it ends in the middle")
    return data
