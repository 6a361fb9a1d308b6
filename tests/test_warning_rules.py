"""The table of rules: every rule names tests, and every test it names exists and can fail."""

import ast
import re
from functools import cache

from tests.support.tree import ROOT

PAGE = ROOT / "docs" / "warning-path.md"
ROW = re.compile(r"^\| (?!rule |case |---)(?P<rule>.+?) \| (?P<tests>.+) \|$", re.MULTILINE)
NAME = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def rules():
    text = PAGE.read_text(encoding="utf-8")
    return {row["rule"]: NAME.findall(row["tests"]) for row in ROW.finditer(text)}


@cache
def named_in(file):
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return {
        node.name: node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_rule_has_a_test_and_every_line_is_read():
    found = rules()
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    heads = sum(line.startswith(("| rule |", "| case |")) for line in rows)
    assert len(found) == len(rows) - heads, "a rule stands there twice, or a line cannot be read"
    assert len(found) > 90
    assert [rule for rule, tests in found.items() if not tests] == []


def test_every_test_that_is_named_exists():
    missing = [f"{file}::{name}" for tests in rules().values() for file, name in tests if name not in named_in(file)]
    assert missing == []


def can_fail(node):
    """It asserts, or waits for something, or expects a refusal, itself or in what it defines."""
    return any(
        isinstance(part, ast.Assert)
        or (isinstance(part, ast.Call) and getattr(part.func, "attr", getattr(part.func, "id", "")) in WAITS)
        for part in ast.walk(node)
    )


WAITS = {"until", "raises", "worth_no_more", "refused", "told", "run", "silent_until_a_genuine_one", "reason"}


def test_every_test_that_is_named_can_fail():
    idle = [
        f"{file}::{name}" for tests in rules().values() for file, name in tests if not can_fail(named_in(file)[name])
    ]
    assert idle == []
