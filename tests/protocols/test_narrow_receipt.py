"""Receipts, one by one and for many stations at once; small talk."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalError, RemoteError
from protocols.narrow import control, receipt
from protocols.narrow.control import Ping, Time, Words
from protocols.narrow.receipt import Addressed, Reason, Receipt, settles

ids = st.integers(0, 0xFFFF)
totals = st.integers(2, 64)
held = st.tuples(ids, totals, st.frozensets(st.integers(0, 63), max_size=8)).map(
    lambda drawn: Receipt(drawn[0], frozenset(place % drawn[1] for place in drawn[2]), drawn[1])
)
again = st.tuples(ids, totals, st.integers(1, 255)).map(lambda drawn: Receipt(drawn[0], total=drawn[1], again=drawn[2]))
refused = st.tuples(ids, st.sampled_from(Reason)).map(lambda drawn: Receipt(drawn[0], refused=drawn[1]))
receipts = ids.map(Receipt) | held | again | refused
KEY = bytes(range(16))


@given(receipts)
def test_a_receipt_there_and_back(one):
    assert receipt.read(receipt.encode(one), 0) == (one, len(receipt.encode(one)))


def test_their_bytes():
    assert receipt.encode(Receipt(0x1234)).hex() == "123400"
    assert receipt.encode(Receipt(0x1234, frozenset({0, 1, 13}), 14)).hex() == "12340e0320"
    assert receipt.encode(Receipt(0x1234, total=14, again=2)).hex() == "123450020e"
    assert receipt.encode(Receipt(0x1234, refused=Reason.CONTEXT)).hex() == "123462"


@pytest.mark.parametrize("data", ["", "1234", "12340e03", "123450", "12345001", "1234500041", "12345000" + "0e"])
def test_what_is_cut_off_or_nonsense_is_refused(data):
    with pytest.raises(RemoteError):
        receipt.read(bytes.fromhex(data), 0)


@pytest.mark.parametrize("form", ["01ff", "0380", "41ff", "70", "ff"])
def test_a_form_that_is_none_is_refused(form):
    with pytest.raises(RemoteError):
        receipt.read(bytes.fromhex("1234" + form + "00" * 9), 0)


def test_a_reason_of_a_later_version_is_a_refusal_all_the_same():
    assert receipt.read(bytes.fromhex("12346f"), 0)[0].refused is Reason.UNSUPPORTED


@pytest.mark.parametrize("wrong", [Receipt(1, frozenset({4}), 4), Receipt(1, frozenset(), 65), Receipt(1, again=1)])
def test_what_no_receipt_can_say(wrong):
    with pytest.raises(LocalError):
        receipt.encode(wrong)


# Many at once


def row(address, one, counter=70_000, key=KEY):
    return Addressed(address, one, receipt.mac(key, counter, one))


rows = st.tuples(st.binary(min_size=3, max_size=3), receipts, st.binary(min_size=4, max_size=4))


@given(st.lists(rows.map(lambda drawn: Addressed(*drawn)), max_size=6))
def test_many_there_and_back(rows):
    assert receipt.decode_many(receipt.encode_many(rows)) == rows


def test_ten_bytes_a_station_twelve_with_sixteen_pieces():
    assert len(receipt.encode_many([row(b"abc", Receipt(1))])) == 10
    assert len(receipt.encode_many([row(b"abc", Receipt(1, frozenset({1}), 16))])) == 12
    rows = [row(b"abc", Receipt(number)) for number in range(20)]
    assert receipt.fit(rows, 77 - 3) == 7
    assert receipt.fit(rows, 1000) == 20


def test_a_receipt_settles_one_message_of_one_station_of_one_epoch():
    one = Receipt(70_000 % 65_536)
    genuine = row(b"abc", one)
    assert settles(genuine, b"abc", KEY, 70_000)
    assert not settles(genuine, b"abd", KEY, 70_000)
    assert not settles(genuine, b"abc", KEY, 70_000 + 65_536)  # the same id, a turn later
    assert not settles(genuine, b"abc", bytes(16), 70_000)
    for other in (one._replace(refused=Reason.BUSY), Receipt(one.id, frozenset({0}), 2)):
        assert not settles(genuine._replace(receipt=other), b"abc", KEY, 70_000)


@given(st.binary(max_size=100))
def test_noise_is_rows_or_a_refusal(data):
    try:
        found = receipt.decode_many(data)
    except RemoteError as wrong:
        assert wrong.offset is not None  # noqa: PT017 - the other outcome of the same call
        assert wrong.offset <= len(data)  # noqa: PT017 - as above
        return
    later = any(one.receipt.refused is Reason.UNSUPPORTED for one in found)  # by which reason is not kept
    assert later or receipt.encode_many(found) == data


# Small talk

parts = st.lists(receipts, max_size=6).flatmap(
    lambda some: st.lists(
        st.just(Ping())
        | st.tuples(st.integers(0, (1 << 48) - 1), st.integers(0, 0xFFFF)).map(lambda drawn: Time(*drawn))
        | st.binary(max_size=100).map(Words),
        max_size=4,
    ).map(lambda others: some + others)
)


@given(parts)
def test_small_talk_there_and_back(said):
    assert control.decode(control.encode(said)) == said


def test_the_cheapest_sign_of_life():
    assert control.encode([Ping()]) == b"\2"
    assert control.encode([Time(1_795_000_000_000, 10**6)])[-2:] == b"\xff\xff"  # said as wrong as it can be said


@pytest.mark.parametrize("body", ["05", "01", "0100", "0141", "0102123400", "0300", "04", "040005ff", "0400010300"])
def test_small_talk_that_is_none(body):
    with pytest.raises(RemoteError):
        control.decode(bytes.fromhex(body))


def test_too_much_is_not_said():
    with pytest.raises(LocalError):
        control.encode([Receipt(n) for n in range(65)])


@given(st.binary(max_size=100))
def test_noise_is_small_talk_or_a_refusal(data):
    try:
        control.decode(data)
    except RemoteError:
        return
