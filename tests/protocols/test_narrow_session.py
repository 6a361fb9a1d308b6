"""Numbers used once, keys by epoch and way, and messages opened once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalError, RemoteError
from protocols.narrow import keys
from protocols.narrow.counter import BLOCK, LAST, LOW, WINDOW, Counter, Window, decode_window
from protocols.narrow.header import Frame, Kind
from protocols.narrow.keys import Epoch
from tests.protocols.narrow_pair import EPOCH, PRIVATE, SECRET, STATION, pair, session


def head(message):
    return Frame(message.kind, message.id, message.data)


def opened(to, message):
    return to.open(head(message), message.data)


def reason(call):
    with pytest.raises(RemoteError) as wrong:
        call()
    return wrong.value.reason


def test_both_sides_come_to_one_secret():
    assert keys.agree(PRIVATE[1], keys.public_of(PRIVATE[0])) == SECRET
    with pytest.raises(LocalError):
        keys.agree(PRIVATE[0], bytes(32))  # of small order: RFC 7748 §6.1 wants it refused


def test_every_station_epoch_and_way_has_keys_of_its_own():
    made = [
        keys.derive(SECRET, station, epoch)
        for station in (STATION, "other")
        for epoch in (EPOCH, Epoch(EPOCH.number, b"SALTSALT"), Epoch(EPOCH.number + 1, EPOCH.salt))
    ]
    every = {key for one in made for key in (one.up, one.down, one.ack)}
    assert len(every) == 18
    assert "up" not in repr(made[0])  # nothing to find in a log
    assert keys.hello_key(SECRET, STATION) not in every


@given(st.binary(max_size=400), st.sampled_from([Kind.CONTROL, Kind.EVENT, Kind.DATA, Kind.DIGEST, Kind.COMMAND]))
def test_what_is_sealed_is_opened_by_the_other_side_only(body, kind):
    station, headend = pair()
    message = station.seal(kind, body)
    assert len(message.data) == len(body) + 8
    found = opened(headend, message)
    assert (found.kind, found.body, found.speaker, found.fresh) == (kind, body, 0, True)
    assert reason(lambda: opened(station, message)) == "frame.forged"  # its own voice, thrown back
    answer = headend.seal(kind, body)
    assert opened(station, answer).speaker == 1


@given(st.data())
def test_no_changed_bit_is_believed(data):
    station, headend = pair()
    message = station.seal(Kind.EVENT, b"the river is over the bridge")
    bit = data.draw(st.integers(0, 8 * len(message.data) - 1))
    changed = int.from_bytes(message.data) ^ 1 << bit
    assert reason(lambda: headend.open(head(message), changed.to_bytes(len(message.data)))) == "frame.forged"
    for other in (head(message)._replace(kind=Kind.DATA), head(message)._replace(id=message.id ^ 1)):
        assert reason(lambda other=other: headend.open(other, message.data)) == "frame.forged"
    assert not headend.windows  # nothing moved
    assert opened(headend, message).fresh


def test_a_message_that_comes_again_is_not_fresh():
    station, headend = pair()
    messages = [station.seal(Kind.DATA, bytes((n,))) for n in range(5)]
    assert [opened(headend, messages[n]).fresh for n in (3, 0, 3, 4, 0, 1, 2, 2)] == [
        True, True, False, True, False, True, True, False,
    ]  # fmt: skip
    assert [headend.seen(message.id) for message in messages] == [True] * 5
    assert not headend.seen(5)


def test_what_is_too_old_to_tell_is_refused():
    station, headend = pair()
    late = station.seal(Kind.DATA, b"late")
    for _ in range(WINDOW):
        newest = station.seal(Kind.DATA, b"")
    opened(headend, newest)
    assert reason(lambda: opened(headend, late)) == "frame.old"
    assert not headend.seen(late.id)


def test_windows_outlive_a_restart():
    station, headend = pair()
    messages = [station.seal(Kind.DATA, b"x") for _ in range(3)]
    opened(headend, messages[0])
    opened(headend, messages[2])
    kept = {speaker: decode_window(window.encode()) for speaker, window in headend.windows.items()}
    again = session(1, windows=kept)
    assert [opened(again, message).fresh for message in messages] == [False, True, False]


@pytest.mark.parametrize("gap", [1, 1024, 32_767, 32_768, 65_536, 100_000, 196_607])
def test_the_whole_number_is_found_behind_sixteen_bits(gap):
    _, headend = pair()
    opened(headend, session(stored=70_000).seal(Kind.DATA, b""))
    found = opened(headend, session(stored=70_000 + gap).seal(Kind.DATA, b"x"))
    assert found.counter == 70_000 + gap


def test_the_first_word_may_carry_any_number_up_to_three_turns():
    for stored in (0, 40_000, 65_535, 65_536, 190_000):
        _, headend = pair()
        assert opened(headend, session(stored=stored).seal(Kind.DATA, b"x")).counter == stored


def test_every_instance_of_a_headend_is_heard_and_none_repeats_another():
    station = session()
    said = [session(instance).seal(Kind.COMMAND, b"same") for instance in (1, 7, 15)]
    assert len({message.data for message in said}) == 3
    assert [opened(station, message).speaker for message in said] == [1, 7, 15]
    assert not any(opened(station, message).fresh for message in said)
    with pytest.raises(LocalError):
        session(16)


def test_kinds_without_keys_of_an_epoch_are_not_sealed_under_them():
    for kind in (Kind.HELLO, Kind.ACKS, Kind.SEALED):
        with pytest.raises(LocalError):
            session().seal(kind, b"x")


def test_a_receipt_is_matched_with_the_newest_message_of_its_id():
    station = session(stored=70_000)
    message = station.seal(Kind.DATA, b"")
    assert station.counter_of(message.id) == 70_000
    assert station.counter_of(message.id + 1) == 70_001 - 65_536


# Counters


def test_a_number_is_given_only_after_it_is_reserved():
    asked = []
    counter = Counter(500, asked.append)
    with pytest.raises(LocalError):
        counter.next()
    assert asked == [500 + BLOCK]
    counter.reserved(500)  # the disk would not
    with pytest.raises(LocalError):
        counter.next()
    counter.reserved(500 + BLOCK)
    assert [counter.next(), counter.next()] == [500, 501]


def test_the_next_block_is_asked_for_once_and_ahead():
    asked = []
    counter = Counter(0, asked.append)
    counter._ask()
    counter.reserved(BLOCK)
    for _ in range(BLOCK - LOW):
        counter.next()
    assert len(asked) == 1
    for _ in range(10):
        counter.next()
    assert asked == [BLOCK, 2 * BLOCK]


@given(st.lists(st.integers(0, 3000), max_size=12))
def test_no_restart_gives_a_number_twice(lives):
    disk, given_out = 0, []
    for messages in lives:

        def write(until):
            nonlocal disk
            disk = until
            counter.reserved(until)  # noqa: B023 - called only while this life lasts

        counter = Counter(disk, write)
        given_out += [counter.next() for _ in range(messages)]
    assert given_out == sorted(set(given_out))


def test_a_counter_ends():
    counter = Counter(LAST, lambda until: counter.reserved(until))  # noqa: PLW0108 - it is not there yet
    assert counter.next() == LAST
    with pytest.raises(LocalError):
        counter.next()


@given(st.lists(st.integers(0, 5000), max_size=60))
def test_a_window_tells_what_was_seen(numbers):
    window, seen = Window(), set()
    for number in numbers:
        if not window.too_old(number):
            assert window.seen(number) == (number in seen)
            window.add(number)
            seen.add(number)
        window = decode_window(window.encode())


@given(st.binary(max_size=200))
def test_a_kept_window_is_whole_or_refused(data):
    try:
        assert len(decode_window(data).encode()) == len(data)
    except RemoteError as wrong:
        assert wrong.reason == "window.length"  # noqa: PT017 - the other outcome of the same call
