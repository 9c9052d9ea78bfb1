"""Directives that are registered by name, and imported at their first use."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any


class Announced:
    """A placeholder for a method of a class. At first use it imports the module, which replaces it by the method."""

    def __init__(self, holder: type, name: str, home: str) -> None:
        self._holder = holder
        self._name = name
        self._home = home

    def __get__(self, instance: object, owner: type) -> Any:
        import_module(self._home)
        if vars(self._holder).get(self._name) is self:
            raise AttributeError(f"{self._home} does not define {self._name!r}")
        return getattr(owner if instance is None else instance, self._name)


def announce(holder: type, homes: Mapping[str, str]) -> None:
    """Add placeholders for methods to a class: by name, the module that registers the method when imported."""
    for name, home in homes.items():
        if name not in vars(holder):
            # type.__setattr__ avoids Alembic's metaclass: it would write a function of ``alembic.op`` for the name
            # at once, and for that look the method up.
            type.__setattr__(holder, name, Announced(holder, name, home))


def announce_on_module(module: ModuleType, homes: Mapping[str, str]) -> None:
    """The same for ``alembic.op``, whose functions Alembic writes from the methods of a class."""
    names = vars(module)

    def __getattr__(name: str) -> Any:
        if name in homes:
            import_module(homes[name])
        if name not in names:
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        return names[name]

    names["__getattr__"] = __getattr__
    names["__dir__"] = lambda: sorted({*names, *homes})
