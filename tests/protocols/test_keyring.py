"""The key-set: two of three roots, a number that never goes back, nobody counted twice, and what expiry leaves."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import canonical, cose, keyring
from protocols.alert import Level, Permission, Refusal
from protocols.errors import LocalError
from protocols.keyring import GRACE, MAX_KEYS, Holder, Key, Keyring, fingerprint, open_keyset, seal_keyset
from tests.support.seals import ROOTS, T0, clock, key, private, public
from tests.support.seals import keyring as ring


def keyset(*roots: int, of: Keyring | None = None) -> bytes:
    return seal_keyset(of or ring(), [private(f"root {number}") for number in roots])


@pytest.mark.parametrize("roots", [(1, 2), (1, 3), (3, 2), (1, 2, 3)])
def test_two_of_three_roots_are_needed(roots):
    assert open_keyset(keyset(*roots), ROOTS, 0) == ring()


def reason(data: bytes, last: int = 0, roots: list[bytes] = ROOTS) -> str:
    found = open_keyset(data, roots, last)
    assert isinstance(found, Refusal)
    return found.reason


def test_one_root_is_not_enough_however_often_it_signs():
    twice = seal_keyset(ring(), [private("root 1"), private("root 1")])
    assert reason(twice) == "keyset-roots"
    assert reason(seal_keyset(ring(), [private("root 1"), private("stranger")])) == "keyset-roots"
    assert reason(keyset(1, 2), roots=ROOTS[:1]) == "keyset-roots"
    assert reason(keyset(1, 2), roots=[]) == "keyset-roots"
    alone = cose.encode(cose.decode(keyset(1, 2), 9999).payload, [private("root 1")])
    assert reason(alone) == "keyset-roots"


def test_a_repeated_root_in_the_configuration_counts_once():
    assert reason(seal_keyset(ring(), [private("root 1"), private("stranger")]), roots=[ROOTS[0]] * 3) == "keyset-roots"


def test_two_roots_and_a_stranger_are_two_roots():
    data = seal_keyset(ring(), [private("stranger"), private("root 3"), private("root 1")])
    assert open_keyset(data, ROOTS, 0) == ring()


def test_one_root_cannot_make_a_key_set():
    with pytest.raises(LocalError):
        seal_keyset(ring(), [private("root 1")])


def test_its_number_never_goes_back():
    assert isinstance(open_keyset(keyset(1, 2), ROOTS, 7), Keyring)
    assert reason(keyset(1, 2), last=8) == "keyset-old"


def test_a_root_key_may_not_issue():
    ours = ring(replace(key("county"), public=ROOTS[2]))
    assert reason(keyset(1, 2, of=ours)) == "keyset-root"


@pytest.mark.parametrize(
    "broken",
    [
        Keyring(7, T0, (Holder("county", (1,)), Holder("county", (2,))), ()),
        Keyring(7, T0, (Holder("county", (1,)), Holder("bureau", (1,))), ()),
        Keyring(7, T0, (Holder("county", (1,)),), (key("county"), key("county"))),
        Keyring(0, T0, (), ()),
        Keyring(7, T0, (Holder("", (1,)),), ()),
        Keyring(7, T0, (Holder("a\nb", (1,)),), ()),
        Keyring(7, T0, (Holder("county", (-1,)),), ()),
        Keyring(7, T0, tuple(Holder(str(n), tuple(range(n * 30, n * 30 + 30))) for n in range(3)), ()),
        Keyring(7, T0, (Holder("county", (1,)),), (key("county", areas=()),)),
        Keyring(7, T0, (Holder("county", (1,)),), (key("county", areas=(331000,)),)),
        Keyring(7, T0, (Holder("county", (1,)),), (key("county", not_after=0),)),
        Keyring(7, T0, (Holder("county", (1,)),), (key("county", public=bytes(31)),)),
        Keyring(7, T0, (Holder("county", (1,)),), (key("county", Permission(32)),)),
        Keyring(7, T0, (Holder("county", ()),), tuple(key("county", public=bytes([n] * 32)) for n in range(33))),
    ],
)
def test_an_ambiguous_or_boundless_key_set_cannot_be_signed(broken):
    with pytest.raises(LocalError):
        seal_keyset(broken, [private("root 1"), private("root 2")])


def test_a_full_key_set_fits():
    keys = tuple(key("county", public=bytes([n + 1] * 32), areas=tuple(range(11, 27))) for n in range(MAX_KEYS))
    full = Keyring(7, T0, (Holder("county" * 10, (1,)),), tuple(replace(k, holder="county" * 10) for k in keys))
    data = keyset(1, 2, 3, of=full)
    assert len(data) < keyring.MAX_BYTES
    assert open_keyset(data, ROOTS, 0) == full


def test_a_fingerprint_has_eight_groups_and_no_order():
    text = fingerprint(*ROOTS)
    assert [len(group) for group in text.split()] == [4] * 8
    assert fingerprint(*reversed(ROOTS)) == text
    assert fingerprint(*ROOTS[:2]) != text


def test_an_expired_key_loses_the_siren_at_once_and_keeps_display_and_cancel_for_30_days():
    one = key("county", not_after=T0)
    full, kept = one.permissions, Permission.DISPLAY | Permission.CANCEL
    assert one.permissions_at(clock(T0 - 1)) == full
    assert one.permissions_at(clock(T0)) == kept
    assert one.permissions_at(clock(T0 + GRACE - 1)) == kept
    assert one.permissions_at(clock(T0 + GRACE)) == Permission.NONE


def test_a_key_is_not_valid_before_its_time():
    one = key("county", not_before=T0)
    assert one.permissions_at(clock(T0 - 1)) == Permission.NONE
    assert one.permissions_at(clock(T0)) == one.permissions


def test_an_untrusted_clock_expires_a_key_by_its_floor_only():
    one = key("county", not_before=T0, not_after=T0 + 10)
    assert one.permissions_at(clock(T0 + GRACE * 2, trusted=False, floor=T0)) == one.permissions
    assert one.permissions_at(clock(0, trusted=False)) == one.permissions  # 1970: nothing is known
    assert Permission.SIREN not in one.permissions_at(clock(T0 + 99, trusted=False, floor=T0 + 10))


def test_the_issuers_own_keys_are_tried_first():
    holders = [one.holder for one in ring().candidates(2, clock())]
    assert holders[0] == "bureau"
    assert sorted(holders) == sorted(one.holder for one in ring().keys)
    assert len(list(ring().candidates(99, clock()))) == len(ring().keys)


def test_the_empty_keyring_believes_nobody():
    assert list(Keyring().candidates(1, clock())) == []


@given(st.binary(max_size=400))
def test_no_bytes_are_a_key_set_by_chance(data):
    assert isinstance(open_keyset(data, ROOTS, 0), Refusal)


@given(st.recursive(st.integers(-1, 40) | st.binary(max_size=33) | st.text(max_size=4), st.lists, max_leaves=20))
def test_a_signed_key_set_of_any_shape_is_read_or_refused(value):
    """Even the roots cannot make the parser fail in a way of its own."""
    try:
        payload = canonical.encode([1, 7, T0, value, value])
        data = cose.encode(payload, [private("root 1"), private("root 2")])
    except LocalError:
        return
    assert isinstance(open_keyset(data, ROOTS, 0), Refusal | Keyring)


def test_level_and_key_travel_unchanged():
    one = Key("county", public("county"), Permission.VOICE, (33, 330205004), Level.YELLOW, 5, 6)
    assert open_keyset(keyset(1, 2, of=ring(one)), ROOTS, 0) == ring(one)
