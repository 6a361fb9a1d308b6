"""Every public SL 651 frame: decoded as stated, written back byte for byte, whole, split, and behind garbage."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import sl651
from protocols.errors import LocalError, RemoteError
from protocols.framing import Flaw
from protocols.sl651 import ACK, ENQ, ETX, Frame, Packets, Sl651Stream, encode
from protocols.sl651_body import (
    Reader,
    define,
    elements,
    number,
    words,
    write_element,
    write_number,
)
from protocols.sl651_decode import decode, describe
from protocols.sl651_elements import ELEMENTS

VECTORS = json.loads((Path(__file__).parent.parent / "vectors/sl651.json").read_text())
GOOD = [row for row in VECTORS["vectors"] if row["crc_ok"]]
BAD = [row for row in VECTORS["vectors"] if not row["crc_ok"]]
PICTURE = [row for row in GOOD if row["decoded"].get("start") == "SYN"]
OURS = {"name", "unit", "params", "flags"}  # said in other words, or besides, in the vectors
THEIRS = {"name", "crc_ok", "len_ok"}


def plain(value, dropped):
    if isinstance(value, dict):
        return {key: plain(one, dropped) for key, one in value.items() if key not in dropped}
    return [plain(one, dropped) for one in value] if isinstance(value, list) else value


def heard(*pieces):
    stream = Sl651Stream()
    return [one for piece in pieces for one in stream.feed(piece)]


def frames(*pieces):
    return [one for one in heard(*pieces) if isinstance(one, Frame)]


@pytest.mark.parametrize("row", GOOD, ids=lambda row: f"{row['decoded']['func']}-{row['decoded']['direction']}")
def test_vector(row):
    wire, said = bytes.fromhex(row["frame"]), row["decoded"]
    (frame,) = heard(wire)
    assert plain(describe(frame), OURS) == plain(said, THEIRS)
    assert describe(frame)["func_name"] == said["func_name"]
    assert encode(frame) == wire
    names = [(one["name"].split()[0], ours["name"].split()[0]) for one, ours in named(said, describe(frame))]
    assert all(theirs == ours for theirs, ours in names)


def named(theirs, ours):
    pairs = zip(theirs.get("elements", ()), ours.get("elements", ()), strict=False)
    return [(one, other) for one, other in pairs if one.get("name") and one.get("id") not in ("F0", "04", "F2")]


@pytest.mark.parametrize("row", GOOD[::4], ids=lambda row: row["decoded"]["func"])
def test_vector_split_and_behind_garbage(row):
    wire = bytes.fromhex(row["frame"])
    (frame,) = heard(wire)
    for at in range(len(wire)):
        assert heard(wire[:at], wire[at:]) == [frame]
    for noise in (b"\x00\xff", b"\x7e", b"\x7e\x7e", b"\x7e" * 20, b"\x01" * 30, wire[:-1], wire[:20]):
        assert frames(noise + wire + wire)[-2:] == [frame, frame]


@pytest.mark.parametrize("row", BAD, ids=lambda row: row["frame"][:40])
def test_negative_vector(row):
    wire = bytes.fromhex(row["frame"])
    assert frames(wire) == []
    assert "error" in decode(wire)[-1]
    following = bytes.fromhex(GOOD[0]["frame"])
    assert len(frames(wire + following)) == 1


def thirteen():
    """Eight of the thirteen packets were published; the others have the stated sizes, beginning and end."""
    stated = VECTORS["m3_reassembly"]
    published = {one.number: one for one in (sl651.decode(bytes.fromhex(row["frame"])) for row in PICTURE)}
    assert {len(one.body) for one in published.values()} == {256}
    head = bytes.fromhex(stated["head_hex"]) + b"\xff\xd8"
    first, last = head.ljust(281, b"\x55"), bytes.fromhex("FFD900B7").rjust(241, b"\x55")
    bodies = dict.fromkeys(range(2, 13), b"U" * 256) | {1: first, 13: last}
    made = published[2]
    return [
        published.get(number, made._replace(number=number, body=bodies[number], end=ETX if number == 13 else sl651.ETB))
        for number in range(1, 14)
    ]


def test_a_picture_of_thirteen_packets_in_any_order():
    stated, pieces = VECTORS["m3_reassembly"], thirteen()
    assert sorted({len(encode(one)) - 17 for one in pieces}) == sorted(stated["packet_len_field"])
    for order in (pieces, pieces[::-1], [*pieces[:3], *pieces]):
        packets = Packets()
        done = [whole for one in order if (whole := packets.add(one)) is not None]
        assert len(done) == 1
        body = done[0].body
        assert len(body) == stated["reassembled_body_bytes"]
        assert len(body[stated["jpeg_offset"] :]) == stated["jpeg_bytes"]
        assert body[stated["jpeg_offset"] :].hex().upper().startswith(stated["starts_FFD8"])
    rows = decode(b"".join(map(encode, pieces)))
    assert rows[-1]["reassembled"] == 13
    assert rows[-1]["elements"][-1] == {"id": "F3", "name": "图片", "jpeg_bytes": 3313, "whole": True}
    assert (rows[-1]["station"], rows[-1]["class"]) == ("0012345678", "H 河道")


def test_packets_that_never_come_are_forgotten():
    packets = Packets()
    for rtu in range(40):
        packets.add(Frame(False, 1, f"{rtu:010d}", "0000", 0x36, b"x", sl651.SYN, sl651.ETB, 3, 1))
    assert len(packets._open) == Packets.MOST


@pytest.mark.parametrize("row", VECTORS["ascii_mode_synthetic"], ids=lambda row: row["origin"][:20])
def test_the_text_form(row):
    wire = bytes.fromhex(row["frame_hex"])
    (frame,) = heard(wire)
    assert frame.text
    assert encode(frame) == wire
    for at in range(len(wire)):
        assert heard(wire[:at], wire[at:]) == [frame]
    assert frames(b"\x01\x0112" + wire)[-1] == frame


def test_what_a_text_frame_says():
    row = decode(bytes.fromhex(VECTORS["ascii_mode_synthetic"][0]["frame_hex"]))[0]
    assert (row["serial"], row["send_time"], row["station"]) == (3, "2014-06-12T02:00:15", "0012345678")
    assert [one["value"] for one in row["elements"]] == ["2014-06-12T02:00", 1.0, 2.0, 27.3, 12.09]
    missing = Frame(False, 1, "0012345678", "1234", 0x32, b"0003140612020015PJ M XX 3 Z abc ", text=True)
    values = [(one["id"], one["value"]) for one in describe(missing)["elements"]]
    assert values == [("20", None), ("XX", 3.0), ("39", "abc")]


@pytest.mark.parametrize("row", VECTORS["element_decoding_cases"], ids=lambda row: row["bytes"])
def test_an_element(row):
    (found,) = elements(Reader(bytes.fromhex(row["bytes"])), 0x32)
    assert found.get("values", found.get("value")) == row["value"]


def test_elements_there_and_back():
    for leader, value in ((0x39, 10.49), (0x02, -10.5), (0x26, None), (0x27, 123456.789), (0x34, 7)):
        (found,) = elements(Reader(write_element(leader, value)), 0x32)
        assert found["value"] == value
    assert write_element(0x02, -10.5) == bytes.fromhex("0219FF0105")
    assert write_element(0x39, 27.3, size=3, decimals=2) == bytes.fromhex("391A002730")
    with pytest.raises(LocalError):
        write_element(0x38, 1234.0)
    with pytest.raises(LocalError):
        define(32, 0)


def test_the_table_has_every_identifier_of_the_standard_once():
    special = {0x04}
    assert set(ELEMENTS) | special == set(range(0x01, 0x76))
    assert len({one.name for one in ELEMENTS.values()}) == len(ELEMENTS)


def test_what_nobody_knows_is_kept_and_passed_over():
    body = bytes.fromhex("76100102FF2212AABB38121209")
    assert list(elements(Reader(body), 0x32)) == [
        {"id": "76", "def": "10", "raw": "0102"},
        {"id": "FF22", "def": "12", "raw": "AABB"},
        {"id": "38", "def": "12", "name": "VT 电源电压", "unit": "V", "value": 12.09},
    ]
    cut = list(elements(Reader(bytes.fromhex("3923000104")), 0x32))
    assert cut == [{"error": "truncated", "raw": "000104"}]
    (odd,) = elements(Reader(bytes.fromhex("38120A0A")), 0x32)
    assert (odd["value"], odd["raw"]) == (None, "0A0A")


def test_status_bits_and_words():
    (found,) = elements(Reader(bytes.fromhex("452000000400")), 0x46)
    assert found["flags"] == ["pump-stopped"]
    assert words("水位".encode("gbk")) == words("水位".encode()) == "水位"


def test_a_wrong_nibble_is_accepted_when_the_rest_holds():
    frame = Frame(True, 5, "0011223344", "03E8", 0x37, bytes(8), end=ENQ)
    odd = encode(frame._replace(nibble=0))
    (heard_,) = heard(odd)
    assert (heard_.down, heard_.nibble, heard_.rtu) == (True, 0, "0011223344")


def test_frames_that_cannot_be():
    good = Frame(False, 1, "0012345678", "1234", 0x32, b"")
    for wrong in ({"rtu": "12"}, {"end": ACK}, {"body": bytes(5000)}, {"start": 0x55}, {"rtu": "zz12345678"}):
        with pytest.raises(LocalError):
            encode(good._replace(**wrong))


FRAMES = st.builds(
    Frame,
    st.booleans(),
    st.integers(0, 255),
    st.from_regex(r"[0-9A-F]{10}", fullmatch=True),
    st.from_regex(r"[0-9A-F]{4}", fullmatch=True),
    st.integers(0, 255),
    st.binary(max_size=200),
    start=st.just(sl651.STX),
    total=st.just(0),
    number=st.just(0),
    text=st.booleans(),
).map(lambda one: one._replace(end=ENQ if one.down else ETX, nibble=8 * one.down))


@given(FRAMES, st.data())
def test_frames_there_and_back_and_damaged(frame, data):
    wire = encode(frame)
    assert sl651.decode(wire) == frame
    describe(frame)
    at = data.draw(st.integers(0, len(wire) - 1))
    damaged = wire[:at] + bytes((wire[at] ^ data.draw(st.integers(1, 255)),)) + wire[at + 1 :]
    with contextlib.suppress(RemoteError):
        assert sl651.decode(damaged) == frame  # a digit of the text form in lower case


@given(st.integers(-99999, 999999), st.integers(0, 3))
def test_numbers_there_and_back(digits, decimals):
    value = digits / 10**decimals
    assert number(write_number(value, 4, decimals), decimals) == value


@given(st.binary(max_size=300), st.integers(0, 255))
def test_no_body_makes_the_reader_fall(body, function):
    for down in (False, True):
        row = describe(Frame(down, 1, "0012345678", "1234", function, body, end=ENQ if down else ETX))
        json.dumps(row, allow_nan=False)


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_no_bytes_make_the_stream_fall_and_cutting_changes_nothing(pieces):
    assert frames(*pieces) == frames(b"".join(pieces))
    stream = Sl651Stream()
    for _ in range(5):
        stream.feed((b"\x7e\x7e" + bytes(9) + b"\xff\xff\x02" + b"".join(pieces)) * 30)
    assert len(stream.rest) < 2 * 4096


def test_flaws_say_what_was_wrong():
    wire = bytes.fromhex(GOOD[0]["frame"])
    assert heard(wire[:-1] + b"\0")[0] == Flaw("crc", wire[:-1] + b"\0")
    odd = wire[:-3] + b"\x55"
    sealed = odd + sl651.crc16(odd).to_bytes(2, "big")
    assert heard(sealed)[0].reason == "end"
