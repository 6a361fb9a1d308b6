"""The documents of the contract, as a platform's developer would load them."""

import json
import re
from pathlib import Path

import jsonschema
from referencing import Registry, Resource

PLATFORM = Path(__file__).parents[2] / "docs" / "platform"
SCHEMAS = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in (PLATFORM / "schemas").glob("*.json")}
ASYNCAPI = json.loads((PLATFORM / "asyncapi.json").read_text(encoding="utf-8"))
_REGISTRY = Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS.values())


def validator(name):
    return jsonschema.Draft202012Validator(SCHEMAS[name], registry=_REGISTRY)


def errors(name, instance):
    return [error.message for error in validator(name).iter_errors(instance)]


def text(name):
    return (PLATFORM / name).read_text(encoding="utf-8")


def blocks(name, language):
    """The fenced blocks of one language in a document."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text(name), re.MULTILINE | re.DOTALL)
