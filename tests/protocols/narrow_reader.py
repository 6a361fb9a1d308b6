"""A second reader of narrow frames, written from docs/platform/narrowband.md and packed.md alone. Shares no line with the first:
keys, cipher and deflate come from their libraries, everything else is here.
"""

import base64
import hashlib
import hmac
import json
import re
import zlib
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KINDS = ["control", "event", "data", "digest", "command", "hello", "acks", "sealed"]
LANES = ["alarm", "event", "telemetry", "bulk"]
REASONS = {1: "malformed", 2: "context", 4: "busy", 5: "old"}


def all_keys(private, public, station, number, salt):
    """up, down, ack, hello"""
    z = X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))
    start = b"fengsui narrow 1 "
    three = HKDF(SHA256(), 48, number.to_bytes(4, "big") + salt, start + b"epoch " + station.encode()).derive(z)
    one = HKDF(SHA256(), 16, b"", start + b"hello " + station.encode()).derive(z)
    return three[:16], three[16:32], three[32:], one


def datagram(data):
    """Header fields and body."""
    first = data[0]
    assert first & 0xC0 == 0x40
    row = {"kind": KINDS[(first & 0x38) >> 3], "wanted": bool(first & 1), "head": bytes([first & 0xF8]), "address": b""}
    rest = data[1:]
    if first & 4:
        row["address"], rest = rest[:3], rest[3:]
    row["head"] += rest[:2]
    row["id"], rest = int.from_bytes(rest[:2], "big"), rest[2:]
    if first & 2:
        row["place"], row["total"], rest = rest[0], rest[1], rest[2:]
    row["body"] = rest
    return row


def times(a, b):
    total = 0
    while b:
        if b & 1:
            total ^= a
        a <<= 1
        if a & 0x100:
            a ^= 0x11D
        b >>= 1
    return total


INVERSE = {a: next(b for b in range(256) if times(a, b) == 1) for a in range(1, 128)}


def parity(pieces, place):
    out = bytearray(len(pieces[0]))
    for number, piece in enumerate(pieces):
        factor = INVERSE[place ^ number]
        for at, value in enumerate(piece):
            out[at] ^= times(factor, value)
    return bytes(out)


def together(datagrams):
    """The message in all its data pieces, with the checks a writer must pass; parity is recomputed."""
    rows = [datagram(one) for one in datagrams]
    if len(rows) == 1:
        assert "place" not in rows[0]
        return rows[0]["head"], rows[0]["body"]
    data = sorted((row for row in rows if row["place"] < 64), key=lambda row: row["place"])
    assert {row["total"] for row in rows} == {len(data)}
    assert len({len(row["body"]) for row in rows}) == 1
    pieces = [row["body"] for row in data]
    for row in rows:
        assert row["place"] < 64 or row["body"] == parity(pieces, row["place"])
    whole = b"".join(pieces).rstrip(b"\0")
    assert whole[-1] == 0x80
    return rows[0]["head"], whole[:-1]


def opened(key, speaker, counter, head, message):
    nonce = bytes([speaker]) + bytes(6) + counter.to_bytes(6, "big")
    return AESCCM(key, tag_length=8).decrypt(nonce, message, head)


def hello(key, data, asked=bytes(12), down=False):
    row = datagram(data)
    assert row["kind"] == "hello"
    nonce, rest = row["body"][:12], row["body"][12:]
    assert row["id"] == int.from_bytes(nonce[:2], "big")
    return AESCCM(key, tag_length=8).decrypt(bytes([down]) + nonce, rest, row["head"] + (asked if down else b"")), nonce


class Bytes:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        assert self.at + count <= len(self.data)
        self.at += count
        return self.data[self.at - count : self.at]

    def uint(self, count):
        return int.from_bytes(self.take(count), "big")

    def varint(self):
        total = shift = 0
        while True:
            byte = self.uint(1)
            total |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return total

    def zigzag(self):
        number = self.varint()
        return number // 2 if number % 2 == 0 else -(number + 1) // 2

    @property
    def more(self):
        return self.at < len(self.data)


def receipt(reader):
    """(id, words about it, the bytes that a MAC covers)"""
    number, start = reader.uint(2), reader.at
    form = reader.uint(1)
    if form == 0:
        said = "complete"
    elif 2 <= form <= 64:
        bits = reader.take((form + 7) // 8)
        said = f"held {[place for place in range(form) if bits[place // 8] & 1 << place % 8]} of {form}"
    elif form == 0x50:
        said = f"again {reader.uint(1)} of {reader.uint(1)}"
    else:
        assert form & 0xF0 == 0x60
        said = f"refused {REASONS.get(form & 15, 'unsupported')}"
    return number, said, reader.data[start : reader.at]


def broadcast(body, ack_key, address, counter):
    reader, rows = Bytes(body), []
    while reader.more:
        assert reader.take(3) == address
        number, said, covered = receipt(reader)
        made = hmac.new(ack_key, b"receipt" + counter.to_bytes(6, "big") + covered, hashlib.sha256).digest()[:4]
        rows.append((number, said, reader.take(4) == made))
    return rows


def control(body, words):
    reader, parts = Bytes(body), []
    while reader.more:
        code = reader.uint(1)
        if code == 1:
            parts += [receipt(reader)[:2] for _ in range(reader.uint(1))]
        elif code == 2:
            parts.append("alive")
        elif code == 3:
            parts.append((reader.uint(6), reader.uint(2)))
        else:
            assert code == 4
            parts.append(zlib.decompressobj(-15, words).decompress(reader.take(reader.uint(2))))
    return parts


def command(body):
    reader = Bytes(body)
    return reader.take(reader.uint(1)).decode(), reader.take(reader.uint(1)), reader.data[reader.at :]


def context(data):
    return {
        "log": data[:8].hex(),
        "boot": data[8:16].hex(),
        "start": int.from_bytes(data[16:22], "big", signed=True),
        "trusted": data[22] == 1,
    }


def event(data, contexts, words, own):
    """Facts of the head, and the stored body. `contexts` by name, `own` words by name."""
    reader = Bytes(data)
    flags = reader.uint(1)
    about = context(reader.take(23)) if flags & 16 else contexts[reader.take(3)]
    number = reader.varint()
    row = {"number": number, "floor": number - reader.zigzag(), "lane": LANES[flags & 3], "context": about}
    row["kind"] = ["live", "backlog", "resend"][flags >> 2 & 3]
    at, form = reader.zigzag(), flags >> 5
    if form == 0:
        return row, data[reader.at :]
    more = own[reader.take(3)] if form == 2 else b""
    inflater = zlib.decompressobj(-15, words + more)
    text = inflater.decompress(data[reader.at :]).decode()
    head, comma, rest = put_back(text, Bytes(inflater.unused_data)).partition(",")
    return row, f'{{"type":"{head}","boot":"{about["boot"]}","at":{at}{comma}{rest}}}'.encode()


def put_back(text, taken):
    out = []
    for sign in text:
        if sign == "\x01":
            out.append(taken.take(taken.uint(1)).hex())
        elif sign == "\x02":
            out.append(base64.b64encode(taken.take(taken.uint(1))).decode())
        elif sign == "\x04":
            out.append(str(taken.varint()))
        else:
            out.append(sign)
    assert not taken.more
    whole = "".join(out)
    if "\x03" in whole:
        name = json.loads(re.search(r'"rule":("(?:[^"\\]|\\.)*")', whole)[1])
        whole = whole.replace("\x03", hashlib.sha256(b"local\0" + name.encode()).hexdigest())
    return whole


def message(station, row, stored):
    """The JSON on MQTT, as topics.md says."""
    body, about = json.loads(stored), row["context"]
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=about["start"] + body["at"])
    key = f"{about['log']}/{row['lane']}/{row['number']}-{row['number']}"
    head = {
        "version": 1,
        "type": body.pop("type"),
        "station": station,
        "id": key,
        "kind": row["kind"],
        "floor": row["floor"],
    }
    head |= {"time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"), "trusted": about["trusted"]}
    return json.dumps(head | body, ensure_ascii=False, separators=(",", ":"))
