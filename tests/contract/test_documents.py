"""The documents agree with each other and with the names in the program."""

import ast
import re

import pytest

from protocols import envelope
from tests.contract.documents import ASYNCAPI, PLATFORM, SCHEMAS, text
from tests.support.tree import ROOT, modules, parsed

TYPES = set(SCHEMAS["events.json"]["$defs"]) - {"common"}
REPORTERS = {"report", "_report", "event", "_say", "lost"}  # calls whose texts become types of events
TYPE = re.compile(r"anchor|[a-z]+\.[a-z_0-9]+")
EXAMPLE = {"root": "fengsui/1", "station": "s-1", "verb": "resend", "area": "5101", "issuer": "12", "seq": "34"}
MEANS = {"readings": "readings", "events": "events", "digest": "digest", "status": "status"}
MEANS |= {"command": "command", "warning": "warning", "beacon": "beacon", "keyset": "keyset"}


def told():
    """Types of events that the program names where it reports them."""
    for path in (path for layer in ("agent", "buffer", "drivers") for path in modules(layer)):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and called(node.func) and "simulated" not in path.parts:
                texts = [
                    arg.value for arg in ast.walk(node) if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
                ]
                yield from (
                    (found, f"{path.relative_to(ROOT)}:{node.lineno}") for found in texts if TYPE.fullmatch(found)
                )


def called(function):
    if isinstance(function, ast.Attribute):
        return function.attr in REPORTERS or (function.attr == "say" and "notices" in ast.unparse(function.value))
    return isinstance(function, ast.Name) and function.id == "report"


def test_every_event_of_the_program_has_a_schema():
    found = list(told())
    assert len(found) > 20, "the search finds what it is for"
    strangers = {name: where for name, where in found if name not in TYPES}
    assert strangers == {}, "add them to docs/platform/schemas/events.json and topics.md"


def test_every_type_stands_in_the_text_and_in_one_branch():
    page = text("topics.md")
    assert [name for name in sorted(TYPES) if f"`{name}`" not in page] == []
    branches = [part["if"]["properties"]["type"]["const"] for part in SCHEMAS["events.json"]["allOf"][1:]]
    assert sorted(branches) == sorted(TYPES)
    for part in SCHEMAS["events.json"]["allOf"][1:]:
        assert part["then"]["$ref"] == f"#/$defs/{part['if']['properties']['type']['const']}"


@pytest.mark.parametrize("channel", ASYNCAPI["channels"])
def test_addresses_are_the_program_s_topics(channel):
    address = ASYNCAPI["channels"][channel]["address"]
    topic = re.sub(r"{(\w+)}", lambda match: EXAMPLE[match[1]], address)
    assert envelope.parse("fengsui/1", topic).kind == MEANS[channel]
    assert address in text("topics.md")
    assert set(ASYNCAPI["channels"][channel]["parameters"]) == set(re.findall(r"{(\w+)}", address))


def references(node):
    if isinstance(node, dict):
        yield from ([node["$ref"]] if "$ref" in node else [])
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def test_every_reference_leads_somewhere():
    for reference in references(ASYNCAPI):
        if reference.startswith("schemas/"):
            assert reference.removeprefix("schemas/") in SCHEMAS
            continue
        place = ASYNCAPI
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


def test_the_asyncapi_document_is_whole():
    assert ASYNCAPI["asyncapi"] == "3.0.0"
    used = {operation["channel"]["$ref"].rsplit("/", 1)[1] for operation in ASYNCAPI["operations"].values()}
    assert used == set(ASYNCAPI["channels"])
    assert {operation["action"] for operation in ASYNCAPI["operations"].values()} == {"send", "receive"}
    assert {ref.removeprefix("schemas/") for ref in references(ASYNCAPI) if ref.startswith("schemas/")} == set(SCHEMAS)
    forms = {message["contentType"] for message in ASYNCAPI["components"]["messages"].values()}
    assert set(envelope.CONTENT_TYPES.values()) <= forms


@pytest.mark.parametrize("page", sorted(path.name for path in PLATFORM.glob("*.md")))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", text(page)):
        assert (PLATFORM / target).exists(), target
