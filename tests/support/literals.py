"""What the source says in words where an operator may read it: raised texts as templates, and reason codes."""

import ast
import re
from typing import NamedTuple

from tests.support.tree import ROOT, modules, parsed

WORDS = re.compile(r"[A-Za-z`']{2,},? [A-Za-z`']{2,}")  # two words in a row: English, not a code, a name or a unit
PROTOCOL_ERRORS = {"LocalError", "RemoteError", "ProtocolError"}


class Said(NamedTuple):
    where: str
    text: str


def template(node):
    """The text of a literal, `{1}` `{2}` … where an f-string has values; None where it is no literal."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if not isinstance(node, ast.JoinedStr):
        return None
    places = iter(range(1, 100))
    return "".join(part.value if isinstance(part, ast.Constant) else f"{{{next(places)}}}" for part in node.values)


def raised(folder, errors=None):
    """Every `raise X(...)` below a folder: where, the name of X, its arguments."""
    for path in modules(folder):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                name = getattr(node.exc.func, "id", getattr(node.exc.func, "attr", ""))
                yield f"{path.relative_to(ROOT)}:{node.lineno}", name, node.exc.args


def alternatives(node):
    """The literals that an expression may come to: both sides of a condition, both of an `or`."""
    if isinstance(node, ast.IfExp):
        return [*alternatives(node.body), *alternatives(node.orelse)]
    if isinstance(node, ast.BoolOp):
        return [one for value in node.values for one in alternatives(value)]
    return [node]
