"""The seal: sizes, every field's bounds, who signed, text beside it; and that nothing but the exact bytes is believed."""

import random
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import alert_cbor, canonical, cose
from protocols.alert import (
    MAX_TEXT_BYTES,
    ActionCode,
    Alert,
    Level,
    MsgType,
    Permission,
    Refusal,
    Status,
    VerifiedAlert,
    digest_of,
)
from protocols.alert_cbor import FIELDS, MAX_ISSUER, MAX_TIME
from protocols.area import SCALE, Circle, Polygon, is_code
from protocols.errors import LocalError, RemoteError
from protocols.keyring import Holder, Keyring
from protocols.seal import MAX_CHECKS, MAX_MESSAGE, Effort, carry, seal, uncarry, verify
from protocols.seal_json import decode_sealed
from tests.support.scale import count
from tests.support.seals import (
    ISSUERS,
    T0,
    TEXT,
    VILLAGE,
    WARN,
    alert,
    clock,
    key,
    keyring,
    private,
    public,
    sealed,
    verified,
)

RING = keyring()


def refusal(data: bytes, ring: Keyring = RING) -> Refusal:
    found = verify(data, ring, clock())
    assert isinstance(found, Refusal), found
    return found


# Form


def test_one_signer_fits_140_bytes_and_two_220():
    largest = {"onset": T0 + 1, "text_digest": digest_of(TEXT), "issuer": 23}
    assert len(sealed("county", **largest)) <= 140
    assert len(sealed("county bureau", **largest)) <= 220


codes = st.sampled_from([0, 33, 3302, 330205, 330205004, VILLAGE, 65, 650000001])
circles = st.builds(
    Circle, st.integers(-90 * SCALE, 90 * SCALE), st.integers(-180 * SCALE, 180 * SCALE), st.integers(1, 2_500_000)
)
corners = st.tuples(st.integers(-90 * SCALE, 90 * SCALE), st.integers(0, 180 * SCALE))
polygons = st.lists(corners, min_size=3, max_size=8).map(lambda points: Polygon(tuple(points)))
alerts = st.builds(
    Alert,
    issuer=st.integers(0, MAX_ISSUER),
    seq=st.integers(0, MAX_TIME),
    status=st.sampled_from(Status),
    msg_type=st.sampled_from([MsgType.ALERT, MsgType.UPDATE]),
    chain=st.binary(min_size=8, max_size=8),
    event=st.from_regex(alert_cbor.EVENT, fullmatch=True),
    level=st.sampled_from(Level),
    action=st.sampled_from(ActionCode),
    onset=st.none() | st.integers(0, MAX_TIME),
    expires=st.integers(0, MAX_TIME),
    area=st.lists(codes | circles | polygons, min_size=1, max_size=6).map(tuple),
    text_digest=st.just(b"") | st.binary(min_size=16, max_size=16),
)


@given(alerts)
def test_every_alert_is_read_as_it_was_written(one):
    payload = alert_cbor.encode(one)
    assert alert_cbor.decode(payload) == one
    assert payload == cbor2.dumps(cbor2.loads(payload), canonical=True)


def fields_with(name: str, value: Any) -> bytes:
    fields = canonical.decode(alert_cbor.encode(alert()), 1024)
    fields[FIELDS.index(name)] = value
    return canonical.encode(fields)


WRONG = [
    ("v", [0, 2, "1", None]),
    ("issuer", [-1, MAX_ISSUER + 1, None, "1", b"\x01", []]),
    ("seq", [-1, MAX_TIME + 1, None, "x"]),
    ("status", [5, -1, None, "Actual", [0]]),
    ("msgType", [3, -1, None]),
    ("chain", [b"", bytes(7), bytes(9), "12345678", None]),
    ("event", ["", "x" * 17, "a b", "山洪", "a\n", 11, None, b"11A51"]),
    ("level", [0, 5, None, "red"]),
    ("action", [5, -1, None]),
    ("onset", [-1, MAX_TIME + 1, "now", b""]),
    ("expires", [None, -1, MAX_TIME + 1]),
    ("area", [[], [33] * 17, None, 33, [331000], [5], [-33], [[1, 0, 0]], [[3, 0, 0, 1]], ["33"], [None], [[]]]),
    ("area", [[[1, 90 * SCALE + 1, 0, 5]], [[1, 0, 180 * SCALE + 1, 5]], [[1, 0, 0, 0]], [[1, 0, 0, 2_500_001]]]),
    ("area", [[[2, [0, 0, 1, 1]]], [[2, [0, 0, 1, 1, 1]]], [[2, [0, 0, 1, "1", 1, 1]]], [[2, [0] * 258]], [[2, 5]]]),
    ("area", [[[2, [0, 0, 90 * SCALE + 1, 0, 1, 1]]], [[2, [0, 0, 0, 180 * SCALE + 1, 1, 1]]]]),
    ("text-digest", [None, bytes(15), bytes(17), "x" * 16]),
]


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG for value in values])
def test_a_wrong_field_is_refused_before_any_signature_is_checked(name, value):
    payload = fields_with(name, value)
    with pytest.raises(RemoteError) as caught:
        alert_cbor.decode(payload)
    assert caught.value.reason == "malformed"
    assert refusal(cose.encode(payload, [private("county")])).reason == "malformed"


def test_a_payload_has_thirteen_fields():
    fields = canonical.decode(alert_cbor.encode(alert()), 1024)
    for wrong in (fields[:-1], [*fields, 0], [], 0, b""):
        with pytest.raises(RemoteError):
            alert_cbor.decode(canonical.encode(wrong))


def test_what_cannot_be_said_is_not_signed():
    for wrong in ({"issuer": -1}, {"area": (331000,)}, {"area": ()}, {"chain": b"x"}, {"event": "a b"}):
        with pytest.raises(LocalError):
            seal(alert(**wrong), [private("county")])
    with pytest.raises(LocalError):
        seal(alert(msg_type=MsgType.CANCEL, onset=T0), [private("county")])


def test_a_payload_is_bounded_to_a_kilobyte():
    zigzag = Polygon(tuple((n % 2 * 9_000_000 - 4_000_000, n * 70_000) for n in range(128)))
    with pytest.raises(LocalError):
        seal(alert(area=(zigzag,)), [private("county")])
    payload = canonical.encode([1, bytes(1100)])
    assert refusal(cose.encode(payload, [private("county")])).reason == "oversize"


def test_the_message_is_bounded_before_it_is_parsed():
    assert refusal(b"\x83" + bytes(MAX_MESSAGE)).reason == "oversize"
    assert refusal(b"\xd2" + bytes(MAX_MESSAGE)).reason == "oversize"


@pytest.mark.parametrize("data", [b"", b"hello", b"{}", b"\x00", b"<?xml version='1.0'?><alert/>", bytes(500)])
def test_what_is_no_seal_is_unsigned(data):
    assert refusal(data).reason == "unsigned"


# Who signed


def test_a_seal_says_who_signed_and_what_each_may_do():
    found = verified("county watch")
    assert found.holders == ("county", "watch")
    assert found.own
    assert {grant.holder: grant.permissions for grant in found.grants}["watch"] == (
        Permission.DISPLAY | Permission.VOICE
    )


def test_identity_is_of_the_payload_whoever_signed_it():
    assert verified("county").identity == verified("bureau county").identity == verified("watch").identity
    assert verified("county").identity != verified("county", seq=T0 + 1).identity


def test_a_countersigner_alone_is_not_the_issuer():
    assert not verified("bureau").own
    assert verified("bureau county").own


def test_one_holder_with_two_keys_is_one_holder():
    ring = keyring(*RING.keys, key("county", public=public("county two")))
    data = seal(alert(), [private("county"), private("county two")])
    found = verify(data, ring, clock())
    assert isinstance(found, VerifiedAlert)
    assert len(found.grants) == 2
    assert found.holders == ("county",)


def test_the_same_signature_twice_counts_once():
    found = verify(seal(alert(), [private("county"), private("county")]), RING, clock())
    assert isinstance(found, VerifiedAlert)
    assert len(found.grants) == 1


def test_a_signature_of_a_key_that_is_not_known_yet_is_passed_over():
    found = verify(seal(alert(), [private("stranger"), private("bureau")]), RING, clock())
    assert isinstance(found, VerifiedAlert)
    assert found.holders == ("bureau",)


def test_nobody_known_signed():
    assert refusal(sealed("stranger")).reason == "bad-signature"
    assert refusal(sealed("stranger", issuer=99)).reason == "unknown-issuer"
    assert refusal(sealed(), Keyring()).reason == "unknown-issuer"


def test_an_issuer_that_no_holder_answers_for_is_refused_whoever_signs():
    assert refusal(sealed("county bureau", issuer=99)).reason == "unknown-issuer"


def test_a_revoked_key_is_a_key_that_the_next_key_set_leaves_out():
    assert refusal(sealed(), keyring(*RING.keys[1:])).reason == "unknown-issuer"


def test_an_expired_key_shows_for_30_days_and_then_is_silent():
    ring = keyring(key("county", not_after=T0))
    found = verify(sealed(), ring, clock())
    assert isinstance(found, VerifiedAlert)
    assert found.grants[0].permissions == Permission.DISPLAY | Permission.CANCEL
    late = verify(sealed(), ring, clock(T0 + 31 * 86_400))
    assert isinstance(late, Refusal)


def test_a_signature_does_not_move_between_sign1_and_sign():
    signature = sealed()[-64:]
    payload = alert_cbor.encode(alert())
    moved = cose.SIGN_TAG + canonical.encode([b"", {}, payload, [[cose.EDDSA, {}, signature]]])
    assert refusal(moved).reason == "bad-signature"


def test_a_key_set_is_not_an_alert():
    payload = canonical.encode([1, 7, T0, [["county", [1]]], []])
    assert refusal(cose.encode(payload, [private("county")])).reason == "malformed"


def test_a_forgery_costs_a_bounded_number_of_checks(monkeypatch):
    tried = []
    genuine = cose.verifies
    monkeypatch.setattr(cose, "verifies", lambda *args: tried.append(1) or genuine(*args))
    ring = Keyring(7, T0, RING.holders, tuple(key("county", public=bytes([n + 1] * 32)) for n in range(32)))
    data = seal(alert(), [private("x"), private("y"), private("z")])
    assert refusal(data, ring).reason == "bad-signature"
    assert len(tried) == MAX_CHECKS
    tried.clear()
    refusal(sealed("x"), ring)
    assert len(tried) == 32


# Text


def test_text_that_is_the_alerts_comes_with_it():
    assert verified(text=TEXT).text == TEXT
    assert verified(text="").text == ""


def test_text_that_is_not_the_alerts_is_dropped_and_the_alert_stands():
    bare = sealed(text_digest=digest_of(TEXT))
    found = verify(carry(bare, "Go home"), RING, clock())
    assert isinstance(found, VerifiedAlert)
    assert (found.text, found.text_refused) == ("", "text-mismatch")
    undigested = verify(carry(sealed(), TEXT), RING, clock())
    assert isinstance(undigested, VerifiedAlert)
    assert undigested.text_refused == "text-mismatch"


def test_a_narrow_bearer_may_drop_the_text():
    found = verify(sealed(text_digest=digest_of(TEXT)), RING, clock())
    assert isinstance(found, VerifiedAlert)
    assert (found.text, found.text_refused) == ("", "")


def test_text_is_bounded():
    long = "水" * (MAX_TEXT_BYTES // 3 + 1)
    with pytest.raises(LocalError):
        carry(sealed(), long)
    data = canonical.encode([1, sealed(text_digest=digest_of(long)), long])
    found = verify(data, RING, clock())
    assert isinstance(found, VerifiedAlert)
    assert (found.text, found.text_refused) == ("", "text-oversize")


@pytest.mark.parametrize("parts", [[1, b"x"], [2, b"x", "t"], [1, "x", "t"], [1, b"x", b"t"], [1, b"x", "t", 0]])
def test_another_carrier_is_no_carrier(parts):
    assert refusal(canonical.encode(parts)).reason in {"malformed", "unsigned"}


# As JSON


def test_decode_sealed_says_everything_in_caps_words():
    shape = (VILLAGE, 0, Circle(3_000_000, 12_000_000, 500), Polygon(((0, 0), (0, 100), (100, 0))))
    shown = decode_sealed(sealed("county bureau", TEXT, area=shape, onset=T0))
    assert shown["form"] == "COSE_Sign"
    assert shown["verified"] is False
    assert shown["text"] == TEXT
    assert shown["alert"] | {"chain": "", "text_digest": ""} == {
        "issuer": 1,
        "seq": T0,
        "status": "Actual",
        "msgType": "Alert",
        "chain": "",
        "event": "11A51",
        "family": "flash-flood",
        "level": "red",
        "action": "evacuate",
        "onset": "2027-01-15T08:00:00+00:00",
        "expires": "2027-01-15T09:00:00+00:00",
        "area": [
            "330205004001",
            "all",
            {"circle": [30.0, 120.0], "radius_m": 500},
            {"polygon": [[0.0, 0.0], [0.0, 0.001], [0.001, 0.0]]},
        ],
        "text_digest": "",
    }


def test_decode_sealed_names_the_byte_in_the_message_as_it_came():
    data = bytearray(sealed(text=TEXT))
    at = data.index(b"11A51") - 1
    data[at] = 0xF5
    with pytest.raises(RemoteError) as caught:
        decode_sealed(bytes(data))
    assert caught.value.offset == at


def test_a_far_time_does_not_break_the_view():
    assert decode_sealed(sealed(expires=MAX_TIME))["alert"]["expires"] == f"@{MAX_TIME}"


# Nothing but the exact bytes

ORIGINALS = {
    "one": sealed("county"),
    "two": sealed("county bureau", seq=T0 + 1),
    "text": sealed("watch", TEXT, issuer=3, seq=T0 + 2),
    "shape": sealed("bureau county", issuer=2, seq=T0 + 3, area=(Circle(1, 2, 3), 330205)),
}
SIGNERS = {
    verified("county").identity: {"county"},
    verified("county bureau", seq=T0 + 1).identity: {"county", "bureau"},
    verified("watch", TEXT, issuer=3, seq=T0 + 2).identity: {"watch"},
    verified("bureau county", issuer=2, seq=T0 + 3, area=(Circle(1, 2, 3), 330205)).identity: {"county", "bureau"},
}


def worth_no_more(data: bytes) -> None:
    """Whatever was done to a seal, nobody says what he did not sign, and no text is shown that was not signed."""
    found = verify(data, RING, clock())
    if isinstance(found, VerifiedAlert):
        assert found.identity in SIGNERS
        assert set(found.holders) <= SIGNERS[found.identity]
        assert found.text in {"", TEXT}
        assert not found.text or found.alert.issuer == ISSUERS["watch"]


@pytest.mark.parametrize("name", ["one", "two", "shape"])
def test_no_bit_can_be_flipped(name):
    original = ORIGINALS[name]
    for place in range(len(original) * 8):
        changed = bytearray(original)
        changed[place // 8] ^= 1 << place % 8
        found = verify(bytes(changed), RING, clock())
        if isinstance(found, VerifiedAlert):  # one of two signatures was spoilt; the other holder's word stands
            assert name != "one"
            assert len(found.holders) == 1
        worth_no_more(bytes(changed))


@pytest.mark.parametrize("original", ORIGINALS.values(), ids=ORIGINALS)
def test_no_byte_can_be_missing_or_added(original):
    for length in range(len(original)):
        assert isinstance(verify(original[:length], RING, clock()), Refusal)
    for place in range(len(original) + 1):
        assert isinstance(verify(original[:place] + b"\x00" + original[place:], RING, clock()), Refusal)


def test_a_stripped_signature_takes_its_authority_along():
    _, _, payload, signers = cbor2.loads(ORIGINALS["two"]).value
    for left, holder in ((0, "county"), (1, "bureau")):
        alone = cose.SIGN_TAG + canonical.encode([b"", {}, payload, [signers[left]]])
        found = verify(alone, RING, clock())
        assert isinstance(found, VerifiedAlert)
        assert found.holders == (holder,)
    none = cose.SIGN_TAG + canonical.encode([b"", {}, payload, []])
    assert refusal(none).reason == "malformed"


def mutated(data: bytearray, chance: random.Random) -> bytearray:
    place = chance.randrange(len(data) + 1)
    other = chance.choice(list(ORIGINALS.values()))
    match chance.randrange(8):
        case 0:
            data[place : place + 1] = bytes([chance.randrange(256)])
        case 1:
            del data[place : place + chance.randrange(1, 80)]
        case 2:
            data[place:place] = chance.randbytes(chance.randrange(1, 20))
        case 3:
            data[place:] = other[place:]
        case 4:
            size = chance.choice([8, 16, 64, 72])
            data[place : place + size] = other[-size:]
        case 5:
            data[:0] = chance.choice([b"\xd2", b"\xd8\x62", b"\x84", b"\x83\x01", b"\xd9\xd9\xf7"])
        case 6:
            data[place : place + 1] = chance.choice([b"\x1f", b"\x5f", b"\x9f", b"\xff", b"\xf6", b"\xa0", b"\xbf"])
        case _:
            swapped = chance.randrange(len(data) + 1)
            data[place : place + 8], data[swapped : swapped + 8] = data[swapped : swapped + 8], data[place : place + 8]
    return data


def rebuilt(chance: random.Random) -> bytes:
    """Valid in form, made of parts that were never signed together."""
    parts = [cose.decode(uncarry(data)[0], 1024) for data in ORIGINALS.values()]
    payload = chance.choice(parts).payload
    fields = canonical.decode(payload, 1024)
    if chance.random() < 0.7:
        at = chance.randrange(1, len(fields))
        fields[at] = canonical.decode(chance.choice(parts).payload, 1024)[at]
        fields[chance.choice([2, 9, 10])] = T0 + chance.randrange(9)
        payload = canonical.encode(fields)
    signatures = [chance.choice(chance.choice(parts).signatures) for _ in range(chance.randrange(1, 4))]
    if chance.random() < 0.4:
        return cose.SIGN1_TAG + canonical.encode([cose.EDDSA, {}, payload, signatures[0].value])
    return cose.SIGN_TAG + canonical.encode([b"", {}, payload, [[cose.EDDSA, {}, one.value] for one in signatures]])


BATCH = 50


@settings(max_examples=count(100_000) // BATCH, deadline=None)
@given(st.integers(0, 2**32))
def test_no_mutation_of_valid_seals_is_ever_believed(seed):
    chance = random.Random(seed)
    for _ in range(BATCH):
        if chance.random() < 0.3:
            worth_no_more(rebuilt(chance))
            continue
        data = bytearray(chance.choice(list(ORIGINALS.values())))
        for _ in range(chance.randrange(1, 4)):
            data = mutated(data, chance)
        worth_no_more(bytes(data))


@given(st.binary(max_size=300))
def test_no_bytes_are_believed_by_chance(data):
    for start in (b"", b"\xd2\x84", b"\xd8\x62\x84", b"\x83\x01"):
        assert isinstance(verify(start + data, RING, clock()), Refusal)


@given(alerts)
def test_what_was_signed_is_believed_and_nothing_beside_it(one):
    data = seal(one, [private("county")])
    ring = replace(RING, holders=(Holder("county", (one.issuer,)),), keys=RING.keys[:1])
    found = verify(data, ring, clock())
    assert isinstance(found, VerifiedAlert)
    assert found.alert == one
    other = replace(one, seq=(one.seq + 1) % MAX_TIME)
    forged = cose.SIGN1_TAG + canonical.encode([cose.EDDSA, {}, alert_cbor.encode(other), data[-64:]])
    assert isinstance(verify(forged, ring, clock()), Refusal)
    assert all(is_code(item) for item in one.area if isinstance(item, int))


def many(holders=24):
    names = [f"h{number}" for number in range(holders)]
    keys = tuple(key(name, WARN) for name in names)
    return Keyring(7, T0, tuple(Holder(name, (n + 1,)) for n, name in enumerate(names)), keys)


@pytest.mark.parametrize("left", [0, 1, 5, 23])
def test_a_forgery_costs_no_more_than_the_effort_allows_and_says_that_it_was_cut_short(left, monkeypatch):
    checks = []
    real = cose.verifies
    monkeypatch.setattr(cose, "verifies", lambda *what: checks.append(1) or real(*what))
    effort = Effort(left)
    found = verify(sealed("nobody"), many(), clock(), effort)
    assert found.reason == "bad-signature"
    assert len(checks) == 1 + left
    assert (effort.left, effort.short) == (0, left < 23)


def test_the_issuers_own_signature_is_found_without_any_effort():
    found = verify(sealed("h0 h9"), many(), clock(), effort := Effort(0))
    assert (found.holders, effort.short) == (("h0",), True)
    assert verify(sealed("h0"), many(), clock(), effort := Effort(0)).holders == ("h0",)
    assert not effort.short
    assert verify(sealed("h0 h9"), many(), clock(), Effort()).holders == ("h0", "h9")
    assert verify(sealed("h9"), many(), clock(), Effort(0)).reason == "bad-signature"
