"""The JSON Schema of ``[tool.alembic_pgpatterns]``, for editors; written from the settings themselves."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from alembic_pgpatterns.config.conversion import options_of, settings_of
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.patterns import Action, Pattern, Severity, built_in, option_docs
from alembic_pgpatterns.report.pattern_docs import title
from alembic_pgpatterns.report.project_pages import pattern_url, project_url

Node = dict[str, Any]
DIALECT = "http://json-schema.org/draft-07/schema#"
"""The newest that the common TOML editors read (taplo's documentation, "Using Schemas")."""


def settings_schema() -> str:
    """The schema as a file's text."""
    by_name = settings_of(Settings)
    properties = {
        field.name: _described(_node(by_name[field.name].type, by_name[field.name].choices), field)
        for field in fields(Settings)
        if field.name in by_name
    }
    patterns = {name: _pattern(cls) for name, cls in built_in().items()}
    # Patterns of the user's own have names that this file cannot know.
    properties["patterns"] = {"type": "object", "properties": patterns, "additionalProperties": _common()}
    schema = {
        "$schema": DIALECT,
        "$id": f"{project_url('Documentation')}settings.schema.json",
        "title": "Settings of alembic-pgpatterns: [tool.alembic_pgpatterns] in pyproject.toml",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _described(node: Node, field: Field[Any]) -> Node:
    default = field.default if field.default is not MISSING else None
    node = {**node, "description": field.metadata["help"]}
    return node if default in (None, ()) else {**node, "default": _plain(default)}


def _pattern(cls: type[Pattern]) -> Node:
    documented = option_docs(cls.Options)
    options = {
        name: {**_node(setting.type), "description": documented.get(name, "")}
        for name, setting in options_of(cls.Options).items()
    }
    common = _common()
    return {
        **common,
        "description": title(cls),
        "x-taplo": {"links": {"key": pattern_url(cls.name)}},
        "properties": {**common["properties"], **options},
        "additionalProperties": False,
    }


def _common() -> Node:
    """What every pattern takes."""
    return {"type": "object", "properties": {"severity": _node(Severity), "action": _node(Action)}}


def _node(kind: Any, choices: tuple[str, ...] = ()) -> Node:
    """The schema of one value: what `config.conversion` takes from TOML in its own type."""
    if choices:
        return {"enum": list(choices)}
    if get_origin(kind) in (Union, UnionType):
        return _node(next(argument for argument in get_args(kind) if argument is not NoneType))
    if get_origin(kind) in (tuple, frozenset):
        return {"type": "array", "items": _node(get_args(kind)[0])}
    if get_origin(kind) is Mapping:
        return {"type": "object", "additionalProperties": {"type": "string"}}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return {"enum": [str(member) for member in kind]}
    names: Mapping[Any, str] = {bool: "boolean", int: "integer", float: "number", str: "string", Path: "string"}
    return {"type": names[kind]}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, (bool, int)) and not isinstance(value, enum.Enum) else str(value)
