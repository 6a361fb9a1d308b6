import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import hj212
from protocols.errors import LocalError, RemoteError
from protocols.hj212 import Hj212Stream, Packet, checksum, decode_all, describe, encode

VECTORS = json.loads((Path(__file__).parent.parent / "vectors/hj212.json").read_text())
EVERY = [*VECTORS["valid"], *VECTORS["trap_modbus_crc"]]


def packets(*pieces):
    stream = Hj212Stream()
    return [one for piece in pieces for one in stream.feed(piece) if isinstance(one, Packet)]


@pytest.mark.parametrize("row", EVERY, ids=lambda row: row["frame"][:60])
def test_vector_both_ways_whole_split_and_behind_garbage(row):
    wire = row["frame"].encode()
    (packet,) = packets(wire)
    assert packet.header == row["header"]
    assert list(packet.data) == row["cp"]
    trap = "modbus_crc" in row
    assert packet.variant == ("modbus" if trap else "hj212")
    if trap:
        assert row["hj212_crc"].encode() in encode(packet)
    else:
        assert encode(packet).upper() == wire.upper()
    for at in range(0, len(wire), 7):
        assert packets(wire[:at], wire[at:]) == [packet]
    for noise in (b"\xff\x00", b"#", b"##", b"##12", b"##9999QN=1", b"##abcd", wire[:-9]):
        assert packets(noise + wire + wire) == [packet, packet]


def test_the_checksum_is_not_that_of_modbus():
    for text, said in VECTORS["check_strings"].items():
        assert f"{checksum(text.encode()):04X}" == said["hj212"]
    with pytest.raises(RemoteError, match="crc"):
        hj212.decode(
            b"##0101QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&1C08"
        )


def test_what_a_packet_says():
    row = decode_all(VECTORS["valid"][0]["frame"].encode())[0]
    assert (row["station"], row["version"], row["answer"], row["split"]) == ("water source", 1, True, False)
    assert describe(packets(VECTORS["trap_modbus_crc"][0]["frame"].encode())[0])["checksum"] == "modbus"
    spaced = encode(Packet({"ST": "32", "Flag": "9"}, [{"LA-td": "49"}, {"a": "", "b": "2"}]))
    assert packets(spaced)[0].data == [{"LA-td": "49"}, {"a": "", "b": "2"}]
    assert describe(packets(spaced)[0])["version"] == 2
    assert decode_all(b"##0100QN=1;CP=&&")[0]["error"] == "truncated"
    assert decode_all(b"nothing")[0]["error"] == "garbage"


def test_packets_that_cannot_be():
    for wrong in (Packet({"A": "1;2"}, []), Packet({}, [{"a": "x,y"}]), Packet({"A": "x" * 10000}, [])):
        with pytest.raises(LocalError):
            encode(wrong)


WORD = st.text(
    st.characters(codec="utf-8", exclude_characters=";&,=\r\n#", exclude_categories=["Cc", "Zs", "Zl", "Zp"]),
    min_size=1,
    max_size=8,
)
PART = st.dictionaries(WORD, WORD, min_size=1, max_size=4)


@given(PART, st.lists(PART, max_size=4), st.data())
def test_packets_there_and_back_and_damaged(header, data, draw):
    if "CP" in header:
        return
    packet = Packet(header, data)
    wire = encode(packet)
    assert hj212.decode(wire[:-2]) == packet
    at = draw.draw(st.integers(0, len(wire) - 3))
    damaged = wire[:at] + wire[at + 1 : -2]
    with pytest.raises(RemoteError):
        hj212.decode(damaged)


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_no_bytes_make_the_stream_fall_and_cutting_changes_nothing(pieces):
    assert packets(*pieces) == packets(b"".join(pieces))
    stream = Hj212Stream()
    for _ in range(200):
        stream.feed(b"##9999" + b"x" * 80 + b"".join(pieces))
    assert len(stream.rest) < 2 * 10009
