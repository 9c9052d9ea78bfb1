"""Labels of enums: added at their position, and removed with a new type that replaces the old one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.compare.type_catalog import NamedType
from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp, EnumLabelOp, Note, SqlOp
from alembic_pgpatterns.patterns.revisions.table_rewrite import TableRewrite
from alembic_pgpatterns.schema.names import quote

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext


def compare_labels(context: AutogenContext, declared: Any, actual: NamedType) -> list[ops.MigrateOperation]:
    """The ops that give an enum the labels that the models declare."""
    new, old = tuple(declared.enums), actual.labels
    if new == old:
        return []
    name = ".".join(quote(part) for part in (declared.schema, declared.name) if part)
    back = replaced(name, actual, old)
    if tuple(label for label in new if label in old) == old:
        return _added(name, new, old, back)
    return _replaced(name, new, old, actual)


def _added(name: str, new: Sequence[str], old: Sequence[str], back: str) -> list[ops.MigrateOperation]:
    existing = list(old)
    result: list[ops.MigrateOperation] = []
    for position, label in enumerate(new):
        if label in existing:
            continue
        place = f" AFTER {_literal(new[position - 1])}" if position else f" BEFORE {_literal(existing[0])}"
        place = "" if position and new[position - 1] == existing[-1] else place
        existing.insert(position, label)
        result.append(EnumLabelOp(f"ALTER TYPE {name} ADD VALUE IF NOT EXISTS {_literal(label)}{place}"))
    # PostgreSQL cannot remove a label from an enum: the downgrade makes a new type.
    last = result[-1]
    assert isinstance(last, EnumLabelOp)
    last.undo = back
    return result


def _replaced(name: str, new: Sequence[str], old: Sequence[str], actual: NamedType) -> list[ops.MigrateOperation]:
    removed, added = [x for x in old if x not in new], [x for x in new if x not in old]
    reason = "PostgreSQL cannot take labels out of an enum or reorder them: a new type replaces the old one, "
    reason += "and every row is rewritten while nobody can read or write. It fails if a row still has a removed label"
    recipe = [
        f"If {_literal(a)} is the new name of {_literal(b)}, write instead of all of it:" if number == 0 else line
        for a, b in list(zip(added, removed, strict=False))[:1]
        for number, line in enumerate(
            ("", f"  op.execute({f'ALTER TYPE {name} RENAME VALUE {_literal(b)} TO {_literal(a)}'!r})")
        )
    ]
    note = Note(TableRewrite.name, f"labels of {name}", reason, more=tuple(recipe))
    return [CommentOp.of(note), SqlOp(replaced(name, actual, new), replaced(name, actual, old))]


def replaced(name: str, actual: NamedType, labels: Sequence[str]) -> str:
    """A DO block that replaces an enum by a new type with other labels.

    Locks: ACCESS EXCLUSIVE on every table that has the type; all of their rows are rewritten.
    """
    schema = name.rpartition(".")[0]
    old = quote(f"{actual.name}_old"[:63])
    qualified_old = f"{schema}.{old}" if schema else old
    lines = [f"ALTER TYPE {name} RENAME TO {old};", f"CREATE TYPE {name} AS ENUM ({listed(labels)});"]
    for user in actual.users:
        column, kind = quote(user.column), f"{name}[]" if user.array else name
        via = "text[]" if user.array else "text"
        table = user.qualified if user.schema != "public" else quote(user.table)
        if user.default is not None:
            lines.append(f"ALTER TABLE {table} ALTER COLUMN {column} DROP DEFAULT;")
        lines.append(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind} USING {column}::{via}::{kind};")
        if user.default is not None:
            lines.append(f"ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {user.default};")
    lines.append(f"DROP TYPE {qualified_old};")
    return "DO $$\nBEGIN\n" + "\n".join(f"  {line}" for line in lines) + "\nEND $$"


def listed(labels: Sequence[str]) -> str:
    """Labels as SQL."""
    return ", ".join(map(_literal, labels))


def _literal(label: str) -> str:
    return "'" + label.replace("'", "''") + "'"
