"""Queries that go on from those of other functions."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

from alembic_pgpatterns.evidence.symbols import PathQuery


def for_owner(query: PathQuery, written: str, owner: str) -> PathQuery:
    """The query as a class sees it that inherits the method: ``self`` is that class."""
    assert query.link is not None
    if written == owner or not query.link.function.startswith(f"@{written}."):
        return query
    result = copy(query)
    result.link = replace(query.link, function=f"@{owner}.{query.link.function[len(written) + 2 :]}")
    return result


def together(first: PathQuery, second: PathQuery) -> PathQuery:
    """The query that begins as the first one and goes on as the second."""
    result = copy(first)
    for name in ("entities", "joined", "conditions", "order", "grouped", "assigned", "aggregates"):
        setattr(result, name, [*getattr(first, name), *getattr(second, name)])
    handed = [(f"={name.lstrip('=')}", literal, optional) for name, literal, optional in second.by_name]
    named = handed if first.takes_words else [item for item in second.by_name if item[0].startswith("=")]
    result.by_name = [*first.by_name, *named]
    result.limit, result.offset = first.limit or second.limit, first.offset or second.offset
    result.limit_rows = second.limit_rows or first.limit_rows
    result.lock, result.skip_locked = second.lock or first.lock, second.skip_locked or first.skip_locked
    result.command = second.command if second.command != "select" else first.command
    result.complete = first.complete and second.complete
    result.takes_words = first.takes_words or second.takes_words
    result.line, result.link = second.line or first.line, None
    return result


def seen_by(query: PathQuery, written: str, owner: str) -> PathQuery:
    """The query with the attributes of one class's instances as those of a class that inherits from it."""

    def path(text: str) -> str:
        return f"@{owner}{text[len(written) + 1 :]}" if text.startswith(f"@{written}.") else text

    result = copy(query)
    result.entities, result.joined = list(map(path, query.entities)), list(map(path, query.joined))
    result.fetched, result.grouped = list(map(path, query.fetched)), list(map(path, query.grouped))
    result.conditions = [replace(item, path=path(item.path), other=path(item.other)) for item in query.conditions]
    result.order = [replace(key, path=path(key.path)) for key in query.order]
    return result
