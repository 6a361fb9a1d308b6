"""The children of one element against the list of those it may have: how often each, in which order. Knows no format.

What is there twice although it may be there once is refused, because two readers would take different ones. What is out
of order or unknown is noted and changes nothing: public feeds do both.
"""

from collections.abc import Mapping

from protocols.cap import Notes, Pair
from protocols.cap_text import clean
from protocols.errors import RemoteError
from protocols.quoting import quoted
from protocols.xml_guard import Node

Shape = Mapping[
    str, str
]  # name → "1" once, "?" at most once, "*" any number, "+" at least once; in the order of the format

SIGNATURE_SPACE = "http://www.w3.org/2000/09/xmldsig#"


class Fields:
    def __init__(self, node: Node, shape: Shape, notes: Notes) -> None:
        self._parent, self._shape, self._notes = node.name, shape, notes
        self._nodes: dict[str, list[Node]] = {}
        last = 0
        places = {name: place for place, name in enumerate(shape)}
        for child in node.children:
            if self._known(child, node.space):
                last = self._placed(places[child.name], last)
                self._nodes.setdefault(child.name, []).append(child)
        self._count()

    def nodes(self, name: str) -> list[Node]:
        """As they came. An element without text and children says nothing."""
        return [node for node in self._nodes.get(name, []) if node.text or node.children]

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(clean(node.text, self._notes) for node in self.nodes(name))

    def text(self, name: str) -> str:
        return next(iter(self.texts(name)), "")

    def need(self, name: str) -> str:
        if text := self.text(name):
            return text
        raise RemoteError("missing-element", f"{self._parent}/{name}")

    def pairs(self, name: str) -> tuple[Pair, ...]:
        """CAP's valueName and value; a pair without a value says nothing."""
        found = (Fields(node, _PAIR, self._notes) for node in self.nodes(name))
        return tuple(Pair(pair.text("valueName"), value) for pair in found if (value := pair.text("value")))

    def _known(self, child: Node, space: str) -> bool:
        if child.space == SIGNATURE_SPACE:
            self._notes.add("signature-ignored", "an XML signature proves nothing here")
        elif child.space != space or child.name not in self._shape:
            self._notes.add("unknown-element", quoted(f"{self._parent}/{child.name}"))
        else:
            return True
        return False

    def _placed(self, place: int, last: int) -> int:
        if place < last:
            self._notes.add("wrong-order", self._parent)
        return max(place, last)

    def _count(self) -> None:
        for name, times in self._shape.items():
            found = len(self._nodes.get(name, []))
            if found > 1 and times in "1?":
                raise RemoteError("repeated-element", f"{self._parent}/{name}")
            if not found and times in "1+":
                raise RemoteError("missing-element", f"{self._parent}/{name}")


_PAIR: Shape = {"valueName": "?", "value": "?"}
