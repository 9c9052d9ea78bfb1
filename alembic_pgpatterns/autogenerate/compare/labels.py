"""Labels of enums: added at their position, and removed with a new type that replaces the old one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.compare.type_catalog import NamedType, TypeUser
from alembic_pgpatterns.autogenerate.compare.type_dependents import Dependent, read_dependents
from alembic_pgpatterns.autogenerate.rewrite.droppable_views import droppable_views
from alembic_pgpatterns.autogenerate.rewrite.enum_ops import EnumLabelOp, EnumPlace, InPhases, NewEnumOp, added_labels
from alembic_pgpatterns.autogenerate.rewrite.kept_objects import restored_objects, saved_objects
from alembic_pgpatterns.autogenerate.rewrite.lock_block import attempts
from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp, Note
from alembic_pgpatterns.autogenerate.rewrite.view_blocks import restored, saved
from alembic_pgpatterns.autogenerate.rewrite.view_sql import Column, literal
from alembic_pgpatterns.patterns.revisions.model_drift import ModelDrift
from alembic_pgpatterns.patterns.revisions.table_rewrite import TableRewrite
from alembic_pgpatterns.schema.names import do_block, quote

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Changed:
    """What the revision drops or changes before a new type takes the place of an enum."""

    dropped: frozenset[tuple[str, str, str]] = frozenset()
    """Constraints and indexes: schema, table and name."""
    defaults: Mapping[tuple[str, str, str], str | None] = field(default_factory=dict)
    """The new default of a column, which is set before."""
    folded: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    """The new default of a column, which is set with the new type; the downgrade sets the old one with the old type."""

    def with_new_defaults(self, item: NamedType) -> NamedType:
        """The type with the defaults that its columns have by then."""
        return _with_defaults(item, self.defaults)


def _with_defaults(item: NamedType, defaults: Mapping[tuple[str, str, str], str | None]) -> NamedType:
    users = [
        replace(user, default=defaults.get((user.schema, user.table, user.column), user.default)) for user in item.users
    ]
    return replace(item, users=tuple(users))


def compare_labels(
    context: AutogenContext, declared: Any, actual: NamedType, changed: Changed
) -> list[ops.MigrateOperation]:
    """The ops that give an enum the labels that the models declare.

    Args:
        context: of the run, on a connection.
        declared: the enum of the models.
        actual: the enum of the database.
        changed: what the revision drops or changes anyway.
    """
    new, old = tuple(declared.enums), actual.labels
    if new == old:
        return []
    assert context.connection is not None
    name = ".".join(quote(part) for part in (declared.schema, declared.name) if part)
    if actual.fixed:
        return _fixed(name, declared, actual)
    views = _views(context.connection, actual)
    dependents = [item for item in read_dependents(context.connection, actual) if item.name not in views]
    actual = replace(actual, under_views=bool(views))
    if only_adds(declared, actual):
        return [
            *_held(name, dependents, "The downgrade"),
            *_with_way_back(added_labels(name, new, old)[0], name, declared, actual, dependents),
        ]
    rest = [item for item in dependents if item.key not in changed.dropped]
    before = changed.with_new_defaults(actual)
    up = replaced(name, _with_defaults(before, changed.folded), new, rest)
    down = replaced(name, before, old, rest)
    op = _new_enum(up, down, actual, (not set(old) <= set(new), not set(new) <= set(old)))
    op.undo_note = _lost(name, actual, new, old)
    if op.removes and op.undo_removes:
        op.in_phases = _in_phases(name, declared, before, changed, rest)
    result = [*_held(name, dependents, "This"), _replaced_note(name, actual, new, old), op]
    apart = [*views, *dict.fromkeys(item.name for item in rest if item.comes_back)]
    return [*([_apart(name, apart)] if apart else []), *result]


def _in_phases(
    name: str, declared: Any, actual: NamedType, changed: Changed, dependents: Sequence[Dependent]
) -> InPhases:
    """First the new labels beside the old ones, then the old ones go."""
    new = tuple(declared.enums)
    added, both = added_labels(name, new, actual.labels)
    up = replaced(name, _with_defaults(actual, changed.folded), new, dependents)
    down = replaced(name, actual, both, dependents)
    return InPhases(
        tuple(_with_way_back(added, name, declared, actual, dependents)), _new_enum(up, down, actual, (True, False))
    )


def _new_enum(up: str, down: str, actual: NamedType, removes: tuple[bool, bool]) -> NewEnumOp:
    return NewEnumOp(up, down, EnumPlace(actual.key, tuple(user.key for user in actual.users)), removes)


def _views(connection: Connection, item: NamedType) -> list[str]:
    """The views on columns of an enum that can be dropped and created again."""
    views = (droppable_views(connection, (user.schema, user.table), user.column) for user in item.users)
    return list(dict.fromkeys(view for several in views for view in several))


def _apart(name: str, objects: Sequence[str]) -> CommentOp:
    lines = (
        f"# pgpatterns: What reads columns of {name} goes before and is created again after, as the database that runs",
        f"#   this has it: {', '.join(objects)}",
    )
    return CommentOp(lines)


def only_adds(declared: Any, actual: NamedType) -> bool:
    """Whether the models only add labels to an enum."""
    return tuple(label for label in declared.enums if label in actual.labels) == actual.labels


def _held(name: str, dependents: Sequence[Dependent], label: str) -> list[ops.MigrateOperation]:
    objects = [item.name for item in dependents if item.drop is None and not item.comes_back]
    if not objects:
        return []
    lines = (
        f"# pgpatterns: {label} puts a new type in the place of {name}, which PostgreSQL refuses while this uses it:",
        *(f"#   {item} (drop it before, and create it again after)" for item in objects),
    )
    return [CommentOp(lines)]


def _with_way_back(
    added: list[EnumLabelOp], name: str, declared: Any, actual: NamedType, dependents: Sequence[Dependent]
) -> list[EnumLabelOp]:
    """Let the last of the ops take all of the new labels away again."""
    back = replaced(name, actual, actual.labels, dependents)
    added[-1].back = _new_enum(back, added[-1].statement, actual, (True, False))
    added[-1].back.note = _lost(name, actual, tuple(declared.enums), actual.labels)
    return added


def _fixed(name: str, declared: Any, actual: NamedType) -> list[ops.MigrateOperation]:
    """What can be done for an enum that no other type can replace: PostgreSQL adds labels, and takes none away."""
    reason = f"PostgreSQL cannot put a new type in its place, because {' and '.join(actual.fixed)}"
    if only_adds(declared, actual):
        comment = CommentOp((f"# pgpatterns: The downgrade leaves new labels of {name}.", f"#   {reason}."))
        return [comment, *added_labels(name, tuple(declared.enums), actual.labels)[0]]
    state = f"{name} keeps its labels ({listed(actual.labels)}), and the models say ({listed(declared.enums)})"
    advice = "Declare the labels that the database has, or move the values to a column of another type"
    return [CommentOp.of(Note(ModelDrift.name, f"labels of {name}", f"{state}. {reason}. {advice}", warns=True))]


_REPLACED = (
    "PostgreSQL cannot take labels out of an enum or reorder them: a new type replaces the old one, "
    "and every row is rewritten while nobody can read or write"
)
MOST_COLUMNS = 5
"""Number of columns for which a comment shows how to look for rows with a label."""


def _replaced_note(name: str, actual: NamedType, new: Sequence[str], old: Sequence[str]) -> CommentOp:
    removed, added = [x for x in old if x not in new], [x for x in new if x not in old]
    fails = "It fails if a row still has a removed label" if removed else ""
    recipe: tuple[str, ...] = ()
    advice = ""
    if removed and added:
        which, (up, down) = _renaming(name, removed, added)
        recipe = (f"{which}:", f"  {up}", f"  {down}  # in the downgrade", _NO_OLD_NAME)
        advice = f"{which}: {up}"
    note = Note(
        TableRewrite.name,
        f"labels of {name}",
        f"{_REPLACED}. {fails}" if fails else _REPLACED,
        more=(*_search(actual, removed), *recipe),
        warns=bool(advice),
        advice=advice,
    )
    return CommentOp.of(note)


_NO_OLD_NAME = "From then on code that is still running fails where it writes the old name, or reads the new one."


def _renaming(name: str, removed: Sequence[str], added: Sequence[str]) -> tuple[str, tuple[str, str]]:
    """When a label may only have a new name, in words, and the statements of the upgrade and the downgrade."""
    old, new = literal(removed[0]), literal(added[0])
    alone = len(removed) == len(added) == 1
    words = "write instead of all of it" if alone else "write this in a revision before, and generate this one again"
    statements = [f"ALTER TYPE {name} RENAME VALUE {first} TO {then}" for first, then in ((old, new), (new, old))]
    up, down = (f"op.execute({statement!r})" for statement in statements)
    return f"If {new} is the new name of {old}, {words}", (up, down)


def _lost(name: str, actual: NamedType, new: Sequence[str], old: Sequence[str]) -> Note | None:
    """The comment above a downgrade that takes labels away; None if it takes none."""
    lost = [label for label in new if label not in old]
    if not lost:
        return None
    reason = f"{_REPLACED}. It fails if a row has {' or '.join(map(literal, lost))}: give such rows another value first"
    return Note(TableRewrite.name, f"labels of {name}", reason, more=_search(actual, lost))


def _rows_with(user: TypeUser, labels: Sequence[str]) -> str:
    column = quote(user.column)
    condition = (
        f"{column}::text[] && ARRAY[{listed(labels)}]" if user.array else f"{column}::text IN ({listed(labels)})"
    )
    return f"SELECT * FROM {user.qualified} WHERE {condition};"  # noqa: S608 - for people, and quoted


def _search(actual: NamedType, labels: Sequence[str]) -> tuple[str, ...]:
    """The lines that say how to find the rows that have one of some labels."""
    if not labels or not actual.users:
        return ()
    queries = [f"  {_rows_with(user, labels)}" for user in actual.users]
    rest = len(queries) - MOST_COLUMNS
    more = (f"  ... and {rest} more columns",) if rest > 0 else ()
    hiding = dict.fromkeys(f"{user.schema}.{user.table}" for user in actual.users if user.forced_row_security)
    hidden = (
        f"FORCE ROW LEVEL SECURITY hides rows of {', '.join(hiding)} from the owner too: ask as a role with BYPASSRLS."
    )
    return ("Rows that have it:", *queries[:MOST_COLUMNS], *more, *((hidden,) if hiding else ()))


def replaced(name: str, actual: NamedType, labels: Sequence[str], dependents: Sequence[Dependent]) -> str:
    """A DO block that replaces an enum by a new type with other labels. Run again, it does nothing.

    Locks: ACCESS EXCLUSIVE on every table that has the type, in short attempts; all of their rows are rewritten.

    Args:
        name: of the type, quoted.
        actual: the type and the columns that have it.
        labels: of the new type.
        dependents: what PostgreSQL cannot take along.
    """
    schema = name.rpartition(".")[0]
    old = quote(f"{actual.name}_old"[:63])
    qualified_old = f"{schema}.{old}" if schema else old
    columns = [(user.schema, user.table, user.column) for user in actual.users] if actual.under_views else []
    lines = [_unless_done(name, labels)]
    if tables := [user.qualified for user in actual.users if user.lockable]:
        lines.append(attempts(dict.fromkeys(tables), columns).strip())
    lines += [f"{saved(columns).strip()};"] if columns else []
    read = _columns_read(dependents)
    lines += [f"{saved_objects(read).strip()};"] if read else []
    lines += [f"{item.drop};" for item in dependents if item.drop is not None]
    lines += [f"ALTER TYPE {name} RENAME TO {old};", f"CREATE TYPE {name} AS ENUM ({listed(labels)});"]
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
    lines += [f"{item.create};" for item in reversed(dependents) if item.create is not None]
    lines += [f"{restored_objects().strip()};"] if read else []
    lines += [f"{restored().strip()};"] if columns else []
    return do_block("\nBEGIN\n" + "\n".join(f"  {line}" for line in lines) + "\nEND ")


def _columns_read(dependents: Sequence[Dependent]) -> list[Column]:
    """The columns that `kept_objects` looks at: the generated ones too, which are dropped and created here."""
    if not any(item.comes_back for item in dependents):
        return []
    columns = [(item.schema, item.table, item.column) for item in dependents if item.column is not None]
    return list(dict.fromkeys(columns))


def _unless_done(name: str, labels: Sequence[str]) -> str:
    return f"IF enum_range(NULL::{name})::text[] = ARRAY[{listed(labels)}]::text[] THEN RETURN; END IF;"


def listed(labels: Sequence[str]) -> str:
    """Labels as SQL."""
    return ", ".join(map(literal, labels))
