"""Brings home what can be read of a file that was set aside. In small steps, while the agent works."""

from buffer.engine import Engine


class Salvage:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.running = False

    def begin(self) -> None: ...

    def step(self) -> bool:
        return False
