"""A release installed, updated, refused, rolled back and interrupted: always with no network, by the real installer.

One machine for all, since each installation takes seconds of processor time; what is in force when a test begins is whatever
the test before left there.
"""

import os
import re
import shutil
import signal
import subprocess
from collections import Counter

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.keys import public_of
from agent.release import build
from agent.release.manifest import PUBLIC, SIGNATURE, SUMS, public_pem
from agent.release.target import Target
from protocols.keyring import fingerprint
from tests.support.bundles import HERE, Machine, bundle, unpacked
from tests.support.tree import ROOT
from tests.support.until import until

pytestmark = [
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed"),
]
KEY, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
RULES = "etc/udev/rules.d/60-fengsui.rules"
SCRIPTS = ROOT / "systemd/release"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    (folder / "office.pub").write_bytes(public_pem(public_of(KEY)))
    (folder / "stranger.pub").write_bytes(public_pem(public_of(STRANGER)))
    return folder


@pytest.fixture(scope="module")
def good(folder):
    return bundle(folder, "1.0", KEY)


@pytest.fixture(scope="module")
def machine(folder, good, tmp_path_factory):
    machine = Machine(tmp_path_factory.mktemp("machine") / "root")
    (machine.root / RULES).parent.mkdir(parents=True)
    (machine.root / RULES).write_text("# mine\n")
    done = machine.install(good, "--key", folder / "office.pub")
    assert done.returncode == 0, done.stderr
    return machine


@pytest.fixture(autouse=True)
def configuration_and_state_are_nobodys(machine):
    before = machine.untouched()
    yield
    assert machine.untouched() == before


def test_a_first_installation_puts_everything_in_its_place(machine):
    assert machine.in_force() == "1.0"
    assert os.path.realpath(machine.root / "usr/local/bin/fengsui") == str(
        (machine.base / "current/bin/fengsui").resolve()
    )
    for name in ("fengsui.service", "fengsui-settle.service"):
        assert (machine.root / "etc/systemd/system" / name).read_bytes() == (ROOT / "systemd" / name).read_bytes()
    assert (machine.root / RULES).read_text() == "# mine\n"  # changed by hand before: the administrator's
    assert (machine.base / "current/docs/operator/first-hour.zh.md").exists()
    assert "enable --quiet fengsui.service" in machine.calls()
    assert not (machine.base / "trial").is_symlink()


def test_an_update_that_comes_up_is_in_force_and_old_ones_go(machine, folder):
    for version in ("1.1", "1.2"):
        before = machine.in_force()
        done = machine.update(bundle(folder, version, KEY))
        assert done.returncode == 0, done.stderr
        assert machine.in_force() == version
        assert (machine.base / "previous").resolve().name.startswith(before)
    assert machine.releases() == ["1.1", "1.2"]  # FENGSUI_KEEP


def test_an_update_that_does_not_come_up_leaves_what_was(machine, folder):
    before, mark = machine.in_force(), len(machine.calls())
    done = machine.update(bundle(folder, "1.3", KEY, status=3))  # it starts, and nobody answers
    assert done.returncode == 1
    assert "did not come up" in done.stderr
    assert machine.in_force() == before
    assert machine.calls()[mark:].count("restart fengsui.service") == 2  # the new one, and the old one again
    assert not (machine.base / "trial").is_symlink()
    release = next(machine.base.glob("releases/1.3-*"))
    program = next(release.glob("lib/*/site-packages/standin.py"))
    program.write_text(program.read_text().replace("'status': 3", "'run': 1"))  # it does not start
    (machine.base / "trial").symlink_to(f"releases/{release.name}")
    assert machine.settle() == 1
    assert machine.in_force() == before


def test_a_release_that_was_laid_by_hand_is_gone_back_to(machine):
    before, parts = machine.in_force(), (machine.base / "current").resolve() / "system"
    failing = next(release for release in machine.base.glob("releases/*") if (release / ".failed").exists())
    (failing / ".attempts").unlink()
    (machine.base / "trial").symlink_to(f"releases/{failing.name}")
    parts.rename(parts.with_name("elsewhere"))
    assert machine.settle() == 1
    parts.with_name("elsewhere").rename(parts)
    assert machine.in_force() == before


def test_a_disk_that_takes_no_unit_back_does_not_keep_the_failing_release(machine):
    before, parts = machine.in_force(), (machine.base / "current").resolve() / "system/fengsui.sysusers"
    failing = next(release for release in machine.base.glob("releases/*") if (release / ".failed").exists())
    (failing / ".attempts").unlink()
    (machine.base / "trial").symlink_to(f"releases/{failing.name}")
    whole, in_the_way = parts.read_bytes(), machine.root / "etc/sysusers.d/fengsui.conf.new"
    parts.write_bytes(whole + b"# older\n")
    in_the_way.mkdir()
    assert machine.settle() == 1
    assert in_the_way.exists()  # the unit could not be put back
    parts.write_bytes(whole)
    shutil.rmtree(in_the_way)
    assert machine.in_force() == before


def test_an_agent_that_was_switched_off_is_not_started(machine):
    before = (machine.base / "current").readlink()
    machine.off.touch()
    for release in ((machine.base / "previous").readlink(), before):
        mark = len(machine.calls())
        (machine.base / "trial").symlink_to(release)
        assert machine.settle() == 0
        assert (machine.base / "current").readlink() == release
        assert "restart fengsui.service" not in machine.calls()[mark:]
    machine.off.unlink()


def test_what_does_not_take_the_configuration_is_never_started(machine, folder):
    before, mark = machine.in_force(), len(machine.calls())
    done = machine.update(bundle(folder, "1.5", KEY, check=2))
    assert done.returncode == 1
    assert "does not accept" in done.stderr
    assert machine.in_force() == before
    assert machine.calls()[mark:] == []
    assert "1.5" not in machine.releases()


def test_an_older_one_only_when_it_is_asked_for(machine, folder, monkeypatch):
    monkeypatch.setattr(build, "SPARE_KIB", 1 << 40)
    older, before = bundle(folder, "1.0rc1", KEY), machine.in_force()
    done = machine.update(older)
    assert done.returncode == 1
    assert f"1.0rc1 is older than {before}" in done.stderr
    done = machine.update(older, "--allow-downgrade")
    assert "KiB are needed" in done.stderr  # its age is no reason now, but another is
    assert machine.in_force() == before


def test_killed_while_it_is_laid_it_begins_anew(machine, folder):
    before, file = machine.in_force(), bundle(folder, "2.1", KEY)
    process = machine.begin("sh", unpacked(file) / "install.sh", "--key", folder / "office.pub")
    _wait(lambda: list(machine.base.glob("releases/2.1-*/pyvenv.cfg")))
    _kill(process)
    assert machine.in_force() == before
    (left,) = machine.base.glob("releases/*/.laying")
    left.parent.rename(left.parent.with_name("2.0-killed"))  # another bundle comes: what was left goes all the same
    assert machine.install(file, "--key", folder / "office.pub").returncode == 0
    assert machine.in_force() == "2.1"
    assert not {"2.0"} & set(machine.releases())


def test_killed_on_trial_the_next_boot_decides_and_does_not_try_for_ever(machine, folder):
    before = machine.in_force()
    machine.hangs.touch()
    process = machine.begin("sh", unpacked(bundle(folder, "2.2", KEY)) / "install.sh", "--key", folder / "office.pub")
    _wait(lambda: (machine.base / "current").readlink().name.startswith("2.2"))
    _kill(process)
    machine.hangs.unlink()
    trial = (machine.base / "trial").resolve()
    assert trial.name.startswith("2.2")
    (trial / ".attempts").write_text("begun\nbegun\n")  # it took the machine down with it twice
    assert machine.settle() == 1
    assert machine.in_force() == before
    (machine.base / "trial").symlink_to(f"releases/{trial.name}")
    (trial / ".attempts").unlink()
    assert machine.settle() == 0
    assert machine.in_force() == "2.2"


def test_a_full_disk_leaves_what_was(machine, folder, monkeypatch):
    monkeypatch.setattr(build, "SPARE_KIB", 0)
    monkeypatch.setattr(build, "COMPILED", 0)  # a release that knows nothing of its size
    file, before = bundle(folder, "3.0", KEY, ballast=os.urandom(12 << 20)), machine.in_force()
    small, base = folder / "small", machine.base
    small.mkdir()
    script = f"""mount -t tmpfs -o size=32m none {small} && cp -a {base}/. {small} && mount --bind {small} {base} || exit 77
        head -c 12m /dev/zero >{base}/full
        sh {unpacked(file)}/install.sh --unsigned --root {machine.root}
        echo $?; {base}/current/bin/fengsui --version; ls -d {base}/releases/3.0* {base}/trial"""
    command = ["unshare", "--map-root-user", "--net", "--mount", "sh", "-c", script]
    done = subprocess.run(command, env=machine.environment, capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip(f"no file system of one's own here: {done.stderr}")
    assert done.stdout.split() == ["1", before], done.stderr
    assert "No space left" in done.stderr


@pytest.mark.parametrize(
    ("target", "found"),
    [(Target("riscv64", HERE.python), "riscv64"), (Target(HERE.arch, "3.99"), "3.99")],
    ids=["processor", "python"],
)
def test_another_machines_bundle_is_named(machine, folder, target, found):
    before = machine.in_force()
    done = machine.update(bundle(folder, "9.1", KEY, target=target))
    assert done.returncode == 1
    assert found in done.stderr
    assert f"this machine has {HERE.arch}-{HERE.python}" in done.stderr
    assert machine.in_force() == before


def _flipped(folder, place):
    data = bytearray((folder / place).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / place).write_bytes(data)


def _own_sums(folder):
    """Whoever changes a file can change its sum, too."""
    (folder / "requirements.txt").write_text("")
    lines = (folder / SUMS).read_text().splitlines()
    empty = build.digest(b"")
    (folder / SUMS).write_text(
        "\n".join(empty + line[64:] if "requirements" in line else line for line in lines) + "\n"
    )


def _stripped(folder):
    for name in (SIGNATURE, PUBLIC):
        (folder / name).write_bytes(b"")


TAMPERED = {
    "wheel": (lambda folder: _flipped(folder, next(folder.glob("wheels/fengsui*")).relative_to(folder)), "damaged"),
    "installer": (lambda folder: _flipped(folder, "system/settle.sh"), "damaged"),
    "sums": (_own_sums, "signature"),
    "signature": (lambda folder: _flipped(folder, SIGNATURE), "signature"),
    "unsigned": (_stripped, "not signed"),
    "half": (lambda folder: (folder / "release").unlink(), "damaged"),
}


@pytest.mark.parametrize(("change", "says"), TAMPERED.values(), ids=TAMPERED)
def test_a_first_installation_refuses_what_was_touched(machine, folder, good, tmp_path, change, says):
    shutil.copytree(unpacked(good), tmp_path / "bundle")
    change(tmp_path / "bundle")
    done = machine.run("sh", tmp_path / "bundle/install.sh", "--key", folder / "office.pub")
    assert done.returncode == 1
    assert says in done.stderr


@pytest.mark.parametrize(
    ("proof", "code"),
    [
        (["--fingerprint", fingerprint(public_of(KEY)).upper()], 0),
        (["--fingerprint", fingerprint(public_of(STRANGER))], 1),
        (["--key", "stranger.pub"], 1),
        ([], 1),
        (["--key"], 2),
        (["--surprise"], 2),
    ],
    ids=["fingerprint", "another fingerprint", "another key", "nothing", "no file", "no such option"],
)
def test_who_made_it_is_proven_by_what_did_not_come_with_it(machine, folder, proof, code):
    """The release in force is named again: what is proven says so and ends."""
    file = bundle(folder, machine.in_force(), KEY)
    unpacked(file)
    options = [folder / word if word.endswith(".pub") else word for word in proof]
    assert machine.install(file, *options).returncode == code


def test_a_key_of_another_kind_that_ends_like_the_offices_is_a_strangers(machine, folder):
    """An RSA key ends with its exponent, and that may be chosen: whoever looks at the last 32 bytes takes it for the office's."""
    office = public_of(Ed25519PrivateKey.from_private_bytes(bytes([3]) * 32))  # an odd number, as an exponent is
    e, p, q = int.from_bytes(b"\1" + office), 2**1279 - 1, 2**607 - 1
    d = pow(e, -1, (p - 1) * (q - 1))
    forged = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(e, p * q)
    ).private_key(unsafe_skip_rsa_key_validation=True)
    public = forged.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    unsigned = unpacked(bundle(folder / "forged", machine.in_force(), None))
    (unsigned / PUBLIC).write_bytes(public)
    (unsigned / SIGNATURE).write_bytes(forged.sign((unsigned / SUMS).read_bytes(), padding.PKCS1v15(), hashes.SHA256()))
    done = machine.run("sh", unsigned / "install.sh", "--fingerprint", fingerprint(office))
    assert (done.returncode, "another key" in done.stderr) == (1, True), done.stderr


def test_a_strangers_and_nobodys_updates_are_refused(machine, folder):
    before = machine.in_force()
    stranger, nobody = bundle(folder / "a", "9.2", STRANGER), bundle(folder / "b", "9.3", None)
    told = machine.update(stranger)
    assert told.returncode == 1
    assert fingerprint(public_of(STRANGER)) in told.stderr
    assert machine.update(nobody).returncode == 1
    assert machine.in_force() == before
    assert not list(machine.base.glob("incoming-*"))


def test_wrong_input_to_update_is_said(machine, folder):
    for words in ((folder / "none.tar",), (folder / "1.0.tar", "--key", folder / "1.0.tar")):
        done = machine.update(*words)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def _sentences(language):
    return dict(line.split(" = ", 1) for line in (SCRIPTS / f"words.{language}").read_text().splitlines())


def test_every_sentence_of_the_installer_is_there_in_both_languages():
    english, chinese = _sentences("en"), _sentences("zh")
    said = re.compile(r"\b(?:say|die) ([a-z_]+)")
    used = {code for file in SCRIPTS.glob("*.sh") for code in said.findall(file.read_text())}
    assert english.keys() == chinese.keys() == used
    assert [
        code for code in used if Counter(re.findall("%.", english[code])) != Counter(re.findall("%.", chinese[code]))
    ] == []


def _wait(condition):
    import asyncio

    asyncio.run(until(condition, 60))


def _kill(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
