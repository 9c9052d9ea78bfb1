"""What SQLAlchemy fills in on the Python side, by name."""

from __future__ import annotations

import functools
import inspect
import uuid
from types import FunctionType
from typing import Any

from sqlalchemy import Column, Sequence
from sqlalchemy.sql.elements import ClauseElement

_UUID_MAKERS = {getattr(uuid, name): f"uuid.{name}" for name in ("uuid1", "uuid3", "uuid4", "uuid5")}


def python_default(column: Column[Any]) -> str | None:
    """The dotted name of the callable, the SQL of an expression, or the repr of the value; None without a default.

    A lambda that calls one of the ``uuid`` module's makers, like ``lambda: str(uuid4())``, is named for that.
    """
    default = column.default
    if default is None:
        return None
    if isinstance(default, Sequence):
        return f"Sequence({str(default.name)!r})"
    value = getattr(default, "arg", None)
    if getattr(default, "is_callable", False):
        return dotted(value)
    if isinstance(value, ClauseElement):
        return str(value)
    return repr(value)


def dotted(function: Any) -> str:
    """``module.qualified_name`` of a callable, past SQLAlchemy's wrapper and functools.partial."""
    found = _unwrapped(function)
    if isinstance(found, functools.partial):
        return dotted(found.func)
    if isinstance(found, FunctionType) and found.__name__ == "<lambda>":
        maker = _uuid_maker(found)
        if maker is not None:
            return maker
    owner = getattr(found, "__self__", None)
    module = getattr(found, "__module__", None) or getattr(owner, "__module__", None) or type(found).__module__
    name = getattr(found, "__qualname__", None) or type(found).__qualname__
    return f"{module}.{name}"


def _unwrapped(function: Any) -> Any:
    """Past CallableColumnDefault's lambda, which names what it calls ``fn`` and has no __wrapped__ for a partial."""
    found = inspect.unwrap(function)
    if isinstance(found, FunctionType) and found.__code__.co_freevars == ("fn",) and found.__closure__:
        return inspect.unwrap(found.__closure__[0].cell_contents)
    return found


def _uuid_maker(function: FunctionType) -> str | None:
    """The one of ``uuid``'s makers whose name the function's code looks up, by itself or through the module."""
    for name in function.__code__.co_names:
        value = function.__globals__.get(name, getattr(uuid, name, None) if _uses_module(function) else None)
        if isinstance(value, FunctionType) and value in _UUID_MAKERS:
            return _UUID_MAKERS[value]
    return None


def _uses_module(function: FunctionType) -> bool:
    return any(function.__globals__.get(name) is uuid for name in function.__code__.co_names)
