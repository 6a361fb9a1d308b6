import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import RemoteError
from protocols.lora_decode import decode
from protocols.lora_frame import frame

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "lora-modules.json").read_text())


@pytest.mark.parametrize(("sent", "answered", "note"), VECTORS["e22"]["exchanges"])
def test_register_frames(sent, answered, note):
    (said,) = decode(bytes.fromhex(sent))
    (heard,) = decode(bytes.fromhex(answered))
    assert said["start"] == heard["start"]
    assert heard["kind"] == "e22.read"
    assert said.get("over_air", False) == sent.startswith("CFCF"), note


def test_all_registers_in_words():
    row = VECTORS["e22"]["registers"][0]
    (said,) = decode(bytes.fromhex("C10007" + row["hex"]))
    assert said["settings"].items() >= {name: value for name, value in row.items() if name != "hex"}.items()


def test_a_whole_conversation():
    capture = (
        bytes.fromhex("C0C1C2C30202" + "FFFFFF" + "C0050109" + "C1050109" + "C0C1C2C30001")
        + b"AT+P2P=470300000:7:125:0:8:14\r\nOK\r\n+EVT:RXP2P:-28:5:48656C6C6F\r\n"
        + frame(b"hello")
    )
    rows = list(decode(capture))
    kinds = ["e22.mode", "e22.refused", "e22.set", "e22.read", "e22.ask_noise", "command", "ok", "received", "datagram"]
    assert [row["kind"] for row in rows] == kinds
    assert rows[-1]["data"] == b"hello".hex()
    assert capture[rows[-1]["offset"] :] == frame(b"hello")


@pytest.mark.parametrize(("line", "said"), VECTORS["rak"]["lines"])
def test_lines(line, said):
    assert list(decode(f"\r\n{line}\r\n".encode())) == [{"offset": 2, **said}]


@pytest.mark.parametrize(
    ("data", "reason", "offset"),
    [
        (b"OK\r\nnonsense", "lora.unknown", 4),
        (b"\x80", "lora.unknown", 0),
        (b"FS\x02ab\0\0", "lora.checksum", 5),
        (b"OK\rFS\x09", "lora.truncated", 6),
        (bytes.fromhex("C0C1C2C30900"), "lora.unknown", 4),
        (bytes.fromhex("C00030"), "e22.length", 0),
        (bytes.fromhex("C0000412"), "e22.truncated", 4),
    ],
)
def test_errors_say_where(data, reason, offset):
    with pytest.raises(RemoteError) as wrong:
        list(decode(data))
    assert (wrong.value.reason, wrong.value.offset) == (reason, offset)


@given(st.binary(max_size=60))
def test_any_bytes_are_rows_or_an_error(data):
    rows, offset = [], 0
    try:
        rows = list(decode(data))
    except RemoteError as wrong:
        offset = wrong.offset
    assert 0 <= offset <= len(data)
    assert all(0 <= row["offset"] < len(data) for row in rows)
