"""What forgers and floods can do to messages that are being put together, and what they cannot."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.narrow import header
from protocols.narrow.fragments import MOST_AGAIN, Sending, cut
from protocols.narrow.header import Frame, Kind, Piece
from protocols.narrow.link import Link, One
from protocols.narrow.reassembly import MOST_BYTES, MOST_OPEN, TRIES, TTL, Reassembly
from tests.protocols.narrow_air import Air
from tests.protocols.narrow_pair import pair
from tests.support.scale import count


def nothing(_data):
    return None


def piece(place=0, total=4, number=7, body=b"12345678"):
    return Frame(Kind.DATA, number, body, Piece(place, total))


def forged(datagram, rng):
    """The same head, other contents."""
    frame = header.decode(datagram)
    return header.encode(frame._replace(body=rng.randbytes(len(frame.body))))


def test_a_forger_who_changes_one_piece_delays_and_no_more():
    """Behind the first piece of a message somebody says another one for the same place; that piece was lost for us."""
    rng = random.Random(1)
    station, headend = pair()
    link = Link(One(headend), Reassembly())
    sealed = station.seal(Kind.DATA, rng.randbytes(900))
    sending = Sending(sealed, 77)
    lost = True
    for slot in range(60):  # noqa: B007 - counted
        out = sending.next()
        if out is None:
            break
        sending.sent(out.place, 0.0)
        said = [forged(out.data, rng)] if lost else [out.data]
        lost = False
        for data in said:
            received = link.receive("x", header.decode(data), 0.0)
            if received.receipt:
                sending.hear(received.receipt)
    assert sending.done
    assert slot == 14  # thirteen, "again", and the first of the second round


def test_forging_every_piece_after_the_genuine_one_changes_nothing():
    rng = random.Random(2)
    station, headend = pair()
    air = Air(rng, station, headend, loss=0.0, forge=lambda data: [forged(data, rng)])
    slots, sending = air.carry(station.seal(Kind.DATA, rng.randbytes(900)))
    assert (slots, sending.done) == (13, True)


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_who_speaks_less_often_than_the_station_does_not_stop_it(share):
    """A forger with a better place in every slot he uses, at the loss of the air: every message arrives all the same."""
    rng = random.Random(3)
    for _ in range(count(100)):
        station, headend = pair()
        link = Link(One(headend), Reassembly())
        sending, now = Sending(station.seal(Kind.DATA, rng.randbytes(500)), 77), 0.0
        while not (sending.done or sending.failed):
            out = sending.next()
            now += 60.0
            if out is None:
                sending.tick(now)
                continue
            sending.sent(out.place, now)
            said = [forged(out.data, rng)] if rng.random() < share else []
            said += [out.data] if rng.random() >= 0.045 else []
            for data in said:
                received = link.receive("x", header.decode(data), now)
                if received.receipt and rng.random() >= 0.045:
                    sending.hear(received.receipt)
        assert sending.done


def test_who_speaks_twice_as_often_stops_it_on_this_bearer_and_it_is_told():
    rng = random.Random(4)
    station, headend = pair()
    link = Link(One(headend), Reassembly())
    sending = Sending(station.seal(Kind.DATA, rng.randbytes(900)), 77)
    while not sending.failed:
        out = sending.next()
        sending.sent(out.place, 0.0)
        bad = random.Random(out.place).randbytes(len(header.decode(out.data).body))
        for data in (bad, bad, None):
            frame = header.decode(out.data)
            received = link.receive("x", frame._replace(body=data) if data else frame, 0.0)
            if received.receipt:
                sending.hear(received.receipt)
    assert sending.failed == "forged"
    whole = link.receive("another bearer", cut(sending.message, 1750)[0], 0.0)
    assert whole.opened.fresh


def test_at_most_so_many_ways_are_tried_for_a_piece():
    reassembly, tried = Reassembly(), []

    def check(data):
        tried.append(data)

    for place in range(14):
        for body in (b"1234567\x80", b"abcdefg\x80"):
            before = len(tried)
            reassembly.take("x", piece(place, 14, body=body), 0.0, check)
            assert len(tried) - before <= TRIES


def test_parity_among_forged_pieces_is_bounded_too():
    reassembly, tried = Reassembly(), []
    rng = random.Random(6)
    for place in (*range(32), *range(64, 128)):
        for _ in range(2):
            before = len(tried)
            reassembly.take("x", piece(place, 32, body=rng.randbytes(40)), 0.0, tried.append)
            assert len(tried) - before <= TRIES


def test_contents_said_often_are_never_forgotten():
    """More than a third of all that was said for a place: Misra and Gries's promise."""
    rng = random.Random(7)
    for _ in range(50):
        reassembly = Reassembly()
        genuine = [b"genuine!"] * 40
        said = genuine + [rng.randbytes(8) for _ in range(79)]
        rng.shuffle(said)
        for body in said:
            reassembly.take("x", piece(0, 4, body=body), 0.0, nothing)
        (half,) = reassembly._halves.values()
        assert b"genuine!" in half.places[0]
        assert len(half.places[0]) <= 2


# Floods


def test_ten_thousand_half_open_messages_are_bounded():
    reassembly = Reassembly(most_bytes=1 << 20)
    for number in range(10_000):
        sender = f"station {number % 3000}"
        reassembly.take(sender, piece(0, 64, number % 65_536, bytes(72)), float(number), nothing)
        assert reassembly.bytes <= 1 << 20
    assert len(reassembly) <= (1 << 20) // 200
    assert reassembly.given_up == 10_000 - len(reassembly)


def test_one_sender_holds_four_and_the_newest_stay():
    reassembly = Reassembly()
    for number in range(1000):
        reassembly.take("x", piece(0, 4, number), float(number), nothing)
    reassembly.take("y", piece(0, 4, 1), 1000.0, nothing)
    assert len(reassembly) == MOST_OPEN + 1
    names = [name for name, _ in reassembly.stalled(9999.0, 1.0)]
    assert [int.from_bytes(name.head[1:]) for name in names] == [996, 997, 998, 999, 1]


def test_a_message_without_news_is_forgotten_after_hours():
    reassembly = Reassembly()
    reassembly.take("x", piece(0, 4, 1), 0.0, nothing)
    reassembly.take("y", piece(0, 4, 2), TTL, nothing)
    assert len(reassembly) == 2
    reassembly.take("y", piece(1, 4, 2), TTL + 1, nothing)
    assert (len(reassembly), reassembly.given_up) == (1, 1)


def test_totals_and_lengths_that_contradict_are_other_messages():
    reassembly = Reassembly()
    reassembly.take("x", piece(0, 4), 0.0, nothing)
    for other in (piece(1, 5), piece(1, 4, body=b"123")):
        taken = reassembly.take("x", other._replace(wanted=True), 0.0, nothing)
        assert taken.receipt.held == {1}
    assert len(reassembly) == 3


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(2, 5), st.binary(min_size=1, max_size=40))))
def test_its_books_are_right_whatever_comes(said):
    reassembly = Reassembly(most_bytes=2000)
    for now, (number, place, total, body) in enumerate(said):
        frame = piece(min(place, total - 1), total, number % 3, body)
        reassembly.take(str(number % 2), frame, float(now), nothing)
        assert reassembly.bytes == sum(half.bytes for half in reassembly._halves.values())
        assert reassembly.bytes <= max(2000, max((half.bytes for half in reassembly._halves.values()), default=0))
        assert sum(map(len, reassembly._of.values())) == len(reassembly)
        assert all(len(names) <= MOST_OPEN for names in reassembly._of.values())


def test_a_message_alone_may_not_outgrow_the_bound_by_much():
    """The one just touched stays even where it is more than allowed: at most a message of the longest, twice over."""
    reassembly = Reassembly()
    rng = random.Random(8)
    for place in range(64):
        for _ in range(3):
            reassembly.take("x", piece(place, 64, body=rng.randbytes(512)), 0.0, nothing)
    assert reassembly.bytes <= MOST_BYTES


@given(st.lists(st.binary(max_size=90), max_size=30))
def test_a_link_lives_through_any_noise(noise):
    _, headend = pair()
    link = Link(One(headend), Reassembly())
    for data in noise:
        try:
            frame = header.decode(data)
        except header.RemoteError:
            continue
        received = link.receive("x", frame, 0.0)
        assert received.opened is None
        assert received.reason
    assert not headend.windows


def test_again_ends():
    assert MOST_AGAIN < 255  # or its number would come round
