"""The name of the value that SQLAlchemy fills in on the Python side."""

from __future__ import annotations

import datetime
import functools
import inspect
import uuid
from types import FunctionType
from typing import Any

from sqlalchemy import Column, Sequence, exc
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import ClauseElement

_UUID_MAKERS = {getattr(uuid, name): f"uuid.{name}" for name in ("uuid1", "uuid3", "uuid4", "uuid5")}
_NAMES = {"str", "hex", *(maker.__name__ for maker in _UUID_MAKERS)}
"""What such a function may use: the makers, and what spells a UUID."""


def python_default(column: Column[Any]) -> str | None:
    """The dotted name of the callable, the SQL of an expression, or the repr of the value; None without a default.

    A function that returns what one of the ``uuid`` module's makers gives, like ``lambda: str(uuid4())``, is named for
    that; not one that adds to it, like ``lambda: f"usr_{uuid4()}"``.
    """
    return _named(column.default)


def python_onupdate(column: Column[Any]) -> str | None:
    """What ``onupdate`` fills in at each UPDATE, as `python_default` says it."""
    return _named(column.onupdate)


def _named(default: Any) -> str | None:
    if default is None:
        return None
    if isinstance(default, Sequence):
        return f"Sequence({str(default.name)!r})"
    value = getattr(default, "arg", None)
    if getattr(default, "is_callable", False):
        return dotted(value)
    if isinstance(value, ClauseElement):
        return _sql(value)
    return repr(value)


def _sql(value: ClauseElement) -> str:
    """The SQL of an expression; the name of its class, if PostgreSQL has none for it."""
    try:
        return str(value)
    except exc.CompileError:
        pass  # an element of the application's own that it can only say to PostgreSQL
    try:
        return str(value.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
    except exc.CompileError:
        return type(value).__name__


def dotted(function: Any) -> str:
    """``module.qualified_name`` of a callable, inside SQLAlchemy's wrapper and functools.partial."""
    target = _unwrapped(function)
    if isinstance(target, functools.partial):
        return dotted(target.func)
    if isinstance(target, FunctionType) and _adds_nothing(target):
        maker = _uuid_maker(target)
        if maker is not None:
            return maker
    if isinstance(target, FunctionType) and _is_naive_utc(target):
        return "datetime.datetime.utcnow"
    if isinstance(target, FunctionType) and _is_naive_now(target):
        return "datetime.datetime.now"
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


def _is_naive_utc(function: FunctionType) -> bool:
    """Whether a function gives the time of ``utcnow()``, which has no zone, and adds none: cut to seconds, say."""
    code = function.__code__
    words = {word for constant in code.co_consts if isinstance(constant, tuple) for word in constant}
    aware = {"tzinfo", "timezone", "UTC", "utc", "pytz", "astimezone", "localize"}
    return "utcnow" in code.co_names and not aware & {*code.co_names, *words}


def _is_naive_now(function: FunctionType) -> bool:
    """Whether a function does nothing but call ``datetime.now()``, maybe cut to seconds: no zone can come in."""
    code, names = function.__code__, function.__globals__
    clocks = {name for name in code.co_names if any(names.get(name) is it for it in (datetime, datetime.datetime))}
    # An argument, a local name or one of an outer function may be a zone.
    if not clocks or code.co_freevars or code.co_varnames:
        return False
    return "now" in code.co_names and {*code.co_names} <= {*clocks, "datetime", "now", "replace"}


def _adds_nothing(function: FunctionType) -> bool:
    """Whether its code does nothing but call a maker and spell the result."""
    code = function.__code__
    constants = {constant for constant in code.co_consts if constant is not None and constant != function.__doc__}
    return not constants and len(code.co_names) <= 3 and set(code.co_names) <= {*_NAMES, *_named_uuid(function)}


def _named_uuid(function: FunctionType) -> set[str]:
    """The names in its module that stand for a maker, or for the module of the makers."""
    code, names = function.__code__, function.__globals__
    return {name for name in code.co_names if names.get(name) is uuid or _is_maker(names.get(name))}


def _is_maker(value: Any) -> bool:
    return isinstance(value, FunctionType) and value in _UUID_MAKERS


def _uuid_maker(function: FunctionType) -> str | None:
    """The function of ``uuid`` that the lambda's code calls, directly or as an attribute of the module."""
    for name in function.__code__.co_names:
        value = function.__globals__.get(name, getattr(uuid, name, None) if _uses_module(function) else None)
        if isinstance(value, FunctionType) and value in _UUID_MAKERS:
            return _UUID_MAKERS[value]
    return None


def _uses_module(function: FunctionType) -> bool:
    return any(function.__globals__.get(name) is uuid for name in function.__code__.co_names)
