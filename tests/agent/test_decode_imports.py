"""`fengsui decode` of other systems' warnings: what a person gets to see of every sample, and how it ends."""

import io
import json
import re
from contextlib import redirect_stderr, redirect_stdout

import pytest

from agent import catalogue, cli
from tests.support.samples import SAMPLES, names
from tests.support.sentences import sentences
from tests.support.tree import ROOT

DOCUMENT = (ROOT / "docs" / "platform" / "imports.md").read_text(encoding="utf-8")
CODES = re.findall(r"`([a-z0-9-]+)`", DOCUMENT[DOCUMENT.index("## Codes") : DOCUMENT.index("## Sources")])

KINDS = {"cap-oasis": "cap", "cap-feeds": "cap", "cn-12379": "12379", "cn-ebm": "ebm", "hostile": "cap"}
FILES = [(kind, f"{folder}/{name}") for folder, kind in KINDS.items() for name in names(folder)]
# What cannot be passed on, and why; every other sample is read.
REFUSED = {
    "hostile/xee.cap": "doctype",
    "hostile/xee.atom": "doctype",
    "cap-oasis/CAP-v1.2.xsd": "wrong-namespace",
    "cap-feeds/environment_canada_x509_cert.pem": "bad-xml",
    "cap-feeds/naads_x509_cert.pem": "bad-xml",
}


def decode(*arguments):
    said, heard = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(heard):
        code = cli.main(["--lang", "en", "decode", *map(str, arguments)])
    return code, [json.loads(line) for line in said.getvalue().splitlines()], heard.getvalue()


@pytest.mark.parametrize(("kind", "name"), FILES, ids=[name for _, name in FILES])
def test_every_sample_is_read_or_refused_with_a_reason(kind, name):
    code, (row,), heard = decode(kind, SAMPLES / name)
    wrong = [part["error"] for part in (row, *row.get("alerts", ())) if "error" in part]
    assert code == (1 if wrong else 0)
    assert wrong[:1] == [REFUSED[name]] if name in REFUSED else set(wrong) <= set(CODES)
    for part in (row, *row.get("alerts", ())):
        for noticed in (part.get("error"), *(note["code"] for note in part.get("notes", ()))):
            assert noticed is None or noticed in CODES
    assert "import." not in heard, "every code has its sentence"


def test_an_alert_that_cannot_be_read_makes_the_command_fail():
    code, (row,), heard = decode("cap", SAMPLES / "cap-feeds" / "canada_errors.cap")
    assert code == 1
    assert "error" not in row
    assert row["alerts"][0]["error"] == "no-references"
    assert "does not say of what" in heard


def test_a_camf_message_is_read_from_its_digits():
    code, (row,), _ = decode("camf", "0" * 32)
    assert (code, row["error"]) == (1, "camf-reserved")
    code, (row,), heard = decode("camf", "00" * 15)
    assert (code, row["error"]) == (1, "camf-length")
    assert "16 bytes" in heard


@pytest.mark.parametrize("language", catalogue.languages())
def test_every_documented_code_has_a_sentence_and_none_is_invented(language):
    told = {code.removeprefix("import.") for code in sentences(language) if code.startswith("import.")}
    assert told == set(CODES)
