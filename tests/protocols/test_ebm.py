"""应急广播 packages: real heartbeats with their signatures, a made-up message, and what is refused."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.alert import Level, Status
from protocols.cap import Area, MsgType, Point, Reference, Severity
from protocols.ebm import decode_ebm, platform_of, read_ebd, status_of
from protocols.ebm_signature import read_signature
from protocols.ebm_write import write_ebd
from protocols.errors import LocalError, RemoteError
from tests.support.refusal import attempt
from tests.support.samples import names, sample

MESSAGE = sample("cn-ebm/SYNTHETIC_EBDB_EBM.xml").decode()
HEARTBEATS = {"20180619": 1529385413, "20180626": 1529995439}
SIGNED = {"20180619": (1529385413, "b7c8f015"), "20180626": (1529995439, "82d8ab8f")}


def swap(*pairs):
    text = MESSAGE
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text.encode()


def reason(data, read=read_ebd):
    with pytest.raises(RemoteError) as caught:
        read(data)
    assert str(caught.value).isprintable()
    return caught.value.reason


def test_every_sample_is_known():
    known = {f"{kind}_ConnectionCheck_{day}.xml" for kind in ("EBDB", "EBDS_EBDB") for day in HEARTBEATS}
    assert set(names("cn-ebm")) == known | {"SYNTHETIC_EBDB_EBM.xml"}


@pytest.mark.parametrize(("day", "time"), HEARTBEATS.items())
def test_a_connection_check_is_a_heartbeat_and_no_message(day, time):
    package = read_ebd(sample(f"cn-ebm/EBDB_ConnectionCheck_{day}.xml"))
    assert (package.is_heartbeat, package.message, package.time) == (True, None, time)
    assert (package.source, package.target) == ("010333112400000001", "010233110000000001")
    assert package.identifier == "01" + package.source + "0" * 16


@pytest.mark.parametrize(("day", "expected"), SIGNED.items())
def test_the_signature_beside_it_is_read_and_not_believed(day, expected):
    data = sample(f"cn-ebm/EBDS_EBDB_ConnectionCheck_{day}.xml")
    car = read_signature(data)
    assert (car.time, car.signature.hex()[:8]) == expected
    assert (car.issuer, car.certificate, len(car.signature)) == ("000000000075", "000000003363", 64)
    assert (car.digest, car.algorithm) == ("SM3", "SM2")
    told = decode_ebm(data)
    assert (told["kind"], told["verified"]) == ("ebm-signature", False)
    json.dumps(told)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("5b2891c5", "5b2891c6", "signature-mismatch"),
        ("000000003363", "000000003364", "signature-mismatch"),
        ("WyiRxQ", "WyiRxg", "signature-mismatch"),
        ("5b2891c5", "now", "bad-time"),
        ("OwU=", "OwU", "bad-signature"),
        ("OwU=", "", "bad-signature"),
        ("<CertSN>000000003363</CertSN>", "", "missing-element"),
    ],
)
def test_a_signature_that_contradicts_itself_is_refused(old, new, why):
    text = sample("cn-ebm/EBDS_EBDB_ConnectionCheck_20180619.xml").decode()
    assert old in text
    assert reason(text.replace(old, new).encode(), read_signature) == why


def test_the_made_up_message():
    package = read_ebd(MESSAGE.encode())
    message = package.message
    info = message.infos[0]
    assert (package.is_heartbeat, package.type) == (False, "EBM")
    assert (message.identifier, message.sender) == ("010333112400000001201806260001", "010333112400000001")
    assert (message.status, message.msg_type, message.references) == (Status.ACTUAL, MsgType.ALERT, ())
    assert (message.source, message.sent) == ("松阳县气象局", 1529997950)
    assert (info.language, info.event, info.event_codes[0].value) == ("zh", "暴雨", "11B03")
    assert (info.level, info.severity) == (Level.RED, Severity.EXTREME)
    assert (info.onset, info.expires) == (1529997960, 1530008760)
    assert [code.value for code in info.areas[0].geocodes] == ["331124000000", "331126000000"]
    assert (info.resources[0].description, info.resources[0].mime_type) == ("EBDR_1.mp3", "audio/mpeg")
    json.dumps(decode_ebm(MESSAGE.encode()))


@pytest.mark.parametrize(
    ("ebm_class", "severity", "status"),
    [
        (1, 1, Status.EXERCISE),
        (2, 1, Status.EXERCISE),
        (3, 4, Status.EXERCISE),
        (4, 1, Status.ACTUAL),
        (4, 0, Status.ACTUAL),
        (5, 1, Status.TEST),
        (4, 15, Status.TEST),
        (3, 15, Status.TEST),
    ],
)
def test_class_and_severity_say_whether_it_is_the_real_thing(ebm_class, severity, status):
    assert status_of(ebm_class, severity) is status
    text = swap(
        ("<MsgBasicInfo>", f"<TestType>{ebm_class}</TestType><MsgBasicInfo>"),
        ("<Severity>1<", f"<Severity>{severity}<"),
    )
    assert read_ebd(text).message.status is status


@pytest.mark.parametrize("ebm_class", [0, 6, 99])
def test_a_reserved_class_is_refused(ebm_class):
    assert reason(swap(("<MsgBasicInfo>", f"<TestType>{ebm_class}</TestType><MsgBasicInfo>"))) == "ebm-class"


@pytest.mark.parametrize(("severity", "level"), [(0, None), (1, Level.RED), (4, Level.BLUE), (7, None), (15, None)])
def test_severity_zero_is_unknown_and_never_the_highest(severity, level):
    assert read_ebd(swap(("<Severity>1<", f"<Severity>{severity}<"))).message.infos[0].level is level


def test_a_cancel_names_the_message_it_stops():
    related = "010333112400000001201806250007"
    cancel = read_ebd(swap(("<MsgType>1<", "<MsgType>2<"), ("<EBMID/>", f"<EBMID>{related}</EBMID>"))).message
    assert cancel.msg_type is MsgType.CANCEL
    assert cancel.references == (Reference("010333112400000001", related),)


@pytest.mark.parametrize("related", ["<EBMID/>", "<EBMID>0</EBMID>"])
def test_a_stop_of_everything_names_nothing(related):
    cancel = read_ebd(swap(("<MsgType>1<", "<MsgType>2<"), ("<EBMID/>", related))).message
    assert cancel.references == ()
    assert [note.code for note in cancel.notes] == ["no-references"]


def test_spellings_and_sizes_of_other_programs():
    text = swap(
        ("<SendTime>2018-06-26 15:25:50</SendTime>", "<SentTime>2018-06-26 15:25:50</SentTime>"),
        ("<EBDTime>", "<RealtedEBD><EBDID>1</EBDID></RealtedEBD><EBDTime>"),
        ("<EBMID>010333112400000001201806260001</EBMID>", "<EBMID>43415230000000103010101201802130002</EBMID>"),
    )
    package = read_ebd(text)
    assert (package.related, package.message.sent) == ("1", 1529997950)
    assert package.message.sender == platform_of(package.message.identifier) == "43415230000000103010101"


def test_back_into_xml():
    package = read_ebd(MESSAGE.encode())
    assert read_ebd(write_ebd(package)) == package
    assert write_ebd(read_ebd(write_ebd(package))) == write_ebd(package)
    full = swap(
        ("<MsgType>1", "<MsgType>2"),
        ("<RelatedInfo><EBMID/>", "<RelatedInfo><EBMID>010333112400000001201806250007</EBMID>"),
        ("请立即转移", "a&lt;b &amp; c"),
        ("<EBDTime>", "<RelatedEBD><EBDID>100103331124000000010000000000000000</EBDID></RelatedEBD><EBDTime>"),
    )
    wanted = read_ebd(full)
    again = read_ebd(write_ebd(wanted))
    assert replace(again, message=replace(again.message, notes=())) == replace(
        wanted, message=replace(wanted.message, notes=())
    )


@pytest.mark.parametrize(("status", "back"), [(Status.EXERCISE, 2), (Status.ACTUAL, 4), (Status.TEST, 5)])
def test_a_drill_is_written_as_a_drill_and_a_test_never_as_the_real_thing(status, back):
    package = read_ebd(MESSAGE.encode())
    data = write_ebd(replace(package, message=replace(package.message, status=status)))
    assert f"<TestType>{back}<".encode() in data
    assert read_ebd(data).message.status is status


def test_what_ebm_cannot_say_is_not_written():
    package = read_ebd(MESSAGE.encode())
    (info,) = package.message.infos
    ring = Area(polygons=((Point(28, 119), Point(28, 120), Point(29, 120)),))
    for change in (
        {"identifier": "x1"},
        {"status": Status.SYSTEM},
        {"msg_type": MsgType.UPDATE},
        {"infos": ()},
        {"infos": (replace(info, areas=(ring,)),)},
    ):
        with pytest.raises(LocalError, match="cannot-write"):
            write_ebd(replace(package, message=replace(package.message, **change)))
    with pytest.raises(LocalError, match="cannot-write"):
        write_ebd(read_ebd(sample("cn-ebm/EBDB_ConnectionCheck_20180619.xml")))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("<EBD ", "<!DOCTYPE EBD><EBD ", "doctype"),
        ("<EBDID>100103331124000000010000000000000001</EBDID>", "", "missing-element"),
        ("<EBMID>010333112400000001201806260001</EBMID>", "<EBMID>../x</EBMID>", "bad-identifier"),
        ("<MsgType>1</MsgType>", "<MsgType>3</MsgType>", "unknown-word"),
        ("<Severity>1<", "<Severity>-1<", "bad-number"),
        ("<Severity>1<", "<Severity>²<", "bad-number"),
        ("<SendTime>2018-06-26 15:25:50</SendTime>", "", "missing-element"),
        ("<EndTime>2018-06-26 18:26:00", "<EndTime>soon", "bad-time"),
        ("331124000000,", "1," * 2_001, "too-many-codes"),
        ("<MsgBasicInfo>", "<MsgBasicInfo/><MsgBasicInfo>", "repeated-element"),
    ],
)
def test_refused(old, new, why):
    assert reason(swap((old, new))) == why


def test_a_message_must_be_there_where_the_type_says_so():
    start, end = MESSAGE.index("<EBM>"), MESSAGE.index("</EBM>")
    assert reason((MESSAGE[:start] + MESSAGE[end + 6 :]).encode()) == "missing-element"
    assert reason((MESSAGE[: start + 5] + MESSAGE[end:]).encode()) == "missing-element"


CUTS = st.tuples(st.integers(0, len(MESSAGE)), st.integers(0, 40), st.text(max_size=20))


@settings(max_examples=200)
@given(st.lists(CUTS, min_size=1, max_size=4))
def test_mutations_raise_nothing_but_a_refusal(cuts):
    text = MESSAGE
    for at, length, new in cuts:
        text = text[:at] + new + text[at + length :]
    json.dumps(attempt(decode_ebm, text.encode(errors="surrogatepass")))
