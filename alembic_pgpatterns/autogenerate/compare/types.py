"""Enums, domains, sequences and schemas: created once, changed like the models, dropped with their last use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from alembic.operations import ops
from sqlalchemy import DefaultClause, MetaData
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import SchemaType

from alembic_pgpatterns.autogenerate.compare import domains, labels, sequences
from alembic_pgpatterns.autogenerate.compare.type_catalog import NamedType, TypeKey, TypeUser, read_types
from alembic_pgpatterns.autogenerate.rewrite.changes import flatten, name_in_enum_plugin, name_of
from alembic_pgpatterns.autogenerate.rewrite.columns import default_text
from alembic_pgpatterns.autogenerate.rewrite.database_facts import enum_plugin
from alembic_pgpatterns.autogenerate.rewrite.enum_plugin_ops import REPLACES
from alembic_pgpatterns.autogenerate.rewrite.extensions import create_missing
from alembic_pgpatterns.autogenerate.rewrite.filling import COMMON_LABELS
from alembic_pgpatterns.autogenerate.rewrite.inner_types import create_statement, named_types_of
from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp, CreateSchemaOp, DropTypeOp, Note, SqlOp
from alembic_pgpatterns.patterns.revisions.model_drift import ModelDrift
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.expressions import string_constants

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext


def compare_types(context: AutogenContext, upgrade_ops: ops.UpgradeOps, metadata: MetaData) -> None:
    """Add the ops for types, sequences and schemas around Alembic's.

    Args:
        context: of the run.
        upgrade_ops: what the comparators wrote so far.
        metadata: the target.
    """
    connection = context.connection
    if connection is None:
        return
    default = str(getattr(context.dialect, "default_schema_name", None) or "public")
    kinds = ("d",) if enum_plugin() else ("d", "e")
    actual = {key: item for key, item in read_types(connection).items() if item.kind in kinds}
    declared = {key: item for key, item in declared_types(metadata, default).items() if _kind(item) in kinds}
    changes = [change.up for change in flatten(upgrade_ops.ops)]
    before: list[ops.MigrateOperation] = [*_missing_schemas(context, changes, metadata)]
    before += create_missing(connection, changes, metadata.tables.values())
    before += sequences.created_or_altered(context, metadata, default)
    inline = set(_created_inline(changes, default))
    other_kind = {key for key, item in declared.items() if key in actual and actual[key].kind != _kind(item)}
    lost = {key for key, item in actual.items() if loses_all(item.users, changes, default)}
    for key, item in declared.items():
        if key in other_kind - lost:
            before.append(_of_other_kind(actual[key], item))
        elif key in other_kind or key not in actual:
            before += [created(item)] if key not in inline else []
    for key, item in declared.items():
        if key in actual and key not in other_kind:
            before += _compared(context, item, actual[key], upgrade_ops)
    for change in _unwritable(upgrade_ops):
        item = postgresql.ENUM(*change.new_values, name=change.name, schema=_without(change.schema, default))
        before += _compared(context, item, read_types(connection)[change.schema, change.name], upgrade_ops)
    before = [*map(CommentOp.of, _contradictions(metadata, default) if "e" in kinds else ()), *before]
    unused = {key: item for key, item in actual.items() if key not in declared or key in other_kind}
    going = [item for key, item in unused.items() if key in lost]
    # A domain goes before the enum that it is over.
    going.sort(key=lambda item: item.kind != "d")
    going += [item for item in unused.values() if not item.users and _is_base_of(item, going)]
    after: list[ops.MigrateOperation] = [_dropped(item) for item in going]
    after += sequences.dropped(context, metadata, changes, default)
    upgrade_ops.ops[:] = [*before, *upgrade_ops.ops, *after]


def _unwritable(upgrade_ops: ops.UpgradeOps) -> list[Any]:
    """Take out the ops of alembic-postgresql-enum that would fail, and return them.

    Its statements have labels between quotes as they are, and a colon makes a bound parameter (1.11.0).
    """
    replacing: list[Any] = [op for op in upgrade_ops.ops if name_in_enum_plugin(op) in REPLACES]
    wrong = [op for op in replacing if any("'" in label or ":" in label for label in (*op.old_values, *op.new_values))]
    upgrade_ops.ops = [op for op in upgrade_ops.ops if all(op is not other for other in wrong)]
    return wrong


def _without(schema: str, default_schema: str) -> str | None:
    return schema if schema != default_schema else None


def _compared(
    context: AutogenContext, item: Any, actual: NamedType, upgrade_ops: ops.UpgradeOps
) -> list[ops.MigrateOperation]:
    if _kind(item) == "d":
        return domains.compare_domain(context, item, actual)
    if labels.only_adds(item, actual):
        return labels.compare_labels(context, item, actual, labels.Changed())
    default = str(getattr(context.dialect, "default_schema_name", None) or "public")
    _note_common_labels(upgrade_ops, item, actual, default)
    early = [op for op in _leaves(upgrade_ops) if _goes_first(op, actual, tuple(item.enums), default)]
    for container in [op for op in upgrade_ops.ops if isinstance(op, ops.ModifyTableOps)]:
        container.ops = [op for op in container.ops if all(op is not other for other in early)]
    keys = {id(op): (getattr(op, "schema", None) or default, str(op.table_name), str(name_of(op))) for op in early}
    changed = labels.Changed(
        frozenset(keys[id(op)] for op in early if not isinstance(op, ops.AlterColumnOp)),
        {keys[id(op)]: default_text(op.modify_server_default) for op in early if isinstance(op, ops.AlterColumnOp)},
        _folded_defaults(upgrade_ops, actual, default),
    )
    return [*early, *labels.compare_labels(context, item, actual, changed)]


def _note_common_labels(upgrade_ops: ops.UpgradeOps, item: Any, actual: NamedType, default_schema: str) -> None:
    columns = {user.key for user in actual.users}
    common = [label for label in actual.labels if label in item.enums]
    for op in [op for op in _leaves(upgrade_ops) if isinstance(op, ops.DropColumnOp)]:
        if (op.schema or default_schema, op.table_name, str(op.column_name)) in columns:
            op.to_column().info[COMMON_LABELS] = common


def _folded_defaults(
    upgrade_ops: ops.UpgradeOps, item: NamedType, default_schema: str
) -> dict[tuple[str, str, str], str]:
    """Take from the ops the new defaults that have to come with the new labels, and return them.

    Neither default can be set for the other's type if a label was only renamed, and nothing else can be between them.
    """
    users = {(user.schema, user.table, user.column) for user in item.users if user.default is not None}
    result: dict[tuple[str, str, str], str] = {}
    for container in [op for op in upgrade_ops.ops if isinstance(op, ops.ModifyTableOps)]:
        for op in [op for op in container.ops if isinstance(op, ops.AlterColumnOp) and op.modify_type is None]:
            key = (op.schema or default_schema, str(op.table_name), str(op.column_name))
            new = (
                default_text(op.modify_server_default) if isinstance(op.modify_server_default, DefaultClause) else None
            )
            if new is not None and key in users:
                result[key] = new
                op.existing_server_default, op.modify_server_default = op.modify_server_default, False
        container.ops = [op for op in container.ops if not isinstance(op, ops.AlterColumnOp) or op.has_changes()]
    return result


def _leaves(upgrade_ops: ops.UpgradeOps) -> list[Any]:
    containers = [op for op in upgrade_ops.ops if isinstance(op, ops.ModifyTableOps)]
    return [op for container in containers for op in container.ops]


def _goes_first(op: ops.MigrateOperation, item: NamedType, labels: tuple[str, ...], default_schema: str) -> bool:
    """Whether an op takes away what the enum's new labels would not fit, a default included that loses its label."""
    if isinstance(op, ops.DropConstraintOp | ops.DropIndexOp):
        key = (op.schema or default_schema, str(op.table_name))
        return key in {(user.schema, user.table) for user in item.users}
    if not isinstance(op, ops.AlterColumnOp) or op.modify_server_default is False or op.modify_type is not None:
        return False
    key = (op.schema or default_schema, str(op.table_name))
    old = [u.default for u in item.users if (u.schema, u.table) == key and u.column == str(op.column_name)]
    remaining = [label for label in item.labels if label in labels]
    constants = string_constants(default_text(op.modify_server_default) or "")
    fits = op.modify_server_default is None or bool(constants and constants <= set(remaining))
    return bool(old) and fits and op.modify_nullable is None


def _kind(item: SchemaType) -> str:
    return "e" if isinstance(item, postgresql.ENUM) else "d"


def _contradictions(metadata: MetaData, default_schema: str) -> Iterator[Note]:
    """What to say of a column whose enum another column declares with other labels."""
    chosen = declared_types(metadata, default_schema)
    columns = [column for table in metadata.sorted_tables for column in table.columns]
    for column, kind in [(item, kind) for item in columns for kind in named_types_of(item.type)]:
        item = chosen.get((kind.schema or default_schema, str(kind.name)))
        if item is None or _kind(kind) != "e" or _kind(item) != "e" or tuple(kind.enums) == tuple(item.enums):
            continue
        subject = f"{column.table.fullname}.{column.name}"
        reason = (
            f"{subject} declares the enum {kind.name} as ({labels.listed(kind.enums)}), another column as "
            f"({labels.listed(item.enums)}). PostgreSQL has only one, and this revision is written for the latter. "
            "Give all of them the same labels, or one of them another name"
        )
        yield Note(ModelDrift.name, subject, reason, warns=True)


def declared_types(metadata: MetaData, default_schema: str) -> dict[TypeKey, Any]:
    """The enums and domains that ``create_all()`` would create, by schema and name."""
    tables = metadata.sorted_tables
    kinds: list[Any] = [kind for table in tables for column in table.c for kind in named_types_of(column.type)]
    # Types with ``metadata=`` are created even if no column has them (SQLAlchemy 2.1 keeps a register of them).
    registered: list[Any] = [item for item in getattr(metadata, "_objects", ()) if isinstance(item, SchemaType)]
    kinds += [kind for item in registered for kind in named_types_of(item)]
    owned = [kind for kind in kinds if getattr(kind, "create_type", True)]
    # Of several with one name the first counts, as in ``create_all()``.
    return {(kind.schema or default_schema, str(kind.name)): kind for kind in reversed(owned)}


def created(item: Any) -> SqlOp:
    """The op that creates a type."""
    words = "TYPE" if isinstance(item, postgresql.ENUM) else "DOMAIN"
    name = ".".join(quote(part) for part in (item.schema, item.name) if part)
    return SqlOp(create_statement(item), f"DROP {words} {name}")


def _created_inline(changes: Iterable[ops.MigrateOperation], default_schema: str) -> Iterator[TypeKey]:
    """The types that come with a new table or a new column, which the rewriter creates there."""
    for op in changes:
        columns = op.columns if isinstance(op, ops.CreateTableOp) else ()
        columns = (op.column,) if isinstance(op, ops.AddColumnOp) else columns
        for column in columns:
            for kind in named_types_of(column.type) if hasattr(column, "type") else ():
                yield (kind.schema or default_schema, str(kind.name))


def loses_all(users: Sequence[TypeUser], changes: Iterable[ops.MigrateOperation], default_schema: str) -> bool:
    """Whether the revision drops or changes all columns of a type, and there are any.

    Args:
        users: the columns that have the type.
        changes: the ops of the revision, without containers.
        default_schema: of ops without one.
    """
    lost: set[tuple[str, str, str | None]] = set()
    for op in changes:
        schema = getattr(op, "schema", None) or default_schema
        if isinstance(op, ops.DropTableOp):
            lost.add((schema, op.table_name, None))
        elif isinstance(op, ops.DropColumnOp) or (isinstance(op, ops.AlterColumnOp) and op.modify_type is not None):
            lost.add((schema, op.table_name, str(op.column_name)))
    return bool(users) and all(user.key in lost or (user.schema, user.table, None) in lost for user in users)


def _of_other_kind(actual: NamedType, declared: Any) -> CommentOp:
    """An enum that is a domain in the models, or the other way round, and still in use."""
    kinds = {"e": "an enum", "d": "a domain"}
    name = ".".join(quote(part) for part in (declared.schema, declared.name) if part)
    lines = (
        f"# The models have {name} as {kinds[_kind(declared)]}, the database as {kinds[actual.kind]}. PostgreSQL",
        "# cannot change that: give it another name in the models, and the next revision changes the columns to it.",
    )
    return CommentOp(lines)


def _is_base_of(item: NamedType, domains: Iterable[NamedType]) -> bool:
    names = (quote(item.name), f"{quote(item.schema)}.{quote(item.name)}")
    return any(domain.kind == "d" and domain.base in names for domain in domains)


def _dropped(item: NamedType) -> SqlOp:
    name = f"{quote(item.schema)}.{quote(item.name)}" if item.schema != "public" else quote(item.name)
    if item.kind == "e":
        return DropTypeOp(f"DROP TYPE {name}", f"CREATE TYPE {name} AS ENUM ({labels.listed(item.labels)})")
    return DropTypeOp(f"DROP DOMAIN {name}", domains.create_statement(name, item))


def _missing_schemas(
    context: AutogenContext, changes: Iterable[ops.MigrateOperation], metadata: MetaData
) -> Iterator[SqlOp]:
    """Schemas that new tables, types or sequences need and the database does not have."""
    from sqlalchemy import inspect

    needed = {op.schema for op in changes if isinstance(op, ops.CreateTableOp) and op.schema}
    needed |= {sequence.schema for sequence in metadata._sequences.values() if sequence.schema}
    needed |= {kind.schema for kind in declared_types(metadata, "").values() if kind.schema}
    existing = set(inspect(context.connection).get_schema_names()) if needed else set()
    for name in sorted(needed - existing):
        yield CreateSchemaOp(f"CREATE SCHEMA {quote(name)}", f"DROP SCHEMA {quote(name)}")
