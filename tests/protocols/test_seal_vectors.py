"""The vectors that docs/platform/seal.md offers to others: ours, reproducible, and right for an independent library."""

import json
import re
from pathlib import Path

import pytest
from cwt import COSE, COSEKey

from protocols.alert import Refusal, VerifiedAlert
from protocols.keyring import Keyring, open_keyset
from protocols.seal import uncarry, verify
from tests.support.seal_vectors import FILE, vectors
from tests.support.seals import clock, keyring

VECTORS = json.loads(FILE.read_text(encoding="utf-8"))
DOCUMENT = Path(__file__).parents[2] / "docs" / "platform" / "seal.md"


def names(kind: str) -> list[str]:
    return [one["name"] for one in VECTORS[kind]]


def test_the_file_is_what_the_seeds_make():
    assert vectors() == VECTORS


def test_the_key_set_opens():
    roots = [bytes.fromhex(VECTORS["keys"][f"root {number}"]["public"]) for number in (1, 2, 3)]
    found = open_keyset(bytes.fromhex(VECTORS["keyset"]["sealed"]), roots, 0)
    assert isinstance(found, Keyring)
    assert found == keyring()


@pytest.mark.parametrize("one", VECTORS["believed"], ids=names("believed"))
def test_what_is_believed_and_by_whose_word(one):
    data = bytes.fromhex(one["data"])
    found = verify(data, keyring(), clock(VECTORS["clock"]))
    assert isinstance(found, VerifiedAlert)
    assert list(found.holders) == one["holders"]
    assert found.identity.hex() == one["decoded"]["identity"]
    for holder in one["holders"]:
        key = COSEKey.new({1: 1, 3: -8, -1: 6, -2: bytes.fromhex(VECTORS["keys"][holder]["public"])})
        assert COSE.new().decode(uncarry(data)[0], [key])


@pytest.mark.parametrize("one", VECTORS["refused"], ids=names("refused"))
def test_what_is_refused_and_where(one):
    found = verify(bytes.fromhex(one["data"]), keyring(), clock(VECTORS["clock"]))
    assert isinstance(found, Refusal)
    assert (found.reason, found.offset) == (one["reason"], one["offset"])


def test_the_document_shows_a_vector_that_is_one():
    shown = "".join(re.findall(r"^    ([0-9a-f ]+)$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE))
    assert shown.replace(" ", "") == VECTORS["believed"][0]["data"]
