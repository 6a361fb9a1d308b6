"""12379: its XML with all its habits, its public list, and back into XML."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.alert import Level, Status
from protocols.cap import Circle, Family, Method, MsgType, Pair, Point, Reference, Resource, Severity
from protocols.cn12379 import decode_12379, read_12379
from protocols.cn12379_list import likely_original, read_list
from protocols.cn12379_write import write_12379
from protocols.errors import LocalError, RemoteError
from tests.support.refusal import attempt
from tests.support.samples import names, sample

TYPHOON = "cn-12379/33000041600000_20121025091026_11B01_BLUE_ALERT.xml"
TIANJIN = "cn-12379/alarm_list_item_tianjin_20180121.json"
ZHUHAI = "cn-12379/zhuhai_alert_cancel_pair_20210830.json"
SPEC = sample(TYPHOON).decode()


def swap(*pairs):
    text = SPEC
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text.encode()


def noted(imported):
    return {note.code for note in imported.notes}


def reason(data):
    with pytest.raises(RemoteError) as caught:
        read_12379(data)
    assert str(caught.value).isprintable()
    return caught.value.reason


def test_every_sample_is_known():
    assert set(names("cn-12379")) == {path.split("/")[1] for path in (TYPHOON, TIANJIN, ZHUHAI)}


def test_the_standards_example():
    typhoon = read_12379(sample(TYPHOON))
    info = typhoon.infos[0]
    assert typhoon.family is Family.CN12379
    assert (typhoon.identifier, typhoon.sender) == ("33000041600000_20121025091026", "33000041600000")
    assert (typhoon.source, typhoon.sent, typhoon.status) == ("浙江省气象局", 1351127758, Status.ACTUAL)
    assert (typhoon.msg_type, typhoon.references, typhoon.scope) == (MsgType.ALERT, (), "Public")
    text = "浙江省气象局于2012年10月25日09时发布台风蓝色预警"
    assert typhoon.methods == (Method("SMS", text, ("G01002", "G02003")),)
    assert (info.event, info.event_codes) == ("台风", (Pair("GB/T 35965.1", "11B01"),))
    assert (info.level, info.severity) == (Level.BLUE, Severity.MINOR)
    assert info.effective == info.onset == info.expires == typhoon.sent
    assert info.headline == "浙江省气象局发布台风蓝色预警"
    assert info.resources == (Resource("33000041600000_20121025091026_11B01_BLUE_ALERT_O_01.jpg", size="84k"),)
    assert (info.areas[0].polygons, info.areas[0].circles) == ((), ())
    assert [code.value for code in info.areas[0].geocodes] == [f"33020500400{n}" for n in range(1, 8)]
    assert typhoon.notes == ()


@pytest.mark.parametrize(
    ("old", "new", "field", "value"),
    [
        ("Alert</msgType>", "Cancle</msgType>", "msg_type", MsgType.CANCEL),
        ("Actual</status>", "Test</status>", "status", Status.TEST),
        ("Actual</status>", "Exercise</status>", "status", Status.EXERCISE),
        ("<secClassification/>", "<secClassification>Inner</secClassification>", "scope", "Restricted"),
        (' xmlns="http://com.icss.amp"', "", "family", Family.CN12379),
        ("26</identifier>", "26_3</identifier>", "identifier", "33000041600000_20121025091026_3"),
        ("2012-10-25 09:15:58+08:00</sendTime>", "2012-10-25 09:15:58</sendTime>", "sent", 1351127758),
        ("2012-10-25 09:15:58+08:00</sendTime>", "2012-10-25T09:15:58+08:00</sendTime>", "sent", 1351127758),
        (
            "<references/>",
            "<references>33000041600000_20121024080000</references>",
            "references",
            (Reference("33000041600000", "33000041600000_20121024080000"),),
        ),
    ],
)
def test_habits_of_the_message(old, new, field, value):
    assert getattr(read_12379(swap((old, new))), field) == value


@pytest.mark.parametrize("colour", ["Red", "Orange", "Yellow", "Blue"])
def test_colours(colour):
    assert read_12379(swap(("Blue</severity>", f"{colour}</severity>"))).infos[0].level is Level[colour.upper()]


@pytest.mark.parametrize("word", ["Unknown", "9", "II"])
def test_where_no_colour_is_said_the_headline_may(word):
    info = read_12379(swap(("Blue</severity>", f"{word}</severity>"))).infos[0]
    assert info.level is Level.BLUE
    without = swap(("Blue</severity>", f"{word}</severity>"), ("台风蓝色预警</headline>", "台风预警</headline>"))
    assert read_12379(without).infos[0].level is None


@pytest.mark.parametrize(
    ("geocodes", "expected"),
    [
        ("331124", ["331124"]),
        ("330205004001,330205004002", ["330205004001", "330205004002"]),
        ("330205004001，330205004002、331124", ["330205004001", "330205004002", "331124"]),
        ("62102300000000", ["62102300000000"]),
        (" 331124 , ,331126, ", ["331124", "331126"]),
    ],
)
def test_code_lists(geocodes, expected):
    start, end = SPEC.index("<geocode>") + 9, SPEC.index("</geocode>")
    info = read_12379((SPEC[:start] + geocodes + SPEC[end:]).encode()).infos[0]
    assert [code.value for code in info.areas[0].geocodes] == expected


def test_circles_are_in_metres_and_a_radius_of_zero_is_a_point():
    area = read_12379(swap(("<circle/>", "<circle>28.45,119.92 500</circle>"))).infos[0].areas[0]
    assert area.circles == (Circle(28.45, 119.92, 500.0),)
    point = read_12379(swap(("<circle/>", "<circle>28.45,119.92 0</circle>"))).infos[0].areas[0]
    assert point.circles[0].radius_m == 0


def test_an_open_polygon_is_a_line():
    line = read_12379(swap(("<polygon/>", "<polygon>28,119 28,120 29,120</polygon>")))
    assert line.infos[0].areas[0].lines == ((Point(28, 119), Point(28, 120), Point(29, 120)),)
    assert noted(line) == {"open-line"}
    ring = read_12379(swap(("<polygon/>", "<polygon>28,119 28,120 29,120 28,119</polygon>")))
    assert ring.infos[0].areas[0].polygons == ((Point(28, 119), Point(28, 120), Point(29, 120)),)


def test_a_cancel_without_the_first_identifier_is_told():
    assert noted(read_12379(swap(("Alert</msgType>", "Cancel</msgType>")))) == {"no-references"}


def test_an_unescaped_text_is_mended():
    mended = read_12379(swap(("24小时内", "气温<0℃ & 24小时内")))
    assert mended.infos[0].description.startswith("气温<0℃ & 24小时内")
    assert noted(mended) == {"markup-repaired"}


def test_both_spellings_of_the_audience_and_the_method_in_place_of_a_text():
    text = swap(("<audiencePrt/>", "<audenceprt>,</audenceprt>"), ("24小时内", ""))
    assert read_12379(text).methods[0].parts == ()
    start, end = SPEC.index("<description>"), SPEC.index("</description>")
    assert read_12379((SPEC[:start] + SPEC[end + 14 :]).encode()).infos[0].description.startswith("浙江省气象局于")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("http://com.icss.amp", "urn:oasis:names:tc:emergency:cap:1.2", "wrong-namespace"),
        ("<alert ", "<!DOCTYPE alert><alert ", "doctype"),
        ("Alert</msgType>", "Alarm</msgType>", "unknown-word"),
        ("Actual</status>", "Real</status>", "unknown-word"),
        ("<eventType>11B01</eventType>", "<eventType/>", "missing-element"),
        ("<severity>Blue</severity>", "", "missing-element"),
        ("2012-10-25 09:15:58+08:00</sendTime>", "2012年10月25日</sendTime>", "bad-time"),
        ("<status>Actual</status>", "<status>Test</status><status>Actual</status>", "repeated-element"),
        ("26</identifier>", "26 x</identifier>", "bad-identifier"),
        ("<polygon/>", "<polygon>nan,nan</polygon>", "bad-number"),
        ("<polygon/>", f"<polygon>{'28,119 ' * 10_000}</polygon>", "too-many-points"),
        ("<circle/>", "<circle>28,119 9000000</circle>", "out-of-range"),
        ("330205004001,", "1," * 2_001, "too-many-codes"),
    ],
)
def test_refused(old, new, why):
    assert reason(swap((old, new))) == why


def test_the_public_list():
    (item,) = read_list(sample(TIANJIN))
    info = item.infos[0]
    assert (item.family, item.identifier) == (Family.CN12379_LIST, "12000041600000_20180121223442")
    assert (item.sender, item.source, item.sent) == ("12000041600000", "天津市气象局", 1516545398)
    assert (item.msg_type, item.references) == (MsgType.ALERT, ())
    assert (info.headline, info.level) == ("天津市气象局发布道路结冰黄色预警", Level.YELLOW)
    assert (info.event, info.event_codes) == ("道路结冰", (Pair("GB/T 35965.1", "11B21"),))
    assert (info.areas, info.expires) == ((), None)


def test_a_real_pair_is_linked_only_by_likeness():
    alert, cancel = read_list(sample(ZHUHAI))
    assert (alert.msg_type, cancel.msg_type) == (MsgType.ALERT, MsgType.CANCEL)
    assert (alert.infos[0].level, cancel.infos[0].event_codes[0].value) == (Level.YELLOW, "11B20")
    assert alert.identifier != cancel.identifier
    assert cancel.references == ()
    assert likely_original(cancel, [cancel, alert]) is alert
    assert likely_original(cancel, read_list(sample(TIANJIN))) is None
    assert alert.infos[0].areas[0].description == "广东省珠海市城区"


def test_the_whole_list_and_both_kinds_of_input():
    item = json.loads(sample(TIANJIN))
    assert len(read_list(json.dumps({"alertData": [item, item]}).encode())) == 2
    assert decode_12379(sample(TIANJIN))["kind"] == "12379-list"
    assert decode_12379(sample(TYPHOON))["alerts"][0]["infos"][0]["level"] == "blue"
    json.dumps([decode_12379(sample(name)) for name in (TYPHOON, TIANJIN, ZHUHAI)])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"{", "bad-json"),
        (b"[1]", "bad-json"),
        (b"[" * 100_000, "bad-json"),
        (b'{"alertData": 3}', "bad-json"),
        (b"\xff", "bad-json"),
        (b"[" + b'{"identifier":"x"},' * 2_000 + b"{}]", "too-many-elements"),
        (b"{}", "missing-element"),
        (b'{"identifier":"a b","sendTime":"2018-01-21 22:36:38"}', "bad-identifier"),
        (b'{"identifier":7,"sendTime":"2018-01-21 22:36:38"}', "missing-element"),
        (b'{"identifier":"a","sendTime":"now"}', "bad-time"),
        (b" " * (1 << 20) + b"{}", "too-large"),
    ],
)
def test_a_bad_list_is_refused(data, why):
    with pytest.raises(RemoteError) as caught:
        read_list(data)
    assert caught.value.reason == why


def test_back_into_xml():
    typhoon = read_12379(sample(TYPHOON))
    assert read_12379(write_12379(typhoon)) == typhoon
    full = swap(
        ("<polygon/>", "<polygon>28,119 28,120 29,120</polygon><polygon>28,119 28,120 29.5,120 28,119</polygon>"),
        ("<circle/>", "<circle>28.45,119.92 500</circle>"),
        ("24小时内", "a&lt;b &amp; c"),
        ("Alert</msgType>", "Cancel</msgType>"),
        ("<references/>", "<references>33000041600000_20121024080000</references>"),
    )
    assert read_12379(write_12379(read_12379(full))) == read_12379(full)


def test_what_12379_cannot_say_is_not_written():
    (item,) = read_list(sample(TIANJIN))
    assert read_12379(write_12379(item)).infos[0].event == "道路结冰"
    for change in ({"identifier": "x"}, {"status": Status.SYSTEM}, {"msg_type": MsgType.ACK}, {"infos": ()}):
        from dataclasses import replace

        with pytest.raises(LocalError, match="cannot-write"):
            write_12379(replace(item, **change))


CUTS = st.tuples(st.integers(0, len(SPEC)), st.integers(0, 40), st.text(max_size=20))


@settings(max_examples=200)
@given(st.lists(CUTS, min_size=1, max_size=4))
def test_mutations_raise_nothing_but_a_refusal(cuts):
    text = SPEC
    for at, length, new in cuts:
        text = text[:at] + new + text[at + length :]
    json.dumps(attempt(decode_12379, text.encode(errors="surrogatepass")))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["identifier", "sendTime", "headline", "alertData", "location"]), inner)
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_json_raises_nothing_but_a_refusal(document):
    attempt(read_list, json.dumps(document).encode())
