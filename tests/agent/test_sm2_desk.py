"""SM2 at the desk and at the station: keys in files, key-sets with them, and what `fengsui trust` says without the extra."""

import shutil
import subprocess

import pytest

from agent.signers import load_signer, make_signer, public_of
from protocols import sm2
from protocols.alert import Level, VerifiedAlert
from protocols.errors import LocalError
from protocols.keyring import Holder, Key, Keyring, seal_keyset
from protocols.seal import verify
from tests.agent.test_trust import AREA, EVERYTHING, run, village
from tests.protocols.test_sm2 import fresh, missing
from tests.support.seals import T0, clock

pytest.importorskip("gmalg", reason="the extra sm is not installed")
__all__ = ["fresh", "village"]  # fixtures


def test_a_key_is_made_loaded_and_its_openssls_too(tmp_path):
    key = make_signer(tmp_path / "a.pem", chinese=True)
    assert (tmp_path / "a.pem").stat().st_mode & 0o777 == 0o600
    assert public_of(load_signer(tmp_path / "a.pem")) == public_of(key)
    with pytest.raises(FileExistsError):
        make_signer(tmp_path / "a.pem", chinese=True)
    assert len(public_of(make_signer(tmp_path / "b.pem"))) == 32


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_reads_ours_and_we_read_openssls(tmp_path):
    key = make_signer(tmp_path / "a.pem", chinese=True)
    told = subprocess.run(
        ["openssl", "pkey", "-in", tmp_path / "a.pem", "-pubout", "-outform", "DER"], capture_output=True, check=True
    )
    assert told.stdout.endswith(public_of(key))
    subprocess.run(["openssl", "genpkey", "-algorithm", "SM2", "-out", tmp_path / "o.pem"], check=True)
    (tmp_path / "o.pem").chmod(0o600)
    assert isinstance(load_signer(tmp_path / "o.pem"), sm2.PrivateKey)


def test_halves_that_do_not_belong_together_are_refused(tmp_path):
    one, two = (make_signer(tmp_path / name, chinese=True) for name in ("a", "b"))
    from agent.keys import write_pem
    from agent.signers import SM2_HEAD, SM2_MIDDLE

    write_pem(tmp_path / "c", SM2_HEAD + one.raw + SM2_MIDDLE + two.public)
    with pytest.raises(LocalError) as caught:
        load_signer(tmp_path / "c")
    assert caught.value.reason == "key-format"


def test_the_command_makes_keys_and_seals_with_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("county", "bureau"):
        code, said, _ = run("warn", "key", "new", f"{name}.pem", "--sm2")
        assert code == 0
        assert '"public": "04' in said
    words = ["--issuer", 1, "--area", AREA, "--event", "11A51", "--level", "red", "--action", "evacuate"]
    keys = ["--key", "county.pem", "--key", "bureau.pem"]
    assert run("warn", "exercise", *keys, *words, "-o", "a.sealed")[0] == 0
    publics = {name: public_of(load_signer(tmp_path / f"{name}.pem")) for name in ("county", "bureau")}
    rows = tuple(Key(name, public, EVERYTHING, (33,), Level.RED, 0, 1 << 39) for name, public in publics.items())
    ring = Keyring(1, 0, (Holder("county", (1,)), Holder("bureau", (2,))), rows)
    found = verify((tmp_path / "a.sealed").read_bytes(), ring, clock())
    assert isinstance(found, VerifiedAlert)
    assert found.holders == ("bureau", "county")


def keyset(site, *publics):
    rows = tuple(Key(f"h{n}", public, EVERYTHING, (33,), Level.RED, 0, 1 << 39) for n, public in enumerate(publics))
    ring = Keyring(1, T0, tuple(Holder(f"h{n}", (n + 1,)) for n in range(len(publics))), rows)
    (site.folder / "new.cbor").write_bytes(seal_keyset(ring, site.authority._roots[:2]))
    return site.folder / "new.cbor"


def test_without_the_extra_add_and_check_say_who_is_not_believed(village, tmp_path, monkeypatch):
    publics = [make_signer(tmp_path / f"{n}.pem", chinese=True).public for n in range(2)]
    file = keyset(village, *publics)
    assert village.trust("add", file)[0] == 0
    assert village.trust("check")[0] == 0
    missing(monkeypatch)
    code, _, heard = village.trust("add", keyset(village, *publics))
    assert code == 0, "a key-set is not refused for a key that this station cannot use"
    assert heard.count("believed by nobody here") == 2
    code, _, heard = village.trust("check")
    assert code == 1
    assert heard.count("fengsui[sm]") == 2
    assert "no two holders may sound the siren" in heard


def test_a_key_that_is_no_point_is_told_also_with_the_extra(village, tmp_path):
    good = make_signer(tmp_path / "good.pem", chinese=True).public
    code, _, heard = village.trust("check", keyset(village, good, b"\x04" + bytes(64)))
    assert code == 1
    assert heard.count("believed by nobody here") == 1


def test_a_root_that_cannot_be_used_is_named_where_a_key_set_is_refused(village, tmp_path, monkeypatch):
    root = make_signer(tmp_path / "root.pem", chinese=True)
    config = village.file.read_text()
    village.file.write_text(config.replace(village.authority.roots[0], root.public.hex()))
    ring = Keyring(
        1, T0, (Holder("h", (1,)),), (Key("h", bytes(31) + b"\x01", EVERYTHING, (33,), Level.RED, 0, 1 << 39),)
    )
    (village.folder / "new.cbor").write_bytes(seal_keyset(ring, [root, village.authority._roots[1]]))
    assert village.trust("add", village.folder / "new.cbor")[0] == 0
    missing(monkeypatch)
    code, _, heard = village.trust("check", village.folder / "new.cbor")
    assert code == 1
    assert "fengsui[sm]" in heard
