"""Environment variables that an application needs but does not find, and the settings to add for them."""

from __future__ import annotations

import logging.config
import os
import re
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any

_WORDS = (
    ("UndefinedValueError", re.compile(r"^(\w+) not found")),  # python-decouple
    ("EnvError", re.compile(r'Environment variable "(\w+)" not set')),  # environs
    ("ImproperlyConfigured", re.compile(r"Set the (\w+) environment variable")),  # django-environ
)
"""Errors of libraries that read settings: the class's name, and where its text has the variable's name."""


def settings_to_add(error: BaseException) -> str:
    """The settings to add, if the error means that variables are missing; else an empty text.

    Args:
        error: raised by env.py, or by a module that it imports.

    Returns:
        Lines that start with a line break, for the end of a message.
    """
    names = tuple(dict.fromkeys(_missing(error)))
    if not names:
        return _sections_to_add(error)
    entries = ", ".join(f'{name} = "{_value(name)}"' for name in names)
    return (
        f"\n{', '.join(names)}: set {'it' if len(names) == 1 else 'them'}, or add this to pyproject.toml (any value "
        f"works, since connections are redirected):\n[tool.alembic_pgpatterns]\nenv = {{ {entries} }}"
    )


def _sections_to_add(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-2:]
    if not isinstance(error, KeyError) or not any(frame.filename == logging.config.__file__ for frame in last):
        return ""
    return (
        f". logging.config.fileConfig() did not find the section [{error.args[0]}] in the given file. Add the "
        "sections for logging that `alembic init` writes into alembic.ini, or call fileConfig() only if it is there."
    )


def _value(name: str) -> str:
    return "{url}" if re.search("URL|DSN|URI", name.upper()) else "…"


def _missing(error: BaseException) -> Iterator[str]:
    kind = type(error).__name__
    if isinstance(error, KeyError):
        yield from _of_environ(error)
    elif kind == "ValidationError" and hasattr(error, "errors"):
        yield from _of_pydantic(error)
    for name, form in _WORDS:
        if kind == name and (match := form.search(str(error))):
            yield match[1]


def _of_environ(error: KeyError) -> Iterator[str]:
    """``os.environ["NAME"]``."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    if last and last[0].filename in ("<frozen os>", os.__file__):
        yield str(error.args[0])


def _of_pydantic(error: Any) -> Iterator[str]:
    """The variables of a ``BaseSettings``: pydantic's error names the fields, and the class has their prefix."""
    model = _settings_class(error.__traceback__, str(error.title))
    if model is None:
        return
    prefix = str(model.model_config.get("env_prefix", ""))
    for item in error.errors():
        if item.get("type") == "missing" and item.get("loc"):
            name = str(item["loc"][0])
            yield (prefix + name if name in model.model_fields else name).upper()


def _settings_class(trace: TracebackType | None, title: str) -> Any:
    """The class of that name that was being created."""
    for frame, _ in traceback.walk_tb(trace):
        for value in list(frame.f_locals.values()):
            cls = type(value)
            if cls.__name__ == title and hasattr(cls, "model_fields") and "env_prefix" in cls.model_config:
                return cls
    return None
