"""A new epoch: announced, answered, and not to be had by repeating an old one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalError, RemoteError
from protocols.narrow import header, hello, keys
from protocols.narrow.context import Context
from protocols.narrow.header import Frame, Kind
from protocols.narrow.hello import Answer, Epochs, Hello, Welcome
from protocols.narrow.keys import Epoch
from tests.protocols.narrow_pair import EPOCH, SECRET, STATION, session

KEY = keys.hello_key(SECRET, STATION)
NONCE, OTHER = b"n" * 12, b"m" * 12
CONTEXT = Context("00112233445566ff", b"bootboot", 1_795_000_000_000, trusted=True)


def epoch(number, salt=b"saltsalt"):
    return Epoch(number, salt)


def station(number, salt=b"saltsalt"):
    return session(epoch=epoch(number, salt))


def headend():
    return Epochs(lambda said: session(1, epoch=said.epoch))


def word(speaker, body=b"x"):
    message = speaker.seal(Kind.DATA, body)
    return Frame(message.kind, message.id, message.data)


def hears(epochs, frame):
    return epochs.open(frame, frame.body)


@given(
    st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 48) - 1), st.integers(0, 8), st.binary(min_size=12, max_size=12)
)
def test_a_hello_there_and_back(number, counter, contexts, nonce):
    said = Hello(epoch(number), counter, (CONTEXT,) * contexts)
    frame = hello.say(KEY, said, nonce)
    assert hello.hear(KEY, header.decode(header.encode(frame))) == (said, nonce)
    assert len(header.encode(frame)) == 41 + 23 * contexts


def test_its_answer_covers_the_nonce_that_asked():
    said = Answer(Welcome.WELCOME, 5, 1_795_000_000_000)
    frame = hello.answer(KEY, said, OTHER, NONCE)
    assert len(header.encode(frame)) == 34
    assert hello.understand(KEY, frame, NONCE) == said
    for asked in (OTHER, hello.UNASKED):
        with pytest.raises(RemoteError):
            hello.understand(KEY, frame, asked)
    who = hello.answer(KEY, Answer(Welcome.WHO, 0, 0), OTHER)
    assert hello.understand(KEY, who).welcome is Welcome.WHO


def test_a_hello_is_no_answer_and_an_answer_no_hello():
    said = hello.say(KEY, Hello(EPOCH, 0), NONCE)
    answered = hello.answer(KEY, Answer(Welcome.WELCOME, 5, 0), NONCE)
    for call in (lambda: hello.understand(KEY, said), lambda: hello.hear(KEY, answered)):
        with pytest.raises(RemoteError):
            call()


@given(st.data())
def test_no_changed_bit_is_believed(data):
    frame = hello.say(KEY, Hello(EPOCH, 7, (CONTEXT,)), NONCE)
    bit = data.draw(st.integers(0, 8 * len(frame.body) - 1))
    changed = (int.from_bytes(frame.body) ^ 1 << bit).to_bytes(len(frame.body))
    with pytest.raises(RemoteError):
        hello.hear(KEY, frame._replace(body=changed))


@given(st.binary(min_size=1, max_size=90))
def test_noise_is_refused(body):
    for call in (lambda frame: hello.hear(KEY, frame), lambda frame: hello.understand(KEY, frame)):
        with pytest.raises(RemoteError):
            call(Frame(Kind.HELLO, 1, body))


def test_what_cannot_be_said():
    with pytest.raises(LocalError):
        hello.say(KEY, Hello(EPOCH, 0), b"short")
    with pytest.raises(LocalError):
        hello.say(KEY, Hello(EPOCH, 0, (CONTEXT,) * 9), NONCE)


# Epochs at the headend


def test_an_epoch_is_welcome_once_and_known_after_that():
    epochs = headend()
    assert epochs.current is None
    with pytest.raises(RemoteError):
        hears(epochs, word(station(5)))
    assert epochs.greet(Hello(epoch(5), 0)) is Welcome.WELCOME
    speaker = station(5)
    first = word(speaker)
    assert hears(epochs, first)[1].fresh
    assert epochs.greet(Hello(epoch(5), 0)) is Welcome.WELCOME  # the same again resets nothing
    assert not hears(epochs, first)[1].fresh


def test_an_older_epoch_is_behind_and_changes_nothing():
    epochs = headend()
    for number in (5, 6, 7):
        epochs.greet(Hello(epoch(number), 0))
    before = list(epochs.sessions)
    assert epochs.greet(Hello(epoch(5), 0)) is Welcome.BEHIND
    assert (
        epochs.greet(Hello(epoch(7, b"SALTSALT"), 0)) is Welcome.BEHIND
    )  # the number again, by a station without memory
    assert epochs.sessions == before
    assert epochs.highest == 7


def test_the_epoch_before_is_heard_and_the_one_spoken_last_is_answered():
    epochs = headend()
    epochs.greet(Hello(epoch(5), 0))
    old, new = station(5), station(9)
    late = word(old)
    epochs.greet(Hello(epoch(9), 0))
    assert epochs.current.epoch == epoch(9)
    assert hears(epochs, word(new))[1].fresh
    assert hears(epochs, late)[1].fresh
    assert epochs.current.epoch == epoch(5)
    assert hears(epochs, word(new))[0].epoch == epoch(9)
    assert epochs.current.epoch == epoch(9)


def test_a_hello_held_back_and_played_later_heals_with_the_next_word():
    """The station lost its memory twice; the hello between was never delivered, and has the highest number."""
    epochs = headend()
    epochs.greet(Hello(epoch(9), 0))
    speaker = station(9)
    hears(epochs, word(speaker))
    held_back = Hello(epoch(12, b"heldback"), 0)
    assert epochs.greet(held_back) is Welcome.WELCOME
    assert epochs.current.epoch == held_back.epoch
    assert hears(epochs, word(speaker))[1].fresh  # and all is well
    assert epochs.current.epoch == epoch(9)


def test_an_old_word_repeated_moves_no_epoch():
    epochs = headend()
    epochs.greet(Hello(epoch(5), 0))
    old, new = station(5), station(9)
    once = word(old)
    hears(epochs, once)
    epochs.greet(Hello(epoch(9), 0))
    hears(epochs, word(new))
    assert not hears(epochs, once)[1].fresh
    assert epochs.current.epoch == epoch(9)


def test_a_headend_without_memory_begins_with_what_it_is_told():
    lost = headend()
    speaker = station(9)
    with pytest.raises(RemoteError):
        hears(lost, word(speaker))
    lost.greet(Hello(epoch(9), speaker.counter.peek))
    assert hears(lost, word(speaker))[1].fresh


def test_kept_epochs_go_on():
    epochs = headend()
    epochs.greet(Hello(epoch(9), 0))
    again = Epochs(lambda said: session(1, epoch=said.epoch), epochs.sessions, epochs.highest)
    assert again.greet(Hello(epoch(8), 0)) is Welcome.BEHIND
    assert again.current.epoch == epoch(9)
