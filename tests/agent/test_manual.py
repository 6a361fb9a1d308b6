"""The manual page, in both languages: rendered by those who print such pages, and complete."""

import os
import re
import shutil
import subprocess

import pytest

from agent import say
from agent.cli.manual import page
from agent.cli.tree import whole

RENDERERS = {
    "groff": ["groff", "-man", "-K", "utf8", "-T", "utf8", "-ww"],
    "mandoc": ["mandoc", "-K", "utf-8", "-T", "utf8", "-W", "error"],
}
MACROS = {"TH", "SH", "SS", "TP", "PP", "RS", "RE", "nf", "fi", "B", "ad"}


@pytest.fixture(params=["en", "zh"])
def roff(request):
    say.choose(request.param)
    yield "\n".join(page(whole())) + "\n"
    say.choose("en")


@pytest.mark.parametrize("renderer", RENDERERS)
def test_it_is_rendered_without_a_complaint(roff, renderer):
    if shutil.which(renderer) is None:
        assert renderer != "groff" or os.environ.get("CI") != "true", "groff is not installed"
        pytest.skip(f"{renderer} is not installed: the page's macros alone are held")
    done = subprocess.run(RENDERERS[renderer], input=roff.encode(), capture_output=True, check=False)
    assert (done.returncode, done.stderr.decode()) == (0, "")
    text = re.sub(r"\x1b\[[\d;]*m|.\x08", "", done.stdout.decode())
    flat = re.sub(r"\s+", " ", text)
    for node in whole().walk():
        assert f"fengsui {node.path}".rstrip() in flat
        assert [option.names[-1] for option in node.options if option.names[-1] not in flat] == []


def test_only_macros_of_man_and_nested_as_they_must_be(roff):
    lines = roff.splitlines()
    assert {line[1:].split(" ")[0] for line in lines if line.startswith(".")} == MACROS
    assert lines[0].startswith(".TH FENGSUI 1 ")
    for opening, closing in ((".RS", ".RE"), (".nf", ".fi")):
        assert lines.count(opening) == lines.count(closing) > 0
    assert [line for line in lines if line.startswith("'") or not line] == []


def test_both_languages_have_the_same_sections():
    pages = []
    for language in ("en", "zh"):
        say.choose(language)
        pages.append([line for line in page(whole()) if line.startswith((".SH", ".SS"))])
    say.choose("en")
    assert len(pages[0]) == len(pages[1])
    assert all(re.search(r"[一-鿿]", line) for line in pages[1] if line.startswith(".SH"))
