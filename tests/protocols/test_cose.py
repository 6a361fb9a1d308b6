"""One exact form: deterministic CBOR, COSE_Sign1 and COSE_Sign, and agreement with an independent COSE library."""

import cbor2
import pytest
from cwt import COSE, COSEKey, Signer
from hypothesis import given
from hypothesis import strategies as st

from protocols import canonical, cose
from protocols.errors import LocalError, RemoteError
from tests.support.seals import private, public

PAYLOAD = bytes.fromhex("820102")


def refused(data: bytes, most: int = 1000) -> str:
    with pytest.raises(RemoteError) as caught:
        canonical.decode(data, most)
    return f"{caught.value.reason} {caught.value.offset}"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", "malformed 0"),
        ("1800", "not-canonical 0"),  # 0 in two bytes
        ("1817", "not-canonical 0"),  # 23 in two bytes
        ("1900ff", "not-canonical 0"),
        ("1a0000ffff", "not-canonical 0"),
        ("1b00000000ffffffff", "not-canonical 0"),
        ("5800", "not-canonical 0"),
        ("9f01ff", "not-canonical 0"),  # indefinite array
        ("5f4101ff", "not-canonical 0"),  # indefinite byte string
        ("1c", "malformed 0"),  # reserved
        ("0101", "malformed 1"),  # something follows
        ("8201", "malformed 0"),
        ("820181", "malformed 2"),
        ("4301", "malformed 1"),
        ("9a7fffffff", "malformed 0"),  # two thousand million items
        ("5a7fffffff", "malformed 5"),
        ("81fb3ff0000000000000", "malformed 1"),  # 1.0
        ("81f93c00", "malformed 1"),
        ("f5", "malformed 0"),  # true
        ("81f7", "malformed 1"),  # undefined
        ("f816", "malformed 0"),  # null in two bytes
        ("c11a514b67b0", "malformed 0"),  # a tag
        ("a10101", "malformed 0"),
        ("a201010101", "malformed 0"),  # duplicate keys
        ("62c328", "malformed 1"),  # not UTF-8
        ("63eda080", "malformed 1"),  # a surrogate
        ("818181818101", "malformed 5"),  # too deep
    ],
)
def test_what_is_not_deterministic_or_not_ours_is_refused_where_it_stands(data, why):
    assert refused(bytes.fromhex(data)) == why


def test_depth_costs_no_stack():
    assert refused(b"\x81" * 60_000, 65536) == "malformed 5"


def test_size_is_bounded_before_anything_is_read():
    assert refused(b"\x58\xff" + bytes(255), 256) == "oversize None"


values = st.recursive(
    st.none() | st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=40) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=12,
)


@given(values)
def test_what_we_write_we_read(value):
    try:
        assert canonical.decode(canonical.encode(value), 4096) == value
    except RemoteError as error:
        if "nested" not in error.detail:
            raise


@given(st.binary(max_size=60))
def test_whatever_is_read_is_written_the_same(data):
    """The walk accepts exactly what a deterministic encoder writes."""
    try:
        value = canonical.decode(data, 100)
    except RemoteError:
        return
    assert cbor2.dumps(value, canonical=True) == data


@pytest.mark.parametrize("signers", [1, 2, 3])
def test_cose_verifies_ours(signers):
    names = [f"root {number + 1}" for number in range(signers)]
    data = cose.encode(PAYLOAD, [private(name) for name in names])
    for name in names:
        key = COSEKey.new({1: 1, 3: -8, -1: 6, -2: public(name)})
        assert COSE.new().decode(data, [key]) == PAYLOAD


def test_cose_refuses_ours_under_another_key():
    data = cose.encode(PAYLOAD, [private("root 1")])
    with pytest.raises(Exception, match="verify"):
        COSE.new().decode(data, [COSEKey.new({1: 1, 3: -8, -1: 6, -2: public("root 2")})])


def cwt_private(name: str) -> COSEKey:
    return COSEKey.new({1: 1, 3: -8, -1: 6, -2: public(name), -4: private(name).private_bytes_raw()})


def test_we_verify_cose_sign1_of_another_library():
    data = COSE.new().encode_and_sign(PAYLOAD, cwt_private("a"), protected={1: -8}, unprotected={})
    envelope = cose.decode(data, 100)
    assert envelope.payload == PAYLOAD
    assert envelope.is_by(public("a"), envelope.signatures[0])
    assert data == cose.encode(PAYLOAD, [private("a")])  # byte for byte


def test_we_verify_cose_sign_of_another_library():
    signers = [Signer.new(cwt_private(name), protected={1: -8}, unprotected={}) for name in ("a", "b")]
    data = COSE.new().encode_and_sign(PAYLOAD, signers=signers, protected={}, unprotected={})
    envelope = cose.decode(data, 100)
    for name, signature in zip(("a", "b"), envelope.signatures, strict=True):
        assert envelope.is_by(public(name), signature)
    assert data == cose.encode(PAYLOAD, [private("a"), private("b")])


def envelope_of(*parts: object, tag: bytes = cose.SIGN1_TAG) -> bytes:
    return tag + cbor2.dumps(list(parts), canonical=True)


SIG = bytes(64)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "unsigned"),
        (PAYLOAD, "unsigned"),
        (b"\xd1" + cbor2.dumps([cose.EDDSA, {}, PAYLOAD, SIG]), "unsigned"),  # COSE_Mac0
        (b"\xd8\x12" + cbor2.dumps([cose.EDDSA, {}, PAYLOAD, SIG]), "unsigned"),  # tag 18 in two bytes
        (envelope_of(cose.EDDSA, {4: b"kid"}, PAYLOAD, SIG), "malformed"),  # unprotected header
        (envelope_of(cose.EDDSA, {}, None, SIG), "malformed"),  # detached
        (envelope_of(b"", {}, PAYLOAD, SIG), "malformed"),
        (envelope_of(b"\xa1\x01\x26", {}, PAYLOAD, SIG), "malformed"),  # ES256
        (envelope_of(b"\xa2\x01\x27\x04\x41a", {}, PAYLOAD, SIG), "malformed"),  # kid, protected
        (envelope_of(b"\xa1\x18\x01\x27", {}, PAYLOAD, SIG), "malformed"),
        (envelope_of(cose.EDDSA, {}, PAYLOAD, SIG[:63]), "malformed"),
        (envelope_of(cose.EDDSA, {}, PAYLOAD, b""), "malformed"),
        (envelope_of(cose.EDDSA, {}, PAYLOAD), "malformed"),
        (envelope_of(cose.EDDSA, {}, PAYLOAD, SIG, 0), "malformed"),
        (envelope_of(cose.EDDSA, {}, PAYLOAD, SIG) + b"\x00", "malformed"),
        (envelope_of(b"", {}, PAYLOAD, [], tag=cose.SIGN_TAG), "malformed"),
        (envelope_of(b"", {}, PAYLOAD, [[cose.EDDSA, {}, SIG]] * 4, tag=cose.SIGN_TAG), "malformed"),
        (envelope_of(cose.EDDSA, {}, PAYLOAD, [[cose.EDDSA, {}, SIG]], tag=cose.SIGN_TAG), "malformed"),
        (envelope_of(b"", {}, PAYLOAD, [[cose.EDDSA, {1: 2}, SIG]], tag=cose.SIGN_TAG), "malformed"),
        (envelope_of(cose.EDDSA, {}, bytes(101), SIG), "oversize"),
        (envelope_of(cose.EDDSA, {}, bytes(5000), SIG), "oversize"),
    ],
)
def test_every_other_form_is_refused(data, reason):
    with pytest.raises(RemoteError) as caught:
        cose.decode(data, 100)
    assert caught.value.reason == reason


def test_nobody_signs_with_no_key_or_too_many():
    for keys in ([], [private("a")] * 4):
        with pytest.raises(LocalError):
            cose.encode(PAYLOAD, keys)


def test_a_key_that_is_no_point_verifies_nothing():
    assert not cose.verifies(b"\xff" * 32, SIG, b"x")
