"""Makes tests/vectors/narrow.json: `python -m tests.support.narrow_vectors`. Keys from public seeds, nothing random."""

import hashlib
import json
from pathlib import Path
from typing import Any

from protocols import event as stored
from protocols.alert import Local
from protocols.key import Key
from protocols.narrow import command, control, event, fragments, header, hello, keys, receipt, sealed
from protocols.narrow.command import Command
from protocols.narrow.context import Context
from protocols.narrow.control import Ping, Time, Words
from protocols.narrow.counter import Counter
from protocols.narrow.event_words import WORDS
from protocols.narrow.header import Frame, Kind
from protocols.narrow.hello import Answer, Hello, Welcome
from protocols.narrow.keys import Epoch
from protocols.narrow.numbered import Numbered
from protocols.narrow.receipt import Addressed, Reason, Receipt
from protocols.narrow.session import Message, Session, open_session

FILE = Path(__file__).parents[1] / "vectors" / "narrow.json"
STATION = "village-7"
EPOCH = Epoch(1_795_000_000, bytes.fromhex("a1b2c3d4e5f60718"))
BOOT, LOG = bytes.fromhex("78c022a330b249f8"), "00112233445566ff"
CONTEXT = Context(LOG, BOOT, 1_795_380_064_123, trusted=True)
BEFORE_TIME = Context(LOG, BOOT, -86_400_000, trusted=False)
RULES = {"flood at the bridge": 'rise(rain.total, "1h") >= 40 and river.stage > 27.8', "山洪": "river.stage > 27.8"}


def private(name: str) -> bytes:
    return hashlib.sha256(f"fengsui narrow vectors {name}".encode()).digest()


SECRET = keys.agree(private("station"), keys.public_of(private("headend")))


def bytes_of(seed: str, length: int) -> bytes:
    """The same for everybody, and like noise."""
    blocks = (hashlib.sha256(f"{seed} {number}".encode()).digest() for number in range(length // 32 + 1))
    return b"".join(blocks)[:length]


def speaking(speaker: int, at: int) -> Session:
    counter = Counter(at, lambda until: counter.reserved(until))  # noqa: PLW0108 - it is not there yet
    return open_session(SECRET, STATION, EPOCH, counter, speaker)


def raised(rule: str, at: int = 15_084_401, **evidence: float) -> bytes:
    alarm = Local(rule, (), "flash-flood", 2, 3, "", 60).identity.hex()  # type: ignore[arg-type] # only its name matters
    fields = {"rule": rule, "alert": alarm, "event": "flash-flood", "level": "orange", "action": "evacuate"}
    return stored.encode("rule.raised", BOOT, at, {**fields, "when": RULES[rule], "evidence": evidence, "doubted": []})


OWN = event.words_of(raised(rule, **{"river.stage": 27.9}) for rule in RULES)
SIGNATURE = "k1HnXdyed1lVszAM+igoxbjpMO5MoMvrQm6Chy+Z4WtZYqFcvwB19De4CK/2O2l6tGzCHf46vPKONjSgtpkZCQ=="
RECEIVED = {
    "alert": "0bd4" * 16,
    "issuer": 1,
    "seq": 1_800_000_000,
    "bearer": "county",
    "counter": 1,
    "said": 1_800_000_000,
}


def numbered(lane: str, number: int, floor: int, kind: str, context: Context = CONTEXT) -> Numbered:
    return Numbered(Key(STATION, LOG, lane, number, number), kind, floor, context)


EVENTS: dict[str, tuple[Numbered, bytes, bool, bytes]] = {
    "an alarm, its context in full": (
        numbered("alarm", 3, 1, "live"),
        raised("山洪", **{"river.stage": 28.0}),
        True,
        b"",
    ),
    "an alarm": (
        numbered("alarm", 1234, 1230, "live"),
        raised("flood at the bridge", **{"rain.total": 812.4, "river.stage": 27.95}),
        False,
        b"",
    ),
    "the same with the station's own words": (
        numbered("alarm", 1235, 1230, "live"),
        raised("flood at the bridge", 15_999_000, **{"rain.total": 830.0, "river.stage": 28.31}),
        False,
        OWN,
    ),
    "a signed acknowledgement": (
        numbered("alarm", 77, 77, "backlog"),
        stored.encode("warning.received", BOOT, 20_000_000, {**RECEIVED, "certain": True, "signature": SIGNATURE}),
        False,
        b"",
    ),
    "an event before time was known": (
        numbered("event", 5, 9, "resend", BEFORE_TIME),
        stored.encode("bus.down", BOOT, -1, {"bus": "rs485", "port": "/dev/ttyUSB0", "why": "gone"}),
        True,
        b"",
    ),
    "another boot: as it is": (
        numbered("event", 6, 6, "live"),
        stored.encode("bus.up", bytes(8), 7, {"bus": "rs485"}),
        False,
        b"",
    ),
}


def make_event(name: str) -> dict[str, Any]:
    head, body, full, own = EVENTS[name]
    data = event.encode(head, body, full=full, words=own)
    row = {"name": name, "id": head.key.text, "kind": head.kind, "floor": head.floor, "start": head.context.start}
    row |= {"trusted": head.context.trusted, "own_words": bool(own), "data": data.hex(), "stored": body.decode()}
    same_boot = json.loads(body)["boot"] == BOOT.hex()
    return row | ({"message": event.Event(head, body).to_wire().decode()} if same_boot else {})


def make_message(
    name: str, kind: Kind, speaker: int, counter: int, body: bytes, cuts: list[dict[str, int]]
) -> dict[str, Any]:
    message = speaking(speaker, counter).seal(kind, body)
    row = {"name": name, "kind": kind.name.lower(), "speaker": speaker, "counter": counter, "body": body.hex()}
    return row | {"data": message.data.hex(), "cuts": [make_cut(message, speaker, **cut) for cut in cuts]}


def make_cut(message: Message, speaker: int, mtu: int, extra: int = 0, addressed: int = 0) -> dict[str, Any]:
    address = header.address(STATION, up=speaker == 0) if addressed else b""
    frames = list(fragments.cut(message, mtu, address=address, extra=extra).values())
    data = frames[: len(frames) - extra]
    data[-1] = data[-1]._replace(wanted=True)
    every = [*data, *frames[len(data) :]]
    return {"mtu": mtu, "extra": extra, "datagrams": [header.encode(frame).hex() for frame in every]}


def make_messages() -> list[dict[str, Any]]:
    alarm = bytes.fromhex(make_event("an alarm")["data"])
    talk = control.encode([Receipt(0x1234), Receipt(7, frozenset({0, 2}), 3), Time(1_795_380_100_000, 2)])
    asked = command.encode(Command("resend", b"\1\2\3\4", b'{"version":1,"ranges":["00112233445566ff/alarm/7-7"]}'))
    return [
        make_message("an alarm", Kind.EVENT, 0, 70_000, alarm, [{"mtu": 77}, {"mtu": 54}]),
        make_message("an alarm on LoRa", Kind.EVENT, 0, 70_001, alarm, [{"mtu": 77, "addressed": 1}]),
        make_message("a sign of life", Kind.CONTROL, 0, 0, control.encode([Ping()]), [{"mtu": 77}]),
        make_message("receipts and the time", Kind.CONTROL, 2, 65_536, talk, [{"mtu": 77}]),
        make_message("own words", Kind.CONTROL, 0, 1, control.encode([Words(OWN)]), [{"mtu": 340}]),
        make_message("a command", Kind.COMMAND, 15, 9, asked, [{"mtu": 340}, {"mtu": 77}]),
        make_message("three hundred bytes", Kind.DATA, 0, 2, bytes_of("three hundred", 300), [{"mtu": 77, "extra": 2}]),
    ]


ROWS = {
    "complete": Receipt(70_000 % 65_536),
    "pieces held": Receipt(70_000 % 65_536, frozenset({0, 3, 13}), 14),
    "again": Receipt(70_000 % 65_536, total=14, again=1),
    "refused": Receipt(70_000 % 65_536, refused=Reason.CONTEXT),
}


def make_broadcast() -> dict[str, Any]:
    key, own = keys.derive(SECRET, STATION, EPOCH).ack, header.address(STATION, up=False)
    rows = [Addressed(own, one, receipt.mac(key, 70_000, one)) for one in ROWS.values()]
    frame = Frame(Kind.ACKS, 0, receipt.encode_many(rows))
    return {"counter": 70_000, "rows": list(ROWS), "datagram": header.encode(frame).hex()}


def make_hello() -> dict[str, Any]:
    key, asked, back = keys.hello_key(SECRET, STATION), bytes_of("nonce", 12), bytes_of("answer", 12)
    said = hello.say(key, Hello(EPOCH, 70_002, (CONTEXT, BEFORE_TIME)), asked)
    answered = hello.answer(key, Answer(Welcome.BEHIND, 1_795_000_001, 1_795_380_100_000), back, asked)
    who = hello.answer(key, Answer(Welcome.WHO, 0, 0), back)
    return {
        "up": header.encode(said).hex(),
        "counter": 70_002,
        "contexts": [CONTEXT.encode().hex(), BEFORE_TIME.encode().hex()],
        "behind": header.encode(answered).hex(),
        "who": header.encode(who).hex(),
    }


REFUSED = {
    "": ("frame.short", 0),
    "88123478": ("frame.version", 0),
    "481234": ("frame.short", 3),
    "4a12340f0f78": ("frame.piece", 3),
    "4a1234004178": ("frame.piece", 3),
    "4a1234800278": ("frame.piece", 3),
    "4c6162631234": ("frame.short", 6),
    "48123401020304050607": ("frame.short", 10),
    "7000006162630001": ("receipt.short", 8),
    "70000061626300010101000000": ("receipt.form", 8),
}


def make() -> dict[str, Any]:
    derived = keys.derive(SECRET, STATION, EPOCH)
    seal = bytes_of("a seal", 119)
    return {
        "note": "Specified in docs/platform/narrowband.md. Private keys: SHA-256 of 'fengsui narrow vectors station' and '... headend'.",
        "words": WORDS.decode(),
        "own_words": OWN.decode(),
        "station": STATION,
        "private": [private("station").hex(), private("headend").hex()],
        "public": [keys.public_of(private(name)).hex() for name in ("station", "headend")],
        "epoch": {"number": EPOCH.number, "salt": EPOCH.salt.hex()},
        "keys": {
            "up": derived.up.hex(),
            "down": derived.down.hex(),
            "ack": derived.ack.hex(),
            "hello": keys.hello_key(SECRET, STATION).hex(),
        },
        "addresses": {"up": header.address(STATION, up=True).hex(), "down": header.address(STATION, up=False).hex()},
        "context": {"data": CONTEXT.encode().hex(), "name": CONTEXT.name.hex()},
        "messages": make_messages(),
        "broadcast": make_broadcast(),
        "hello": make_hello(),
        "events": [make_event(name) for name in EVENTS],
        "sealed": {"bytes": seal.hex(), **make_cut(sealed.message(seal), 0, 77)},
        "refused": [{"data": data, "reason": why, "offset": at} for data, (why, at) in REFUSED.items()],
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(make(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
