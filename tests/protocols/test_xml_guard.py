"""XML that means harm, and XML that merely is not what it says."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import RemoteError
from protocols.xml_guard import MAX_BYTES, MAX_DEPTH, MAX_ELEMENTS, parse, parse_loose
from tests.support.refusal import attempt
from tests.support.samples import sample


def reason(data, read=parse):
    with pytest.raises(RemoteError) as caught:
        read(data)
    return caught.value.reason


BOMB = b"""<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb">%s]><a>&k;</a>""" % b"".join(
    b'<!ENTITY %c "%s">' % (c, b"&%c;" % (c - 1) * 10) for c in b"cdefghijk"
)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (BOMB, "doctype"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "doctype"),
        (b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><a/>', "doctype"),
        (b'<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:9/">%p;]><a/>', "doctype"),
        (b"<!DOCTYPE a><a/>", "doctype"),
        (sample("hostile/xee.cap"), "doctype"),
        (sample("hostile/xee.atom"), "doctype"),
        ("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>".encode("utf-16"), "bad-encoding"),
        (b'<?xml version="1.0" encoding="UTF-7"?><a>+ADw-b+AD4-</a>', "bad-encoding"),
        (b'<?xml version="1.0" encoding="utf-16"?><a/>', "bad-encoding"),
        (b"<a>\xff\xfe</a>", "bad-encoding"),
        (b"<a>&xxe;</a>", "bad-xml"),
        (b"<a>&#0;</a>", "bad-xml"),
        (b"<a>\x01</a>", "bad-xml"),
        (b"<a>&#xD800;</a>", "bad-xml"),
        (b"<a><b></a>", "bad-xml"),
        (b"<a/><b/>", "bad-xml"),
        (b"<a>", "bad-xml"),
        (b"", "bad-xml"),
        (b"   ", "bad-xml"),
        (b"<a/>" + b" " * MAX_BYTES, "too-large"),
        (b"<a>" + b"x" * (5 << 20) + b"</a>", "too-large"),
        (b"<a>" * (MAX_DEPTH + 1), "too-deep"),
        (b"<a>" * 200_000, "too-deep"),
        (b"<a>" + b"<b/>" * MAX_ELEMENTS + b"</a>", "too-many-elements"),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else value,
)
def test_hostile(data, why):
    assert reason(data) == why
    if why != "bad-xml":
        assert reason(data, parse_loose) == why


def test_a_bomb_costs_no_more_than_its_bytes():
    tracemalloc.start()
    for data in (BOMB, b"<a>" + b"<b/>" * 260_000 + b"</a>", b"<a " + b"".join(b"x%d='' " % n for n in range(60_000))):
        with pytest.raises(RemoteError):
            parse(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 24 << 20


def test_it_reads_text_cdata_and_namespaces_and_nothing_else():
    root = parse(
        b"\xef\xbb\xbf  <?xml version='1.0'?><?xml-stylesheet href='http://127.0.0.1:9/x.xsl'?><!-- c -->"
        b"<x:a xmlns:x='urn:x' y='1'>one <![CDATA[<two>]]><b>b</b> three<!-- no --></x:a>"
    )
    assert (root.space, root.name, root.text) == ("urn:x", "a", "one <two> three")
    assert [(child.space, child.name, child.text) for child in root.children] == [("", "b", "b")]


@pytest.mark.parametrize(("encoding", "text"), [("ISO-8859-1", "Usulután"), ("gb2312", "暴雨"), ("GBK", "暴雨")])
def test_declared_encodings(encoding, text):
    data = f"<?xml version='1.0' encoding='{encoding}'?><a>{text}</a>".encode(encoding)
    assert parse(data).text == text


def test_what_an_unescaping_writer_leaves_is_mended_once():
    root, mended = parse_loose("<a>气温<0℃ & 降水<5mm &amp; &unknown;</a>".encode())
    assert (root.text, mended) == ("气温<0℃ & 降水<5mm & &unknown;", True)
    assert parse_loose(b"<a>ok</a>")[1] is False
    assert parse_loose("<a>水位<警戒</a>".encode())[0].text == "水位<警戒"
    assert reason(b"<a>water<level</a>", parse_loose) == "bad-xml"


@given(st.binary(max_size=400))
def test_bytes_never_raise_anything_else(data):
    for read in (parse, parse_loose):
        attempt(read, data)


@given(
    st.lists(st.sampled_from(["<a>", "</a>", "<!DOCTYPE a>", "<?pi x?>", "&lt;", "&x;", "]]>", "<![CDATA[", "text"]))
)
def test_pieces_of_xml_never_raise_anything_else(pieces):
    attempt(parse, "".join(pieces).encode())
