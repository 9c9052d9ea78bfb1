"""Values that are made up for variables of an application: judged by their names, and by what refused the last one."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from alembic_pgpatterns.output.secret_names import MADE_UP, MADE_UP_KEY, MADE_UP_VALUES
from alembic_pgpatterns.runner.url_drivers import is_given_url, url_for_project

NUMBER = "5432"
UUID = "00000000-0000-4000-8000-000000000000"
EMPTY_FILE = os.devnull
"""A file that is there on every machine, has nothing in it, and keeps nothing."""
_SHAPES = (("uuid", UUID), ("date", "2000-01-01"), ("time_delta", "P1D"), ("time", "12:00"), ("ip_", "127.0.0.1"))
"""The beginnings of pydantic's types of errors (docs, "Validation Errors"), and what they do not refuse."""
_PLACES = {"path_not_file": ("pyproject.toml", "alembic.ini", "setup.cfg"), "path_not_directory": (".",)}
_PARTS = (("PORT", NUMBER), ("HOST", "localhost"), ("SERVER", "localhost"))
_FITTING = ("pgpatterns", "PGPATTERNS", NUMBER, "1", "http://localhost", "check@example.com", "2000-01-01")
"""Texts of many shapes, for a setting that demands one by a pattern."""


def value_for(name: str, kind: str = "", limits: Mapping[str, Any] | None = None) -> str:
    """A value that an application takes for a variable, judged by its name and by pydantic's type of the error.

    Args:
        name: of the variable.
        kind: such as ``int_parsing``; empty: it is missing, and nothing more is known.
        limits: what the error says of the values that are allowed (pydantic docs, "Validation Errors", ``ctx``).
    """
    words = name.upper().split("_")
    if (within := _within(kind, limits or {})) is not None:
        return within
    if kind.startswith(("int", "float", "decimal")):
        return NUMBER
    if kind.startswith("bool"):
        return "true"
    if (shaped := next((value for start, value in _SHAPES if kind.startswith(start)), None)) is not None:
        return shaped
    if (place := next(filter(os.path.exists, _PLACES.get(kind, ())), None)) is not None:
        return place
    if kind.startswith("url"):
        return "http://localhost"  # it was given the URL of a database, and wants another one
    if (kind.startswith("value_error") and words[-1] == "KEY") or words[-1] in ("BASE64", "B64"):
        return MADE_UP_KEY
    if re.search("URL|DSN|URI|CONN", name.upper()):
        return url_for_project()
    if words[-1] in ("HOME", "DIR", "DIRECTORY", "FOLDER", "ROOT"):
        return "."
    if words[-1] in ("FILE", "FILENAME"):
        return EMPTY_FILE
    # As long as keys that must have 32 characters.
    return next((value for part, value in _PARTS if part in words), MADE_UP)


def other_value_for(name: str, length: int = 0) -> str | None:
    """A value in place of one that the application refuses: its own default, or the last one that was made up.

    Args:
        name: of the variable.
        length: how many characters it is to have; 0: any number.

    Returns:
        The value; None if none is left to be tried, or if the user has set the variable.
    """
    current = os.environ.get(name)
    long = (MADE_UP * (length // len(MADE_UP) + 1))[:length]
    if length and (current is None or (is_made_up(current) and current != long)):
        return long
    if current is None:
        return value_for(name)
    rest = MADE_UP_VALUES[MADE_UP_VALUES.index(current) + 1 :] if current in MADE_UP_VALUES else ()
    return rest[0] if rest else None


def _within(kind: str, limits: Mapping[str, Any]) -> str | None:
    """A value that keeps a limit; None if the error is not about one."""
    if kind == "string_pattern_mismatch":
        return next((text for text in _FITTING if _matches(str(limits.get("pattern", "")), text)), None)
    lengths = {"string_too_long": limits.get("max_length"), "string_too_short": limits.get("min_length")}
    if isinstance(length := lengths.get(kind), int):
        return (MADE_UP * (length // len(MADE_UP) + 1))[:length]
    numbers = {"greater_than": ("gt", 1), "greater_than_equal": ("ge", 0), "less_than": ("lt", -1)}
    key, step = numbers.get(kind, ("le", 0))
    number = limits.get(key)
    return str(int(number) + step) if isinstance(number, int | float) else None


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:  # pydantic's patterns are Rust's, which know a little more
        return False


def is_made_up(value: object) -> bool:
    """Whether this module gave the value, which did not fit, so that another one may."""
    is_fixed = value in (NUMBER, ".", *_FITTING, *MADE_UP_VALUES)
    return is_fixed or is_given_url(value) or (bool(value) and str(value) in MADE_UP * 9)
