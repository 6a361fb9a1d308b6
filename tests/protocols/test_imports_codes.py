"""The codes that an importer's user meets are the documented ones."""

import ast
import re

from tests.support.tree import ROOT, parsed

DOCUMENT = (ROOT / "docs" / "platform" / "imports.md").read_text(encoding="utf-8")
READERS = ("cap*.py", "xml_*.py", "cn*.py", "ebm*.py", "camf*.py")


def said():
    """The first argument of every RemoteError and of every note."""
    for path in (path for pattern in READERS for path in (ROOT / "protocols").glob(pattern)):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and node.args and _says(node.func):
                yield from (part.value for part in ast.walk(node.args[0]) if _is_code(part))


def _says(called):
    return getattr(called, "id", "") == "RemoteError" or getattr(called, "attr", "") == "add"


def _is_code(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) > 1


def test_every_code_is_documented_and_none_is_invented():
    codes = DOCUMENT[DOCUMENT.index("## Codes") : DOCUMENT.index("## Sources")]
    assert set(re.findall(r"`([a-z0-9-]+)`", codes)) == set(said())
