"""The server for known nodes, datagram by datagram."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import coap_message as coap
from protocols.coap_lan import BLOCKS_WAIT, Answer, Node, Opened, Server
from protocols.coap_message import Block, Message
from protocols.coap_packet import Packet, Type, decode_packet, encode_packet
from protocols.errors import RemoteError
from protocols.oscore import Keys, Window, derive
from protocols.senml_post import MOST_BYTES
from tests.support import coap as world

SECRET = bytes.fromhex(world.SECRET)
GOOD = json.dumps([{"n": "temperature", "u": "Cel", "v": 21.5}]).encode()


def station(number):
    return derive(SECRET, b"s", bytes([number]))


class Pair:
    """A server with two nodes, and one of them."""

    def __init__(self, **keys):
        self.server = Server([Node("one", station(1), **keys), Node("two", station(2))])
        self.node = world.Node(derive(SECRET, b"\1", b"s"))
        self.got, self.now = [], 0.0

    def ask(self, data, peer="a"):
        found = self.server.receive(data, peer, self.now)
        if isinstance(found, Opened):
            return self.server.serve(found, self.now, self.got.extend)
        return found.data if isinstance(found, Answer) else found

    def post(self, *args, **keys):
        answer = self.ask(self.node.request(world.post(*args, **keys)))
        return None if answer is None else self.node.answer(answer)


def code(answer):
    return coap.shown(answer if isinstance(answer, int) else answer.code)


def test_a_post_is_taken_and_answered_in_the_acknowledgement():
    pair = Pair()
    request = pair.node.request(world.post(GOOD))
    answer = pair.ask(request)
    assert decode_packet(answer).type is Type.ACK
    assert decode_packet(answer).id == decode_packet(request).id
    assert code(pair.node.answer(answer)) == "2.04"
    assert [(one.name, one.value) for one in pair.got] == [("temperature", 21.5)]


def test_one_that_wants_no_acknowledgement():
    pair = Pair()
    answer = pair.ask(pair.node.request(world.post(GOOD), kind=Type.NON))
    assert decode_packet(answer).type is Type.NON
    assert len(pair.got) == 1


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        (world.post(GOOD, path="other"), "4.04"),
        (world.post(GOOD, code=coap.GET), "4.05"),
        (world.post(GOOD, form=0), "4.15"),
        (world.post(GOOD, form=None), "4.15"),
        (world.post(GOOD, form=112), "4.00"),
        (world.post(b"not senml"), "4.00"),
        (world.post(GOOD, options=((5, b""),)), "4.02"),
        (world.post(b"x", block=Block(3, False, 64)), "4.08"),
        (world.post(b"x", options=((coap.BLOCK1, b"\x07"),)), "4.00"),
    ],
)
def test_what_a_known_node_is_told(request_, wanted):
    pair = Pair()
    assert code(pair.node.answer(pair.ask(pair.node.request(request_)))) == wanted
    assert pair.got == []


def test_what_the_taker_refuses_is_told():
    pair = Pair()
    found = pair.server.receive(pair.node.request(world.post(GOOD)), "a", 0.0)

    def refuse(_values):
        raise RemoteError("coap.no_series")

    inner = pair.node.answer(pair.server.serve(found, 0.0, refuse))
    assert (code(inner), inner.payload) == ("4.00", b"coap.no_series")


def strangers(pair):
    other = world.Node(derive(b"x" * 16, b"\1", b"s"))
    plain = encode_packet(Packet(Type.CON, 7, b"t", world.post(GOOD)))
    bad = bytearray(pair.node.request(world.post(GOOD)))
    bad[-1] ^= 1
    return {
        "plain": plain,
        "unknown": world.Node(derive(SECRET, b"9", b"s")).request(world.post(GOOD)),
        "oscore.tag": other.request(world.post(GOOD)),
        "oscore.flags": encode_packet(Packet(Type.CON, 8, b"", Message(2, ((coap.OSCORE, b"\xe0"),), b"x"))),
        "damaged": bytes(bad),
        "no id": encode_packet(Packet(Type.CON, 9, b"", Message(2, ((coap.OSCORE, b""),), b"x"))),
    }


@pytest.mark.parametrize("kind", ["plain", "unknown", "oscore.tag", "oscore.flags", "damaged", "no id"])
def test_strangers_are_told_401_without_a_word_more_and_counted(kind):
    pair = Pair()
    answer = decode_packet(pair.ask(strangers(pair)[kind]))
    assert (code(answer.message.code), answer.message.payload, answer.message.options) == ("4.01", b"", ())
    assert sum(pair.server.counts.values()) == 1
    assert pair.got == []
    assert pair.node.answer(pair.ask(pair.node.request(world.post(GOOD)))).code == coap.CHANGED


def test_strangers_cannot_have_us_flood_anybody_or_fill_our_memory():
    pair = Pair()
    answers = [pair.ask(data, f"peer {n}") for n in range(500) for data in strangers(pair).values()]
    assert sum(answer is not None for answer in answers) <= 10
    assert sum(pair.server.counts.values()) == 3000
    assert not any(state.answers for state in pair.server._nodes.values())
    pair.now = 100.0
    assert pair.ask(strangers(pair)["plain"]) is not None


def test_those_that_want_no_answer_get_none():
    pair = Pair()
    assert pair.ask(encode_packet(Packet(Type.NON, 7, b"t", world.post(GOOD)))) is None
    assert pair.ask(encode_packet(Packet(Type.ACK, 7, b"t", world.post(GOOD)))) is None
    assert pair.ask(b"\x60\x00\x00\x01") is None
    assert decode_packet(pair.ask(b"\x40\x00\x00\x01")).type is Type.RST  # CoAP's ping


def test_a_repeat_gets_the_same_answer_and_a_replay_none_of_it():
    pair = Pair()
    request = pair.node.request(world.post(GOOD))
    first = pair.ask(request)
    assert pair.ask(request) == first
    assert code(decode_packet(pair.ask(request, "from elsewhere")).message.code) == "4.01"
    for _ in range(5):
        pair.post(GOOD)
    assert code(decode_packet(pair.ask(request)).message.code) == "4.01"
    assert len(pair.got) == 6
    assert pair.server.counts["replay"] == 2
    assert pair.server.counts["repeated"] == 1


def test_what_was_used_before_a_restart_stays_used():
    pair = Pair()
    requests = [pair.node.request(world.post(GOOD)) for _ in range(3)]
    found = [pair.server.receive(requests[number], "a", 0.0) for number in (0, 2)]
    again = Pair()
    again.server.restore("one", found[-1].window)
    assert [again.ask(data) and len(again.got) for data in requests] == [0, 1, 1]
    assert again.server.counts["replay"] == 2
    again.server.restore("nobody", Window(9, 1))


def test_so_many_a_minute():
    pair = Pair(rate=60.0)
    done = [pair.ask(pair.node.request(world.post(GOOD))) for _ in range(30)]
    taken = len(pair.got)
    assert taken == 10
    assert {code(decode_packet(answer).message.code) for answer in done[taken:] if answer} == {"4.29"}
    pair.now += 5
    assert code(pair.post(GOOD)) == "2.04"
    assert pair.server.counts["rate"] == 20


# Bodies in pieces

LONG = json.dumps([{"n": "temperature", "v": number, "t": -number} for number in range(60)]).encode()


@pytest.mark.parametrize("size", [16 << power for power in range(2, 7)])
def test_a_body_in_pieces(size):
    pair = Pair(rate=6000)
    codes = [code(pair.node.answer(pair.ask(pair.node.request(one)))) for one in world.blocks(LONG, size)]
    assert codes == ["2.31"] * (len(codes) - 1) + ["2.04"]
    assert len(pair.got) == 60


def test_pieces_out_of_order_too_many_or_too_late():
    pair = Pair(rate=6000)
    pieces = [pair.node.request(one) for one in world.blocks(LONG, 64)]
    pair.ask(pieces[0])
    assert code(pair.node.answer(pair.ask(pieces[2]))) == "4.08"
    assert code(pair.node.answer(pair.ask(pieces[1]))) == "2.31"
    pair.now += BLOCKS_WAIT + 1
    assert code(pair.node.answer(pair.ask(pieces[3]))) == "4.08"
    body = b"[" + b" " * MOST_BYTES
    answers = [code(pair.node.answer(pair.ask(pair.node.request(one)))) for one in world.blocks(body, 1024)]
    assert answers == ["2.31"] * 4 + ["4.13"]
    assert pair.server._nodes[b"\1"].body == b""
    assert pair.got == []


@given(st.binary(max_size=60))
def test_any_datagram_is_borne(data):
    pair = Pair()
    pair.ask(data)
    pair.ask(b"\x42\x02\x00\x01tk" + data)
    assert pair.got == []


@given(st.binary(max_size=60))
def test_anything_inside_is_borne_too(inner):
    pair = Pair()
    protected = world.oscore.protect_request(pair.node.keys, 0, inner)
    outer = Message(coap.POST, ((coap.OSCORE, protected.option),), protected.payload)
    assert pair.ask(encode_packet(Packet(Type.CON, 1, b"t", outer))) is not None


def test_keys_stay_out_of_sight():
    assert isinstance(station(1), Keys)
    assert world.SECRET not in repr(Pair().server._nodes)
