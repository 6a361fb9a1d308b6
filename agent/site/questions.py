"""What a wizard asks, as data, and what it makes of the answers: the text of a configuration. Asks nobody itself."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from agent.catalogue import languages
from agent.links.route import RouteConfig
from drivers import address
from protocols.envelope import is_area, is_station

Answers = Mapping[str, str]


def _anything(_text: str) -> bool:
    return True


def _areas(text: str) -> bool:
    return all(is_area(one) and one != "all" for one in _words(text))


def _zone(text: str) -> bool:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(text)
    except (OSError, ValueError, KeyError):
        return False
    return True


def _broker(text: str) -> bool:
    try:
        RouteConfig(name="platform", url=text).endpoint  # noqa: B018 - raises for what is no address
    except ValueError:
        return False
    return True


def is_port(text: str) -> bool:
    return address.parse(text)[0] is not None


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text) <= 247


def as_port(text: str) -> str:
    """A device's file is a port, too: /dev/ttyUSB0, at the speed that most sensors leave their makers with."""
    return f"serial://{text}?baud=9600" if text.startswith("/") else text


class Question(NamedTuple):
    """`when` names the answer without which it is not asked; `empty`: it may be left out; `read` makes of what was typed
    what is meant.
    """

    name: str
    usual: str = ""
    good: Callable[[str], bool] = _anything
    empty: bool = True
    when: str = ""
    read: Callable[[str], str] = str.strip

    @property
    def code(self) -> str:
        return f"init.ask.{self.name}"


QUESTIONS = (
    Question("id", good=is_station, empty=False),
    Question("name"),
    Question("areas", good=_areas),
    Question("timezone", "Asia/Shanghai", _zone, empty=False),
    Question("language", "zh", lambda text: text in languages(), empty=False),
    Question("broker", good=_broker),
    Question("ca", when="broker"),
    Question("username", when="broker"),
    Question("password", when="username"),
    Question("port", good=is_port, read=as_port),
    Question("profile", when="port", empty=False),
    Question("unit", "1", _number, empty=False, when="port"),
    Question("keyset"),
    Question("roots", when="keyset", empty=False),
    Question("siren_port", good=is_port, when="keyset", read=as_port),
    Question("siren_board", "waveshare-8ch", when="siren_port", empty=False),
    Question("siren_channel", "1", _number, empty=False, when="siren_port"),
)
CREDENTIALS = "platform.credentials"
# Which answers a table is made of, by the first word of its label.
MADE_OF = {
    "station": ("id", "name", "areas", "timezone", "language"),
    "route": ("broker", "ca", "username", "password"),
    "bus": ("port", "siren_port"),
    "sensor": ("port", "profile", "unit"),
    "warnings": ("areas", "keyset", "roots"),
    "actuator": ("siren_port", "siren_board", "siren_channel"),
}


def concerned(tables: Iterable[str]) -> set[str]:
    """The questions to ask anew where the check of what they made found fault with these tables; all, where it is unknown."""
    kinds = [table.split()[0] if table else "" for table in tables]
    if any(kind not in MADE_OF for kind in kinds):
        return {one.name for one in QUESTIONS}
    return {name for kind in kinds for name in MADE_OF[kind]}


def compose(answers: Answers) -> str:
    """The configuration as a person would write it."""
    tables = [_table("station", _station(answers))]
    if answers.get("broker"):
        tables.append(_table("[route]", _route(answers)))
    if answers.get("port"):
        tables.append(_table("[bus]", {"name": "field", "url": answers["port"]}))
        sensor = {
            "name": answers["profile"],
            "bus": "field",
            "profile": answers["profile"],
            "unit": int(answers["unit"]),
        }
        tables.append(_table("[sensor]", sensor))
    if answers.get("keyset"):
        warnings = {"keyset": answers["keyset"], "roots": _words(answers["roots"])}
        tables.append(_table("warnings", warnings))
    if answers.get("siren_port"):
        tables += _siren(answers)
    return "\n".join(tables)


def credentials(answers: Answers) -> str:
    """The text of the file with the broker's user and password; empty where none is wanted."""
    if not answers.get("username"):
        return ""
    lines = {"username": answers["username"], "password": answers.get("password", "")}
    return "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in lines.items())


def _station(answers: Answers) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: answers[name] for name in ("id", "name", "timezone", "language") if answers.get(name)
    }
    found["areas"] = _words(answers.get("areas", ""))
    return found | ({"state": answers["state"]} if answers.get("state") else {})


def _route(answers: Answers) -> dict[str, Any]:
    route = {"name": "platform", "url": answers["broker"]}
    route |= {"ca": answers["ca"]} if answers.get("ca") else {}
    return route | ({"credentials": CREDENTIALS} if answers.get("username") else {})


def _siren(answers: Answers) -> list[str]:
    """On a bus of its own: a slow sensor must not stand in its way."""
    siren = {"name": "siren", "driver": "modbus-relay", "board": answers["siren_board"], "bus": "siren-bus", "unit": 1}
    return [
        _table("[bus]", {"name": "siren-bus", "url": answers["siren_port"]}),
        _table("[actuator]", siren | {"channel": int(answers["siren_channel"])}),
    ]


def _table(name: str, facts: Mapping[str, Any]) -> str:
    """JSON's strings, numbers and lists of them are TOML's, too."""
    return "\n".join(
        [f"[{name}]", *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in facts.items()), ""]
    )


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()
