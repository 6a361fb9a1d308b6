"""`fengsui decode sbd`: serial lines, DirectIP, a count of time."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import RemoteError
from protocols.sbd_decode import decode
from protocols.sbd_words import counted, written

VECTORS = Path(__file__).parent.parent / "vectors"


def kinds(rows):
    return [row["is"] for row in rows]


def test_a_serial_line_both_ways():
    said = (
        b"AT+SBDWB=5\r\r\nREADY\r\n" + written(b"hello") + b"\r\n0\r\n\r\nOK\r\n"
        b"AT+SBDIX\r\r\n+SBDIX: 0, 23, 1, 237, 5, 0\r\n\r\nSBDRING\r\n\r\nOK\r\n"
        b"AT+SBDRB\r" + counted(b"\r\nOK\0") + b"\r\nOK\r\n"
    )
    rows = decode(said)
    assert kinds(rows) == [
        *("command", "ready", "mo", "code", "ok"),
        *("command", "session", "ring", "ok"),
        *("command", "mt", "ok"),
    ]
    assert rows[2]["data"] == b"hello".hex()
    session = {"is": "session", "mo": 0, "momsn": 23, "mt": 1, "mtmsn": 237, "length": 5, "queued": 0}
    assert rows[6] == {"offset": said.index(b"+SBDIX:"), **session, "fate": "sent", "reason": "sent"}
    assert rows[10]["data"] == b"\r\nOK\0".hex()


def test_every_result_line():
    lines = json.loads((VECTORS / "sbd.json").read_text())["lines"]
    rows = decode("\r\n".join(vector["line"] for vector in lines).encode())
    assert kinds(rows) == [vector["is"] for vector in lines]


def test_time():
    (row,) = decode(bytes.fromhex("24ee334d"))
    assert row["utc"] == "2026-11-22T03:59:59.930Z"
    assert row["eras"]["ERA2"] == "2016-02-16T00:09:37.930Z"
    assert decode(b"-MSSTM: no network service\r\n\r\nOK\r\n")[0]["utc"] is None
    assert decode(b"-MSSTM: 24ee334d\r\n")[0]["ticks"] == 0x24EE334D


def test_directip():
    vectors = json.loads((VECTORS / "directip.json").read_text())["messages"]
    together = b"".join(bytes.fromhex(vector["bytes"]) for vector in vectors)
    rows = decode(together)
    assert [row["message"] for row in rows] == [
        *("mo", "mo", "mo-confirmation", "mt", "mt", "mt-confirmation", "mt-confirmation")
    ]
    assert rows[0]["payload"] == b"Hello World!".hex()
    assert rows[-1]["status"] == "queue-full"
    json.dumps(rows)
    with pytest.raises(RemoteError) as wrong:
        decode(together + b"\2\0\0")
    assert (wrong.value.reason, wrong.value.offset) == ("revision", len(together))


def test_damage_is_told_with_its_place():
    rows = decode(b"AT+SBDRB\r" + b"\0\5hello\2\x15" + b"\r\nOK\r\n")
    assert (rows[1]["error"], rows[1]["offset"]) == ("checksum", 9 + 7)
    assert rows[2]["is"] == "ok"
    assert decode(b"OK\r\n\0\5hel")[1]["error"] == "truncated"
    for noise in (b"what is this", b"\x80\x81\x82\x83\x84"):
        with pytest.raises(RemoteError) as wrong:
            decode(noise)
        assert wrong.value.offset == 0


@given(st.binary(max_size=300))
def test_noise_and_nothing_worse(data):
    offset = 0
    try:
        json.dumps(decode(data))
    except RemoteError as wrong:
        offset = wrong.offset
    assert 0 <= offset <= len(data)
