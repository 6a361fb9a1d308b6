"""SM2 seals: the standard's own example, another implementation's signatures, and one warning under both algorithms.

Vectors: GM/T 0003.5 (GB/T 32918.5) A.2, and tests/vectors/sm2.json, made by OpenSSL 3 (`python -m tests.support.sm2_vectors`).
"""

import json

import pytest

from protocols import cose, sm2
from protocols.alert import Refusal, VerifiedAlert
from protocols.beacon import Beacon, VerifiedBeacon
from protocols.beacon import seal as seal_beacon
from protocols.beacon import verify as verify_beacon
from protocols.errors import LocalError, RemoteError
from protocols.keyring import Keyring, open_keyset, seal_keyset
from protocols.seal import MAX_SLOW, Effort, countersign, seal, verify
from protocols.seal_json import decode_sealed
from tests.support import sm2_vectors
from tests.support.seals import ROOTS, T0, WARN, alert, clock, key, keyring, private, sealed

pytest.importorskip("gmalg", reason="the extra sm is not installed")

D = bytes.fromhex("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8")
X = "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
Y = "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
R = "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
S = "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
PUBLIC = bytes.fromhex("04" + X + Y)

COUNTY = sm2.PrivateKey(D)
RING = keyring(key("county", WARN, public=PUBLIC), key("bureau", WARN))
VECTORS = json.loads(sm2_vectors.FILE.read_text())


def test_the_standards_own_example():
    assert COUNTY.public == PUBLIC
    assert sm2.verifies(PUBLIC, bytes.fromhex(R + S), b"message digest")
    assert not sm2.verifies(PUBLIC, bytes.fromhex(R + S), b"message digesT")
    assert not sm2.verifies(PUBLIC, bytes.fromhex(S + R), b"message digest")


@pytest.mark.parametrize("one", VECTORS["seals"], ids=lambda one: one["name"])
def test_what_another_implementation_signed_is_believed(one):
    ring = keyring(key("county", WARN, public=bytes.fromhex(VECTORS["public"])), key("bureau", WARN))
    found = verify(bytes.fromhex(one["data"]), ring, clock())
    assert isinstance(found, VerifiedAlert), found
    assert list(found.holders) == one["holders"]
    assert found.identity.hex() == one["identity"]


def test_it_signs_the_same_the_same_way_and_not_another():
    assert COUNTY.sign(b"a") == COUNTY.sign(b"a")
    assert COUNTY.sign(b"a")[:32] != COUNTY.sign(b"b")[:32], "one k for two messages would give the key away"
    assert sm2.verifies(PUBLIC, COUNTY.sign(b"a"), b"a")


def test_a_seal_of_sm2_is_four_bytes_longer_and_the_same_alert():
    chinese, plain = seal(alert(), [COUNTY]), sealed("county")
    assert len(chinese) == len(plain) + 4  # a header of seven bytes in place of three
    found = verify(chinese, RING, clock())
    assert found.identity == verify(plain, keyring(), clock()).identity
    assert decode_sealed(chinese)["algorithms"] == ["SM2"]


def test_both_algorithms_sign_one_alert_in_one_seal_or_in_two():
    both = verify(seal(alert(), [COUNTY, private("bureau")]), RING, clock())
    assert both.holders == ("bureau", "county")
    joined = verify(countersign(seal(alert(), [private("bureau")], several=True), COUNTY), RING, clock())
    assert joined.holders == ("bureau", "county")
    apart = [verify(seal(alert(), [one]), RING, clock()) for one in (COUNTY, private("bureau"))]
    assert apart[0].identity == apart[1].identity == both.identity


def test_no_bit_of_it_can_be_changed():
    data = seal(alert(), [COUNTY])
    for bit in range(0, 8 * len(data), 37):  # a check takes 30 ms
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        assert isinstance(verify(bytes(changed), RING, clock()), Refusal), bit


def test_an_algorithm_is_its_keys_and_no_other():
    """An Ed25519 signature under SM2's header, and the other way round: refused without a check."""
    effort = Effort()
    relabelled = seal(alert(), [COUNTY]).replace(cose.SM2, cose.EDDSA).replace(b"\x84\x47", b"\x84\x43", 1)
    assert verify(relabelled, RING, clock(), effort).reason == "bad-signature"
    assert effort.slow == MAX_SLOW
    with pytest.raises(RemoteError, match="protected header"):
        cose.decode(seal(alert(), [COUNTY]).replace(cose.SM2, b"\xa1\x01\x3a\x00\x01\x00\x01"), 1000)


def test_sm2_checks_are_rationed_also_for_the_issuers_own_keys():
    forged = seal(alert(), [sm2.PrivateKey(bytes(31) + b"\x07")])
    effort = Effort(slow=0)
    assert verify(forged, RING, clock(), effort).reason == "bad-signature"
    assert effort.short
    effort = Effort()
    verify(forged, RING, clock(), effort)
    assert (effort.slow, effort.short) == (MAX_SLOW - 1, False)
    assert Effort().whole
    assert not Effort(slow=0).whole


@pytest.mark.parametrize("point", [bytes(64), b"\xff" * 64, bytes.fromhex(X + Y)[:-1] + b"\x00"])
def test_a_key_that_is_no_point_of_the_curve_verifies_nothing(point):
    assert sm2.is_public(b"\x04" + point)
    assert not sm2.verifies(b"\x04" + point, bytes.fromhex(R + S), b"message digest")


@pytest.mark.parametrize("signature", [bytes(64), b"\xff" * 64, bytes(63), sm2.ORDER.to_bytes(32, "big") * 2])
def test_absurd_signatures(signature):
    assert not sm2.verifies(PUBLIC, signature, b"message digest")


def test_key_sets_by_sm2_roots_with_keys_of_both():
    roots = [PUBLIC, ROOTS[1], ROOTS[2]]
    data = seal_keyset(RING, [COUNTY, private("root 2")])
    assert isinstance(open_keyset(data, roots, 0), Refusal), "a root may not issue"
    other = keyring(key("county", WARN, public=sm2.PrivateKey(bytes(31) + b"\x09").public), key("bureau", WARN))
    found = open_keyset(seal_keyset(other, [COUNTY, private("root 2")]), roots, 0)
    assert isinstance(found, Keyring)
    assert {len(one.public) for one in found.keys} == {32, 65}
    assert open_keyset(seal_keyset(other, [COUNTY, private("x")]), roots, 0).reason == "keyset-roots"


def test_a_beacon_by_sm2():
    data = seal_beacon(Beacon(1, T0, 7), [COUNTY])
    assert isinstance(verify_beacon(data, RING, clock()), VerifiedBeacon)
    assert verify_beacon(data, keyring(), clock()).reason == "beacon-bad-signature"


def test_without_the_extra_such_a_key_is_believed_by_nobody(monkeypatch):
    data = seal(alert(), [COUNTY])
    both = seal(alert(), [COUNTY, private("bureau")])
    missing(monkeypatch)
    assert not sm2.available()
    assert verify(data, RING, clock()).reason == "bad-signature"
    assert verify(both, RING, clock()).holders == ("bureau",), "the other holder's word still counts"
    with pytest.raises(LocalError) as caught:
        COUNTY.sign(b"")
    assert caught.value.reason == "sm2-missing"


def missing(monkeypatch):
    def refuse(name):
        raise ImportError(name)

    monkeypatch.setattr(sm2, "import_module", refuse)
    sm2.available.cache_clear()
    sm2.usable.cache_clear()


@pytest.fixture(autouse=True)
def fresh():
    yield
    sm2.available.cache_clear()
    sm2.usable.cache_clear()


def test_what_is_no_private_key():
    for raw in (bytes(32), b"\xff" * 32, b"short", (sm2.ORDER - 1).to_bytes(32, "big")):
        with pytest.raises(LocalError):
            sm2.PrivateKey(raw)
