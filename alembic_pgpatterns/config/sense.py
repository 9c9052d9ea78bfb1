"""Values of the right type that are still wrong: out of range, empty, or in a form that nothing accepts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

Settings: TypeAlias = Any
"""A `config.settings.Settings`, which is made with the help of this module."""
OLDEST = 13
"""The oldest PostgreSQL whose behaviour the patterns know."""
NEWEST = 18
"""The newest one. A setting may name the next major version, since people try it before its release."""
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?\s*(?:us|ms|s|min|h|d)?)?")
"""As PostgreSQL reads one (docs, "Setting Parameters"); empty: none is set."""
_VARIABLE = re.compile(r"[^\s=\0]+")
_REGISTRY = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*(?::[^\W\d][\w.]*)?")
_PLACEHOLDER = re.compile(r"\{(\w+(?:\+\w+)?)\}")
PLACEHOLDERS = ("url", "host", "port", "user", "password", "database")
"""What values of `env` may contain in braces; `url` with a driver of SQLAlchemy's behind it, too."""

Problem = tuple[str, str]
"""The setting's name, and what is wrong with its value."""


def problems(settings: Settings) -> Iterator[Problem]:
    """Wrong values, and what to write instead."""
    for check in _CHECKS:
        yield from check(settings)


def _versions(settings: Settings) -> Iterator[Problem]:
    version = settings.target_version
    if version is not None and not OLDEST <= version <= NEWEST + 1:
        yield "target_version", f"expected a major version such as {OLDEST} or {NEWEST}, not {version}."


def _numbers(settings: Settings) -> Iterator[Problem]:
    if settings.history < 0:
        yield "history", f"{settings.history}: expected a number of revisions, 0 or more."


def _times(settings: Settings) -> Iterator[Problem]:
    if not _DURATION.fullmatch(settings.lock_timeout.strip()):
        yield "lock_timeout", f"{settings.lock_timeout!r} is not a time such as 5s or 500ms."


def _time_limit(settings: Settings) -> Iterator[Problem]:
    if settings.seconds <= 0:
        yield "time_limit", f"{settings.time_limit!r} is not a time such as 90s, 10m or 1h."


def _texts(settings: Settings) -> Iterator[Problem]:
    """Text that must not be empty, and must not contain a character of code 0."""
    for name in ("since", "diff_base", "server", "upgrade_command"):
        value = getattr(settings, name)
        if value is None:
            continue
        if not value.strip():
            yield name, "it is empty; leave it out, or give it a value."
        elif "\0" in value:
            yield name, "it contains a character of code 0, which no program accepts."


def _lists(settings: Settings) -> Iterator[Problem]:
    if not settings.select:
        yield "select", "it is empty, so nothing would be checked; leave it out to check everything."
    for name in (
        "select",
        "ignore",
        "exclude_tables",
        "exclude_schemas",
        "roles",
        "registries",
        "schemas",
        "extensions",
        "models",
        "attributes",
    ):
        if any(not entry.strip() for entry in getattr(settings, name)):
            yield name, "one of its entries is empty."
    for role in settings.roles:
        # PostgreSQL cuts a longer one off (NAMEDATALEN), and another role might be meant.
        if "\0" in role or len(role.encode()) > 63:
            yield "roles", f"{role[:70]!r} is not a name of a role: at most 63 bytes, none of them 0."
    for entry in settings.registries:
        if not _REGISTRY.fullmatch(entry.strip()):
            yield "registries", f"{entry!r} is not of the form package.module:Base."


def _environment(settings: Settings) -> Iterator[Problem]:
    for name, value in settings.alembic_options.items():
        if unknown := _unknown(value):
            yield "alembic_options", f"{name} has {{{unknown[0]}}}, which is not one of {_words()}."
    for name, value in settings.env.items():
        if not _VARIABLE.fullmatch(name):
            yield "env", f"{name!r} cannot be the name of an environment variable."
        elif "\0" in value:
            yield "env", f"the value of {name} contains a character of code 0, which no variable accepts."
        elif unknown := _unknown(value):
            yield "env", f"{name} has {{{unknown[0]}}}, which is not one of {_words()}."


def _unknown(value: str) -> list[str]:
    words = _PLACEHOLDER.findall(value)
    return [word for word in words if word not in PLACEHOLDERS and not word.startswith("url+")]


def _words() -> str:
    return ", ".join(f"{{{word}}}" for word in (*PLACEHOLDERS, "url+DRIVER"))


def _paths(settings: Settings) -> Iterator[Problem]:
    for name in ("baseline", "postgres", "prepare", "stats"):
        value = getattr(settings, name)
        if value is not None and (not str(value).strip() or str(value) == "." or "\0" in str(value)):
            yield name, f"{str(value)!r} names no file."
    path = settings.path(settings.baseline)
    if path.is_dir():
        yield "baseline", f"{settings.baseline} is a folder; expected the name of a file."


def _together(settings: Settings) -> Iterator[Problem]:
    if settings.create_all and settings.upgrade_command is not None:
        yield "create_all", "it builds the schema from the models, and upgrade_command by a program: choose one."


_CHECKS: tuple[Callable[[Settings], Iterator[Problem]], ...] = (
    _versions,
    _numbers,
    _times,
    _time_limit,
    _texts,
    _lists,
    _environment,
    _paths,
    _together,
)
