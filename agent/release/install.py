"""Takes a bundle on a station that has a release already: proves it by that release's own code and keys, unpacks it, and hands
over to its `install.sh`, which is what a first installation runs, too.
"""

import fcntl
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from agent.release.archive import PROGRAM, unpack
from agent.release.manifest import read_public
from protocols.errors import LocalError

BASE = "opt/fengsui"  # below the root of the machine
INCOMING, LOCK = "incoming-", ".update"
MOST_KEYS = 16  # whose bundles a station takes


def trusted(root: Path) -> list[bytes]:
    """The keys that were proven by hand: at the first installation, and those put beside it since."""
    files = sorted((root / BASE / "keys").glob("*.pub"))[:MOST_KEYS]
    return [read_public(file) for file in files]


def update(bundle: Path, keys: Sequence[bytes], root: Path, options: Sequence[str], *, unsigned: bool) -> int:
    """The exit code of install.sh. LocalError: the bundle was refused, and nothing has changed."""
    with bundle.open("rb") as stream, _alone(root / BASE), _incoming(root / BASE, bundle.stat().st_size) as folder:
        unpack(stream, folder, keys, unsigned=unsigned)
        return subprocess.run(["sh", folder / PROGRAM, "--verified", *options], check=False).returncode


@contextmanager
def _alone(base: Path) -> Iterator[None]:
    base.mkdir(parents=True, exist_ok=True)
    with (base / LOCK).open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalError("bundle-busy", "another update is under way") from None
        yield


@contextmanager
def _incoming(base: Path, size: int) -> Iterator[Path]:
    """A folder on the disk of the releases: /tmp may be memory. One left by a killed update goes first."""
    for left in base.glob(f"{INCOMING}*"):
        shutil.rmtree(left, ignore_errors=True)
    if shutil.disk_usage(base).free < size:
        raise LocalError("bundle-space", f"{size >> 10} KiB are needed on the disk of {base}")
    with tempfile.TemporaryDirectory(prefix=INCOMING, dir=base) as name:
        yield Path(name)
