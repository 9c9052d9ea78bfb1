"""Whether an application deletes rows of a table, as far as its source tells."""

from __future__ import annotations

from alembic_pgpatterns.patterns._growth import singular
from alembic_pgpatterns.patterns._words import words
from alembic_pgpatterns.schema.model import Name, Schema


def may_lose_rows(schema: Schema, name: Name) -> bool:
    """Whether rows of a table may be deleted: by a statement, with a row that they belong to, or not known.

    Nothing is known where the source asks nothing of the table: somebody else does.
    """
    evidence = schema.evidence
    if evidence is None or schema.relationships is None or not evidence.of_table(name.schema, name.name):
        return True
    return name in schema.fact(_losing)


def _losing(schema: Schema) -> frozenset[Name]:
    evidence = schema.evidence
    assert evidence is not None
    tables = {table.name for table in schema.tables}
    result = {name for name in tables if {name.name, f"{name.schema}.{name.name}"} & evidence.deleted}
    for called in evidence.deleted_names:
        named = {name for name in tables if _may_be_called(name, called)}
        # It is not known of what: of anything.
        result |= named or tables
    return frozenset(_with_children(schema, result))


def _may_be_called(name: Name, called: str) -> bool:
    """Whether a variable may be called so that holds a row of the table: `member` of `team_members`."""
    last = singular(words(name.name)[-1]) if words(name.name) else ""
    return bool(words(called)) and singular(words(called)[-1]) == last


def _with_children(schema: Schema, names: set[Name]) -> set[Name]:
    """Rows that go with the row that they belong to, in the database or by the ORM."""
    pairs = [
        (key.referred_table, table.name)
        for table in schema.tables
        for key in table.foreign_keys
        if key.on_delete == "CASCADE"
    ]
    pairs += [(item.parent, item.child) for item in schema.relationships or () if "delete" in item.cascade]
    # An orphan is deleted when it leaves its parent, which need not be deleted itself.
    names |= {item.child for item in schema.relationships or () if "delete-orphan" in item.cascade}
    waiting = [*names]
    while waiting:
        parent = waiting.pop()
        new = {child for owner, child in pairs if owner == parent} - names
        names |= new
        waiting += new
    return names
