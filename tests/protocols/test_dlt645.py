import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.dlt645 import (
    ANY_ADDRESS,
    Dlt645Stream,
    Frame,
    Refused,
    answer,
    bcd,
    decode,
    encode,
    number,
    read,
)
from protocols.dlt645_items import decode_all
from protocols.errors import LocalError, RemoteError
from protocols.framing import Flaw

VECTORS = json.loads((Path(__file__).parent.parent / "vectors/dlt645.json").read_text())["vectors"]
GOOD = [row for row in VECTORS if row["cs_ok"]]


def heard(*pieces):
    stream = Dlt645Stream()
    return [one for piece in pieces for one in stream.feed(piece)]


def frames(*pieces):
    return [one for one in heard(*pieces) if isinstance(one, Frame)]


@pytest.mark.parametrize("row", GOOD, ids=lambda row: row["meaning"])
def test_vector_both_ways_whole_split_and_behind_garbage(row):
    data = bytes.fromhex(row["frame"])
    (frame,) = heard(data)
    assert frame.address.lower() == row["address"]
    assert f"{frame.control:02X}" == row["control"]
    assert frame.data.hex() == row["data_minus33"]
    assert frame.item == row.get("di", "")
    assert encode(frame) == data.lstrip(b"\xfe")
    assert encode(frame, wake=b"\xfe" * 4).endswith(encode(frame))
    for at in range(len(data)):
        assert heard(data[:at], data[at:]) == [frame]
    for noise in (b"\x00\xff", b"\x68", b"\x68\x68\x68", data[:-1], b"\x16" * 300, b"\xfe\xfe"):
        assert frames(noise + data + data)[-1] == frame


@pytest.mark.parametrize("row", [row for row in VECTORS if not row["cs_ok"]], ids=lambda row: row["meaning"][:40])
def test_negative_vector(row):
    events = heard(bytes.fromhex(row["frame"]))
    assert events[0] == Flaw("checksum", bytes.fromhex(row["frame"]))
    assert not frames(bytes.fromhex(row["frame"]))
    assert decode_all(bytes.fromhex(row["frame"]))[0]["error"] == "checksum"


def test_what_the_vectors_mean():
    energy, voltage = (bytes.fromhex(GOOD[at]["frame"]) for at in (1, 3))
    assert decode_all(energy + voltage) == [
        {
            "address": "000000000161", "control": "91", "function": "read", "from": "meter",
            "data": "0000010026000000", "item": "00010000", "title": "energy forward active", "value": 0.26, "unit": "kW.h",
        },
        {
            "address": "000000000161", "control": "91", "function": "read", "from": "meter",
            "data": "000101020110", "item": "02010100", "title": "voltage A", "value": 100.1, "unit": "V",
        },
    ]  # fmt: skip
    assert decode_all(energy[:-3])[-1]["error"] == "truncated"


def test_only_the_answer_to_what_was_asked():
    asked = read("000000000161", "02010100")
    good = Frame("000000000161", 0x91, bytes.fromhex("000101020110"))
    assert number(answer(good, asked), 1) == 100.1
    assert answer(good, read(ANY_ADDRESS, "02010100")) == bytes.fromhex("0110")
    for foreign in (
        good._replace(address="000000000162"),
        good._replace(control=0x11),  # our own words, given back
        good._replace(data=bytes.fromhex("000201020110")),
    ):
        with pytest.raises(RemoteError, match="foreign"):
            answer(foreign, asked)
    with pytest.raises(Refused, match="error-02"):
        answer(Frame("000000000161", 0xD1, b"\x02"), asked)
    with pytest.raises(RemoteError, match="more"):
        answer(good._replace(control=0xB1), asked)


def test_a_meter_of_1997_has_identifiers_of_two_bytes():
    asked = read("999999999999", "9010")
    assert encode(asked).hex().upper() == "68999999999999680102" + "43C3" + "6F16"
    said = Frame("000000000123", 0x81, bytes.fromhex("1090" + "78563412"))
    assert number(answer(said, read("000000000123", "9010")), 2) == 123456.78
    assert decode_all(encode(said)) == [
        {
            "address": "000000000123", "control": "81", "function": "read (1997)", "from": "meter",
            "data": "109078563412", "item": "9010", "title": "energy forward active", "value": 123456.78, "unit": "kW.h",
        },
    ]  # fmt: skip
    with pytest.raises(RemoteError, match="foreign"):
        answer(said, read("000000000123", "B611"))
    with pytest.raises(RemoteError, match="foreign"):
        answer(said, read("000000000123", "00010000"))
    with pytest.raises(Refused):
        answer(Frame("000000000123", 0xC1, b"\x02"), read("000000000123", "B611"))


def test_numbers():
    assert number(bytes.fromhex("123485"), 3, signed=True) == -53.412
    assert number(bytes.fromhex("123485"), 3) == 853.412
    with pytest.raises(RemoteError, match="missing"):
        number(b"\xff\xff")
    with pytest.raises(RemoteError, match="bcd"):
        number(b"\x0a")
    for wrong in ((-1.0, 2, 1), (1e9, 2, 0)):
        with pytest.raises(LocalError):
            bcd(*wrong)
    with pytest.raises(LocalError):
        read("000000000161", "020101")
    with pytest.raises(LocalError):
        encode(Frame("16", 0x11, b""))


@given(st.integers(-799999, 799999), st.integers(0, 4))
def test_signed_numbers_there_and_back(digits, decimals):
    value = digits / 10**decimals
    assert number(bcd(value, 3, decimals, signed=True), decimals, signed=True) == value


@given(st.from_regex(r"[0-9]{12}", fullmatch=True), st.integers(0, 255), st.binary(max_size=200), st.data())
def test_frames_there_and_back_and_damaged(address, control, data, draw):
    frame = Frame(address, control, data)
    wire = encode(frame)
    assert decode(wire) == frame
    at = draw.draw(st.integers(0, len(wire) - 1))
    damaged = wire[:at] + bytes((wire[at] ^ draw.draw(st.integers(1, 255)),)) + wire[at + 1 :]
    with pytest.raises(RemoteError):
        decode(damaged)


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_no_bytes_make_the_stream_fall_and_cutting_changes_nothing(pieces):
    whole = b"".join(pieces)
    assert frames(*pieces) == frames(whole)
    stream = Dlt645Stream()
    for _ in range(50):
        stream.feed(whole)
    assert len(stream._rest) < 300
