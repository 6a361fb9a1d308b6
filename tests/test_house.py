"""The rules of the house that a machine can hold: names, heads, links, versions."""

import ast
import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support.tree import LAYERS, ROOT, files, modules, parsed

# From the root of the tree these would hide a module of the standard library, or read as if they were it.
SHADOWING = {"warnings.py", "signal.py", "queue.py", "platform.py", "select.py"}

# A developer's machine has no place in the tree. Pieces are joined so that this line does not name one.
HOMES = ("home", "root", "tmp", "Users", "work", "mnt")
MACHINE_PATH = re.compile(rf"(?<![\w.\-/}}~]){'/'}(?:{'|'.join(HOMES)}){'/'}[\w.]")
# Designs and notes that are not in the tree cannot be looked up by whoever reads the code.
ABSENT_DOCUMENT = re.compile(r"\b(?:DESIGN|STYLE|CONTRACT)(?:\.md| ?§)|\breference/\w+\.md|\bissue ?\d\.md|\bshared/")
# A tool that is told to pass a line over and not why: the next reader cannot tell whether it still has to.
SILENCED = re.compile(r"# (?:noqa|type: ignore)(?:: [A-Z]+\d+(?:, [A-Z]+\d+)*|\[[\w, -]+\])?\s*$")
INDEX_ADDRESS = re.compile(r"--(?:extra-)?index-url|resolved\": \"http")

TEXT = {".py", ".md", ".toml", ".service", ".rules", ".sysusers", ".tmpfiles", ".sql", ".yaml", ".yml", ".json", ".cfg"}


def texts():
    named = [path for path in files() if path.suffix in TEXT or path.name in {"Makefile", "run", "requirements.lock"}]
    return [path for path in named if not {"captures", "vectors"} & set(path.relative_to(ROOT).parts)]


def findings(pattern, paths):
    return [
        f"{path.relative_to(ROOT)}:{number}: {match.group()}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (match := pattern.search(line))
    ]


def test_no_module_hides_one_of_the_standard_library():
    assert [str(path) for path in files(".py") if path.name in SHADOWING] == []


@pytest.mark.parametrize("folder", [*LAYERS, "benchmarks"])
def test_every_file_says_at_its_head_what_it_is(folder):
    silent = [
        str(path.relative_to(ROOT))
        for path in modules(folder)
        if path.stat().st_size and ast.get_docstring(parsed(path)) is None
    ]
    assert silent == []


def test_no_path_of_a_developers_machine():
    assert findings(MACHINE_PATH, texts()) == []


def test_no_reference_to_a_document_that_is_not_here():
    assert findings(ABSENT_DOCUMENT, [path for path in texts() if path.name != "test_house.py"]) == []


def test_no_address_of_a_package_index():
    assert findings(INDEX_ADDRESS, [path for path in texts() if path.name != "test_house.py"]) == []


def test_whatever_a_tool_is_told_to_pass_over_says_why():
    assert findings(SILENCED, files(".py")) == []


def test_the_rules_find_what_they_are_for():
    assert MACHINE_PATH.search("open('" + "/tm" + "p/x')")
    assert MACHINE_PATH.search("see " + "/wo" + "rk/notes")
    assert not MACHINE_PATH.search("ExecStart=/opt/fengsui/current/bin/fengsui")
    assert not MACHINE_PATH.search("{root}/warnings/{area}, fengsui/1/" + "root/x")
    assert ABSENT_DOCUMENT.search("as DESIGN" + " §5 says")
    assert SILENCED.search("x  # no" + "qa: E501, N802")
    assert SILENCED.search("x  # ty" + "pe: ignore[misc]")
    assert not SILENCED.search("x  # no" + "qa: E501 - a table")


# Links of the documents

LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)|!\[[^\]\n]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def links(path):
    prose = FENCE.sub("", path.read_text(encoding="utf-8"))
    return [first or second for first, second in LINK.findall(prose)]


def anchors(path):
    """GitHub's rule: lower case, punctuation dropped, spaces to hyphens."""
    prose = FENCE.sub("", path.read_text(encoding="utf-8"))
    heads = re.findall(r"^#+\s+(.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def broken(path):
    for link in links(path):
        if re.match(r"[a-z]+:", link):
            continue  # the network is not asked
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists():
            yield f"{path.relative_to(ROOT)} → {link}: no such file"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            yield f"{path.relative_to(ROOT)} → {link}: no such heading"


def test_links_between_documents_resolve():
    assert [fault for path in files(".md") for fault in broken(path)] == []


def test_every_decision_is_in_its_index():
    index = ROOT / "docs" / "decisions" / "README.md"
    listed = {link.partition("#")[0] for link in links(index)}
    assert sorted(path.name for path in index.parent.glob("*.md") if path != index and path.name not in listed) == []


# Versions: what we ask for, what the gate tests with

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = {
    canonicalize_name(name): Version(version)
    for name, _, version in (
        line.partition("==") for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line
    )
}
ASKED = [
    Requirement(text)
    for group in (PROJECT["dependencies"], *PROJECT.get("optional-dependencies", {}).values())
    for text in group
]


@pytest.mark.parametrize("asked", ASKED, ids=lambda requirement: requirement.name)
def test_every_dependency_has_a_lower_bound_that_the_lock_satisfies(asked):
    assert any(bound.operator in {">=", "~="} for bound in asked.specifier), f"{asked} has no lower bound"
    assert asked.specifier.contains(LOCK[canonicalize_name(asked.name)]), f"{asked} against the lock"


def test_every_layer_is_packaged():
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    include = tool["setuptools"]["packages"]["find"]["include"]
    assert {pattern.rstrip("*") for pattern in include} == set(LAYERS)


def test_every_data_file_of_a_layer_is_packaged():
    """A wheel without its schema or its messages would install, and fail on the pole."""
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "package-data"
    ]
    packaged = {path for layer, globs in patterns.items() for pattern in globs for path in (ROOT / layer).glob(pattern)}
    data = {path for path in files() if path.relative_to(ROOT).parts[0] in LAYERS and path.suffix != ".py"}
    assert sorted(str(path.relative_to(ROOT)) for path in data - packaged) == []


def test_the_changelog_knows_this_version():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## [Unreleased]" in changelog or f"## [{PROJECT['version']}]" in changelog


# Examples in the documents


def blocks(path, language):
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_every_toml_example_is_toml():
    for path in files(".md"):
        for block in blocks(path, "toml"):
            tomllib.loads(block)


def test_the_documents_name_only_commands_that_exist():
    from agent.cli import VERBS

    named = {
        (str(path.relative_to(ROOT)), verb)
        for path in files(".md")
        for verb in re.findall(r"^(?:fengsui|fs) +([a-z]+)\b", "".join(blocks(path, "sh")), re.MULTILINE)
    }
    assert sorted((path, verb) for path, verb in named if verb not in VERBS) == []
    assert set(VERBS) <= {verb for path, verb in named | in_line()}


def in_line():
    """Commands named in running text."""
    return {
        (path.name, verb)
        for path in files(".md")
        for verb in re.findall(r"`(?:fengsui|fs) ([a-z]+)\b", path.read_text(encoding="utf-8"))
    }
