"""What the source says in words where an operator may read it: reason codes, and raised texts as templates."""

import ast
import re

from agent.say import CAUSES
from tests.support.tree import ROOT, modules, parsed

WORDS = re.compile(r"[A-Za-z`']{2,},? [A-Za-z`']{2,}")  # two words in a row: English, not a code, a name or a unit
PROTOCOL_ERRORS = {"LocalError", "RemoteError", "ProtocolError"}
EXCEPTIONS = re.compile(r"\w*(?:Error|Refused|Locked|Damaged|NewerSchema|LinkDown|SystemExit)$")
# A mistake of ours in calling, never met by an operator: it would be a bug, and is told in a traceback.
OURS = (
    "is made by protocols.", "two parts are named", "was not started", "they are no key", "sent in a scan",
    "is none of {2}", "larger than a day", "not one minute in it", "no simulated stream", "the kind is relay",
)  # fmt: skip


def template(node):
    """The text of a literal, `{1}` `{2}` … where an f-string has values; None where it is no literal."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if not isinstance(node, ast.JoinedStr):
        return None
    places = iter(range(1, 100))
    return "".join(part.value if isinstance(part, ast.Constant) else f"{{{next(places)}}}" for part in node.values)


def alternatives(node):
    """What an expression may come to: both sides of a condition, both of an `or`."""
    if isinstance(node, ast.IfExp):
        return [*alternatives(node.body), *alternatives(node.orelse)]
    if isinstance(node, ast.BoolOp):
        return [one for value in node.values for one in alternatives(value)]
    return [node]


def calls(tree):
    """Exceptions being made."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and EXCEPTIONS.fullmatch(
            getattr(node.func, "id", getattr(node.func, "attr", ""))
        ):
            yield node


def texts_of(call):
    """Its arguments that are English."""
    for one in (one for argument in call.args for one in alternatives(argument)):
        text = template(one)
        if text and WORDS.search(re.sub(r"\{\d+\}", "#", text)) and not any(ours in text for ours in OURS):
            yield text


def causes(tree):
    """Literals handed to a sentence, or kept for one, as `why=` and its like."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in CAUSES:
            texts = (template(one) for one in alternatives(node.value))
            yield from ((text, node.value.lineno) for text in texts if text and WORDS.search(text))


def said_words(folder):
    for path in modules(folder):
        if "simulated" not in path.parts:
            found = [(text, call.lineno) for call in calls(parsed(path)) for text in texts_of(call)]
            yield from ((text, f"{path.relative_to(ROOT)}:{line}") for text, line in [*found, *causes(parsed(path))])


def reasons(folder):
    """Reason codes that are written where the error is made."""
    for path in modules(folder):
        for call in calls(parsed(path)):
            if getattr(call.func, "id", "") in PROTOCOL_ERRORS and call.args:
                for one in alternatives(call.args[0]):
                    if isinstance(one, ast.Constant):
                        yield one.value, f"{path.relative_to(ROOT)}:{call.lineno}"
