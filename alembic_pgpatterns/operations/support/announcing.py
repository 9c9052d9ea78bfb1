"""Directives that are there by name, and imported when somebody asks for one."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any


class Announced:
    """Stands for a method of a class until it is asked for; the module that has it then puts it in this place."""

    def __init__(self, holder: type, name: str, home: str) -> None:
        self._holder = holder
        self._name = name
        self._home = home

    def __get__(self, instance: object, owner: type) -> Any:
        import_module(self._home)
        if vars(self._holder).get(self._name) is self:
            raise AttributeError(f"{self._home} brings no {self._name!r}")
        return getattr(owner if instance is None else instance, self._name)


def announce(holder: type, homes: Mapping[str, str]) -> None:
    """Give the class methods by name, each with the module that registers it when it is imported."""
    for name, home in homes.items():
        if name not in vars(holder):
            # Past Alembic's metaclass, which would write a function of ``alembic.op`` for it, and so ask for it.
            type.__setattr__(holder, name, Announced(holder, name, home))


def announce_on_module(module: ModuleType, homes: Mapping[str, str]) -> None:
    """The same for a module whose functions Alembic writes after the methods of a class."""
    names = vars(module)

    def __getattr__(name: str) -> Any:
        if name in homes:
            import_module(homes[name])
        if name not in names:
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        return names[name]

    names["__getattr__"] = __getattr__
    names["__dir__"] = lambda: sorted({*names, *homes})
