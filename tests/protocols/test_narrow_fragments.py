"""Messages in pieces: cut, sent until they are there, put together."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalError
from protocols.narrow import fragments, header
from protocols.narrow.fragments import MOST_ASKED, Sending, cut, join, one_way, pieces_of
from protocols.narrow.header import Frame, Kind, Piece
from protocols.narrow.link import Link, One
from protocols.narrow.reassembly import Reassembly
from protocols.narrow.receipt import Reason, Receipt
from protocols.narrow.session import Message
from tests.protocols.narrow_air import Air
from tests.protocols.narrow_pair import pair, session
from tests.support.scale import count


def message(size, fill=b"\x80"):
    return Message(Kind.DATA, 7, (fill * size)[:size])


@given(st.binary(min_size=1, max_size=3000), st.integers(54, 340), st.booleans())
def test_pieces_are_of_one_length_and_join_to_the_message(data, mtu, addressed):
    frames = cut(Message(Kind.DATA, 7, data), mtu, address=b"abc" * addressed)
    encoded = [header.encode(frame) for frame in frames.values()]
    assert len({len(one) for one in encoded}) == 1
    assert len(encoded[0]) <= mtu
    assert len(frames) == pieces_of(len(data), mtu, addressed=addressed)
    if len(frames) > 1:
        assert join([frame.body for frame in frames.values()]) == data


def test_what_fits_goes_whole_and_what_never_fits_is_refused():
    assert pieces_of(74, 77) == 1
    assert pieces_of(75, 77) == 2
    assert pieces_of(64 * 72 - 1, 77) == 64
    for length, mtu in ((64 * 72, 77), (33 * 1024, 1750), (75, 5)):
        with pytest.raises(LocalError):
            pieces_of(length, mtu)


def test_filling_that_is_none_makes_no_message():
    assert join([b"abc", b"d\x80\0"]) == b"abcd"
    for pieces in ([b"abc", b"def"], [b"abc", b"\x80\0\0"], [b"\0\0", b"\0\0"], [b"ab", b"c\1"]):
        assert join(pieces) == b""


def numbers(sending):
    """Places of the pieces of a round, and which of them asks."""
    said = []
    while (out := sending.next()) is not None:
        frame = header.decode(out.data)
        said.append((out.place, frame.wanted))
        sending.sent(out.place, 0.0)
    return said


def test_all_then_what_is_missing_and_the_last_of_a_round_asks():
    sending = Sending(message(280), 77)
    assert numbers(sending) == [(0, False), (1, False), (2, False), (3, True)]
    assert sending.deadline == fragments.PATIENCE
    sending.hear(Receipt(7, frozenset({0, 3}), 4))
    assert numbers(sending) == [(1, False), (2, True)]
    sending.hear(Receipt(7, frozenset({0}), 4))  # an older one, late: what was held stays held
    assert numbers(sending) == [(1, False), (2, True)]
    sending.hear(Receipt(7))
    assert sending.done
    assert sending.next() is None
    assert sending.deadline is None


def test_silence_is_asked_into_six_times():
    sending = Sending(message(280), 77)
    numbers(sending)
    for _ in range(MOST_ASKED):
        sending.tick(44.9)
        assert sending.next() is None
        sending.tick(45.0)
        assert numbers(sending) == [(3, True)]
    sending.tick(45.0)
    assert sending.failed == "unheard"
    assert sending.deadline is None
    sending.hear(Receipt(7))  # and yet it arrived
    assert sending.done
    assert not sending.failed


def test_a_receipt_in_the_middle_shortens_the_round():
    sending = Sending(message(280), 77)
    for _ in range(2):
        sending.sent(sending.next().place, 0.0)
    sending.hear(Receipt(7, frozenset({0, 2}), 4))
    assert numbers(sending) == [(3, True)]
    sending.hear(Receipt(7, frozenset({0, 2, 3}), 4))
    assert numbers(sending) == [(1, True)]


def test_what_was_declined_is_offered_again():
    sending = Sending(message(280), 77)
    assert sending.next() == sending.next()


def test_receipts_of_other_messages_and_other_cuts_are_passed_over():
    sending = Sending(message(280), 77)
    before = numbers(sending)
    for other in (Receipt(8), Receipt(7, frozenset({0}), 5), Receipt(7, total=5, again=1)):
        sending.hear(other)
    assert not sending.done
    assert sending.next() is None
    assert len(before) == 4


def test_a_refusal_ends_it_with_its_reason():
    sending = Sending(message(280), 77)
    sending.hear(Receipt(7, refused=Reason.CONTEXT))
    assert sending.failed == "refused.context"
    assert sending.next() is None


def test_a_whole_message_asks_at_once():
    assert numbers(Sending(message(20), 77)) == [(0, True)]


# Through the air


def test_fourteen_pieces_at_the_loss_of_beidou():
    """At most 17 slots on average with a return channel that loses as much."""
    rng, runs, slots = random.Random(14), count(1000), []
    for _ in range(runs):
        station, headend = pair()
        sealed = station.seal(Kind.DATA, rng.randbytes(990))
        assert pieces_of(len(sealed.data), 77) == 14
        air = Air(rng, station, headend, loss=0.045)
        used, sending = air.carry(sealed)
        assert sending.done
        assert len(air.got) == 1
        assert len(air.reassembly) == air.reassembly.bytes == 0
        slots.append(used)
    assert sum(slots) / runs <= 17.0


@pytest.mark.parametrize("loss", [0.2, 0.5])
def test_it_arrives_once_whatever_is_lost(loss):
    rng = random.Random(20)
    for size in (1, 60, 67, 300, 1000):
        station, headend = pair()
        air = Air(rng, station, headend, loss=loss)
        body = rng.randbytes(size)
        sealed = station.seal(Kind.DATA, body)
        for _ in range(4):  # unheard six times in a row may happen at a half; the next visit goes on
            _, sending = air.carry(sealed)
            if sending.done:
                break
        assert sending.done
        assert air.got == [body]


def test_one_way_with_a_fifth_more_needs_no_answer():
    rng = random.Random(3)
    arrived = 0
    for _ in range(100):
        station, headend = pair()
        link = Link(One(headend), Reassembly())
        datagrams = one_way(station.seal(Kind.DATA, rng.randbytes(990)), 77)
        assert len(datagrams) == 17
        got = [link.receive("x", header.decode(one), 0.0) for one in datagrams if rng.random() >= 0.045]
        assert not any(one.receipt for one in got if one.reason == "part")
        arrived += any(one.opened and one.opened.fresh for one in got)
    assert arrived >= 95


def test_one_way_whole_is_said_twice():
    station, _ = pair()
    first, second = one_way(station.seal(Kind.EVENT, b"x"), 77)
    assert first == second


def test_one_message_by_two_bearers_at_once():
    station, headend = pair()
    link, sealed = Link(One(headend), Reassembly()), station.seal(Kind.DATA, bytes(300))
    narrow = [header.encode(frame) for frame in cut(sealed, 77).values()]
    (whole,) = [header.encode(frame) for frame in cut(sealed, 340).values()]
    assert [link.receive("beidou", header.decode(one), 0.0).reason for one in narrow[:3]] == ["part"] * 3
    assert link.receive("sbd", header.decode(whole), 1.0).reason == ""
    late = link.receive("beidou", header.decode(narrow[4])._replace(wanted=True), 2.0)
    assert (late.reason, late.receipt) == ("again", Receipt(sealed.id))


def test_a_lost_receipt_is_given_again():
    station, headend = pair()
    link, sealed = Link(One(headend), Reassembly()), station.seal(Kind.EVENT, b"alarm")
    frame = cut(sealed, 77)[0]._replace(wanted=True)
    assert link.receive("x", frame, 0.0).receipt == Receipt(sealed.id)
    again = link.receive("x", frame, 1.0)
    assert (again.receipt, again.opened.fresh, again.reason) == (Receipt(sealed.id), False, "again")


def test_what_was_refused_is_fresh_when_it_comes_again():
    """Or its second copy would be acknowledged, and settled, though nobody has kept it."""
    station, headend = pair()
    link = Link(One(headend), Reassembly())
    for size in (20, 300):
        frames = [frame._replace(wanted=True) for frame in cut(station.seal(Kind.DATA, bytes(size)), 77).values()]
        for _ in range(2):
            received = [link.receive("x", frame, 0.0) for frame in frames][-1]
            assert received.opened.fresh
            received.session.take_back(received.opened)
        assert link.receive("x", frames[0], 0.0).reason in {"", "part"}


def test_silence_in_the_middle_brings_a_receipt_unasked():
    station, headend = pair()
    reassembly = Reassembly()
    link, sealed = Link(One(headend), reassembly), station.seal(Kind.DATA, bytes(300))
    frames = cut(sealed, 77)
    for place in (0, 2):
        assert link.receive("x", frames[place], 10.0).receipt is None
    assert reassembly.stalled(100.0, 120.0) == []
    ((name, receipt),) = reassembly.stalled(130.0, 120.0)
    assert (name.sender, receipt) == ("x", Receipt(sealed.id, frozenset({0, 2}), 5))
    assert reassembly.stalled(500.0, 120.0) == []  # said once, until something new comes


def test_what_is_too_old_is_refused_so_that_it_is_sealed_anew():
    old = session().seal(Kind.DATA, bytes(200))
    for wanted in (cut(old, 77).values(), cut(old, 340).values()):
        _, headend = pair()
        headend.open(Frame(Kind.DATA, 2000, b""), session(stored=2000).seal(Kind.DATA, b"").data)
        link = Link(One(headend), Reassembly())
        answers = [link.receive("x", frame._replace(wanted=True), 0.0) for frame in wanted]
        assert answers[-1].receipt == Receipt(old.id, refused=Reason.OLD)
        assert answers[-1].reason == "old"


def test_other_kinds_and_noise_have_a_reason():
    _, headend = pair()
    link = Link(One(headend), Reassembly())
    assert link.receive("x", Frame(Kind.SEALED, 1, b"x"), 0.0).reason == "kind"
    assert link.receive("x", Frame(Kind.DATA, 1, b"x" * 30), 0.0).reason == "forged"
    assert link.receive("x", Frame(Kind.DATA, 1, b"x"), 0.0).reason == "short"
    assert link.receive("x", Frame(Kind.DATA, 1, b"x" * 1000, Piece(0, 64)), 0.0).reason == "long"
