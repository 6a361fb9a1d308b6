import json
from datetime import UTC, datetime, timedelta, timezone
from io import StringIO
from pathlib import Path

import gsmmodem.pdu as gsmmodem
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from smspdudecoder.fields import SMSDeliver, SMSSubmit

from protocols import gsm7, sms_content
from protocols.errors import LocalError, ProtocolError, RemoteError
from protocols.sms_content import Coding, Content, Element, Place, coding_of, contents, join
from protocols.sms_fields import Address, Reader, Stamp, Validity
from protocols.sms_pdu import Deliver, Pdu, StatusReport, Submit, decode, encode, encode_tpdu

VECTORS = json.loads((Path(__file__).parent.parent / "vectors/sms-pdu.json").read_text())["vectors"]
ALL = gsm7.BASIC.replace("\x1b", "") + "".join(gsm7.EXTENSION.values())
REPORT = "0006C60D91683119325476F8621120800351236211208003042300"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.get("text", vector["kind"])[:12])
class TestVectors:
    def test_both_ways(self, vector):
        octets = bytes.fromhex(vector["pdu"])
        pdu = decode(octets)
        content = pdu.tpdu.content
        assert content.text == vector.get("text")
        if "data" in vector:
            assert content.data.hex() == vector["data"]
        if "to" in vector:
            assert pdu.tpdu.to.text == vector["to"]
        assert len(encode_tpdu(pdu.tpdu)) == vector["tpdu_len_for_CMGS_or_CMGR"]
        assert encode(pdu) == octets

    def test_cut_anywhere_it_is_no_pdu(self, vector):
        octets = bytes.fromhex(vector["pdu"])
        for end in range(len(octets)):
            with pytest.raises(RemoteError) as wrong:
                decode(octets[:end])
            assert wrong.value.offset is not None
            assert wrong.value.offset <= end

    def test_with_garbage_behind(self, vector):
        octets = bytes.fromhex(vector["pdu"])
        with pytest.raises(RemoteError) as wrong:
            decode(octets + b"\xff")
        assert (wrong.value.reason, wrong.value.offset) == ("trailing", len(octets))

    def test_made_from_what_it_means(self, vector):
        """Text and number alone give the published octets."""
        if vector["kind"] == "deliver" or "note" in vector:
            return
        body = bytes.fromhex(vector["data"]) if "data" in vector else vector["text"]
        tpdu = decode(bytes.fromhex(vector["pdu"])).tpdu
        (content,) = contents(body)
        assert encode(Pdu(Submit(Address.of(tpdu.to.text), content))).hex().upper() == vector["pdu"]


def test_the_published_parts_are_cut_where_we_cut():
    gsm = [decode(bytes.fromhex(vector["pdu"])).tpdu.content for vector in VECTORS if "part" in vector.get("note", "")]
    first, second, chinese = gsm
    assert [first, second] == contents("A" * 153 + "tail of message", 0x5A)
    assert chinese == contents("雨" * 71, 0x5B)[0]
    assert join([first, second]).text == "A" * 153 + "tail of message"


def test_a_status_report():
    pdu = decode(bytes.fromhex(REPORT))
    report = pdu.tpdu
    assert (report.reference, report.recipient.text, report.outcome) == (0xC6, "+8613912345678", "delivered")
    assert report.discharged.unix - report.stamp.unix == 25
    assert encode(pdu).hex().upper() == REPORT
    theirs = gsmmodem.decodeSmsPdu(REPORT)
    assert (theirs["reference"], theirs["number"], theirs["status"]) == (0xC6, "+8613912345678", 0)
    assert theirs["discharge"].timestamp() == report.discharged.unix
    with_tail = decode(bytes.fromhex(REPORT + "01F5"))
    assert with_tail.tpdu.tail == b"\x01\xf5"
    assert encode(with_tail).hex().upper() == REPORT + "01F5"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(0, "delivered"), (2, "delivered"), (0x20, "trying"), (0x30, "trying"), (0x46, "failed"), (0x60, "failed")],
)
def test_status_classes(status, outcome):
    report = decode(bytes.fromhex(REPORT)).tpdu._replace(status=status)
    assert report.outcome == outcome


# Against the codecs of others

NUMBERS = st.builds(str.__add__, st.sampled_from(["", "+"]), st.text("0123456789", min_size=3, max_size=15))
TEXTS = st.one_of(
    st.text(ALL, min_size=1, max_size=400),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=150),
)
STAMPS = st.builds(
    lambda days, seconds, quarters: Stamp.of(1_000_000_000 + 86_400 * days + seconds, 15 * quarters),
    st.integers(0, 20_000),
    st.integers(0, 86_399),
    st.integers(-48, 56),
)


def number_of(address):
    return ("+" if address["toa"]["ton"] == "international" else "") + address["number"]


def alike(text, content):
    """Whether smspdudecoder, which counts characters where septets are meant, read this text: escapes leave it spare @."""
    if content.coding is Coding.UCS2:
        return text == content.text
    header = bytes((5, 0, 3)) + content.elements[0].data if content.elements else b""
    if gsm7.ESCAPE in gsm7.unpack(header + b"\0", (8 * len(header) + 6) // 7):
        return text.rstrip("@").endswith(content.text.rstrip("@")[1:])
    return text.rstrip("@") == content.text.rstrip("@")


def read_by_gsmmodem(text):
    """It loses @ at the end of a part and what is beyond the BMP, and knows neither form feed nor §."""
    return not any(character in "@\f§" or ord(character) > 0xFFFF for character in text)


@given(NUMBERS, TEXTS, st.integers(0, 255), st.booleans(), st.sampled_from([None, 300, 86_400, 604_800]))
def test_what_we_submit_two_others_read(number, text, reference, report, validity):
    assume("¤" not in text)  # smspdudecoder has another character there
    parts = contents(text, reference)
    for content in parts:
        limit = Validity.relative(validity) if validity else None
        octets = encode(Pdu(Submit(Address.of(number), content, report=report, validity=limit)))
        other = SMSSubmit.decode(StringIO(octets.hex().upper()))
        third = gsmmodem.decodeSmsPdu(octets.hex())
        assert number_of(other["recipient"]) == third["number"] == number
        assert other["header"]["srr"] == report
        assert third["tpdu_length"] == len(octets) - 1 <= 164
        assert alike(other["user_data"]["data"], content)
        if read_by_gsmmodem(text):
            assert third["text"] == content.text
        assert third.get("validity") == (timedelta(seconds=limit.seconds) if limit else None)
        if content.place:
            (element,) = other["user_data"]["header"]["elements"]
            assert list(element["data"].values()) == [reference, len(parts), content.place.number]


@given(NUMBERS, TEXTS, STAMPS)
def test_what_is_delivered_two_others_read_alike(number, text, stamp):
    assume("¤" not in text)
    content = contents(text)[0]
    pdu = Pdu(Deliver(Address.of(number), content, stamp), Address.of("+8613800100500"))
    octets = encode(pdu)
    assert decode(octets) == pdu
    other = SMSDeliver.decode(StringIO(octets.hex().upper()))
    assert alike(other["user_data"]["data"], content)
    assert (other["smsc"]["number"], number_of(other["sender"])) == ("8613800100500", number)
    if datetime.fromtimestamp(stamp.unix + 60 * stamp.zone, UTC).year < 2069:  # from there on the three differ
        third = gsmmodem.decodeSmsPdu(octets.hex())
        assert other["scts"].timestamp() == third["time"].timestamp() == stamp.unix
        assert (third["number"], third["smsc"]) == (number, "+8613800100500")


@given(NUMBERS, st.text(ALL + "雨水位预警", min_size=1, max_size=60))
def test_what_another_submits_we_read(number, text):
    assume("\f" not in text and "ÿ" not in text)
    for made in gsmmodem.encodeSmsSubmitPdu(number, text, requestStatusReport=False):
        octets = bytes(made.data)
        pdu = decode(octets)
        assert pdu.tpdu.to.text == number
        assert pdu.tpdu.content.text == text
        assert encode(pdu) == octets


# Fields


@given(st.integers(631_152_000 + 86_400, 3_786_825_600 - 86_400), st.integers(-48, 56))
def test_stamps_come_back(unix, quarters):
    """From 1990 to 2089."""
    stamp = Stamp.of(unix, 15 * quarters)
    assert (stamp.unix, stamp.zone) == (unix, 15 * quarters)


@pytest.mark.parametrize(
    ("octets", "shown"),
    [
        ("62112080035123", "2026-11-02T08:30:15+08:00"),
        ("70402132522400", "2007-04-12T23:25:42+00:00"),
        ("3130523210658A", "2013-03-25T23:01:56-07:00"),
        ("99211232959500", "1999-12-21T23:59:59+00:00"),
        ("00000000000000", None),
        ("6213208003512F", None),
        ("FFFFFFFFFFFFFF", None),
        ("62112080035127", None),  # UTC+18
    ],
)
def test_published_stamps(octets, shown):
    stamp = Stamp(bytes.fromhex(octets))
    if shown is None:
        assert stamp.unix is None
        return
    at = datetime.fromtimestamp(stamp.unix, timezone(timedelta(minutes=stamp.zone)))
    assert at.isoformat() == shown


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("0B915155214365F7", "+15551234567"),
        ("0BD0CDE6DB5DCE03", "MMoney"),
        ("14D0C4F23C7D760390EF7619", "Design@Home"),
        ("05810180F6", "10086"),
        ("0481A1B2", "*1#2"[::1]),
        ("0081", ""),
    ],
)
def test_addresses(octets, text):
    reader = Reader(bytes.fromhex(octets))
    address = reader.address("sender")
    if octets == "0481A1B2":
        text = "1*2#"
    assert (address.text, reader.left) == (text, 0)
    count, value = address.value()
    assert bytes((count, address.kind)) + value == bytes.fromhex(octets)


@given(st.text(ALL, min_size=1, max_size=11))
def test_names_as_senders_come_back(name):
    assume(len(gsm7.encode(name)) <= 11 and not all(c in "0123456789*#" for c in name))
    assume(not name.startswith("+"))
    address = Address.of(name)
    count, value = address.value()
    reader = Reader(bytes((count, address.kind)) + value)
    assert reader.address("sender").text == name


@pytest.mark.parametrize("text", ["", "+", "twelve chars", "+861391234567812345678", "雨"])
def test_what_is_no_address(text):
    with pytest.raises(LocalError):
        Address.of(text)


@pytest.mark.parametrize(
    ("seconds", "octet", "meant"),
    [
        (300, 0, 300),
        (86_400, 167, 86_400),
        (90_000, 167, 86_400),
        (2_592_000, 196, 2_592_000),
        (38_102_400, 255, 38_102_400),
    ],
)
def test_validity(seconds, octet, meant):
    validity = Validity.relative(seconds)
    assert (validity.octets, validity.seconds) == (bytes((octet,)), meant)


@pytest.mark.parametrize("seconds", [0, 299, 40_000_000])
def test_no_validity(seconds):
    with pytest.raises(LocalError, match="validity"):
        Validity.relative(seconds)


@pytest.mark.parametrize(
    ("dcs", "coding"),
    [
        (0x00, Coding.GSM7), (0x04, Coding.DATA), (0x08, Coding.UCS2), (0x0C, Coding.GSM7), (0x10, Coding.GSM7),
        (0x18, Coding.UCS2), (0x15, Coding.DATA), (0x40, Coding.GSM7), (0x48, Coding.UCS2), (0x90, Coding.GSM7),
        (0xC0, Coding.GSM7), (0xD8, Coding.GSM7), (0xE0, Coding.UCS2), (0xF0, Coding.GSM7), (0xF5, Coding.DATA),
    ],
)  # fmt: skip
def test_codings(dcs, coding):
    assert coding_of(dcs) is coding


# Cutting and joining


@given(st.one_of(TEXTS, st.binary(max_size=600)), st.integers(0, 65_535), st.booleans())
def test_parts_fit_and_join_to_the_whole(body, reference, wide):
    reference %= 65_536 if wide else 256
    parts = contents(body, reference, wide=wide)
    for number, content in enumerate(parts, 1):
        pdu = Pdu(Submit(Address.of("+8613912345678"), content))
        octets = encode(pdu)
        assert decode(octets) == pdu
        if len(parts) > 1:
            assert content.place == Place(reference, len(parts), number, wide)
            assert isinstance(body, bytes) or "�" in body or "�" not in content.text, "a pair was torn"
    whole = join(parts)
    assert (whole.data if isinstance(body, bytes) else whole.text) == body


@pytest.mark.parametrize(
    ("body", "sizes"),
    [
        ("a" * 160, [160]),
        ("a" * 161, [153, 8]),
        ("€" * 80, [160]),
        ("€" * 81, [152, 10]),
        ("雨" * 70, [140]),
        ("雨" * 71, [134, 8]),
        ("雨" * 66 + "😀" * 3, [132, 12]),
        (bytes(140), [140]),
        (bytes(141), [134, 7]),
    ],
)
def test_sizes_of_parts(body, sizes):
    assert [len(part.data) for part in contents(body)] == sizes


def test_too_long_and_torn():
    with pytest.raises(LocalError, match="sms_length"):
        contents(bytes(134 * 255 + 1))
    with pytest.raises(LocalError, match="ucs2"):
        contents("雨\ud83d")
    with pytest.raises(LocalError, match="sms_length"):
        sms_content.write(Content(4, bytes(141)))
    with pytest.raises(LocalError, match="part"):
        contents("a" * 161, 256)


def test_a_place_that_contradicts_itself_is_none():
    for octets in (b"\x5a\x00\x01", b"\x5a\x02\x00", b"\x5a\x02\x03", b"\x5a\x02"):
        assert Content(0, b"", (Element(0, octets),)).place is None
    assert Content(0, b"", (Element(8, b"\x01\x02\x03\x01"),)).place == Place(0x0102, 3, 1, wide=True)


# Bad input


def attempt(step, argument):
    try:
        return step(argument)
    except ProtocolError as wrong:
        return wrong


@given(st.binary(max_size=180))
def test_any_octets_are_a_pdu_or_an_error_with_its_place(octets):
    found = attempt(decode, octets)
    if isinstance(found, RemoteError):
        assert 0 <= found.offset <= len(octets)
    else:
        assert isinstance(found.tpdu, Deliver | Submit | StatusReport)


@given(st.sampled_from([vector["pdu"] for vector in VECTORS] + [REPORT]), st.data())
def test_a_changed_octet_never_escapes_the_bounds(pdu, draw):
    octets = bytearray.fromhex(pdu)
    octets[draw.draw(st.integers(0, len(octets) - 1))] = draw.draw(st.integers(0, 255))
    found = attempt(decode, bytes(octets))
    if isinstance(found, RemoteError):
        assert found.offset is not None
    else:  # what only others would write is not written
        assert isinstance(attempt(encode, found), bytes | LocalError)


@pytest.mark.parametrize(
    ("pdu", "reason", "offset"),
    [
        ("", "truncated", 0),
        ("0003", "message_type", 1),
        ("15", "address_length", 0),
        ("0001000D91683119325476F8000804", "truncated", 15),
        ("0001000D91683119325476F8000803010203", "ucs2", 17),
        ("0001000D91683119325476F800048D" + "00" * 141, "user_data_length", 14),
        ("0001000D91683119325476F80000A1" + "00" * 141, "user_data_length", 14),
        ("0041000D91683119325476F8000406" + "090003010101", "header_length", 16),
        ("0041000D91683119325476F8000406" + "050009010101", "header_length", 18),
        ("0041000D91683119325476F8000003" + "050003", "header_length", 16),
        ("00010019" + "91" + "00" * 13, "address_length", 3),
        ("0001000D9168F119325476F8000000", "address", 3),
    ],
)
def test_what_is_wrong_and_where(pdu, reason, offset):
    with pytest.raises(RemoteError) as wrong:
        decode(bytes.fromhex(pdu))
    assert (wrong.value.reason, wrong.value.offset) == (reason, offset)
