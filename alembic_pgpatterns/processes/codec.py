"""Plain data as text and back, for messages between the project's process and its parent.

The project's process runs code that we do not know, so the parent never unpickles what it sends. The decoder creates
only JSON values, containers of them, and instances of dataclasses and enums from the modules listed here.
"""

from __future__ import annotations

import base64
import enum
import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

_ROOMS = (
    "alembic_pgpatterns.runner.",
    "alembic_pgpatterns.schema.",
    "alembic_pgpatterns.remedies.",
    "alembic_pgpatterns.patterns._described:",
    "alembic_pgpatterns.revisions.",
    "alembic_pgpatterns.server.real_database:",
    "alembic_pgpatterns.fences.allowed:",
)


class CodecError(Exception):
    """A value that is not plain data, or a text that `encode` did not make."""


def encode(value: Any) -> bytes:
    """The value as JSON text.

    Raises:
        CodecError: it contains something that is not plain data.
    """
    return json.dumps(_plain(value), separators=(",", ":")).encode()


def decode(text: bytes) -> Any:
    """The value of a text from `encode`.

    Raises:
        CodecError: the text is damaged, or names a class that is not allowed.
    """
    try:
        return _value(json.loads(text))
    except CodecError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise CodecError(f"{type(error).__name__}: {error}") from error


def _plain(value: Any) -> Any:
    kind: Any = type(value)
    if value is None or kind in (str, int, float, bool):
        return value
    maker = _MAKERS.get(kind)
    if maker is not None:
        return maker(value)
    if isinstance(value, enum.Enum):
        return ["e", _name_of(kind), _plain(value.value)]
    if is_dataclass(value) and not isinstance(value, type):
        return ["c", _name_of(kind), _changed(value)]
    return _base_of(value)


def _kind(value: Any) -> Any:
    return type(value)


def _base_of(value: Any) -> Any:
    """The plain base type of a subclass: SQLAlchemy's names are subclasses of str."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool | int | float):
        return type(value).__mro__[-2](value)
    for kind, maker in _MAKERS.items():
        if isinstance(value, kind):
            return maker(value)
    if isinstance(value, Mapping):
        return _MAKERS[dict](dict(value))
    if isinstance(value, Path):
        return str(value)
    raise CodecError(f"{type(value).__module__}.{type(value).__qualname__} is not plain data")


def _items(letter: str) -> Callable[[Any], list[Any]]:
    return lambda value: [letter, *map(_plain, value)]


_MAKERS: dict[type, Callable[[Any], list[Any]]] = {
    tuple: _items("t"),
    list: _items("l"),
    frozenset: _items("f"),
    set: _items("s"),
    dict: lambda value: ["d", *(_plain(part) for pair in value.items() for part in pair)],
    bytes: lambda value: ["b", base64.b85encode(value).decode()],
}


def _changed(value: Any) -> dict[str, Any]:
    """The fields whose value is not the default."""
    result = {}
    for name, default in _defaults(_kind(value)):
        content = getattr(value, name)
        # True == 1 == 1.0, so equal values may still be different data.
        if content is not default and not (type(content) is type(default) and content == default):
            result[name] = _plain(content)
    return result


@cache
def _defaults(kind: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((item.name, _default(item)) for item in fields(kind) if item.init)


def _default(item: Any) -> Any:
    return item.default_factory() if item.default_factory is not MISSING else item.default


@cache
def _name_of(kind: Any) -> str:
    name = f"{kind.__module__}:{kind.__qualname__}"
    if not name.startswith(_ROOMS):
        raise CodecError(f"{name} is not one of the allowed classes")
    return name


def _value(plain: Any) -> Any:
    if not isinstance(plain, list):
        if isinstance(plain, dict):
            raise CodecError("an object where a value should be")
        return plain
    letter, *content = plain
    if letter == "c":
        name, fields = content
        return _class_of(name)(**{key: _value(item) for key, item in fields.items()})
    if letter == "e":
        name, member = content
        return _class_of(name)(_value(member))
    if letter == "b":
        return base64.b85decode(content[0])
    if letter == "d":
        parts = list(map(_value, content))
        return dict(zip(parts[::2], parts[1::2], strict=True))
    return _CONTAINERS[letter](map(_value, content))


_CONTAINERS: dict[str, Callable[[Any], Any]] = {"t": tuple, "l": list, "f": frozenset, "s": set}


@cache
def _class_of(name: str) -> Any:
    module, _, path = name.partition(":")
    if not name.startswith(_ROOMS) or "." in path:
        raise CodecError(f"{name} is not one of the allowed classes")
    kind = getattr(importlib.import_module(module), path, None)
    if (
        not isinstance(kind, type)
        # A module also has the names that it imports, which must not be reached through it.
        or kind.__module__ != module
        or not (is_dataclass(kind) or issubclass(kind, enum.Enum))
    ):
        raise CodecError(f"{name} is not one of the allowed classes")
    return kind
