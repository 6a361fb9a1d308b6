"""Bundles made to harm: nothing leaves the folder, nothing is believed before the signature, nothing costs more than it says."""

import hashlib
import io
import tarfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.keys import public_of
from agent.release import archive
from agent.release.archive import entries, pack, unpack
from agent.release.manifest import PUBLIC, SIGNATURE, SUMS, parse_public, public_pem, read, sign, write
from protocols.errors import LocalError

KEY, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
TRUSTED = [public_of(KEY)]
LONG = "wheels/" + "a" * 120 + ".whl"
FILES = {"install.sh": b"#!/bin/sh\n", "wheels/one.whl": bytes(1000), LONG: b"long"}


def head(manifest, key=KEY):
    return {SUMS: manifest, SIGNATURE: sign(manifest, key), PUBLIC: public_pem(public_of(key))}


def sums(files):
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def made(files=FILES, listed=None, key=KEY):
    out = io.BytesIO()
    pack(files, head(write(sums(files) if listed is None else listed), key), "release", 1_790_000_000, out)
    return out.getvalue()


def opened(data, folder=None, trusted=TRUSTED, **more):
    return unpack(io.BytesIO(data), folder, trusted, **more)


@contextmanager
def refused(reason):
    with pytest.raises(LocalError) as told:
        yield
    assert told.value.reason == reason


def test_what_was_packed_comes_out(tmp_path):
    assert opened(made(), tmp_path).sums == sums(FILES)
    found = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {name: found[name] for name in FILES} == FILES
    assert found.keys() - FILES.keys() == {SUMS, SIGNATURE, PUBLIC}


def test_others_tar_reads_it_too():
    with tarfile.open(fileobj=io.BytesIO(made())) as tar:
        assert {name.partition("/")[2] for name in tar.getnames()} == {*FILES, SUMS, SIGNATURE, PUBLIC}


def test_nothing_is_written_before_the_signature_is_good(tmp_path):
    with refused("bundle-stranger"):
        opened(made(key=STRANGER), tmp_path)
    with refused("bundle-unsigned"):
        out = io.BytesIO()
        pack(FILES, {SUMS: write(sums(FILES)), SIGNATURE: b"", PUBLIC: b""}, "release", 0, out)
        opened(out.getvalue(), tmp_path)
    lying = {**head(write(sums(FILES)), STRANGER), PUBLIC: public_pem(public_of(KEY))}
    with refused("bundle-signature"):
        out = io.BytesIO()
        pack(FILES, lying, "release", 0, out)
        opened(out.getvalue(), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "a/../../evil", ".hidden", "a//b", "a/b/c/d", "a\\b", "a\nb", ""]
)
def test_no_list_names_a_place_outside(name, tmp_path):
    """Not even one that was signed."""
    with refused("bundle-manifest"):
        opened(made({name: b"x"}), tmp_path / "in")
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_listed_is_not_written(tmp_path):
    with refused("bundle-entry"):
        opened(made({**FILES, "zzz": b"x"}, listed=sums(FILES)), tmp_path)
    assert not (tmp_path / "zzz").exists()


def test_what_was_changed_or_left_out_is_named():
    with refused("bundle-damaged"):
        opened(made({**FILES, "wheels/one.whl": b"other"}, listed=sums(FILES)))
    with refused("bundle-cut"):
        opened(made({"install.sh": FILES["install.sh"]}, listed=sums(FILES)))


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        (tarfile.SYMTYPE, {"linkname": "/etc/passwd"}),
        (tarfile.LNKTYPE, {"linkname": "../../etc/passwd"}),
        (tarfile.CHRTYPE, {"devmajor": 1, "devminor": 3}),
        (tarfile.FIFOTYPE, {}),
        (tarfile.DIRTYPE, {}),
        (tarfile.XHDTYPE, {"size": 8 << 30}),
        (tarfile.XGLTYPE, {"size": 4096}),
        (tarfile.GNUTYPE_LONGNAME, {"size": 1 << 20}),
        (tarfile.GNUTYPE_LONGLINK, {"size": 10}),
        (tarfile.GNUTYPE_SPARSE, {"size": 10}),
    ],
    ids=str,
)
def test_links_devices_and_extended_headers_end_it(kind, facts, tmp_path):
    files = {"install.sh": b"x"}
    whole = made(files)
    end = whole.index(b"x" + bytes(511)) + 512
    info = tarfile.TarInfo("release/zlink")
    info.type = kind
    for name, value in facts.items():
        setattr(info, name, value)
    with pytest.raises(LocalError) as told:
        opened(whole[:end] + info.tobuf(tarfile.GNU_FORMAT) + bytes(2048), tmp_path)
    assert told.value.reason in {"bundle-entry", "bundle-size"}
    assert not (tmp_path / "zlink").is_symlink()


def test_sizes_and_numbers_are_bounded(monkeypatch):
    monkeypatch.setattr(archive, "LARGEST", 1000)
    with refused("bundle-size"):
        opened(made())
    monkeypatch.undo()
    monkeypatch.setattr(archive, "MOST_FILES", 2)
    with refused("bundle-size"):
        list(entries(io.BytesIO(b"".join(tarfile.TarInfo(f"r/{n}").tobuf() for n in range(20)))))


def test_one_file_twice_is_once_too_often(tmp_path):
    """The second must not replace the first, which was checked."""
    whole = made({"install.sh": b"x"})
    start, end = whole.index(b"release/install.sh"), whole.index(b"x" + bytes(511)) + 512
    with refused("bundle-entry"):
        opened(whole[:end] + whole[start:end] + bytes(1024), tmp_path)


WHOLE = made()


def test_cut_anywhere_it_is_cut():
    """An interrupted download, at every block and around it. The tar's own end may be missing: all files are there."""
    files_end = len(WHOLE.rstrip(b"\0")) // 512 * 512 + 512
    for size in {*range(0, files_end, 512), *range(1, files_end, 509)}:
        with pytest.raises(LocalError):
            opened(WHOLE[:size])


@given(st.binary(max_size=2048))
def test_garbage_is_refused_by_name(data):
    with pytest.raises(LocalError):
        opened(data)


@settings(max_examples=200)
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_one_byte_changed_is_refused_or_means_nothing(place, change):
    data = bytearray(WHOLE)
    data[place] ^= change
    try:
        found = opened(bytes(data))
    except LocalError:
        return
    assert found.sums == sums(FILES)  # a date, an owner, or what lies behind the end


@given(st.binary(max_size=300))
def test_the_list_and_the_key_are_read_or_refused(data):
    for parse in (read, parse_public):
        with pytest.raises(LocalError):
            parse(data)


def test_openssl_and_sha256sum_see_the_same(tmp_path):
    """What the guide tells people to run before they believe anything of ours."""
    import shutil
    import subprocess

    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    opened(WHOLE, tmp_path)
    check = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", PUBLIC, "-rawin", "-in", SUMS, "-sigfile", SIGNATURE]
    assert subprocess.run(check, cwd=tmp_path, check=False, capture_output=True).returncode == 0
    sums_good = subprocess.run(
        ["sha256sum", "--check", "--strict", SUMS], cwd=tmp_path, check=False, capture_output=True
    )
    assert sums_good.returncode == 0
    (tmp_path / SUMS).write_bytes((tmp_path / SUMS).read_bytes().replace(b"0", b"1"))
    assert subprocess.run(check, cwd=tmp_path, check=False, capture_output=True).returncode != 0
    assert Path(tmp_path / PUBLIC).read_bytes() == public_pem(TRUSTED[0])
