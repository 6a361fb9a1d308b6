import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import modbus_tcp
from protocols.errors import RemoteError
from protocols.modbus_match import Exchange, find, verdict
from protocols.modbus_pdu import Refusal, Reply, Request, encode
from protocols.modbus_rtu import seal

ASK = Exchange.of(seal(2, encode(Request(3, 0, 2))))
REPLY = seal(2, encode(Reply(3, (7, 8))))
WRITE = seal(5, encode(Request(5, 0x0200, 1, (7,))))


@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"\x00",
        b"\xff\x02\x03",
        seal(3, encode(Reply(3, (1, 2)))),
        seal(2, encode(Reply(3, (1, 2, 3)))),
        seal(2, encode(Request(3, 0, 2))),
        REPLY[:4],
        bytes(range(200)),
    ],
    ids=["nothing", "zero", "half", "another unit", "another count", "echo", "cut", "noise"],
)
def test_the_reply_is_found_behind_anything(before):
    assert find(ASK, before + REPLY) == REPLY
    for at in range(len(before + REPLY)):
        assert find(ASK, (before + REPLY)[:at]) == b""


def test_an_exception_is_an_answer():
    refusal = seal(2, encode(Refusal(3, 2)))
    assert find(ASK, refusal) == refusal


def test_an_echo_is_not_the_reply_to_a_write():
    plain, echoed = Exchange.of(WRITE), Exchange.of(WRITE, echo=True)
    assert find(plain, WRITE) == WRITE
    assert find(echoed, WRITE) == b""
    assert find(echoed, b"\x00" + WRITE + WRITE) == WRITE
    assert verdict(echoed, WRITE) == "timeout"


def test_a_write_must_be_repeated_exactly():
    other = seal(5, encode(Request(5, 0x0200, 1, (8,))))
    assert find(Exchange.of(WRITE), other) == b""
    assert verdict(Exchange.of(WRITE), other) == "unexpected"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "timeout"),
        (seal(3, encode(Reply(3, (7, 8)))), "foreign"),
        (seal(2, encode(Reply(3, (7,)))), "unexpected"),
        (REPLY[:-1] + b"\x00", "crc"),
        (REPLY[:-3], "truncated"),
        (b"\x55" * 30, "garbage"),
    ],
)
def test_why_there_was_no_answer(data, reason):
    assert find(ASK, data) == b""
    assert verdict(ASK, data) == reason


def test_tcp_tells_answers_by_their_number():
    request = modbus_tcp.wrap(7, 2, encode(Request(3, 0, 2)))
    ask = Exchange.of(request, tcp=True)
    late, good = (modbus_tcp.wrap(n, 2, encode(Reply(3, (n, n)))) for n in (6, 7))
    assert find(ask, late + good) == good
    assert verdict(ask, late) == "unexpected"
    assert verdict(ask, modbus_tcp.wrap(7, 3, encode(Reply(3, (7, 7))))) == "foreign"
    assert verdict(ask, good[:-1]) == "truncated"
    with pytest.raises(RemoteError):
        find(ask, b"\x00\x07\xff\xff" + bytes(8))


@given(st.binary(max_size=400), st.booleans())
def test_noise_is_never_believed_without_a_checksum_and_always_judged(data, echo):
    ask = Exchange.of(ASK.sent, echo=echo)
    assert find(ask, data) == b""
    assert verdict(ask, data) in ("timeout", "foreign", "unexpected", "crc", "truncated", "garbage")
