import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import szy206
from protocols.errors import LocalError, RemoteError
from protocols.szy206 import Frame, Szy206Stream, bcd, decode_all, describe, encode, write_bcd

VECTORS = json.loads((Path(__file__).parent.parent / "vectors/szy206.json").read_text())["vectors"]


def frames(*pieces):
    stream = Szy206Stream()
    return [one for piece in pieces for one in stream.feed(piece) if isinstance(one, Frame)]


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: row["A"])
def test_vector_both_ways_whole_split_and_behind_garbage(row):
    wire = bytes.fromhex(row["frame"])
    (frame,) = frames(wire)
    assert (f"{frame.control:02X}", frame.address.hex().upper(), f"{frame.function:02X}", frame.data.hex().upper()) == (
        row["C"], row["A"], row["AFN"], row["data"],
    )  # fmt: skip
    assert encode(frame) == wire
    for at in range(len(wire)):
        assert frames(wire[:at], wire[at:]) == [frame]
        damaged = wire[:at] + bytes((wire[at] ^ 4,)) + wire[at + 1 :]
        assert frames(damaged + bytes(300)) == []
    for noise in (b"\xff", b"\x68", b"\x68\x40\x68", wire[:-1], b"\x16" * 40):
        assert frames(noise + wire + wire) == [frame, frame]


def test_what_the_vectors_mean():
    flow, missing = (decode_all(bytes.fromhex(row["frame"]))[0] for row in VECTORS)
    assert (flow["flow_m3s"], flow["total_m3"], flow["type"], flow["direction"]) == (5.9, 106182, "flow", "up")
    assert (flow["alarm"], flow["status"], flow["time"], flow["delay_min"]) == ("0110", "6000", "09T08:45:00", 10)
    assert flow["station"] == "530381-13"
    assert (missing["flow_m3s"], missing["alarm"], missing["time"]) == (None, "0040", "01T00:00:00")
    assert decode_all(b"\x68\x10")[0]["error"] == "truncated"
    assert decode_all(b"hello")[0]["error"] == "garbage"


def test_numbers_and_frames_that_cannot_be():
    assert bcd(write_bcd(5.9, 5, 3), 3) == 5.9
    assert bcd(write_bcd(None, 5, 3), 3) is None
    for wrong in ((-1, 5, 3), (1e9, 5, 3)):
        with pytest.raises(LocalError):
            write_bcd(*wrong)
    good = Frame(0xB3, bytes(5), 0xC0, b"")
    for wrong in ({"address": b"1"}, {"split": 1}, {"data": bytes(250)}):
        with pytest.raises(LocalError):
            encode(good._replace(**wrong))


@given(
    st.integers(0, 255),
    st.binary(min_size=5, max_size=5),
    st.integers(0, 255),
    st.binary(max_size=200),
    st.integers(0, 255),
)
def test_frames_there_and_back(control, address, function, data, split):
    frame = Frame(control, address, function, data, split if control & 0x40 else None)
    assert szy206.decode(encode(frame)) == frame
    json.dumps(describe(frame), allow_nan=False)


@given(st.binary(max_size=60))
def test_no_bytes_make_it_fall(data):
    decode_all(data)
    with contextlib.suppress(RemoteError):
        szy206.decode(data)
    stream = Szy206Stream()
    for _ in range(30):
        stream.feed(b"\x68\xff\x68" + data)
    assert len(stream.rest) <= 260
