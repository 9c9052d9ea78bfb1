"""Errors of pydantic's about an application's settings: the variables that they are about."""

from __future__ import annotations

import os
import traceback
import typing
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

from alembic_pgpatterns.output.secret_names import MADE_UP_VALUES
from alembic_pgpatterns.runner.environment_reads import variable_of_field
from alembic_pgpatterns.runner.made_up_values import is_made_up, other_value_for, value_for


def of_pydantic(error: Any) -> Iterator[tuple[str, str]]:
    """The variables of a ``BaseSettings``: pydantic's error names the fields, and the class has their prefix."""
    if not hasattr(error, "title"):
        yield from _of_pydantic_1(error)
        return
    model, before = _settings_class(error.__traceback__, str(error.title))
    if model is None:
        return
    delimiter = str(model.model_config.get("env_nested_delimiter") or "")
    for item in error.errors():
        place = (*before, *map(str, item["loc"])) if delimiter else (*before, *map(str, item["loc"][:1]))
        names = [*_variables(model, place, delimiter)] if item["loc"] else []
        yield from ((name, value) for name in names for value in _values(name, item))


def _of_pydantic_1(error: Any) -> Iterator[tuple[str, str]]:
    """The same before version 2, whose error has the class itself, and whose fields have the variables."""
    fields = getattr(getattr(error, "model", None), "__fields__", {})
    for item in error.errors():
        field = fields.get(item["loc"][0])
        names = sorted(field.field_info.extra.get("env_names", ())) if field is not None else []
        for name in (name.upper() for name in names[:1]):
            current = os.environ.get(name)
            if item["type"] == "value_error.missing":
                yield name, value_for(name)
            elif item["type"] in BY_VALIDATOR and (other := other_value_for(name)) is not None:
                yield name, other
            elif is_made_up(current) and (value := value_for(name, item["type"].partition(".")[2])) != current:
                yield name, value


def _values(name: str, item: Mapping[str, Any]) -> Iterator[str]:
    """The value for a variable that an error of pydantic's is about, if there is one."""
    kind, current = str(item.get("type")), os.environ.get(name)
    if kind in BY_VALIDATOR and (current is None or current in MADE_UP_VALUES):
        # Without a variable it is the application's own default that is refused.
        yield from filter(None, [other_value_for(name) if current else value_for(name, kind)])
    elif kind == "missing" or is_made_up(item.get("input")):
        yield value_for(name, "" if kind == "missing" else kind, item.get("ctx"))


BY_VALIDATOR = ("value_error", "assertion_error")
"""The types of errors that a function of the application's raises (pydantic docs, "Validation Errors")."""


def fields_without_value(error: Any) -> Iterator[tuple[str, str]]:
    """Fields that were given None, where the source says which variable was to give the value."""
    for item in error.errors():
        if item.get("input", "") is None and item.get("loc"):
            field = str(item["loc"][-1])
            name = variable_of_field(error, field) or next(_of_field(error, field), None)
            if name is not None and name not in os.environ:
                yield name, value_for(name, str(item.get("type")))


def _of_field(error: Any, field: str) -> Iterator[str]:
    """The variables of a field of the settings that were being created."""
    if not hasattr(error, "title"):  # before pydantic 2
        return
    model, before = _settings_class(error.__traceback__, str(error.title))
    if model is not None and field in model.model_fields:
        yield from _variables(model, (*before, field), str(model.model_config.get("env_nested_delimiter") or ""))


def _variables(model: Any, place: tuple[str, ...], delimiter: str) -> Iterator[str]:
    """The variables of a field of some settings. For a model that is missing as a whole, those of its own fields."""
    field = model.model_fields.get(place[0])
    prefix = str(model.model_config.get("env_prefix", "")) if field is not None else ""  # an alias is the whole name
    inner = _model_in(field.annotation) if field is not None and len(place) == 1 and delimiter else None
    for last in _required(inner):
        yield (prefix + delimiter.join((*place, *last))).upper()


def _required(model: Any) -> Iterator[tuple[str, ...]]:
    """The fields of a model that must be given, those of models in it one by one; the empty place for no model."""
    if model is None:
        yield ()
    for name, field in _fields_of(model).items():
        if field.is_required():
            yield from ((name, *last) for last in _required(_model_in(field.annotation)))


def _fields_of(model: Any) -> dict[str, Any]:
    return dict(getattr(model, "model_fields", None) or {})


def _model_in(annotation: Any) -> Any:
    """The class of pydantic's in an annotation such as ``Database | None``; None if it has none."""
    kinds = (annotation, *typing.get_args(annotation))
    return next((kind for kind in kinds if isinstance(kind, type) and hasattr(kind, "model_fields")), None)


def _settings_class(trace: TracebackType | None, title: str) -> tuple[Any, tuple[str, ...]]:
    """The settings that were being created, and the fields that lead from them to the class of that name.

    That may be the class itself, or a model in it, which a ``default_factory`` makes: then pydantic's error names the
    model alone, and only the settings around it know how its variables begin.
    """
    around: tuple[Any, tuple[str, ...]] = (None, ())
    for frame, _ in traceback.walk_tb(trace):
        for value in list(frame.f_locals.values()):
            cls = type(value)
            if hasattr(cls, "model_fields") and "env_prefix" in getattr(cls, "model_config", ()):
                if cls.__name__ == title:
                    return cls, ()
                path = _path_to(cls, title)
                around = (cls, path) if path else around
    return around


_DEEPEST = 4
"""Models in models that are searched."""


def _path_to(model: Any, title: str, depth: int = 0) -> tuple[str, ...]:
    """The fields of a model that lead to a model of that name; empty if none does."""
    for name, field in _fields_of(model).items():
        inner = _model_in(field.annotation)
        if inner is not None and inner.__name__ == title:
            return (name,)
        further = _path_to(inner, title, depth + 1) if inner is not None and depth < _DEEPEST else ()
        if further:
            return (name, *further)
    return ()
