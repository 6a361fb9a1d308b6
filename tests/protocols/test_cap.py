"""CAP: what must come of every sample, what is refused and why, and what cannot get through."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocols.alert import Level, Status
from protocols.cap import Certainty, Circle, Family, MsgType, Point, Reference, Severity
from protocols.cap_xml import alerts, decode_cap, read_cap
from protocols.errors import RemoteError
from tests.support.refusal import attempt
from tests.support.samples import names, sample

MINIMAL = """<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
<identifier>i1</identifier><sender>s@x</sender><sent>2026-08-12T11:04:05+08:00</sent><status>Actual</status>
<msgType>Alert</msgType><scope>Public</scope><info><language>zh-CN</language><category>Met</category><event>暴雨</event>
<urgency>Immediate</urgency><severity>Extreme</severity><certainty>Observed</certainty>
<headline>暴雨红色预警</headline><area><areaDesc>a</areaDesc><polygon>28,119 28,120 29,120 28,119</polygon></area></info></alert>"""


def read(text):
    return read_cap(text.encode())


def reason(text):
    with pytest.raises(RemoteError) as caught:
        read(text)
    assert str(caught.value).isprintable()
    return caught.value.reason


def swap(old, new):
    assert old in MINIMAL
    return MINIMAL.replace(old, new)


def noted(imported):
    return {note.code for note in imported.notes}


# Every sample: (family, status, msgType, references, infos, areas, level, notes) or the reason it is refused.
EXPECTED = {
    "cap-oasis/A1_homeland_security.xml": ("cap-1.2", "ACTUAL", "Alert", 0, 1, 1, None, set()),
    "cap-oasis/A2_severe_thunderstorm.xml": ("cap-1.2", "ACTUAL", "Alert", 0, 1, 1, None, set()),
    "cap-oasis/A3_earthquake_update.xml": ("cap-1.2", "ACTUAL", "Update", 1, 1, 1, None, set()),
    "cap-oasis/A4_amber_multilingual.xml": ("cap-1.2", "ACTUAL", "Alert", 0, 2, 2, None, set()),
    "cap-feeds/NOAA_MultiplePolygons.txt": ("cap-1.2", "ACTUAL", "Update", 8, 1, 1, None, set()),
    "cap-feeds/canada_errors.cap": "no-references",
    "cap-feeds/canada_signed.cap": ("cap-1.2", "ACTUAL", "Update", 9, 2, 4, None, {"signature-ignored"}),
    "cap-feeds/earthquake-iso8859-1.cap": ("cap-1.2", "ACTUAL", "Alert", 0, 1, 1, None, {"signature-ignored"}),
    "cap-feeds/invalid.cap": "missing-element",
    "cap-feeds/mexico.xml": ("cap-1.2", "ACTUAL", "Update", 1, 1, 1, Level.RED, set()),
    "cap-feeds/no_info_tag.cap": ("cap-1.2", "ACTUAL", "Cancel", 1, 0, 0, None, {"signature-ignored"}),
    "cap-feeds/ph.cap": ("cap-1.2", "TEST", "Alert", 0, 1, 1, None, {"signature-ignored"}),
    "cap-feeds/sweden.cap": ("cap-1.2", "ACTUAL", "Alert", 0, 1, 2, None, {"wrong-order", "unknown-element"}),
    "cap-feeds/taiwan.cap": ("cap-1.2", "ACTUAL", "Alert", 0, 1, 1, Level.RED, set()),
    "cap-feeds/weather.cap": ("cap-1.1", "ACTUAL", "Alert", 0, 1, 1, None, set()),
    "hostile/xee.cap": "doctype",
    "hostile/xee.atom": "doctype",
}
NOT_MESSAGES = {"CAP-v1.2.xsd", "environment_canada_x509_cert.pem", "naads_x509_cert.pem"}


def test_every_sample_has_its_expectation():
    found = {f"{folder}/{name}" for folder in ("cap-oasis", "cap-feeds", "hostile") for name in names(folder)}
    assert {name for name in found if name.split("/")[1] not in NOT_MESSAGES} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_sample(name):
    expected = EXPECTED[name]
    if isinstance(expected, str):
        with pytest.raises(RemoteError, match=f"^{expected}"):
            read_cap(sample(name))
        return
    cap = read_cap(sample(name))
    level = next((info.level for info in cap.infos if info.level), None)
    areas = sum(len(info.areas) for info in cap.infos)
    found = (cap.family, cap.status.name, cap.msg_type, len(cap.references), len(cap.infos), areas, level, noted(cap))
    assert found == expected
    json.dumps(decode_cap(sample(name)))


@pytest.mark.parametrize("name", sorted(NOT_MESSAGES))
def test_what_is_no_message_is_refused(name):
    folder = "cap-oasis" if name.endswith("xsd") else "cap-feeds"
    with pytest.raises(RemoteError, match=r"wrong-namespace|bad-xml"):
        read_cap(sample(f"{folder}/{name}"))


def test_thunderstorm_in_full():
    cap = read_cap(sample("cap-oasis/A2_severe_thunderstorm.xml"))
    info = cap.infos[0]
    assert (cap.family, cap.identifier, cap.sender) == (Family.CAP_1_2, "KSTO1055887203", "KSTO@NWS.NOAA.GOV")
    assert cap.sent == 1055887020
    assert (info.language, info.event, info.severity) == ("en-US", "SEVERE THUNDERSTORM", Severity.SEVERE)
    assert (info.response_types, info.event_codes) == (("Shelter",), (("SAME", "SVR"),))
    assert info.expires == 1055890800
    assert len(info.areas[0].polygons[0]) == 4
    assert info.areas[0].polygons[0][0] == Point(38.47, -120.14)
    assert [code.value for code in info.areas[0].geocodes] == ["006109", "006009", "006003"]


def test_update_names_what_it_supersedes():
    cap = read_cap(sample("cap-oasis/A3_earthquake_update.xml"))
    assert cap.references == (Reference("trinet@caltech.edu", "TRI13970876.1", 1055388600),)
    assert cap.infos[0].areas[0].circles == (Circle(32.9525, -115.5527, 0.0),)


def test_charsets_of_the_feeds():
    earthquake = read_cap(sample("cap-feeds/earthquake-iso8859-1.cap"))
    assert "Usulután" in earthquake.infos[0].headline
    taiwan = read_cap(sample("cap-feeds/taiwan.cap"))
    assert (taiwan.infos[0].event, taiwan.infos[0].level, taiwan.infos[0].severity) == (
        "水庫洩洪",
        Level.RED,
        Severity.MODERATE,
    )


def test_an_empty_polygon_and_an_empty_code_say_nothing():
    weather = read_cap(sample("cap-feeds/weather.cap"))
    assert weather.infos[0].areas[0].polygons == ()
    assert weather.infos[0].event_codes == ()
    assert {name for name, _ in weather.infos[0].areas[0].geocodes} == {"FIPS6", "UGC"}


def test_invented_children_give_no_area():
    sweden = read_cap(sample("cap-feeds/sweden.cap"))
    assert [area.polygons for area in sweden.infos[0].areas] == [(), ()]


def test_a_wrapper_of_several():
    both = f"<alerts>{MINIMAL}{MINIMAL.replace('i1', 'i2')}<x/></alerts>".encode()
    assert [alert["identifier"] for alert in decode_cap(both)["alerts"]] == ["i1", "i2"]
    with pytest.raises(RemoteError, match="several-alerts"):
        read_cap(both)


def test_one_bad_alert_in_a_wrapper_hides_no_other():
    told = decode_cap(f"<alerts><alert/>{MINIMAL}</alerts>".encode())["alerts"]
    assert [alert.get("error", alert.get("identifier")) for alert in told] == ["wrong-namespace", "i1"]


@pytest.mark.parametrize("count", [0, 65])
def test_a_wrapper_is_bounded(count):
    with pytest.raises(RemoteError, match="several-alerts"):
        alerts(b"<alerts>" + b"<alert/>" * count + b"</alerts>")


def test_a_prefix_is_as_good_as_a_default_namespace():
    prefixed = MINIMAL.replace("<", "<c:").replace("<c:/", "</c:").replace("xmlns=", "xmlns:c=")
    assert read(prefixed).infos == read(MINIMAL).infos


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("emergency:cap:1.2", "emergency:cap:1.3", "wrong-namespace"),
        (' xmlns="urn:oasis:names:tc:emergency:cap:1.2"', "", "wrong-namespace"),
        ("urn:oasis:names:tc:emergency:cap:1.2", "http://www.incident.com/cap/1.0", "wrong-namespace"),
        ("<identifier>i1</identifier>", "", "missing-element"),
        ("<identifier>i1</identifier>", "<identifier/>", "missing-element"),
        ("<identifier>i1</identifier>", "<identifier>i1</identifier><identifier>i2</identifier>", "repeated-element"),
        ("<status>Actual</status>", "<status>Test</status><status>Actual</status>", "repeated-element"),
        ("<status>Actual</status>", "<status>actual</status>", "unknown-word"),
        ("<status>Actual</status>", "<status>Real\u202e</status>", "unknown-word"),
        ("<msgType>Alert</msgType>", "<msgType>Cancle</msgType>", "unknown-word"),
        ("<msgType>Alert</msgType>", "<msgType>Update</msgType>", "no-references"),
        ("<msgType>Alert</msgType>", "<msgType>Cancel</msgType>", "no-references"),
        ("<scope>Public</scope>", "<scope>Everybody</scope>", "unknown-word"),
        ("i1", "i 1", "bad-identifier"),
        ("i1", "a b, c", "bad-identifier"),
        ("i1", "i" * 201, "bad-identifier"),
        ("s@x", "s,x", "bad-identifier"),
        ("<severity>Extreme</severity>", "<severity>Red</severity>", "unknown-word"),
        ("2026-08-12T11:04:05+08:00", "2026-08-12T11:04:05", "time-no-offset"),
        ("2026-08-12T11:04:05+08:00", "2026-02-30T11:04:05+08:00", "bad-time"),
        ("2026-08-12T11:04:05+08:00", "2026-08-12T11:04:05,08:00", "bad-time"),
        ("2026-08-12T11:04:05+08:00", "2026-08-12T11:04:05+15:00", "bad-time"),
        ("2026-08-12T11:04:05+08:00", "2026-08-12T11:04:05+08:60", "bad-time"),
        ("2026-08-12T11:04:05+08:00", "9999-12-31T23:59:59-14:00", "bad-time"),
        ("2026-08-12T11:04:05+08:00", "1899-12-31T23:59:59-14:00", "bad-time"),
        ("2026-08-12T11:04:05+08:00", "2026-08-12T24:00:00+08:00", "bad-time"),
        ("2026-08-12T11:04:05+08:00", "２026-08-12T11:04:05+08:00", "bad-time"),
        ("2026-08-12T11:04:05+08:00", "2026-08-12", "bad-time"),
        ("28,119 28,120 29,120 28,119", "foo bar", "bad-polygon"),
        ("28,119 28,120 29,120 28,119", "28,119 28,120 28,119", "bad-polygon"),
        ("28,119 28,120 29,120 28,119", "28,119 28,119 28,119 28,119", "bad-polygon"),
        ("28,119 28,120 29,120 28,119", "28,nan 28,120 29,120 28,nan", "bad-number"),
        ("28,119 28,120 29,120 28,119", "28,inf 28,120 29,120 28,inf", "bad-number"),
        ("28,119 28,120 29,120 28,119", "1e1,119 28,120 29,120 1e1,119", "bad-number"),
        ("28,119 28,120 29,120 28,119", "2_8,119 28,120 29,120 2_8,119", "bad-number"),
        ("28,119 28,120 29,120 28,119", "119,28 120,28 120,29 119,28", "out-of-range"),
        ("28,119 28,120 29,120 28,119", "28,181 28,120 29,120 28,181", "out-of-range"),
        ("28,119 28,120 29,120 28,119", "28,119 " * 10_000, "too-many-points"),
        ("<polygon>28,119 28,120 29,120 28,119</polygon>", "<circle>28,119 nan</circle>", "bad-circle"),
        ("<polygon>28,119 28,120 29,120 28,119</polygon>", "<circle>28,119 -1</circle>", "bad-circle"),
        ("<polygon>28,119 28,120 29,120 28,119</polygon>", "<circle>28,119</circle>", "bad-circle"),
        ("<polygon>28,119 28,120 29,120 28,119</polygon>", "<circle>28,119 99999</circle>", "out-of-range"),
        ("<areaDesc>a</areaDesc>", "", "missing-element"),
        ("</areaDesc>", "</areaDesc><altitude>NaN</altitude>", "bad-number"),
        ("</info>", "</info>" + "<info>x</info>" * 16, "too-many-elements"),
        ("</scope>", "</scope><references>s@x,i0</references>", "bad-reference"),
        ("</scope>", "</scope><references>s@x,i0,2026-08-12</references>", "bad-time"),
        ("</scope>", "</scope><references>s@x,i1,2026-08-12T11:04:05+08:00</references>", "circular-reference"),
        ("</scope>", "</scope><references>s@x,i0,2026-08-12T11:04:06+08:00</references>", "later-reference"),
        (
            "</scope>",
            "</scope><references>" + "s,i,2026-08-12T11:04:05+08:00 " * 501 + "</references>",
            "too-many-elements",
        ),
    ],
)
def test_refused(old, new, why):
    assert reason(swap(old, new)) == why


@pytest.mark.parametrize(
    ("old", "new", "note"),
    [
        ("2026-08-12T11:04:05+08:00", "2026-08-12T03:04:05Z", "time-form"),
        ("2026-08-12T11:04:05+08:00", "2026-08-12 11:04:05+08:00", "time-form"),
        ("2026-08-12T11:04:05+08:00", "2026-08-12T11:04:05.123+08:00", "time-form"),
        ("28,119 28,120 29,120 28,119", "28,119 28,120 29,120", "polygon-open"),
        ("<certainty>Observed</certainty>", "<certainty>Very Likely</certainty>", "strange-word"),
        ("<category>Met</category>", "<category>Weather</category>", "strange-word"),
        ("<language>zh-CN</language>", "<language>简体中文</language>", "bad-language"),
        ("</scope>", "</scope><restriction>x</restriction>", "restriction-ignored"),
        ("</areaDesc>", "</areaDesc><ceiling>100</ceiling>", "bad-ceiling"),
        (
            "</areaDesc>",
            "</areaDesc><evil:polygon xmlns:evil='urn:evil'>1,1 1,2 2,2 1,1</evil:polygon>",
            "unknown-element",
        ),
        ("<scope>Public</scope>", "<status xmlns='urn:evil'>Test</status><scope>Public</scope>", "unknown-element"),
        ("暴雨红色预警", "暴雨&lt;b&gt;红色&lt;/b&gt;预警&amp;nbsp;", "markup-removed"),
        ("暴雨红色预警", "暴雨\u202e红色\u2066预警\u200b", "hidden-characters"),
        ("暴雨红色预警", "暴" * 20_001, "text-cut"),
        ("<area>", "<resource><resourceDesc>r</resourceDesc><mimeType>x</mimeType></resource><area>", "bad-mime-type"),
        (
            "<area>",
            "<resource><resourceDesc>r</resourceDesc><mimeType>image/png</mimeType><uri>a.png</uri></resource><area>",
            "relative-uri",
        ),
        (
            "<area>",
            "<resource><resourceDesc>r</resourceDesc><mimeType>image/png</mimeType><derefUri>!</derefUri></resource><area>",
            "bad-content",
        ),
    ],
)
def test_noted(old, new, note):
    assert note in noted(read(swap(old, new)))


def test_the_same_text_in_two_languages_is_noted():
    info = MINIMAL[MINIMAL.index("<info>") : MINIMAL.index("</alert>")]
    assert "same-text" in noted(read(swap("</alert>", info.replace("zh-CN", "en") + "</alert>")))


def test_forms_of_time_name_the_same_second():
    times = [
        "2026-08-12T11:04:05+08:00",
        "2026-08-12T03:04:05Z",
        "2026-08-11T21:04:05-06:00",
        "2026-08-12T03:04:05-00:00",
    ]
    assert {read(swap(times[0], time)).sent for time in times} == {1786503845}


def test_kilometres_become_metres():
    cap = read(swap("<polygon>28,119 28,120 29,120 28,119</polygon>", "<circle>28.5,119.25 1.5</circle>"))
    assert cap.infos[0].areas[0].circles == (Circle(28.5, 119.25, 1500.0),)


def test_nothing_that_turns_text_round_is_left():
    cap = read(swap("暴雨红色预警", "&#x202e;A&#x2069;&#x85;&#x2028;B\u0007".replace("\u0007", "")))
    assert cap.infos[0].headline == "AB"


def test_likely_is_what_cap_1_0_called_very_likely():
    cap = read(swap("<certainty>Observed</certainty>", "<certainty>Very Likely</certainty>"))
    assert cap.infos[0].certainty is Certainty.LIKELY


@pytest.mark.parametrize("status", ["Actual", "Exercise", "System", "Test", "Draft"])
def test_status_is_kept(status):
    assert read(swap("<status>Actual</status>", f"<status>{status}</status>")).status is Status[status.upper()]


def test_acknowledgements_are_read():
    ack = swap("<msgType>Alert</msgType><scope>Public</scope>", "<msgType>Ack</msgType><scope>Public</scope>"
               "<references>a,b,2026-08-12T11:00:00+08:00</references>")  # fmt: skip
    assert read(ack).msg_type is MsgType.ACK


CUTS = st.tuples(st.integers(0, len(MINIMAL)), st.integers(0, 40), st.text(max_size=20))


@settings(max_examples=300)
@given(st.lists(CUTS, min_size=1, max_size=4))
@example([(0, len(MINIMAL), "")])
def test_mutations_raise_nothing_but_a_refusal(cuts):
    text = MINIMAL
    for at, length, new in cuts:
        text = text[:at] + new + text[at + length :]
    told = attempt(decode_cap, text.encode(errors="surrogatepass"))
    assert len(json.dumps(told)) < 40 * len(text) + 2_000


@given(
    st.dictionaries(
        st.sampled_from(["sent", "status", "polygon", "severity", "language", "areaDesc"]), st.text(max_size=60)
    )
)
def test_any_text_in_any_element_raises_nothing_but_a_refusal(texts):
    text = MINIMAL
    for name, said in texts.items():
        safe = "".join(c for c in said if c.isprintable()).replace("&", "&amp;").replace("<", "&lt;")
        before, _, after = text.partition(f"<{name}>")
        text = f"{before}<{name}>{safe}{after[after.index('<') :]}"
    attempt(read, text)
