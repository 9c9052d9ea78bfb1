"""The variables that pydantic-settings reads for the project's classes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any


def settings_variables() -> Iterator[str]:
    """The variables of all fields of the settings classes that there are."""
    for cls in _settings_classes():
        yield from (_variable(cls, name) for name in cls.model_fields)


def variables_of_fields(names: Iterable[str]) -> Iterator[str]:
    """The variables of fields of any settings class.

    Args:
        names: of fields; those that no class has are passed over.
    """
    yield from (variable for variable, _ in fields_named(names))


def fields_named(names: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """The same, each variable with the annotation of its field."""
    classes = _settings_classes()
    for name in names:
        for cls in (cls for cls in classes if name in cls.model_fields):
            yield _variable(cls, name), cls.model_fields[name].annotation


def _variable(cls: Any, name: str) -> str:
    """The variable of a field: its alias, or its name behind the class's prefix."""
    field = cls.model_fields[name]
    alias = getattr(field, "validation_alias", None) or getattr(field, "alias", None)
    whole = alias if isinstance(alias, str) else str(cls.model_config.get("env_prefix", "")) + name
    return whole.upper()


def _settings_classes() -> list[Any]:
    # pydantic-settings reads all variables at once, so only its classes know for which ones it looks.
    module = sys.modules.get("pydantic_settings") or sys.modules.get("pydantic_settings.main")
    base = getattr(module, "BaseSettings", None)
    waiting, result = list(base.__subclasses__()) if base is not None else [], []
    while waiting:
        cls = waiting.pop()
        result.append(cls)
        waiting += cls.__subclasses__()
    return result
