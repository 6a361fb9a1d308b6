"""Beacons: bytes, whose they are, what a clock says about them."""

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import beacon, canonical, cose, seal
from protocols.alert import Permission, Refusal
from protocols.beacon import AHEAD, MAX_PAYLOAD, MOST_ACTIVE, Beacon, VerifiedBeacon, verify
from protocols.errors import LocalError
from protocols.keyring import GRACE, open_keyset
from tests.support.seals import FULL, KEYS, ROOTS, T0, VILLAGE, clock, key, keyring, private, sealed

PLAIN = Beacon(1, T0, 7)
BUSY = Beacon(1, T0, 7, ((T0 - 60, 330205), (T0 - 30, VILLAGE)))
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "beacon.json").read_text("utf-8"))


def made(one=PLAIN, signers="county"):
    return beacon.seal(one, [private(name) for name in signers.split()])


def reason(data, ring=None, when=None):
    found = verify(data, ring or keyring(), when or clock())
    return found.reason if isinstance(found, Refusal) else found


@pytest.mark.parametrize("vector", VECTORS["believed"], ids=lambda vector: vector["name"])
def test_vectors(vector):
    said = Beacon(**vector["beacon"] | {"active": tuple(map(tuple, vector["beacon"]["active"]))})
    data = bytes.fromhex(vector["data"])
    assert made(said) == data
    found = verify(data, keyring(), clock())
    assert isinstance(found, VerifiedBeacon)
    assert (found.beacon, found.holder, found.timely) == (said, "county", True)


def test_its_size_is_bounded_and_small():
    assert len(made()) <= 108
    assert len(made(BUSY)) <= 128
    most = Beacon(
        0xFFFF, (1 << 40) - 1, (1 << 32) - 1, tuple(((1 << 40) - 33 + n, VILLAGE) for n in range(MOST_ACTIVE))
    )
    data = made(dataclasses.replace(most, time=T0))
    assert len(data) <= MAX_PAYLOAD + 90
    assert beacon.open_beacon(data)[0].active == most.active


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": -1},
        {"issuer": 1 << 16},
        {"time": 1 << 40},
        {"keyset": -1},
        {"active": ((5, 7),)},
        {"active": ((6, 33), (5, 33))},
        {"active": ((5, 33), (5, 33))},
        {"active": tuple((n, 33) for n in range(MOST_ACTIVE + 1))},
    ],
)
def test_what_cannot_be_said_cannot_be_sealed(changes):
    with pytest.raises(LocalError):
        made(dataclasses.replace(PLAIN, **changes))


def test_only_the_issuers_own_holder_speaks_for_it():
    assert isinstance(reason(made()), VerifiedBeacon)
    for other in ("bureau", "watch", "nobody"):
        assert reason(made(signers=other)) == "beacon-bad-signature"
    assert isinstance(reason(made(signers="bureau county")), VerifiedBeacon)
    assert reason(made(Beacon(99, T0, 7))) == "beacon-unknown-issuer"


def test_a_beacon_is_no_alert_no_key_set_and_the_other_way_round():
    assert seal.verify(made(), keyring(), clock()).reason == "malformed"
    assert open_keyset(beacon.seal(PLAIN, [private("root 1"), private("root 2")]), ROOTS, 0).reason.startswith(
        "keyset-"
    )
    assert reason(sealed("county")) == "beacon-malformed"


def test_a_trusted_clock_refuses_the_future_and_an_untrusted_one_cannot():
    ahead = made(Beacon(1, T0 + AHEAD + 1, 7))
    assert reason(ahead) == "beacon-future"
    assert isinstance(reason(made(Beacon(1, T0 + AHEAD, 7))), VerifiedBeacon)
    assert isinstance(reason(ahead, when=clock(trusted=False)), VerifiedBeacon)


def test_an_expired_key_is_still_a_sign_of_life_and_tells_no_time():
    old = keyring(key("county", FULL, not_after=T0 - 5), *KEYS[1:])
    found = reason(made(), old)
    assert isinstance(found, VerifiedBeacon)
    assert not found.timely
    gone = keyring(key("county", FULL, not_after=T0 - GRACE - 5), *KEYS[1:])
    assert reason(made(), gone) == "beacon-bad-signature"
    assert reason(made(), keyring(key("county", Permission.SIREN, not_after=T0 - 5))) == "beacon-bad-signature"


def test_a_verified_beacon_cannot_be_made_by_hand():
    with pytest.raises(TypeError):
        VerifiedBeacon(PLAIN, "county", timely=True, proof=object())


@given(st.binary(max_size=200))
def test_no_bytes_are_a_beacon_by_chance(data):
    assert isinstance(verify(data, keyring(), clock()), Refusal)
    assert isinstance(verify(cose.SIGN1_TAG + data, keyring(), clock()), Refusal)


@given(st.integers(0, len(made(BUSY)) - 1), st.integers(0, 7))
def test_no_bit_of_it_can_be_changed(byte, bit):
    data = bytearray(made(BUSY))
    data[byte] ^= 1 << bit
    assert isinstance(verify(bytes(data), keyring(), clock()), Refusal)


values = st.recursive(
    st.none() | st.integers(-9, 1 << 41) | st.binary(max_size=9) | st.sampled_from(["beacon", "x"]),
    lambda inner: st.lists(inner, max_size=7),
    max_leaves=20,
)


@given(st.lists(values, min_size=4, max_size=7))
def test_a_signed_payload_of_any_shape_is_read_or_refused(fields):
    payload = canonical.encode([1, "beacon", *fields[2:]])
    assert isinstance(verify(cose.encode(payload, [private("county")]), keyring(), clock()), VerifiedBeacon | Refusal)


def test_the_document_shows_the_first_vector():
    page = (Path(__file__).parents[2] / "docs" / "platform" / "seal.md").read_text("utf-8")
    assert f"```\n{VECTORS['believed'][0]['data']}\n```" in page
