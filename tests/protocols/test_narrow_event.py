"""Events in few bytes: what the headend publishes is what the station would have published."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import event as stored
from protocols.errors import LocalError, RemoteError
from protocols.key import Key
from protocols.narrow import command, context, deflated, event, sealed
from protocols.narrow.command import Command
from protocols.narrow.context import Context, Contexts
from protocols.narrow.header import Frame, Kind
from protocols.narrow.numbered import Numbered

BOOT = bytes.fromhex("78c022a330b249f8")
LOG = "00112233445566ff"
CONTEXT = Context(LOG, BOOT, 1_795_380_064_000, trusted=True)
ROOM = 77 - 3 - 8  # of a BeiDou-2 message


def head(lane="alarm", number=1234, floor=1230, kind="live", about=CONTEXT):
    return Numbered(Key("village-7", about.log, lane, number, number), kind, floor, about)


def knowing(*contexts, words=b""):
    found = Contexts()
    found.learn(contexts)
    if words:
        found.learn_words(event.name_of(words), words)
    return found


def body(kind, at=15_084_401, **fields):
    return stored.encode(kind, BOOT, at, fields)


def raised(rule="flood at the bridge", when='rise(rain.total, "1h") >= 40 and river.stage > 27.8', **evidence):
    alert = hashlib.sha256(f"local\0{rule}".encode()).hexdigest()
    fields = {"rule": rule, "alert": alert, "event": "flash-flood", "level": "orange", "action": "evacuate"}
    return body("rule.raised", **fields, when=when, evidence=evidence or {"river.stage": 27.95}, doubted=[])


EVENTS = {
    "a rule": raised(),
    "a rule in Chinese": raised(rule="山洪", when="river.stage > 27.8"),
    "a rule with quotes": raised(rule='the "old" bridge \\ north'),
    "an acknowledgement": body(
        "warning.acknowledged", alert="ab" * 32, by="answer", counter=1838469184514, said=1795380064, certain=True,
        signature="k1HnXdyed1lVszAM+igoxbjpMO5MoMvrQm6Chy+Z4WtZYqFcvwB19De4CK/2O2l6tGzCHf46vPKONjSgtpkZCQ==",
    ),
    "nothing but a type": body("station.odd"),
    "before the boot": body("x", at=-5),
    "numbers of all kinds": body("x", a=1.0, b=-0.0, c=1e-7, d=10**20, e=[1, None, True], f={"g": ""}),
    "hexadecimal of odd length": body("x", key="abcdef0123456789a", other="ABCDEF0123456789", empty=""),
    "base64 that is none": body("x", key="abcdefghijklmnopqrstuvwxyz", other="A" * 24 + "B==", more="A" * 400),
    "signs in the text": body("x", text="\x01\x02\x03", other="\\u0001"),
    "another rule's alert": body("rule.cleared", rule="a", alert="cd" * 32),
    "no JSON": b"\xff\xfe not an event",
    "another layout": b'{"at":5,"boot":"78c022a330b249f8","type":"x"}',
    "blanks": b'{"type": "x", "boot": "78c022a330b249f8", "at": 5}',
    "another boot": stored.encode("x", b"otherone", 5, {}),
    "nothing": b"",
}  # fmt: skip


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("full", [True, False])
def test_every_byte_comes_back(name, full):
    for words in (b"", event.words_of([raised()])):
        data = event.encode(head(), EVENTS[name], full=full, words=words)
        found = event.decode(data, "village-7", knowing(CONTEXT, words=words))
        assert found == event.Event(head(), EVENTS[name])


@given(
    st.text(max_size=60),
    st.dictionaries(st.text(max_size=10), st.text(max_size=40) | st.floats(), max_size=6),
    st.integers(-(10**12), 10**12),
)
def test_every_event_comes_back(kind, fields, at):
    data = stored.encode(kind, BOOT, at, fields)
    assert event.decode(event.encode(head(), data, full=False), "village-7", knowing(CONTEXT)).body == data


@given(st.binary(max_size=300))
def test_every_body_comes_back(data):
    assert event.decode(event.encode(head(), data, full=True), "village-7", Contexts()).body == data


def test_the_message_is_the_one_the_station_would_have_published():
    for lane, number, floor, kind in (
        ("alarm", 1234, 1230, "live"),
        ("event", 7, 7, "backlog"),
        ("alarm", 5, 900, "resend"),
    ):
        for about in (CONTEXT, Context(LOG, BOOT, -12_345, trusted=False)):
            said = head(lane, number, floor, kind, about)
            there = event.decode(event.encode(said, raised(), full=False), "village-7", knowing(about))
            assert there.to_wire() == stored.to_wire(raised(), said.key, about.wall, floor=floor, kind=kind)
            assert json.loads(there.to_wire())["id"] == f"{LOG}/{lane}/{number}-{number}"


def test_an_alarm_fits_into_one_beidou_message():
    assert len(event.encode(head(), raised(), full=False)) <= ROOM
    own = event.words_of([raised()])
    now = raised(**{"rain.total": 812.4, "river.stage": 28.02})
    assert len(event.encode(head(), now, full=False, words=own)) <= 45
    assert len(event.encode(head(), body("rule.cleared", rule="r", alert="ab" * 32), full=True)) <= ROOM + 23
    assert len(event.encode(head(), EVENTS["an acknowledgement"], full=False)) <= 2 * 72 - 9


def test_own_words_are_used_only_where_they_help():
    own = event.words_of([b"no event", raised()])
    assert event.encode(head(), body("bus.up"), full=False, words=own) == event.encode(
        head(), body("bus.up"), full=False
    )


def test_what_was_not_told_is_unknown():
    data = event.encode(head(), raised(), full=False)
    for held in (Contexts(), knowing(Context("ff" * 8, BOOT, 0, trusted=True))):
        with pytest.raises(RemoteError) as wrong:
            event.decode(data, "village-7", held)
        assert wrong.value.reason == "context.unknown"
    own = event.words_of([raised()])
    with pytest.raises(RemoteError) as wrong:
        event.decode(event.encode(head(), raised(), full=False, words=own), "village-7", knowing(CONTEXT))
    assert wrong.value.reason == "context.unknown"


def test_a_context_in_full_is_learnt():
    held = Contexts()
    event.decode(event.encode(head(), raised(), full=True), "village-7", held)
    assert event.decode(event.encode(head(), raised(), full=False), "village-7", held).body == raised()


def test_contexts_are_held_by_the_dozen_and_no_more():
    held = Contexts()
    made = [Context(LOG, BOOT, start, trusted=True) for start in range(200)]
    held.learn(made)
    assert len(held.held) == context.MOST_HELD
    assert held.held[made[-1].name] == made[-1]
    for number in range(9):
        held.learn_words(bytes((number,)) * 3, b"x")
    assert len(held.words) == context.MOST_WORDS


@pytest.mark.parametrize(
    "wrong", [head(about=Context("xyz", BOOT, 0, trusted=True)), head()._replace(key=Key("v", LOG, "alarm", 1, 2)),
              head()._replace(key=Key("v", "ff" * 8, "alarm", 1, 1))]
)  # fmt: skip
def test_what_no_head_can_say(wrong):
    with pytest.raises((LocalError, ValueError)):
        event.encode(wrong, raised(), full=True)


@given(st.binary(max_size=120))
def test_noise_is_an_event_or_a_refusal(data):
    for prefix in (b"", b"\x20" + CONTEXT.name, b"\x21" + CONTEXT.name + b"\x01\x00\x00"):
        try:
            event.decode(prefix + data, "village-7", knowing(CONTEXT)).to_wire()
        except RemoteError:
            continue


def test_a_body_that_swells_is_refused():
    bomb = b"\x20" + CONTEXT.name + b"\1\0\0" + deflated.pack(b"a" * 10_000_000)
    with pytest.raises(RemoteError) as wrong:
        event.decode(bomb, "village-7", knowing(CONTEXT))
    assert wrong.value.reason == "deflate.long"


# Commands, and what is sealed


@given(st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True), st.binary(max_size=64), st.binary(max_size=200))
def test_a_command_there_and_back(verb, correlation, payload):
    said = Command(verb, correlation, payload)
    assert command.decode(command.encode(said)) == said


@pytest.mark.parametrize("body", ["", "05", "0141", "014141", "0000", "012f00", "0141" + "41" + "00" * 70])
def test_what_is_no_command(body):
    with pytest.raises(RemoteError):
        command.decode(bytes.fromhex(body))


def test_what_no_command_can_say():
    for wrong in (Command("a/b", b"", b""), Command("", b"", b""), Command("a", bytes(65), b"")):
        with pytest.raises(LocalError):
            command.encode(wrong)


@given(st.binary(max_size=100))
def test_noise_is_a_command_or_a_refusal(data):
    try:
        assert command.encode(command.decode(data)) == data
    except RemoteError:
        return


def test_a_seal_is_known_by_its_digest():
    message = sealed.message(b"sealed bytes")
    assert sealed.fits(Frame(Kind.SEALED, message.id, b""), message.data)
    assert not sealed.fits(Frame(Kind.SEALED, message.id ^ 1, b""), message.data)
    assert not sealed.fits(Frame(Kind.DATA, message.id, b""), message.data)
