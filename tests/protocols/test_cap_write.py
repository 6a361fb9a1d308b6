"""Back into CAP 1.2: valid against OASIS's schema, and the same message when it is read again."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from protocols.cap import Family, MsgType, Notes, Reference
from protocols.cap_text import clean
from protocols.cap_write import write_cap
from protocols.cap_xml import read_cap
from protocols.cn12379 import read_12379
from protocols.ebm import read_ebd
from protocols.errors import LocalError
from tests.support.samples import SAMPLES, sample

READABLE = [
    *(f"cap-oasis/A{n}.xml" for n in ("1_homeland_security", "2_severe_thunderstorm", "3_earthquake_update")),
    "cap-oasis/A4_amber_multilingual.xml",
    *(f"cap-feeds/{name}" for name in ("NOAA_MultiplePolygons.txt", "canada_signed.cap", "earthquake-iso8859-1.cap")),
    *(
        f"cap-feeds/{name}"
        for name in ("mexico.xml", "no_info_tag.cap", "ph.cap", "sweden.cap", "taiwan.cap", "weather.cap")
    ),
]


@pytest.fixture(scope="module")
def schema():
    return etree.XMLSchema(etree.parse(SAMPLES / "cap-oasis" / "CAP-v1.2.xsd"))


def bare(imported):
    """Without what belongs to the bytes it was read from."""
    return replace(imported, notes=(), family=Family.CAP_1_2)


@pytest.mark.parametrize("name", READABLE)
def test_every_readable_sample_comes_back(name, schema):
    first = read_cap(sample(name))
    data = write_cap(first)
    schema.assertValid(etree.fromstring(data))
    again = read_cap(data)
    added = [info.parameters for info in first.infos]
    assert [info.parameters for info in again.infos] == added
    assert bare(again) == bare(first)
    assert write_cap(again) == data


def test_12379_and_ebm_as_cap(schema):
    typhoon = read_12379(sample("cn-12379/33000041600000_20121025091026_11B01_BLUE_ALERT.xml"))
    rain = read_ebd(sample("cn-ebm/SYNTHETIC_EBDB_EBM.xml")).message
    for message in (typhoon, rain):
        data = write_cap(message)
        schema.assertValid(etree.fromstring(data))
        again = read_cap(data)
        assert (again.identifier, again.sender, again.sent) == (message.identifier, message.sender, message.sent)
        info, before = again.infos[0], message.infos[0]
        assert (info.level, info.event_codes, info.expires) == (before.level, before.event_codes, before.expires)
        assert info.areas[0].geocodes == before.areas[0].geocodes


def test_a_reference_without_a_time_gets_the_latest_it_can_have():
    typhoon = read_12379(sample("cn-12379/33000041600000_20121025091026_11B01_BLUE_ALERT.xml"))
    first = Reference("33000041600000", "33000041600000_20121024080000")
    cancel = replace(typhoon, msg_type=MsgType.CANCEL, references=(first,))
    assert read_cap(write_cap(cancel)).references == (first._replace(sent=typhoon.sent),)


@pytest.mark.parametrize("references", [(), (Reference("", "x"),)])
def test_what_cap_cannot_say_is_not_written(references):
    update = replace(read_cap(sample("cap-oasis/A3_earthquake_update.xml")), references=references)
    with pytest.raises(LocalError, match="cannot-write"):
        write_cap(update)


@given(st.text(max_size=200))
def test_any_text_survives_as_it_was_cleaned(text):
    message = read_cap(sample("cap-oasis/A1_homeland_security.xml"))
    cleaned = clean(text, Notes())
    info = replace(message.infos[0], headline=cleaned)
    again = read_cap(write_cap(replace(message, infos=(info,)))).infos[0].headline
    assert again == clean(cleaned, Notes())
