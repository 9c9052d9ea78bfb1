"""Identifiers as words, for patterns that go by names."""

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
    """Whether an entry of the vocabulary stands in the identifier as whole words, next to each other.

    ``deleted_at`` is in ``deletedAt`` and ``user_deleted_at``, not in ``undeleted_at``; ``tax`` is not in ``taxonomy``.
    """
    return _names_any(identifier, tuple(vocabulary))


@lru_cache(maxsize=65536)
def _names_any(identifier: str, vocabulary: tuple[str, ...]) -> bool:
    own = words(identifier)
    return any(_contains(own, words(entry)) for entry in vocabulary)


def _contains(own: tuple[str, ...], entry: tuple[str, ...]) -> bool:
    size = len(entry)
    return size > 0 and any(own[start : start + size] == entry for start in range(len(own) - size + 1))
