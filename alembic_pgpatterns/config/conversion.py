"""One setting: its type, default and help; and how a value from a file is converted into it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

# Those of ConfigParser.getboolean(), so that alembic.ini means what its readers expect.
TRUE_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True, slots=True)
class Setting:
    """The type of a setting, and the allowed values if there are few."""

    type: Any
    choices: tuple[str, ...] = ()


def setting(default: Any, help: str, choices: tuple[str, ...] = ()) -> Any:
    """A dataclass field that is a setting, with its documentation."""
    metadata = {"help": help, "choices": choices}
    if isinstance(default, Mapping):
        return field(default_factory=lambda: default, metadata=metadata)
    return field(default=default, metadata=metadata)


def settings_of(owner: type[Any]) -> dict[str, Setting]:
    """The fields of a dataclass that are settings, by name."""
    hints = get_type_hints(owner)
    documented = (definition for definition in fields(owner) if "help" in definition.metadata)
    return {item.name: Setting(hints[item.name], item.metadata["choices"]) for item in documented}


def options_of(owner: type[Any]) -> dict[str, Setting]:
    """The options of a pattern: all fields of its dataclass, by name."""
    return {name: Setting(hint) for name, hint in get_type_hints(owner).items()}


def convert(definition: Setting, value: object, where: str, error: type[Exception]) -> Any:
    """The value of a file as the setting's type.

    Args:
        definition: the setting.
        value: from TOML with its type; from an ini file as text.
        where: for the message: file, section and key.
        error: what to raise.

    Raises:
        error: the value is wrong.
    """
    try:
        result = _as(definition.type, value)
    except (TypeError, ValueError) as problem:
        raise error(f"{where}: {problem}") from None
    if definition.choices and result not in definition.choices:
        raise error(f"{where}: {result!r} is not one of {', '.join(definition.choices)}.")
    return result


def _as(kind: Any, value: object) -> Any:
    if get_origin(kind) in (Union, UnionType):
        inner = [argument for argument in get_args(kind) if argument is not NoneType]
        return _as(inner[0], value)
    if get_origin(kind) is tuple:
        return tuple(_as(get_args(kind)[0], item) for item in _items(value))
    if get_origin(kind) is Mapping or kind is Mapping or get_origin(kind) is not None:
        return _mapping(value)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _member(kind, value)
    return _scalar(kind, value)


def _items(value: object) -> list[object]:
    if isinstance(value, str):
        return [item.strip() for line in value.splitlines() for item in line.split(",") if item.strip()]
    if isinstance(value, (list, tuple)):
        return list(value)
    raise TypeError(f"a list is expected, not {value!r}")


def _mapping(value: object) -> Mapping[str, str]:
    if isinstance(value, str):
        lines = [line for line in value.splitlines() if line.strip()]
        if any("=" not in line for line in lines):
            raise ValueError("lines of NAME = value are expected")
        pairs = (line.split("=", 1) for line in lines)
        return MappingProxyType({name.strip(): text.strip() for name, text in pairs})
    if isinstance(value, Mapping):
        return MappingProxyType({str(key): _scalar(str, item) for key, item in value.items()})
    raise TypeError(f"a table is expected, not {value!r}")


def _member(kind: Any, value: object) -> Any:
    names = {str(member): member for member in kind}
    if str(value).strip().lower() not in names:
        raise ValueError(f"{value!r} is not one of {', '.join(names)}.")
    return names[str(value).strip().lower()]


def _scalar(kind: Any, value: object) -> Any:
    if kind is bool:
        return value if isinstance(value, bool) else _truth(value)
    # A bool is an int in Python: `history = true` would be 1.
    if isinstance(value, (list, tuple, Mapping, bool)):
        raise TypeError(f"{_named(kind)} is expected, not {value!r}")
    if kind is str and not isinstance(value, str):
        raise TypeError(f"text is expected, not {value!r}")
    try:
        return kind(value)
    except (TypeError, ValueError):
        raise ValueError(f"{_named(kind)} is expected, not {value!r}") from None


_KINDS = {int: "a whole number", float: "a number", str: "text", Path: "a file name"}


def _named(kind: Any) -> str:
    """A type in words."""
    return _KINDS.get(kind, str(getattr(kind, "__name__", kind)))


def _truth(value: object) -> bool:
    if str(value).strip().lower() not in TRUE_WORDS:
        raise ValueError(f"{value!r} is neither true nor false")
    return TRUE_WORDS[str(value).strip().lower()]
