"""One line of a check-up: what was looked at, how it is, and the code of the sentence that says what to do."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

from agent.say import say


class State(Enum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Line(NamedTuple):
    check: str
    state: State
    code: str
    facts: Mapping[str, Any] = {}

    def __str__(self) -> str:
        return say(self.code, **self.facts)

    def as_json(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "state": self.state.value,
            "code": self.code,
            "facts": dict(self.facts),
            "text": str(self),
        }


def ok(check: str, code: str, **facts: Any) -> Line:
    return Line(check, State.OK, code, facts)


def warn(check: str, code: str, **facts: Any) -> Line:
    return Line(check, State.WARN, code, facts)


def fail(check: str, code: str, **facts: Any) -> Line:
    return Line(check, State.FAIL, code, facts)
