"""XML of unknown origin → a plain tree, or a refusal. Every reader of foreign XML comes through here and nowhere else.

No document type, no entities, no network, bounded size, depth and number of elements: counted while parsing, so that a
bomb never becomes a tree. Comments and processing instructions vanish, attributes too: no format we read puts
meaning into one. Characters are decoded here by the declared encoding and nothing else, so that what was searched and
what is parsed cannot differ. Knows no message format.
"""

import re
from typing import Any

from protocols.errors import RemoteError
from protocols.quoting import quoted

MAX_BYTES = 1 << 20  # the longest public alert at hand has 24 kB; with a picture in it, some hundreds
MAX_ELEMENTS = 20_000  # a national feed's alert with 60 areas has 3,000
MAX_DEPTH = 16  # CAP nests 4 deep, EBM 5, an XML signature 8

_DECLARATION = re.compile(rb"\s*<\?xml\s[^>]{0,200}?\?>")
_ENCODING = re.compile(rb"""encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_CODECS = {
    b"utf-8": "utf-8",
    b"utf8": "utf-8",
    b"us-ascii": "ascii",
    b"iso-8859-1": "latin-1",
    b"gb2312": "gb18030",  # each of the three is a subset of the next
    b"gbk": "gb18030",
    b"gb18030": "gb18030",
}
_BOM = b"\xef\xbb\xbf"

# What a writer that does not escape leaves behind: an ampersand that opens no reference, a `<` no tag can begin with.
_LOOSE_AMPERSAND = re.compile(r"&(?!(?:#\d{1,7}|#x[0-9A-Fa-f]{1,6}|lt|gt|amp|quot|apos);)")
_LOOSE_LESS = re.compile(r"<(?![A-Za-z_/!?])")


class Node:
    """An element: its namespace and name, the text directly in it, its children."""

    __slots__ = ("_parts", "children", "name", "space")

    def __init__(self, tag: str) -> None:
        space, _, name = tag.rpartition("}")
        self.space, self.name = space.lstrip("{"), name
        self.children: list[Node] = []
        self._parts: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._parts).strip()

    def append(self, text: str) -> None:
        self._parts.append(text)


def parse(data: bytes) -> Node:
    """The document's root. Raises RemoteError and nothing else."""
    return _parse(_decoded(data))


def parse_loose(data: bytes) -> tuple[Node, bool]:
    """The same for writers known not to escape: tried as it is, then once more with loose `&` and `<` escaped. True says
    that the second was needed.
    """
    text = _decoded(data)
    try:
        return _parse(text), False
    except RemoteError as wrong:
        if wrong.reason != "bad-xml":
            raise
    return _parse(_LOOSE_LESS.sub("&lt;", _LOOSE_AMPERSAND.sub("&amp;", text))), True


def _decoded(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise RemoteError("too-large", f"{len(data)} bytes, at most {MAX_BYTES}")
    body = data.removeprefix(_BOM)
    declaration = _DECLARATION.match(body)
    codec = "utf-8" if body is not data or not declaration else _codec(declaration.group())
    try:
        return body[declaration.end() if declaration else 0 :].decode(codec)
    except UnicodeDecodeError as wrong:
        raise RemoteError("bad-encoding", f"not valid {codec}", wrong.start) from None


def _codec(declaration: bytes) -> str:
    named = _ENCODING.search(declaration)
    name = named.group(1).lower() if named else b"utf-8"
    if name not in _CODECS:
        raise RemoteError("bad-encoding", f"{quoted(name.decode('ascii'))} is not read")
    return _CODECS[name]


def _parse(text: str) -> Node:
    from lxml import etree  # type: ignore[import-untyped]  # noqa: PLC0415 – no stubs; costs 6 MiB, only importers pay

    builder = _Builder()
    parser = etree.XMLParser(
        target=builder, encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        parser.feed(text.encode())
        parser.close()
    except etree.LxmlError as wrong:
        raise RemoteError("bad-xml", quoted(str(wrong))) from None
    if builder.root is None:
        raise RemoteError("bad-xml", "no element")
    return builder.root


class _Builder:
    """What the parser calls. It counts, and ends the parsing by raising."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[Node] = []
        self._elements = 0

    def doctype(self, *_: Any) -> None:
        raise RemoteError("doctype", "a document type is never accepted")

    def start(self, tag: str, _attributes: Any) -> None:
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise RemoteError("too-many-elements", f"more than {MAX_ELEMENTS}")
        if len(self._open) == MAX_DEPTH:
            raise RemoteError("too-deep", f"more than {MAX_DEPTH} levels")
        node = Node(tag)
        if self._open:
            self._open[-1].children.append(node)
        self.root = self.root or node
        self._open.append(node)

    def end(self, _tag: str) -> None:
        self._open.pop()

    def data(self, text: str) -> None:
        self._open[-1].append(text)

    def close(self) -> None:
        """The parser asks for a result; it is `root`."""
