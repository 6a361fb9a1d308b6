"""OSCORE against the vectors of RFC 8613, appendix C."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import coap_message, oscore
from protocols.errors import LocalError, RemoteError
from protocols.oscore import (
    MOST_NUMBER,
    WINDOW,
    Option,
    Window,
    decode_option,
    derive,
    encode_option,
    open_request,
    open_response,
    protect_request,
    protect_response,
)

SECRET, SALT = bytes.fromhex("0102030405060708090a0b0c0d0e0f10"), bytes.fromhex("9e7ca92223786340")
CONTEXT = bytes.fromhex("37cbf3210017a2d3")
CLIENT, SERVER = derive(SECRET, b"", b"\1", SALT), derive(SECRET, b"\1", b"", SALT)
GET_TV1 = bytes.fromhex("01b3747631")
HELLO = bytes.fromhex("45ff48656c6c6f20576f726c6421")

# C.4 to C.6: context of the client, number, OSCORE option, ciphertext
REQUESTS = [
    (CLIENT, 20, "0914", "612f1092f1776f1c1668b3825e"),
    (derive(SECRET, b"\0", b"\1"), 20, "091400", "4ed339a5a379b0b8bc731fffb0"),
    (derive(SECRET, b"", b"\1", SALT, CONTEXT), 20, "19140837cbf3210017a2d3", "72cd7273fd331ac45cffbe55c3"),
]


def test_common_iv():
    assert CLIENT.iv.hex() == "4622d4dd6d944168eefb54987c"  # C.1.1
    assert SERVER.iv == CLIENT.iv
    assert "0102" not in repr(CLIENT)


@pytest.mark.parametrize(("keys", "number", "option", "ciphertext"), REQUESTS)
def test_requests(keys, number, option, ciphertext):
    protected = protect_request(keys, number, GET_TV1)
    assert (protected.option.hex(), protected.payload.hex()) == (option, ciphertext)
    server = oscore.Keys(keys.recipient, keys.sender, keys.context, keys.receiving, keys.sending, keys.iv)
    inner, binding = open_request(server, decode_option(bytes.fromhex(option)), bytes.fromhex(ciphertext))
    assert inner == GET_TV1
    assert binding == protected.binding


def test_responses():
    binding = protect_request(CLIENT, 20, GET_TV1).binding
    protected = protect_response(SERVER, binding, HELLO)
    assert protected.option == b""
    assert protected.payload.hex() == "dbaad1e9a7e7b2a813d3c31524378303cdafae119106"  # C.7
    assert open_response(CLIENT, binding, Option(), protected.payload) == HELLO
    with_number = bytes.fromhex("4d4c13669384b67354b2b6175ff4b8658c666a6cf88e")  # C.8
    assert open_response(CLIENT, binding, decode_option(bytes.fromhex("0100")), with_number) == HELLO


@pytest.mark.parametrize("at", range(13))
def test_a_bit_turned_anywhere_is_refused(at):
    protected = protect_request(CLIENT, 20, GET_TV1)
    wrong = bytearray(protected.payload)
    wrong[at] ^= 1
    with pytest.raises(RemoteError):
        open_request(SERVER, decode_option(protected.option), bytes(wrong))
    with pytest.raises(RemoteError):
        open_request(SERVER, Option(21, b""), protected.payload)
    with pytest.raises(RemoteError):
        open_request(SERVER, Option(20, b"\2"), protected.payload)


def test_an_answer_belongs_to_its_question():
    one, other = (protect_request(CLIENT, number, GET_TV1).binding for number in (1, 2))
    with pytest.raises(RemoteError):
        open_response(CLIENT, other, Option(), protect_response(SERVER, one, HELLO).payload)


@given(
    st.none() | st.integers(0, MOST_NUMBER),
    st.none() | st.binary(max_size=7),
    st.none() | st.binary(max_size=20),
)
def test_the_option_both_ways(number, sender, context):
    option = Option(number, sender, context)
    assert decode_option(encode_option(option)) == option


@pytest.mark.parametrize(
    "data", ["00", "06aabbccddeeff", "e0", "02", "0200", "020001", "0101ff", "10", "100501", "190a"]
)
def test_options_that_are_none(data):
    with pytest.raises(RemoteError):
        decode_option(bytes.fromhex(data))


@given(st.binary(max_size=30))
def test_any_option_is_read_or_refused(data):
    try:
        option = decode_option(data)
    except RemoteError:
        return
    assert decode_option(encode_option(option)) == option


@pytest.mark.parametrize(
    ("secret", "sender", "recipient"), [(SECRET, b"x" * 8, b""), (SECRET, b"a", b"a"), (b"short", b"", b"a")]
)
def test_contexts_that_cannot_be(secret, sender, recipient):
    with pytest.raises(LocalError):
        derive(secret, sender, recipient)


def test_numbers_end():
    with pytest.raises(LocalError):
        protect_request(CLIENT, MOST_NUMBER + 1, b"")


# Replay


@given(st.lists(st.integers(0, 100), max_size=100))
def test_no_number_twice_and_none_too_old(numbers):
    window, used = Window(), set()
    for number in numbers:
        allowed = number not in used and number > max(used, default=-1) - WINDOW
        assert window.fresh(number) is allowed
        if allowed:
            window = window.after(number)
            used.add(number)
        else:
            with pytest.raises(LocalError):
                window.after(number)
    assert window.used < 1 << WINDOW


def test_far_ahead_is_no_more_work():
    assert Window(5, 1).after(MOST_NUMBER) == Window(MOST_NUMBER, 1)


# Messages


@given(
    st.integers(0, 255),
    st.lists(st.tuples(st.integers(0, 70_000).filter(lambda n: n < 65_000), st.binary(max_size=300)), max_size=8),
    st.binary(max_size=40),
)
def test_messages_both_ways(code, options, payload):
    message = coap_message.Message(code, tuple(sorted(options, key=lambda one: one[0])), payload)
    assert coap_message.decode(coap_message.encode(message)) == message


@given(st.binary(max_size=60))
def test_any_message_is_read_or_refused(data):
    try:
        message = coap_message.decode(data)
    except RemoteError as wrong:
        assert 0 <= wrong.offset <= len(data)  # noqa: PT017 - either is right
        return
    assert coap_message.decode(coap_message.encode(message)) == message


@pytest.mark.parametrize("data", ["", "01ff", "01f0", "010f", "01d0", "01e000", "0115aa"])
def test_messages_that_are_none(data):
    with pytest.raises(RemoteError):
        coap_message.decode(bytes.fromhex(data))


def test_what_a_message_says():
    message = coap_message.decode(bytes.fromhex("02b3747631") + b"\x01a\x12\x00\x6e\xffx")
    assert message.path == "tv1/a"
    assert message.all(coap_message.CONTENT_FORMAT) == [b"\x00\x6e"]
    assert message.uint(coap_message.CONTENT_FORMAT) == 110
    assert message.uint(coap_message.BLOCK1) is None
    assert message.strange == []
    assert coap_message.Message(2, ((5, b""),)).strange == [5]
    assert coap_message.shown(coap_message.UNAUTHORIZED) == "4.01"


@given(st.integers(0, (1 << 20) - 1), st.booleans(), st.sampled_from([16, 32, 64, 128, 256, 512, 1024]))
def test_blocks_both_ways(number, more, size):
    block = coap_message.Block(number, more, size)
    assert coap_message.Block.decode(block.value) == block


def test_a_block_that_is_none():
    with pytest.raises(RemoteError):
        coap_message.Block.decode(7)
