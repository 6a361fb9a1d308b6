"""One mistake of a configuration as an operator is told it: file, table, key, and a sentence."""

from dataclasses import dataclass
from typing import Any

from agent.say import say
from drivers.api import Problem


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake: where it stands and what to do, in words when asked."""

    file: str
    table: str
    problem: Problem

    @property
    def where(self) -> str:
        table = f"[{self.table}]" if self.table else ""
        return f"{self.file}: {table} {self.problem.key}".rstrip(": ").replace(":  ", ": ")

    def __str__(self) -> str:
        return f"{self.where}: {say(self.problem.code, key=self.problem.key, **self.problem.facts)}"

    def as_json(self) -> dict[str, Any]:
        facts = {name: str(value) for name, value in self.problem.facts.items()}
        return {
            "file": self.file,
            "table": self.table,
            "key": self.problem.key,
            "code": self.problem.code,
            "facts": facts,
            "text": say(self.problem.code, key=self.problem.key, **self.problem.facts),
        }
