"""What the sentences say, both ways; content in all its forms; times and places."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import rdss_content as content
from protocols.errors import LocalError, ProtocolError, RemoteError
from protocols.rdss import Sentence, seal, sealed
from protocols.rdss_card import Ici, Icp
from protocols.rdss_content import Coding, Form
from protocols.rdss_decode import decode
from protocols.rdss_feedback import Feedback
from protocols.rdss_message import Tci, Tcq, Txa, Txr
from protocols.rdss_repeats import MOST, Repeats
from protocols.rdss_request import Bss, Rmo
from protocols.rdss_signal import Bsi, Pwi
from protocols.rdss_time import DAY, nearest_day, nps, zda

VECTORS = json.loads((Path(__file__).parent.parent / "vectors/beidou.json").read_text(encoding="utf-8"))
VALID = [row["sentence"].encode("gbk") for row in VECTORS["sentences"] if row["valid"]]
KINDS = {
    "ICI": Ici, "ICP": Icp, "BSI": Bsi, "PWI": Pwi, "FKI": Feedback, "TXA": Txa, "TCQ": Tcq, "TXR": Txr, "TCI": Tci,
    "RMO": Rmo, "BSS": Bss,
}  # fmt: skip


def sentence(line):
    found = sealed(line.encode("gbk") if isinstance(line, str) else line)
    assert found is not None
    return found[0]


def said(address, body):
    return Sentence(address, body.encode("gbk"))


@pytest.mark.parametrize("line", VALID, ids=lambda line: line[:24].decode("ascii", "replace"))
def test_vector_both_ways(line):
    kind = KINDS.get(sentence(line).kind)
    if kind is None:
        pytest.skip("not a sentence of short messages")
    again = kind.parse(sentence(line)).seal().rstrip()
    if b",N,6,*" in line:  # an empty wait is a wait of nought
        assert Feedback.parse(sentence(again)) == Feedback.parse(sentence(line))
    elif kind is Icp:
        assert again == line
    else:
        assert again == line, again


def test_cards():
    card = Ici.parse(sentence("$BDICI,0242286,00242286,0000011,6,60,3,N,0*38")).card
    assert (card.number, card.broadcast, card.interval, card.level) == ("0242286", "0000011", 60.0, 3)
    assert card.present
    assert not card.commander
    assert [card.capacity(coding, 0) for coding in Coding] == [77, 78, 64]
    assert not Ici.parse(sentence("$BDICI,0000000,00000000,0000000,0,0,0,N,0*0B")).card.present
    assert not Ici.parse(said("BDICI", "2097151,00000000,2097151,0,9999.0,0,N,0")).card.present


@pytest.mark.parametrize(
    ("level", "point", "bits"), [("5", 2, 14000), ("0", 3, 14000), ("5", 1, 1680), ("5", 5, 560), ("3", 2, 628)]
)
def test_the_length_of_bd3_is_of_level_and_point(level, point, bits):
    body = f"15240507,2032472,1,3,0,N,1,Y,1,0,0,3,1,1,{level},1,1,2,2,500,100,10,10"
    card = Icp.parse(said("BDICP", body)).card
    assert card.bits(point) == bits
    assert card.commander
    if bits == 14000:
        assert [card.capacity(coding, point) for coding in Coding] == [1749, 1750, 1451]


@pytest.mark.parametrize(
    ("body", "reason", "wait"),
    [
        ("TXA,Y,Y,0,0040", "", 40),
        ("TXA,N,Y,0,0000", "refused", 0),
        ("TXA,N,N,0,0000", "early", 0),
        ("TXA,N,Y,0,0135", "early", 95),
        ("TXA,N,Y,1,0000", "inhibited", 0),
        ("TXA,N,Y,2,0000", "battery", 0),
        ("TXA,N,Y,3,0000", "silence", 0),
        ("TXA,N,Y,4,0000", "power", 0),
        ("023628,TCQ,Y,0,60", "", 60),
        ("023628.5,TCQ,N,1,37", "early", 37),
        (",TCQ,N,2,", "inhibited", 0),
        ("023628,TCQ,N,3,0", "silence", 0),
        ("023628,TXA,N,4,0", "power", 0),
        ("023628,TCQ,N,5,0", "no-card", 0),
        ("023628,TCQ,N,6,0", "permission", 0),
        ("023628,TCQ,N,11,0", "checksum", 0),
        ("023628,TCQ,N,9,0", "code-9", 0),
        ("000000,TCQ,Y,5,0", "doubtful", 0),
    ],
)
def test_feedback_of_both_forms(body, reason, wait):
    feedback = Feedback.parse(said("BDFKI", body))
    assert (feedback.reason, feedback.wait) == (reason, wait)


@pytest.mark.parametrize("body", ["", "TXA", "TXA,X,Y,0,0000", "TXA,Y,Y,z,0000", "TXA,Y,Y,0,00:40", "023628,TCQ,Q,0,0"])
def test_broken_feedback_is_refused(body):
    with pytest.raises(RemoteError):
        Feedback.parse(said("BDFKI", body))


def test_beams():
    assert Bsi.parse(said("BDBSI", "01,03,3,2,2,0,3,0,0,3,0,0")).able()
    assert not Bsi.parse(said("BDBSI", "00,00,4,4,4")).able()
    assert not Bsi.parse(said("BDBSI", "01,03,1,0")).able()
    assert Bsi.parse(said("BDBSI", "02,03,2,4,3")).signal == 100
    four = Pwi.parse(said("BDPWI", "023628.00,00,04,2,51,44,0,4,50,43,0,11,43,36,0,16,51,44,0"))
    assert [beam.data for beam in four.third] == ["51", "50", "43", "51"]
    assert four.able()
    assert four.day_second == 2 * 3600 + 36 * 60 + 28
    three = Pwi.parse(said("BDPWI", "023628.00,02,1,40,30,2,41,33,01,16,51,44"))
    assert (len(three.second), [beam.flag for beam in three.third]) == (2, [None])
    unset = Pwi.parse(said("BDPWI", "000000.00,00,01,51,40,33,0"))
    assert (unset.acquired, unset.able(), unset.day_second) == (False, False, None)


@pytest.mark.parametrize(
    "body", ["", "1,2,3", "246060.00,00,00", "023628.00,00,04,1,2", "023628.00,99,00", "023628.00,x,0"]
)
def test_broken_beams_are_refused(body):
    with pytest.raises(RemoteError):
        Pwi.parse(said("BDPWI", body))


# Content


@pytest.mark.parametrize(
    ("form", "raw", "meant"),
    [
        (Form.MIXED, b"A468656C6C6F", b"hello"),
        (Form.MIXED, b"a468656c6c6f", b"hello"),
        (Form.MIXED, b"\xa4\xb1\xb1*,", b"\xb1\xb1*,"),
        (Form.MIXED, b"A4" + "北斗*".encode("gbk"), "北斗*".encode("gbk")),
        (Form.MIXED, b"1234", b"\x12\x34"),
        (Form.MIXED, b"A4BF0113ECCBHELLO", b"BF0113ECCBHELLO"),
        (Form.CODE, b"3132", b"12"),
        (Form.HANZI, "北斗".encode("gbk"), "北斗".encode("gbk")),
        (Form.HANZI, b"B1B1B6B7", "北斗".encode("gbk")),
        (Form.HANZI, b"1234", b"1234"),
        (Form.COMPRESSED_HANZI, b"1234", b"1234"),
        (Form.CODE, b"", b""),
    ],
)
def test_content_in_its_forms(form, raw, meant):
    assert content.read(form, raw) == meant


def test_code_that_is_none():
    for raw in (b"12G4", b"123", b"\xff\xff"):
        with pytest.raises(RemoteError, match="content"):
            content.read(Form.CODE, raw)


@given(st.binary(max_size=400), st.sampled_from(Coding))
def test_what_is_written_is_read(data, coding):
    written = content.write(data, coding)
    assert content.read(coding.form, written) == data
    if coding is Coding.DECIMAL:
        assert written.isdigit()
        assert len(written) % 2 == 1
        if len(written) >= 20:
            assert {content.read(Form.CODE, written + pad) for pad in (b"0", b"F", b"f")} == {data}


@pytest.mark.parametrize("coding", Coding)
@pytest.mark.parametrize("bits", [110, 628, 14000])
def test_a_full_datagram_fills_its_message(coding, bits):
    most = content.capacity(bits, coding)
    digits = len(content.write(b"\xff" * most, coding))
    assert digits * 4 <= bits
    assert len(content.write(b"\xff" * (most + 1), coding)) * 4 > bits
    with pytest.raises(LocalError):
        content.write(bytes(2000), Coding.DECIMAL)


@given(st.sampled_from(Form), st.binary(max_size=60))
def test_any_content_is_bytes_or_refused(form, raw):
    try:
        assert isinstance(content.read(form, raw), bytes)
    except RemoteError:
        assert form is Form.CODE


# Any bytes in any sentence

FIELDS = st.lists(st.text("0123456789ABCNYE.,-" + "北*", max_size=6), max_size=26).map(",".join)


@given(st.sampled_from(sorted(KINDS)), st.one_of(FIELDS.map(lambda text: text.encode("gbk")), st.binary(max_size=60)))
def test_any_body_is_understood_or_refused(kind, body):
    try:
        parsed = KINDS[kind].parse(Sentence("BD" + kind, body))
    except RemoteError:
        return
    if kind in ("ICI", "ICP"):
        assert parsed.card.bits(2) > 0
    if kind in ("BSI", "PWI"):
        assert 0 <= parsed.signal <= 100
        parsed.able()
    parsed.seal()


@given(st.binary(max_size=300))
def test_decoding_never_raises(data):
    json.dumps([*decode(data), *decode(b"$TXSQ" + data), *decode(b"$BDTCI," + data + b"*00\r\n")])


def test_messages_that_break_our_rules_are_not_written():
    for wrong in ("", "12345678901", "0", "a,b"):
        with pytest.raises(LocalError):
            Txa(wrong, Form.MIXED, b"A4").seal()
        with pytest.raises(LocalError):
            Tcq(wrong, "2", "1", Form.CODE, b"00").seal()


def test_both_orders_of_a_request():
    swapped = Tcq.parse(said("CCTCQ", "4314513,2,1,2,,0102FF"))
    assert (swapped.content, swapped.period, swapped.swapped) == (b"0102FF", "", True)
    usual = Tcq.parse(said("CCTCQ", "4314513,2,1,3,A4北,斗,0"))
    assert (usual.content, usual.period) == ("A4北,斗".encode("gbk"), "0")


def test_a_broadcast_goes_to_the_number_that_all_hear():
    message = Tci.parse(said("BDTCI", "04207733,02032472,2,023242,2,0,90"))
    assert message.broadcast_to("2032472")
    assert not message.broadcast_to("4207733")
    assert not message.broadcast_to("")


# Time and place


@pytest.mark.parametrize(
    ("body", "unix"),
    [
        ("023656.00,14,03,2026,00,00", 1773455816.0),
        ("1,023656.25,14,03,2026,+08,00,0,0,0,N", 1773455816.25),
        ("3,000329.00,01,01,2006,-08,00,00,00,00,N", None),
        ("023656.00,31,02,2026,00,00", None),
        ("235960.00,30,06,2027,00,00", None),
        (",,,,00,00", None),
    ],
)
def test_the_time_with_and_without_a_mode_in_front(body, unix):
    assert zda(said("BDZDA", body)) == unix


@given(st.floats(0, DAY - 1), st.integers(1_700_000_000, 2_000_000_000))
def test_a_time_of_day_is_on_the_nearest_day(day_second, about):
    found = nearest_day(day_second, about)
    assert abs(found - about) <= DAY / 2
    assert found % DAY == pytest.approx(day_second, abs=1e-3) or found % DAY == pytest.approx(
        DAY + day_second, abs=1e-3
    )


def test_where_we_stand():
    assert nps(1_136_073_600, 23.155163, -113.511, 12) == seal(
        "CCNPS", "4", "11330.6600", "W", "02309.3098"[1:], "N", "12.0", "M"
    )
    assert b"05960.0" not in nps(1_136_073_600, 59.99999999, 0, 0)
    with pytest.raises(LocalError):
        nps(0, 91, 0, 0)


def test_repeats_are_told_from_equals_and_memory_is_bounded():
    repeats = Repeats()
    assert not repeats.has("1", "", b"x", 0)
    assert repeats.has("1", "", b"x", 5)
    assert not repeats.has("1", "0102", b"x", 6)
    assert repeats.has("1", "0102", b"x", 200)
    assert not repeats.has("2", "", b"x", 7)
    assert not repeats.has("1", "", b"x", 60)
    for n in range(1000):
        repeats.has("1", "", str(n).encode(), 61)
    assert len(repeats._seen) == MOST


# Frames of the 4.0 protocol


@pytest.mark.parametrize("row", VECTORS["frames"], ids=lambda row: row["note"])
def test_frame_of_the_old_protocol(row):
    frame = bytes.fromhex(row["hex"])
    (found,) = decode(frame)
    assert row["says"].items() <= found.items()
    mixed = list(decode(b"noise\r\n" + frame + b"$BDFKI,TXA,Y,Y,0,0040*17\r\n"))
    assert mixed[1:] == [found, *decode(b"$BDFKI,TXA,Y,Y,0,0040*17\r\n")]
    flipped = bytearray(frame)
    flipped[-2] ^= 1
    assert next(decode(bytes(flipped)))["error"] == "checksum"
    for cut in range(8, len(frame)):
        row = next(decode(frame[:cut]))
        assert row["error"] == "truncated"
        assert row["offset"] == cut


def test_errors_say_where():
    rows = list(decode(b"$BDFKI,TXA,Y,Y,0,0040*17\r\n$BDFKI,TXA,Y,Y,0,0040*18\r\n$BDFKI,TXA,Q,Y,0,0040*1F\r\n"))
    assert "error" not in rows[0]
    assert (rows[1]["error"], rows[1]["offset"]) == ("checksum", 26 + 21)
    assert (rows[2]["error"], rows[2]["offset"]) == ("field", 52 + 1)
    assert ProtocolError("x", offset=3).offset == 3
