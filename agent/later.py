"""Modules that a library imports at its head and hardly ever uses, or could do without. Knows no library."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """Stands where a module will be; the first look at anything of it imports the real one."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(import_module(self.__name__), name)  # which puts itself where we stood


@contextmanager
def without(name: str) -> Iterator[None]:
    """Whoever tries to import the module `name` within finds none, and takes what it has instead; unless it is here already."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # what the import system takes for "there is none"
    try:
        yield
    finally:
        del sys.modules[name]


@contextmanager
def later(name: str) -> Iterator[None]:
    """Whoever imports the submodule `name` within gets a stand-in, unless it is here already."""
    package, _, child = name.rpartition(".")
    if name in sys.modules:
        yield
        return
    stand_in = _Later(name)
    sys.modules[name] = stand_in
    setattr(import_module(package), child, stand_in)
    try:
        yield
    finally:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]
