"""Secrets whose values are known to this process: they are hidden wherever they stand, in whatever words."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

from alembic_pgpatterns.output.secret_names import HIDDEN, IS_NAME, is_about_secrets, is_proposed

_PASSWORD_OF_URL = re.compile(r"://[^\s:/@]*:([^\s@]+)@")
_ODD_PASSWORD_OF_URL = re.compile(r"[\w+.-]+://[^\s:/@]*:((?:(?!://).)+)@[^@]*", re.DOTALL)
"""Of a value that is an address as a whole. Up to the last @: it may have characters that an address may not have."""
_KEY = re.compile(r"(?:^|_)(?:KEY|PASS|PWD|DSN)$")
_TOO_COMMON = re.compile(r"[a-z]+|[A-Z]+|[A-Z][a-z]+|\d{1,7}|(?:[A-Za-z]:)?[./~].*")
"""Words, small numbers and paths: hidden everywhere, they would make other text unreadable."""
_SHORTEST = 6

_values: dict[str, str] = {}
_read_from: Mapping[str, str] = {}


def remember(value: str) -> None:
    """Hide this value from now on, if it cannot be an ordinary word."""
    if len(value) >= _SHORTEST and not _TOO_COMMON.fullmatch(value) and not is_proposed(value):
        _values[value] = HIDDEN


def remember_variables(variables: Mapping[str, str]) -> None:
    """Hide the values of all variables that are named like a secret, and the passwords of URLs in the others."""
    for name, value in variables.items():
        for secret in _secrets_in(name, value):
            remember(secret)


def _secrets_in(name: str, value: str) -> Iterator[str]:
    if odd := _ODD_PASSWORD_OF_URL.fullmatch(value):
        yield odd[1]
    if match := _PASSWORD_OF_URL.search(value):
        yield match[1]
    elif not odd and (IS_NAME.search(name) or _KEY.search(name)) and not is_about_secrets(name):
        yield value


def without_known(text: str) -> str:
    """The text without the values that are known."""
    _read_environment()
    for value in sorted(_values, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return text


def _read_environment() -> None:
    """Read the variables again if they changed: env.py may have loaded a file of them."""
    global _read_from
    # Not through os.environ: that is watched in the project's process, to know what a revision reads.
    variables = getattr(os.environ, "_data", {})
    if variables != _read_from:
        _read_from = dict(variables)
        remember_variables({os.fsdecode(name): os.fsdecode(value) for name, value in _read_from.items()})
