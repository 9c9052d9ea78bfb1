"""Settings as they stand in pyproject.toml."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

TABLE = "tool.alembic_pgpatterns"


def settings_lines(values: Mapping[str, Any], reasons: Mapping[str, str] | None = None) -> str:
    """The table of some settings, to be pasted.

    Args:
        values: by setting.
        reasons: a comment for each of them.
    """
    result = [f"[{TABLE}]"]
    for name, value in values.items():
        if reasons and reasons.get(name):
            result.append(f"# {reasons[name]}")
        result.append(f"{name} = {toml(value)}")
    return "\n".join(result)


def toml(value: Any) -> str:
    """A value as TOML has it: a table in braces, a list, a text, a truth or a number."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(name)} = {toml(item)}' for name, item in value.items())} }}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return json.dumps(str(value), ensure_ascii=False)


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if bare else json.dumps(name, ensure_ascii=False)


def ini_lines(values: Mapping[str, Any], reasons: Mapping[str, str] | None = None) -> str:
    """The same as the section of an ini file: a table as lines of ``NAME = value``, a list with commas."""
    result = ["[pgpatterns]"]
    for name, value in values.items():
        if reasons and reasons.get(name):
            result.append(f"# {reasons[name]}")
        result.append(f"{name} = {_in_ini(value)}")
    return "\n".join(result)


def _in_ini(value: Any) -> str:
    if isinstance(value, Mapping):
        return "".join(f"\n    {name} = {item}" for name, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return toml(value) if isinstance(value, (bool, int)) else str(value)
