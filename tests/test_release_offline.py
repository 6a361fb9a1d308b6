"""The project itself, with all that it depends on: bundled, installed where no network is, asked whether it runs.

The one test that asks a package index; without one it is skipped and says so, except in the gate.
"""

import os
import shutil
import subprocess
import tarfile
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.keys import public_of
from agent.release.build import build
from agent.release.manifest import public_pem
from protocols.errors import LocalError
from tests.support.bundles import HERE, no_network, unpacked
from tests.support.tree import ROOT

pytestmark = [
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed"),
]
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
STATION = '[station]\nid = "s1"\nareas = ["330102001"]\n[[bus]]\nname = "field"\nurl = "tcp://127.0.0.1:5020"\n'


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("real")
    try:
        return build(ROOT, HERE, KEY, folder, int(time.time()))
    except LocalError as wrong:
        if wrong.reason == "bundle-pip" and os.environ.get("CI") != "true":
            pytest.skip(f"no package index answers: {wrong.detail}")
        raise


@pytest.fixture(scope="module")
def command(bundle, tmp_path_factory):
    """What a technician runs afterwards, with no network either."""
    root = tmp_path_factory.mktemp("pole")
    (root / "office.pub").write_bytes(public_pem(public_of(KEY)))
    install = ["sh", unpacked(bundle.file) / "install.sh", "--key", root / "office.pub", "--root", root]
    done = subprocess.run([*no_network(), *install], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [*no_network(), root / "usr/local/bin/fengsui"]


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd="/")


def test_it_says_its_version_and_finds_its_sentences(command):
    from agent import __version__

    assert run(*command, "--version").stdout.strip() == __version__
    assert "未启动任何程序" in run(*command, "--lang", "zh", "status", "--config", "/nowhere").stderr
    assert run(*command, "profile", "show", "sl651-level").returncode == 0


def test_it_checks_a_configuration(command, tmp_path):
    (tmp_path / "station.toml").write_text(STATION)
    good = run(*command, "check", "--config", tmp_path / "station.toml")
    assert good.returncode == 0, good.stderr
    (tmp_path / "station.toml").write_text(STATION + 'colour = "red"\n')
    assert run(*command, "check", "--config", tmp_path / "station.toml").returncode == 2


def test_every_extra_that_a_station_may_need_is_in_it(bundle, command):
    assert bundle.left_out == ()
    python = command[-1].resolve().with_name("python")
    done = run(*command[:-1], python, "-I", "-c", "import gpiod, gmalg, dbus_fast, iotcore, lxml.etree, aiocoap")
    assert done.returncode == 0, done.stderr


def test_both_guides_and_every_unit_are_in_it(bundle):
    with tarfile.open(bundle.file) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    guides = {
        f"docs/{name}" for name in ("operator/first-hour.md", "operator/first-hour.zh.md", "install.zh.md", "site.md")
    }
    units = {f"system/{file.name}" for file in (ROOT / "systemd").iterdir() if file.is_file()}
    assert guides | units <= names
