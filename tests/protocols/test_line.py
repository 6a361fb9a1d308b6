"""Frames and numbers that profiles describe: every checksum, every way to say where a number is."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalError, RemoteError
from protocols.framing import Flaw
from protocols.line_frame import KINDS, Checksum, Frames, Framing, Length, seal
from protocols.line_map import TYPES, Piece
from protocols.scale import Scale

# Check values of "123456789" as the catalogue of parametrised CRC algorithms gives them (crc8: SMBus, crc8-maxim: MAXIM-DOW).
CHECKS = {
    "crc8": 0xF4,
    "crc8-maxim": 0xA1,
    "crc16-modbus": 0x4B37,
    "crc16-arc": 0xBB3D,
    "crc16-ccitt": 0x29B1,
    "crc16-xmodem": 0x31C3,
    "sum8": 0xDD,
    "sum16": 0x1DD,
    "xor8": 0x31,
    "lrc": 0x23,
}


def test_every_checksum_has_its_known_value():
    assert {kind: function(b"123456789") for kind, (function, _) in KINDS.items()} == CHECKS


GILL = Framing(start=b"\x02", end=b"\r\n", checksum=Checksum("xor8", "hex", skip=1, gap=1))
PMS = Framing(start=b"BM", length=Length(2, 2, add=4), longest=64, checksum=Checksum("sum16"))
TILT = Framing(start=b"U", length=11, checksum=Checksum("sum8"))
SDI = Framing(end=b"\n", checksum=Checksum("crc16-arc", "sdi12"))
DUST = struct.pack(">2sH13H", b"BM", 28, *range(1, 14))
SAMPLES = [
    (GILL, b"\x02Q,229,002.74,M,00,\x0316"),
    (PMS, seal(PMS, DUST)),
    (TILT, seal(TILT, struct.pack("<2s4h", b"US", 182, -364, 0, 0))),
    (SDI, b"0+3.14OqZ"),
]


@pytest.mark.parametrize(("framing", "frame"), SAMPLES)
def test_a_frame_whole_split_and_behind_garbage(framing, frame):
    wire = frame + framing.end
    assert Frames(framing).feed(wire) == [frame]
    for at in range(len(wire)):
        frames = Frames(framing)
        assert [*frames.feed(wire[:at]), *frames.feed(wire[at:])] == [frame]
    for noise in (b"\0\xff", b"\r\n", framing.start, wire[:3], wire[:-1] if framing.length else b"\0"):
        if framing is SDI and noise.strip(b"\r\n\0"):
            continue  # a line without a start has nothing to find its beginning by
        assert Frames(framing).feed(noise + wire + wire)[-1] == frame
    for at in range(len(framing.start), len(frame)):
        damaged = frame[:at] + bytes((frame[at] ^ 1,)) + frame[at + 1 :]
        assert frame not in Frames(framing).feed(damaged + framing.end + bytes(80))
        assert damaged not in Frames(framing).feed(damaged + framing.end + bytes(80))


def test_the_checksum_of_the_makers_example():
    (frame,) = Frames(GILL).feed(b"\x02Q,229,002.74,M,00,\x0316\r\n")
    assert GILL.data(frame) == b"Q,229,002.74,M,00,"


def test_a_flood_is_bounded_and_said():
    for framing in (GILL, PMS, TILT, SDI):
        frames = Frames(framing)
        events = [event for _ in range(200) for event in frames.feed(b"BM\xff\xff" + b"x" * 60)]
        assert len(frames._rest) <= framing.longest + 64
        assert all(isinstance(event, Flaw) for event in events)
        assert events


def test_frames_that_cannot_be():
    for wrong in (
        {},
        {"end": b"\n", "length": 3},
        {"length": 3},
        {"start": b"U", "length": 300},
        {"end": b"\n", "longest": 5000},
    ):
        with pytest.raises(LocalError):
            Framing(**wrong)
    for wrong in (("md5",), ("sum8", "octal"), ("sum8", "big", -1)):
        with pytest.raises(LocalError):
            Checksum(*wrong)


@given(st.sampled_from([framing for framing, _ in SAMPLES]), st.lists(st.binary(max_size=40), max_size=8))
def test_no_bytes_make_the_frames_fall_and_cutting_changes_nothing(framing, pieces):
    def found(*parts):
        frames = Frames(framing)
        return [one for part in parts for one in frames.feed(part) if isinstance(one, bytes)]

    assert found(*pieces) == found(b"".join(pieces))


def value(piece, text="", data=b""):
    data = data or text.encode("latin-1")
    return piece.value(data, text or data.decode("latin-1"), text.split(","))


def test_where_a_number_is():
    assert value(Piece("x", place=1, scale=Scale(0.1)), "a,231") == 23.1
    assert value(Piece("x", pattern=r"T=([-\d.]+)"), "H=3 T=-4.5C") == -4.5
    assert value(Piece("x", pattern=r"T=([-\d.]+)"), "H=3") is None
    assert value(Piece("x", place=0, base=16), "ff") == 255
    assert value(Piece("x", at=1, type="int16", order="little"), data=b"\0\xfe\xff") == -2
    assert value(Piece("x", at=0, type="uint24"), data=b"\1\0\2") == 0x10002
    assert value(Piece("x", at=0, type="bcd16", order="little"), data=b"\x34\x12") == 1234
    assert value(Piece("x", at=0, type="float32"), data=struct.pack(">f", 3.14)) == 3.14
    assert value(Piece("x", at=0, type="float64", order="little"), data=struct.pack("<d", 3.14)) == 3.14
    assert value(Piece("x", place=1, when={0: ("T",)}), "T,1") == 1
    assert value(Piece("x", place=1, when={0: ("T",)}), "H,1") is None
    assert value(Piece("x", at=1, type="uint8", when={0: (0x53,)}), data=b"\x52\1") is None


@pytest.mark.parametrize(
    ("piece", "said", "reason"),
    [
        (Piece("x", place=3), "1,2", "field"),
        (Piece("x", place=0), "", "missing"),
        (Piece("x", place=0), "1.2.3", "field"),
        (Piece("x", place=0), "1" * 40, "field"),
        (Piece("x", place=0), "inf", "field"),
        (Piece("x", place=0, missing=(999.9,)), "999.9", "missing"),
        (Piece("x", place=0, missing=("---",)), "---", "missing"),
        (Piece("x", place=0, base=16), "xyz", "field"),
        (Piece("x", at=0, type="uint32"), "ab", "field"),
        (Piece("x", at=0, type="bcd8"), "\x0a", "bcd"),
        (Piece("x", at=0, type="float32"), "\x7f\x80\0\0", "overflow"),
        (Piece("x", at=0, type="float32"), "\x7f\xc0\0\0", "nan"),
        (Piece("x", at=0, type="uint64"), "\x7f" * 8, "overflow"),
    ],
)
def test_what_is_no_number(piece, said, reason):
    with pytest.raises(RemoteError) as wrong:
        value(piece, said)
    assert wrong.value.reason == reason


def test_pieces_that_cannot_be():
    for wrong in (
        {},
        {"place": 1, "at": 1},
        {"at": 0, "type": "int128"},
        {"place": -1},
        {"pattern": "("},
        {"pattern": "no group"},
        {"place": 0, "base": 8},
    ):
        with pytest.raises(LocalError):
            Piece("x", **wrong)


@given(st.sampled_from(sorted(TYPES)), st.sampled_from(["big", "little"]), st.binary(max_size=12), st.integers(0, 4))
def test_no_bytes_make_a_piece_fall(kind, order, data, at):
    try:
        found = Piece("x", at=at, type=kind, order=order).value(data, "", ())
    except RemoteError:
        return
    assert isinstance(found, int | float)


BLOCK = Framing(end=b"END", after=1, checksum=Checksum("lrc"))


def test_a_checksum_behind_the_end_covers_the_end_and_may_be_any_byte():
    bodies = [b"\r\nV\t%c\r\nEND" % number for number in range(256)]
    frames = [seal(BLOCK, body) for body in bodies]
    assert len({frame[-1] for frame in frames}) == 256
    assert all(sum(frame) % 256 == 0 for frame in frames)
    assert Frames(BLOCK).feed(b"".join(frames)) == frames
    fed = Frames(BLOCK)
    assert [one for byte in b"".join(frames[:9]) for one in fed.feed(bytes([byte]))] == frames[:9]
    assert [BLOCK.data(frame) for frame in frames] == bodies


@pytest.mark.parametrize("wrong", [{"after": 1, "start": b"x", "length": 4}, {"end": b"x", "after": -1}])
def test_bytes_after_an_end_need_an_end(wrong):
    with pytest.raises(LocalError):
        Framing(**wrong)
