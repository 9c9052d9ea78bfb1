"""Identifiers as words, for patterns that look at names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

_RUN = re.compile(r"\d+|[^\W\d_]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@lru_cache(maxsize=16384)
def words(identifier: str) -> tuple[str, ...]:
    """The words of a snake_case or camelCase identifier in lower case: ``isDeleted_at2`` is is, deleted, at, 2."""
    return tuple(word.lower() for run in _RUN.findall(identifier) for word in _HUMP.split(run))


def names_any(identifier: str, vocabulary: Iterable[str]) -> bool:
    """Whether the identifier contains an entry of the vocabulary, as whole words next to each other.

    ``deleted_at`` is in ``deletedAt`` and ``user_deleted_at``, not in ``undeleted_at``; ``tax`` is not in ``taxonomy``.
    """
    return _names_any(identifier, tuple(vocabulary))


@lru_cache(maxsize=65536)
def _names_any(identifier: str, vocabulary: tuple[str, ...]) -> bool:
    of_identifier = words(identifier)
    return any(_contains(of_identifier, words(entry)) for entry in vocabulary)


def _contains(of_identifier: tuple[str, ...], entry: tuple[str, ...]) -> bool:
    size = len(entry)
    starts = range(len(of_identifier) - size + 1)
    return size > 0 and any(of_identifier[start : start + size] == entry for start in starts)
