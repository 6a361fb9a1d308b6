"""Bundles of a stand-in project, the machine they are installed on, and a systemd that is a shell script.

The installer, pip and the folders are the real ones; only what would start a service is played. Everything runs where no
network is: in a namespace of its own, or, where that is not allowed, behind a proxy that nobody answers, and the reason is
printed.
"""

import ensurepip
import os
import platform
import stat
import subprocess
import sys
import warnings
import zipfile
from functools import cache
from pathlib import Path

from agent.release.build import assemble, digest
from agent.release.target import Target, read_wheel
from tests.support.tree import ROOT

HERE = Target(platform.machine(), "{}.{}".format(*sys.version_info[:2]))
DEAD = "http://127.0.0.1:9"  # discard (RFC 863): nobody listens
PIP = (
    Path(ensurepip.__file__).parent / "_bundled",
    Path("/usr/share/python-wheels"),
)  # where Python and Debian keep it
MADE = 1_790_000_000
MAIN = """
import sys
def main():
    word = sys.argv[1]
    if word == "--version":
        print({version!r})
    return {codes!r}.get(word, 0)
"""
FOREIGN = ("argparse", "pip", "struct", "subprocess", "zipfile")  # what an installer imports, by somebody else
SYSTEMCTL = """#!/bin/sh
echo "$*" >>"$0.log"
case $1 in
start) exec sh "{base}/trial/system/settle.sh" ;;
restart)
    while [ -e "$0.hangs" ]; do sleep 0.02; done
    exec "{base}/current/bin/fengsui" run ;;
show) echo 4711 ;;
is-enabled) test ! -e "$0.off" ;;
esac
"""


@cache
def no_network() -> tuple[str, ...]:
    """How to start a program that has no network."""
    prefix = ("unshare", "--map-root-user", "--net")
    probe = subprocess.run([*prefix, "true"], check=False, capture_output=True, text=True)
    if probe.returncode == 0:
        return prefix
    warnings.warn(f"no network namespace ({probe.stderr.strip()}): a dead proxy instead", stacklevel=2)
    return ("env", f"http_proxy={DEAD}", f"https_proxy={DEAD}", f"PIP_INDEX_URL={DEAD}/simple")


def wheel(folder: Path, version: str, codes: dict[str, int], ballast: bytes = b"") -> Path:
    """The stand-in: a command that says its version and ends with what it is told to."""
    file, info = folder / f"fengsui-{version}-py3-none-any.whl", f"fengsui-{version}.dist-info"
    files = {
        "standin.py": MAIN.format(version=version, codes=codes),
        "standin.bin": ballast,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: fengsui\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nfengsui = standin:main\n",
    }
    record = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(name, content)
    return file


def bundle(folder: Path, version, key, *, target=HERE, ballast=b"", **codes: int) -> Path:
    """`codes`: exit codes of the stand-in's verbs, as in `run=1`."""
    folder.mkdir(parents=True, exist_ok=True)
    pip = next(file for place in PIP for file in place.glob("pip-*.whl"))
    wheels = [read_wheel(wheel(folder, version, codes, ballast))]
    made = assemble(ROOT, wheels, pip, target, key, folder, MADE)
    return made.rename(folder / f"{version}.tar")


class Machine:
    """A root of its own, with a configuration and a state that nobody may touch."""

    def __init__(self, root: Path) -> None:
        self.root, self.base, self.tools = root, root / "opt/fengsui", root / "tools"
        self.stick = root.with_name("stick")
        for name, text in {"etc/fengsui/station.toml": "[station]", "var/lib/fengsui/buffer.db": "readings"}.items():
            (root / name).parent.mkdir(parents=True)
            (root / name).write_text(text)
        self.tools.mkdir()
        self.stick.mkdir()
        for name in FOREIGN:
            (self.stick / f"{name}.py").write_text("raise SystemExit('code of the folder that it was called from')\n")
        for name in ("systemd-sysusers", "systemd-tmpfiles", "udevadm", "sync"):
            self._tool(name, "#!/bin/sh\n")
        self._tool("systemctl", SYSTEMCTL.format(base=self.base))
        self.environment = {
            **os.environ,
            "FENGSUI_TOOLS": str(self.tools),
            "FENGSUI_QUESTIONS": "1",
            "FENGSUI_STEADY": "0",
            "FENGSUI_KEEP": "2",
            "LC_ALL": "C.UTF-8",
        }

    def _tool(self, name: str, text: str) -> None:
        (self.tools / name).write_text(text)
        (self.tools / name).chmod(0o755)

    @property
    def hangs(self) -> Path:
        """While this is there, a restart does not end."""
        return self.tools / "systemctl.hangs"

    @property
    def off(self) -> Path:
        """While this is there, the service is not enabled."""
        return self.tools / "systemctl.off"

    def calls(self) -> list[str]:
        log = self.tools / "systemctl.log"
        return log.read_text().splitlines() if log.exists() else []

    def begin(self, *command: object, cwd: Path = ROOT) -> subprocess.Popen[str]:
        words = [*no_network(), *map(str, command), "--root", str(self.root)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, "text": True}
        return subprocess.Popen(words, env=self.environment, cwd=cwd, start_new_session=True, **pipes)

    def run(self, *command: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        process = self.begin(*command, cwd=cwd)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def install(self, file: Path, *options: object) -> subprocess.CompletedProcess[str]:
        """As a technician does it: unpacked by tar, `sh install.sh`, from a stick with other files on it."""
        return self.run("sh", unpacked(file) / "install.sh", *options, cwd=self.stick)

    def update(self, file: Path, *options: object) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "agent.cli", "update", file, *options)

    def settle(self) -> int:
        """What the unit does at the next boot."""
        program = self.base / "trial/system/settle.sh"
        return subprocess.run(["sh", program], env=self.environment, check=False).returncode

    def in_force(self) -> str:
        """By its own word."""
        done = subprocess.run(
            [self.base / "current/bin/fengsui", "--version"], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def releases(self) -> list[str]:
        return sorted(path.name.partition("-")[0] for path in (self.base / "releases").iterdir())

    def untouched(self) -> dict[str, tuple[str, int]]:
        """What belongs to the station and not to its release."""
        files = [path for part in ("etc/fengsui", "var/lib/fengsui") for path in (self.root / part).rglob("*")]
        return {str(one): (digest(one), stat.S_IMODE(one.stat().st_mode)) for one in files if one.is_file()}


def unpacked(file: Path) -> Path:
    folder = file.with_suffix("")
    if not folder.exists():
        folder.mkdir()
        subprocess.run(["tar", "-C", folder, "--strip-components=1", "-xf", file], check=True)
    return folder
