"""The words of SDI-12: the specification's own examples, sensors' logs, and whatever Hypothesis says."""

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import sdi12
from protocols.errors import LocalError, RemoteError
from protocols.sdi12 import Acknowledged, Identity, Parameter, Scheduled, Text, Values, parse
from protocols.sdi12_command import Command, measurement
from protocols.sdi12_command import parse as command

VECTORS = json.loads((Path(__file__).parent.parent / "vectors/sdi12.json").read_text())


@pytest.mark.parametrize("row", VECTORS["crc_examples"], ids=lambda row: row["response"])
def test_checksum_of_the_specification(row):
    line = row["response"].encode()
    assert sdi12.seal(line[:-3]) == line
    assert sdi12.values_of(line, crc=True) == sdi12.values_of(line[:-3]) == sdi12.values_of(line, crc=None)


@pytest.mark.parametrize(
    ("row", "reason"),
    list(zip(VECTORS["negative"], ["crc", "crc", "format", "format", "address"], strict=True)),
    ids=lambda value: value["note"] if isinstance(value, dict) and "note" in value else str(value)[:20],
)
def test_negative_vector(row, reason):
    with pytest.raises(RemoteError) as wrong:
        parse(command("0D0!"), row["response"].encode(), crc=None)
    assert wrong.value.reason == reason


def exchanges():
    for one in (*VECTORS["transactions"], *VECTORS["real_sensor_logs"]):
        asked = None
        for line in one["dialog"]:
            if line.startswith(">"):
                asked = line[1:]
            elif line.startswith("<"):
                yield asked, line[1:]


UNDERSTOOD = {
    ("0M!", "00001"): Scheduled("0", 0, 1),
    ("0M!", "00053"): Scheduled("0", 5, 3),
    ("0CC!", "004512"): Scheduled("0", 45, 12),
    ("1CC!", "101504"): Scheduled("1", 15, 4),
    ("0R0!", "0+3.14"): Values("0", (3.14,)),
    ("0M1!", "00000"): Scheduled("0", 0, 0),
    ("0D0!", "0"): Values("0", ()),
    ("5I!", "513STS AG 4900001.51157252"): Identity("5", "13", "STS AG 4", "900001", ".51", "157252"),
    ("5M!", "50012"): Scheduled("5", 1, 2),
    ("5D0!", "5+0.00180+26.15"): Values("5", (0.0018, 26.15)),
    ("0IM0_001!", "0,PW,BAR,pressure;"): Parameter("0", ("PW", "BAR", "pressure")),
    ("3IMC2!", "30032"): Scheduled("3", 3, 2),
}


def test_every_exchange_of_the_vectors_is_understood():
    seen = dict.fromkeys(exchanges())
    assert UNDERSTOOD.keys() < seen.keys()
    for asked, said in seen:
        if (asked, said) == ("0M!", "0"):
            continue  # the service request, which answers nothing
        reply = parse(command(asked), said.encode(), crc=None)
        assert reply == UNDERSTOOD.get((asked, said), reply)
        assert command(asked).text == asked.replace("M0", "M")


@pytest.mark.parametrize(
    "text",
    [
        "0!",
        "?!",
        "0I!",
        "0A1!",
        "0M!",
        "0M9!",
        "0MC!",
        "0MC3!",
        "0C!",
        "0C1!",
        "0CC!",
        "0CC9!",
        "0D0!",
        "0D999!",
        "0R0!",
        "0R9!",
        "0RC0!",
        "0V!",
        "0HA!",
        "0HB!",
        "0DB0!",
        "0DB999!",
        "0IM!",
        "0IM1!",
        "0IMC!",
        "0IC!",
        "0ICC2!",
        "0IV!",
        "0IHA!",
        "0IHB!",
        "0IR0!",
        "0IRC1!",
        "0IM_001!",
        "0IMC2_009!",
        "0IHA_999!",
        "0XWT!",
        "0X!",
        "zM!",
    ],
)
def test_every_command_there_and_back(text):
    assert command(text).text == text


@pytest.mark.parametrize("text", ["", "!", "0", "00!", "0M10!", "0D!", "0D1000!", "0A!", "0A?!", "0M!!", "0Q!", "é!"])
def test_what_is_no_command(text):
    with pytest.raises(RemoteError):
        command(text)


def test_a_command_that_cannot_be_is_our_own_mistake():
    for wrong in ({"verb": "M", "index": 10}, {"verb": "D", "index": 1000}, {"verb": "Q"}, {"verb": "V", "crc": True}):
        with pytest.raises(LocalError):
            Command("0", **wrong)
    with pytest.raises(LocalError):
        Command("10", "M")
    for text in ("D0", "I", "IM", "", "M_001"):
        with pytest.raises(LocalError):
            measurement("0", text)
    assert measurement("0", "M1", crc=True).text == "0MC1!"
    assert measurement("0", "V", crc=True).text == "0V!"


def test_answers_that_are_not_quite():
    for asked, said in {
        "0M!": "000010",
        "0C!": "00001",
        "0HA!": "000104",
        "0I!": "013SHORT",
        "0!": "00",
        "0D0!": "0+1-",
        "0IM_001!": "0,PW,BAR",
    }.items():
        with pytest.raises(RemoteError):
            parse(command(asked), said.encode())
    assert parse(command("?!"), b"7") == Acknowledged("7")
    assert parse(command("0A5!"), b"5") == Acknowledged("5")
    assert parse(command("0XT!"), b"0ok, done") == Text("0", "ok, done")
    assert parse(command("0RC0!"), b"0AP@") == Values("0", ())
    assert parse(command("0HA!"), b"0005123") == Scheduled("0", 5, 123)
    with pytest.raises(RemoteError):
        parse(command("0A5!"), b"0")


VALUES = st.from_regex(r"[+-]([0-9]{1,7}|(?=[0-9.]{2,8}$)[0-9]*\.[0-9]*)", fullmatch=True)


@given(st.lists(VALUES, max_size=8))
def test_values_there_and_back(texts):
    line = b"0" + "".join(texts).encode()
    assert sdi12.values_of(line).values == tuple(map(float, texts))
    assert sdi12.values_of(sdi12.seal(line), crc=None).values == tuple(map(float, texts))


@given(st.lists(VALUES, min_size=1, max_size=8), st.data())
def test_one_damaged_character_is_never_believed_with_a_checksum(texts, data):
    line = bytearray(sdi12.seal(b"0" + "".join(texts).encode()))
    at = data.draw(st.integers(0, len(line) - 1))
    line[at] ^= data.draw(st.integers(1, 127))
    with pytest.raises(RemoteError):
        parse(command("0RC0!"), bytes(line))


@given(
    st.sampled_from(
        ["0!", "?!", "0I!", "0A1!", "0M!", "0C!", "0D0!", "0R0!", "0RC0!", "0V!", "0HA!", "0DB0!", "0IM_001!", "0X!"]
    ),
    st.binary(max_size=90),
)
def test_no_answer_makes_the_parser_fall(asked, line):
    try:
        reply = parse(command(asked), line)
    except RemoteError:
        return
    assert reply.address.isalnum()


TYPES = [(1, -128), (2, 255), (3, -32768), (4, 65535), (5, -(2**31)), (6, 2**32 - 1), (7, -(2**63)), (8, 2**64 - 1)]


@pytest.mark.parametrize(("kind", "value"), [*TYPES, (9, 1.5), (10, -2.25e300)])
def test_binary_packets_there_and_back(kind, value):
    data = sdi12.pack("3", kind, [value, 0])
    assert sdi12.packet(data) == Values("3", (value, 0))
    assert sdi12.packet_size(data) == len(data)
    for at in range(len(data)):
        with pytest.raises(RemoteError):
            sdi12.packet(data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :])
    with pytest.raises(RemoteError):
        sdi12.packet(data[:-1])


def test_a_packet_by_hand():
    """Address, size 8, type 9, two floats, CRC: as v1.4 §5.2 lays them out."""
    data = b"0" + b"\x08\x00" + b"\x09" + struct.pack("<ff", 1.5, -2.25)
    crc = sdi12.crc16(data, 0)
    assert sdi12.packet(data + crc.to_bytes(2, "little")) == Values("0", (1.5, -2.25))
    assert sdi12.packet(sdi12.pack("0", 9, [])) == Values("0", ())
    with pytest.raises(LocalError):
        sdi12.pack("0", 1, [300])
    with pytest.raises(LocalError):
        sdi12.pack("0", 10, [0.0] * 126)


@given(st.binary(max_size=40))
def test_parity(data):
    seven = bytes(byte & 0x7F for byte in data)
    assert sdi12.without_parity(sdi12.with_parity(seven)) == seven
    for at in range(len(seven)):
        damaged = bytearray(sdi12.with_parity(seven))
        damaged[at] ^= 1 << at % 8
        with pytest.raises(RemoteError):
            sdi12.without_parity(bytes(damaged))
