"""`fengsui init`: from a bare computer to a configuration that is right, and a station that has an identity."""

import argparse
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.common import DEFAULT_CONFIG, complain, print_json, told, with_config, with_json

if TYPE_CHECKING:
    from agent.finding import Finding
    from agent.site.questions import Question
    from agent.site.setup import Made

UNIT_STATE = "/var/lib/fengsui"  # StateDirectory= of the unit
TRIES = 3  # wrong answers to one question from a file or a pipe are one; a person may mistype
NOTHING = "-"  # typed, where something stands in brackets that is not wanted
PORT_FOLDERS = ("/dev/fengsui", "/dev/serial/by-path")


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "init",
        description="Ask what a station needs to know, check it, write the configuration, make the station's keys, a "
        "certificate request and a QR code of its public identity. Or open a signed site pack, and ask three things.",
        epilog="Exit codes: 0 the station is set up; 1 the pack is not to be believed; 2 answers or files are wrong, or "
        "there is a configuration already: nothing is ever replaced. Without --pack and --answers a second run makes what is "
        "missing beside the configuration and shows the identity again.",
    )
    with_config(verb)
    with_json(verb)
    verb.add_argument("--pack", type=Path, help="a site pack from `fengsui provision`")
    verb.add_argument("--answers", type=Path, metavar="TOML", help="the answers, instead of being asked")
    verb.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from agent.cli.language import speak
    from protocols.errors import LocalError

    try:
        given = _given(options.answers)
        if given and not options.lang:
            speak(given.get("language", ""))
        if options.config.exists():
            return _there(options)
        if options.pack:
            return _set_up(_from_pack(options.pack, given), options)
        return _set_up(_asked(_answers(given, _state(options.config)), given, options), options)
    except LocalError as wrong:
        complain("init.refused", why=str(wrong))
        return 1 if wrong.reason.startswith("pack-") else 2
    except EOFError:
        complain("init.ended")
        return 2
    except (OSError, ValueError) as wrong:
        complain("init.failed", why=told(wrong))
        return 2


def _set_up(files: Mapping[str, bytes], options: argparse.Namespace) -> int:
    from agent.site.setup import settle, tried

    options.config.parent.mkdir(parents=True, exist_ok=True)
    findings = tried(files, options.config)
    if findings:
        _show_findings(findings, options)
        return 2
    made = settle(files, options.config)
    _show(made, as_json=options.json)
    return 0


def _given(file: Path | None) -> dict[str, str] | None:
    """Answers as text, whatever TOML calls them; None where a person is to be asked."""
    if file is None:
        return None
    return {name: _text(value) for name, value in tomllib.loads(file.read_text("utf-8")).items()}


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _state(config: Path) -> str:
    """Where the unit keeps it, said outright: a command by hand must find the same keys as the service."""
    return UNIT_STATE if config.parent == Path(DEFAULT_CONFIG).parent else ""


def _there(options: argparse.Namespace) -> int:
    """A second run: the configuration stays, and what should lie beside it is made where it is missing, and shown."""
    from agent.site.setup import complete

    complain("init.exists", file=options.config)
    if options.pack or options.answers:
        return 2
    _show(complete(options.config), as_json=options.json)
    return 0


def _answers(given: Mapping[str, str] | None, state: str) -> dict[str, str]:
    from agent.site.questions import QUESTIONS

    strange = (given or {}).keys() - {"state"} - {one.name for one in QUESTIONS}
    if strange:
        raise ValueError(f"{min(strange)}: no such question; known are {', '.join(one.name for one in QUESTIONS)}")
    answers = {"state": (given or {}).get("state", state)}
    for question in QUESTIONS:
        if not question.when or answers.get(question.when):
            answers[question.name] = _answer(question, given, ports=", ".join(_ports()) or "-")
    return answers


def _asked(answers: dict[str, str], given: Mapping[str, str] | None, options: argparse.Namespace) -> dict[str, bytes]:
    """The files that the answers make. A person whose answers do not stand the check is asked anew, and for those alone."""
    from agent.site.questions import QUESTIONS, concerned
    from agent.site.setup import tried

    options.config.parent.mkdir(parents=True, exist_ok=True)
    files = _files(answers)
    for _ in range(TRIES if given is None else 0):
        if not (findings := tried(files, options.config)):
            break
        _show_findings(findings, options)
        complain("init.again")
        wrong = concerned(one.table for one in findings)
        for question in (one for one in QUESTIONS if one.name in wrong):
            if not question.when or answers.get(question.when):
                usual = question._replace(usual=answers.get(question.name) or question.usual)
                answers[question.name] = _answer(usual, None, ports=", ".join(_ports()) or "-")
        files = _files(answers)
    return files


def _files(answers: Mapping[str, str]) -> dict[str, bytes]:
    from agent.site.pack import CONFIG
    from agent.site.questions import CREDENTIALS, compose, credentials

    secret = credentials(answers)
    return {CONFIG: compose(answers).encode()} | ({CREDENTIALS: secret.encode()} if secret else {})


def _from_pack(file: Path, given: Mapping[str, str] | None) -> dict[str, bytes]:
    """Three answers: whose pack it is, that this is the place, and which port."""
    import json

    from agent.clock import BUILD_TIME
    from agent.site.pack import CONFIG, MOST_BYTES, open_pack
    from agent.site.provision import PORT
    from agent.site.questions import Question, as_port, is_port

    with file.open("rb") as stream:
        data = stream.read(MOST_BYTES + 1)
    now = max(int(time.time()), BUILD_TIME)  # a computer without a clock chip knows no better
    pack = open_pack(data, _answer(Question("office", empty=False), given), now)
    if _answer(Question("here", empty=False), given, station=pack.station).lower() not in ("yes", "y", "是"):
        raise ValueError(pack.station)
    port = _answer(
        Question("pack_port", good=is_port, empty=False, read=as_port), given, ports=", ".join(_ports()) or "-"
    )
    text = pack.files[CONFIG].decode().replace(PORT, json.dumps(port)[1:-1])
    return {**pack.files, CONFIG: text.encode()}


def _answer(question: "Question", given: Mapping[str, str] | None, **facts: Any) -> str:
    """Given, or asked until it is one. ValueError: the file's is none, or a person gave up."""
    from agent.say import say

    if given is not None:
        answer = question.read(given.get(question.name, question.usual))
        if _fits(question, answer):
            return answer
        raise ValueError(say("init.wrong", name=question.name, value=answer))
    for _ in range(TRIES):
        print(say(question.code, **facts), file=sys.stderr)
        answer = question.read(input(f"[{question.usual}] " if question.usual else "> ").strip()) or question.usual
        answer = "" if answer == NOTHING else answer
        if _fits(question, answer):
            return answer
        complain("init.wrong", name=question.name, value=answer)
    raise ValueError(say("init.gave_up", name=question.name))


def _fits(question: "Question", answer: str) -> bool:
    return question.good(answer) if answer else question.empty


def _ports() -> Iterator[str]:
    """By names that stay."""
    for folder in map(Path, PORT_FOLDERS):
        if folder.is_dir():
            yield from (f"serial://{one}?baud=9600" for one in sorted(folder.iterdir()))


def _show_findings(findings: "list[Finding]", options: argparse.Namespace) -> None:
    if options.json:
        print_json({"ok": False, "findings": [one.as_json() for one in findings]})
        return
    for one in findings:
        complain("init.finding", table=one.table, key=one.problem.key, text=one.as_json()["text"])
    complain("config.findings", count=len(findings), file=options.config)


def _show(made: "Made", *, as_json: bool) -> None:
    from agent.say import say

    identity = made.identity
    facts = {"station": identity.station, "key": identity.key, "narrow": identity.narrow}
    facts |= {"fingerprint": identity.fingerprint, "config": str(made.config), "request": str(made.request)}
    if as_json:
        print_json({"ok": True, **facts, "qr": identity.text, "label": str(made.label)})
        return
    if sys.stdout.isatty():
        identity.qr().terminal(compact=True)
    for name in ("station", "key", "narrow", "fingerprint", "request"):
        print(say(f"init.{name}", value=facts[name]))
    print(say("init.done", file=made.config, label=made.label))
