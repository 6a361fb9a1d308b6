"""Private keys: made once, for their owner's eyes only, and never in a message."""

import os

import pytest

from agent.keys import load_key, make_key, public_of
from protocols.errors import LocalError
from tests.support.seals import private


def test_a_made_key_is_loaded_again(tmp_path):
    path = tmp_path / "county.key"
    key = make_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert public_of(load_key(path)) == public_of(key)
    assert len(public_of(key)) == 32


def test_a_key_is_never_overwritten(tmp_path):
    path = tmp_path / "county.key"
    make_key(path)
    with pytest.raises(FileExistsError):
        make_key(path)


def written(path, content: bytes, mode: int = 0o600):
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_raw_hexadecimal_digits_are_a_key(tmp_path):
    key = private("county")
    path = written(tmp_path / "k", key.private_bytes_raw().hex().encode() + b"\n")
    assert public_of(load_key(path)) == public_of(key)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666, 0o644])
def test_a_key_that_others_can_read_is_refused(tmp_path, mode):
    path = written(tmp_path / "k", b"0" * 64, mode)
    with pytest.raises(LocalError) as caught:
        load_key(path)
    assert caught.value.reason == "key-mode"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_of_another_user_is_refused(tmp_path):
    path = written(tmp_path / "k", b"0" * 64)
    os.chown(path, 12345, 12345)
    with pytest.raises(LocalError) as caught:
        load_key(path)
    assert caught.value.reason == "key-owner"


def test_neither_a_link_nor_a_directory_nor_a_pipe_is_a_key(tmp_path):
    make_key(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(OSError, match="link"):
        load_key(tmp_path / "link")
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in (".", "pipe"):
        with pytest.raises(LocalError) as caught:
            load_key(tmp_path / name)
        assert caught.value.reason == "key-file"


RSA = b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("content", [b"", b"0" * 63, b"z" * 64, b"\xff" * 64, RSA, b"x" * 10_000])
def test_what_is_no_key_is_refused_without_showing_it(tmp_path, content):
    path = written(tmp_path / "k", content)
    with pytest.raises(LocalError) as caught:
        load_key(path)
    assert caught.value.reason == "key-format"
    assert "zzz" not in str(caught.value)


def test_another_kind_of_key_is_refused(tmp_path):
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(LocalError, match="another kind"):
        load_key(written(tmp_path / "k", pem))
