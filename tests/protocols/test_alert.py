"""Words: numbers of issuers, chains, text that may be shown; and that nobody but `verify` makes a VerifiedAlert."""

import ast
import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.alert import (
    MAX_SHOWN,
    Grant,
    Level,
    Permission,
    VerifiedAlert,
    chain_of,
    digest_of,
    displayable,
    next_seq,
)
from tests.support import seals

ROOT = Path(__file__).parents[2]


def test_an_issuers_numbers_grow_also_when_its_clock_steps_back():
    assert next_seq(0, 1_800_000_000) == 1_800_000_000
    assert next_seq(1_800_000_000, 1_800_000_000) == 1_800_000_001
    assert next_seq(1_800_000_005, 1_700_000_000) == 1_800_000_006


def test_two_importers_of_one_alert_name_the_same_chain():
    assert chain_of("33000041600000", "33000041600000_20250101") == chain_of(
        "33000041600000", "33000041600000_20250101"
    )
    assert chain_of("a", "bc") != chain_of("ab", "c")


def test_no_text_has_no_digest():
    assert digest_of("") == b""
    assert len(digest_of("水")) == 16


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("立即\n转移\r\n", "立即 转移"),
        ("a\u202eb\u2066c\u200b", "abc"),  # bidi override, isolate, zero-width space
        ("x\x00\x1b[31my", "x [31my"),
        ("a\u2028b\u2029c", "a b c"),
        ("\ue000\U000e0041水", "水"),  # private use, tag
        ("", ""),
    ],
)
def test_what_is_shown_has_no_control_or_bidi_characters(text, shown):
    assert displayable(text) == shown


@given(st.text())
def test_what_is_shown_is_one_bounded_line(text):
    shown = displayable(text)
    assert len(shown) <= MAX_SHOWN
    assert shown.isprintable()


def test_a_verified_alert_cannot_be_made_by_hand():
    grant = Grant("anybody", Permission.SIREN, (0,), Level.RED)
    with pytest.raises(TypeError):
        VerifiedAlert(seals.alert(), b"", (grant,), True, "", "", proof=object())
    genuine = seals.verified()
    with pytest.raises((TypeError, ValueError)):
        dataclasses.replace(genuine, grants=(grant,))
    with pytest.raises(dataclasses.FrozenInstanceError):
        genuine.grants = (grant,)


def test_only_the_seal_knows_the_proof():
    """The proof's name stands in two files, and VerifiedAlert is called in one."""
    named, called = set(), set()
    for folder in ("agent", "drivers", "buffer", "protocols"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Name) and node.id == "_PROOF":
                    named.add(path.name)
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "VerifiedAlert":
                    called.add(path.name)
    assert named == {"alert.py", "seal.py"}
    assert called == {"seal.py"}
