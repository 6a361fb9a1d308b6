"""The vectors of narrow frames: as the code makes them, and as a reader who knows only the document reads them."""

import json
from pathlib import Path

import pytest

from agent.cli.decode import KINDS
from protocols.errors import RemoteError
from protocols.narrow import decode, fragments, header
from protocols.narrow.header import Kind
from protocols.narrow.link import Link, One
from protocols.narrow.reassembly import Reassembly
from tests.protocols import narrow_reader as reader
from tests.support import narrow_vectors as maker

VECTORS = json.loads(maker.FILE.read_text(encoding="utf-8"))
KEYS = {name: bytes.fromhex(key) for name, key in VECTORS["keys"].items()}
WORDS, OWN = VECTORS["words"].encode(), VECTORS["own_words"].encode()
OWN_BY_NAME = {reader.hashlib.sha256(OWN).digest()[:3]: OWN}
MESSAGES = {row["name"]: row for row in VECTORS["messages"]}
EVENTS = {row["name"]: row for row in VECTORS["events"]}


def unhexed(texts):
    return [bytes.fromhex(text) for text in texts]


def test_the_file_is_what_the_code_makes():
    assert json.loads(json.dumps(maker.make())) == VECTORS


def test_keys_by_the_document():
    station, headend = unhexed(VECTORS["private"])
    epoch = VECTORS["epoch"]["number"], bytes.fromhex(VECTORS["epoch"]["salt"])
    for private, public in ((station, VECTORS["public"][1]), (headend, VECTORS["public"][0])):
        made = reader.all_keys(private, bytes.fromhex(public), VECTORS["station"], *epoch)
        assert dict(zip(("up", "down", "ack", "hello"), made, strict=True)) == KEYS


def test_addresses_and_the_name_of_a_context_by_the_document():
    for way, address in VECTORS["addresses"].items():
        text = f"fengsui {way} {VECTORS['station']}"
        assert reader.hashlib.sha256(text.encode()).hexdigest()[:6] == address
    data = bytes.fromhex(VECTORS["context"]["data"])
    assert reader.hashlib.sha256(data).hexdigest()[:6] == VECTORS["context"]["name"]


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_by_the_document(name):
    row = MESSAGES[name]
    key = KEYS["up" if row["speaker"] == 0 else "down"]
    for cut in row["cuts"]:
        datagrams = unhexed(cut["datagrams"])
        assert max(map(len, datagrams)) <= cut["mtu"]
        head, message = reader.together(datagrams)
        assert message.hex() == row["data"]
        assert reader.opened(key, row["speaker"], row["counter"], head, message).hex() == row["body"]
        first = reader.datagram(datagrams[0])
        assert (first["kind"], first["id"]) == (row["kind"], row["counter"] % 65_536)


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_by_the_code(name):
    row = MESSAGES[name]
    other = maker.speaking(1 if row["speaker"] == 0 else 0, 0)
    for cut in row["cuts"]:
        other.windows.clear()
        link, body = Link(One(other), Reassembly()), None
        for data in reversed(unhexed(cut["datagrams"])):
            received = link.receive("x", header.decode(data), 0.0)
            body = received.opened.body if received.opened else body
        assert body.hex() == row["body"]


@pytest.mark.parametrize("name", EVENTS)
def test_events_by_the_document(name):
    row = EVENTS[name]
    contexts = {bytes.fromhex(VECTORS["context"]["name"]): reader.context(bytes.fromhex(VECTORS["context"]["data"]))}
    found, stored = reader.event(bytes.fromhex(row["data"]), contexts, WORDS, OWN_BY_NAME)
    assert stored.decode() == row["stored"]
    assert (found["kind"], found["floor"], found["context"]["start"]) == (row["kind"], row["floor"], row["start"])
    if "message" in row:
        assert reader.message(VECTORS["station"], found, stored) == row["message"]


def test_small_talk_by_the_document():
    talk = reader.control(bytes.fromhex(MESSAGES["receipts and the time"]["body"]), WORDS)
    assert talk == [(0x1234, "complete"), (7, "held [0, 2] of 3"), (1_795_380_100_000, 2)]
    assert reader.control(bytes.fromhex(MESSAGES["a sign of life"]["body"]), WORDS) == ["alive"]
    assert reader.control(bytes.fromhex(MESSAGES["own words"]["body"]), WORDS) == [OWN]


def test_a_command_by_the_document():
    verb, correlation, payload = reader.command(bytes.fromhex(MESSAGES["a command"]["body"]))
    assert (verb, correlation, json.loads(payload)["version"]) == ("resend", b"\1\2\3\4", 1)


def test_a_broadcast_by_the_document():
    row = reader.datagram(bytes.fromhex(VECTORS["broadcast"]["datagram"]))
    assert row["kind"] == "acks"
    address = bytes.fromhex(VECTORS["addresses"]["down"])
    found = reader.broadcast(row["body"], KEYS["ack"], address, VECTORS["broadcast"]["counter"])
    said = ["complete", "held [0, 3, 13] of 14", "again 1 of 14", "refused context"]
    assert found == [(70_000 % 65_536, one, True) for one in said]
    assert all(not right for *_, right in reader.broadcast(row["body"], KEYS["ack"], address, 70_000 + 65_536))


def test_hello_by_the_document():
    said = VECTORS["hello"]
    plain, nonce = reader.hello(KEYS["hello"], bytes.fromhex(said["up"]))
    assert plain[:4] == VECTORS["epoch"]["number"].to_bytes(4, "big")
    assert plain[4:12].hex() == VECTORS["epoch"]["salt"]
    assert int.from_bytes(plain[12:18], "big") == said["counter"]
    assert plain[18:].hex() == "".join(said["contexts"])
    behind, _ = reader.hello(KEYS["hello"], bytes.fromhex(said["behind"]), nonce, down=True)
    assert behind == bytes([1]) + (1_795_000_001).to_bytes(4, "big") + (1_795_380_100_000).to_bytes(6, "big")
    who, _ = reader.hello(KEYS["hello"], bytes.fromhex(said["who"]), down=True)
    assert who == bytes([2]) + bytes(10)


def test_a_seal_in_two_pieces_by_the_document():
    head, message = reader.together(unhexed(VECTORS["sealed"]["datagrams"]))
    assert message.hex() == VECTORS["sealed"]["bytes"]
    assert head[1:] == reader.hashlib.sha256(message).digest()[:2]
    assert len(VECTORS["sealed"]["datagrams"]) == 2


@pytest.mark.parametrize("row", VECTORS["refused"], ids=lambda row: row["reason"] + " " + row["data"][:12])
def test_what_is_refused_and_where(row):
    with pytest.raises(RemoteError) as wrong:
        decode.decode(bytes.fromhex(row["data"]))
    assert (wrong.value.reason, wrong.value.offset) == (row["reason"], row["offset"])


def test_every_datagram_is_taken_apart_without_keys():
    every = [data for row in MESSAGES.values() for cut in row["cuts"] for data in unhexed(cut["datagrams"])]
    hello = [bytes.fromhex(VECTORS["hello"][name]) for name in ("up", "behind", "who")]
    for data in (
        *every,
        *hello,
        bytes.fromhex(VECTORS["broadcast"]["datagram"]),
        *unhexed(VECTORS["sealed"]["datagrams"]),
    ):
        row = decode.decode(data)
        assert row["kind"].upper() in Kind.__members__
        assert json.loads(json.dumps(row))["bytes"] == len(data)
    assert decode.decode(every[0]) == {
        "kind": "event", "version": 1, "id": 4464, "wanted": True, "bytes": len(every[0]), "header": 3,
        "encrypted": len(every[0]) - 11, "tag": every[0][-8:].hex(),
    }  # fmt: skip


def test_the_command_line_knows_frames():
    (row,) = KINDS["frame"](bytes.fromhex(VECTORS["hello"]["up"]))
    assert row["kind"] == "hello"


def test_every_split_of_a_datagram_is_refused_or_forged():
    other = maker.speaking(1, 0)
    whole = bytes.fromhex(MESSAGES["an alarm"]["cuts"][0]["datagrams"][0])
    for end in range(len(whole)):
        try:
            frame = header.decode(whole[:end])
        except RemoteError:
            continue
        assert Link(One(other), Reassembly()).receive("x", frame, 0.0).reason in {"forged", "short"}


def test_sizes_that_the_document_states():
    sizes = {name: len(bytes.fromhex(row["data"])) for name, row in EVENTS.items()}
    assert sizes["an alarm"] <= 65
    assert sizes["the same with the station's own words"] <= 45
    assert fragments.room(77) - 8 == 66
    assert [len(bytes.fromhex(MESSAGES["a sign of life"]["cuts"][0]["datagrams"][0]))] == [12]


def test_the_document_names_what_the_vectors_hold():
    text = (Path(__file__).parents[2] / "docs" / "platform" / "narrowband.md").read_text(encoding="utf-8")
    for word in ("narrow.json", "narrow_reader.py", *(f"| {kind.value} {kind.name.lower()} |" for kind in Kind)):
        assert word in text
