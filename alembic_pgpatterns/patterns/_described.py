"""Patterns of plugins, and what they find, as plain data: their code runs in another process (`_host`)."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from alembic_pgpatterns.patterns._base import Finding, Pattern
from alembic_pgpatterns.patterns._levels import Severity
from alembic_pgpatterns.processes.codec import CodecError, encode
from alembic_pgpatterns.schema.live import LiveObject
from alembic_pgpatterns.schema.origin import Origin

ATTRIBUTES = (
    "folder",
    "severity",
    "action",
    "references",
    "not_when",
    "basis",
    "fold",
    "needs",
    "bad",
    "good",
    "bad_models",
    "good_models",
    "example_version",
    "existing",
    "oldest",
    "of_scope",
    "of_source",
    "runs",
    "models",
)
"""The class attributes of patterns that somebody reads; which of them there are depends on the kind."""

_SCALARS = {"bool": bool, "int": int, "float": float, "str": str, "path": Path}


@dataclass(frozen=True)
class Described:
    """A pattern's class. ``base``: the nearest class of this package that it is derived from, as ``module:name``.

    ``place``: file and line. ``source``: of its module. ``attributes``: by name; of enums, the value. ``options``: the
    name of their class, and the fields.
    """

    name: str
    module: str
    base: str
    doc: str
    place: str
    source: str
    attributes: Mapping[str, Any]
    options: tuple[DescribedOption, ...] = ()


@dataclass(frozen=True)
class DescribedOption:
    """An option of a pattern. ``type``: see `type_data`. ``default``: plain data; ``required``: there is none."""

    name: str
    type: tuple[Any, ...]
    default: Any = None
    required: bool = False
    doc: str = ""


def described(cls: type[Pattern], place: str, docs: Mapping[str, str]) -> Described:
    """A pattern's class as data.

    Args:
        cls: the class.
        place: its file and line.
        docs: of its options, by name.
    """
    base = next(item for item in cls.__mro__ if item.__module__.startswith("alembic_pgpatterns."))
    values = {name: getattr(cls, name) for name in ATTRIBUTES if hasattr(cls, name)}
    return Described(
        cls.__name__,
        cls.__module__,
        f"{base.__module__}:{base.__qualname__}",
        cls.__doc__ or "",
        place,
        _source(cls),
        {name: value.value if isinstance(value, enum.Enum) else value for name, value in values.items()},
        tuple(_options(cls.Options, docs)),
    )


def _source(cls: type[Pattern]) -> str:
    module = inspect.getmodule(cls)
    try:
        return inspect.getsource(module) if module is not None else ""
    except (OSError, TypeError):
        return ""


def _options(owner: type[Any], docs: Mapping[str, str]) -> list[DescribedOption]:
    hints = get_type_hints(owner)
    result = []
    for item in fields(owner):
        default = item.default_factory() if item.default_factory is not MISSING else item.default
        required = default is MISSING
        plain = None if required else plain_value(default)
        result.append(DescribedOption(item.name, type_data(hints[item.name]), plain, required, docs.get(item.name, "")))
    return result


def type_data(kind: Any) -> tuple[Any, ...]:
    """The type of an option as data. Classes that only the plugin has are texts here."""
    if get_origin(kind) in (Union, UnionType):
        return type_data(_without_none(kind))
    if get_origin(kind) is tuple:
        return ("tuple", type_data(get_args(kind)[0]))
    if get_origin(kind) is not None or kind is Mapping:
        return ("mapping",)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return ("enum", kind.__name__, tuple(str(member) for member in kind))
    return (next((name for name, scalar in _SCALARS.items() if scalar is kind), "str"),)


def type_of(data: tuple[Any, ...]) -> Any:
    """The type that `type_data` described; of an enum, one whose members are its texts."""
    name, *rest = data
    if name == "tuple":
        return tuple[type_of(rest[0]), ...]  # type: ignore[misc]
    if name == "mapping":
        return Mapping[str, str]
    if name == "enum":
        return enum.StrEnum(rest[0], {f"member_{number}": text for number, text in enumerate(rest[1])})
    return _SCALARS[name]


def plain_value(value: Any) -> Any:
    """The value of an option as data."""
    if isinstance(value, enum.Enum):
        return str(value)
    if isinstance(value, tuple | list | frozenset | set):
        return tuple(map(plain_value, value))
    if isinstance(value, Mapping):
        return {str(key): plain_value(item) for key, item in value.items()}
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def restored(kind: Any, value: Any) -> Any:
    """The value of an option for the plugin, from what `plain_value` made of it."""
    if value is None:
        return None
    if get_origin(kind) in (Union, UnionType):
        return restored(_without_none(kind), value)
    if get_origin(kind) is tuple:
        return tuple(restored(get_args(kind)[0], item) for item in value)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return next(member for member in kind if str(member) == value)
    if get_origin(kind) is not None or not isinstance(kind, type) or issubclass(kind, Mapping):
        return value
    convert: Callable[[Any], Any] = kind
    return value if isinstance(value, kind) else convert(value)


def _without_none(kind: Any) -> Any:
    return next(argument for argument in get_args(kind) if argument is not NoneType)


def finding_data(finding: Finding) -> tuple[Any, ...]:
    """A finding of a plugin as data. Raises CodecError if there is something in it that is not data."""
    data = (
        finding.pattern,
        int(finding.severity),
        finding.object,
        finding.message,
        finding.fingerprint,
        finding.table,
        finding.remedy,
        finding.location,
        finding.revision,
        _subject(finding.at),
        finding.guess,
        finding.cause,
    )
    encode(data)
    return data


def _subject(at: Any) -> Any:
    """What a finding is about. A plugin may have a class of its own for it, of which only the names are needed."""
    if at is None:
        return None
    try:
        encode(at)
    except CodecError:
        return LiveObject(at.identifier, at.table, Origin(at.origin.location, at.origin.ignored))
    return at


def finding_of(data: tuple[Any, ...]) -> Finding:
    """The finding that `finding_data` described."""
    pattern, severity, *rest = data
    return Finding(pattern, Severity(severity), *rest)
