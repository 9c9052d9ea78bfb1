"""The name of the value that SQLAlchemy fills in on the Python side."""

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

    A lambda that calls a function of the ``uuid`` module, like ``lambda: str(uuid4())``, gets that function's name.
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
    """``module.qualified_name`` of a callable, inside SQLAlchemy's wrapper and functools.partial."""
    target = _unwrapped(function)
    if isinstance(target, functools.partial):
        return dotted(target.func)
    if isinstance(target, FunctionType) and target.__name__ == "<lambda>":
        maker = _uuid_maker(target)
        if maker is not None:
            return maker
    owner = getattr(target, "__self__", None)
    module = getattr(target, "__module__", None) or getattr(owner, "__module__", None) or type(target).__module__
    name = getattr(target, "__qualname__", None) or type(target).__qualname__
    return f"{module}.{name}"


def _unwrapped(function: Any) -> Any:
    """The function inside CallableColumnDefault's lambda, which has it as ``fn`` (and no __wrapped__ for a partial)."""
    target = inspect.unwrap(function)
    if isinstance(target, FunctionType) and target.__code__.co_freevars == ("fn",) and target.__closure__:
        return inspect.unwrap(target.__closure__[0].cell_contents)
    return target


def _uuid_maker(function: FunctionType) -> str | None:
    """The function of ``uuid`` that the lambda's code calls, directly or as an attribute of the module."""
    for name in function.__code__.co_names:
        value = function.__globals__.get(name, getattr(uuid, name, None) if _uses_module(function) else None)
        if isinstance(value, FunctionType) and value in _UUID_MAKERS:
            return _UUID_MAKERS[value]
    return None


def _uses_module(function: FunctionType) -> bool:
    return any(function.__globals__.get(name) is uuid for name in function.__code__.co_names)
