"""Compare the models with the head: create both on one server, and read both from its catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from alembic_pgpatterns.autogenerate.target.adoption import accepted_by_files
from alembic_pgpatterns.autogenerate.target.convergence import converge
from alembic_pgpatterns.checks.drifted import Compared
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.controller.context import RunContext
from alembic_pgpatterns.controller.head_schema import DatabaseAtHead, enriched
from alembic_pgpatterns.controller.models import RemoteCopy, create_models, left_out, missing_declarations
from alembic_pgpatterns.controller.process import ProjectFailed
from alembic_pgpatterns.findings.skipped import Skipped
from alembic_pgpatterns.patterns.revisions.model_drift import ModelDrift
from alembic_pgpatterns.revisions.model import Drift
from alembic_pgpatterns.runner.messages import Failure
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.catalog.difference import (
    CONSTRAINTS,
    Difference,
    label_differences,
    label_of,
    nameless_constraints,
    sequence_differences,
    table_differences,
)
from alembic_pgpatterns.schema.model import Location, Schema, Table
from alembic_pgpatterns.schema.names import Name, quote
from alembic_pgpatterns.schema.sql.sqltext import parse_type, sequence_of
from alembic_pgpatterns.schema.sql.values import constant

_DECLARED = ("comment", "storage parameters", "row security", "forced row security")
"""Aspects that count only if the models say something about them."""
_SHOWN = 160
"""Characters of a statement that failed."""

_TRANSACTION_START = frozenset({"now()", "CURRENT_TIMESTAMP", "transaction_timestamp()"})
"""Defaults, as pg_get_expr writes them, that are the same time (docs, "Current Date/Time")."""


def drifts_of(run: RunContext, item: DatabaseAtHead, *, effective: bool) -> Compared | Skipped:
    """The differences between the models and the head; or why they are not known.

    Args:
        run: the project, on a server where a scratch database is created from the models and dropped again.
        item: the scratch database at head.
        effective: compare the models with everything that autogenerate would enforce, and not as they are written.

    Raises:
        PgPatternsError: two enforced patterns contradict each other.
    """
    head, server, models = item.schema, run.server, item.database.models
    if effective:
        settings = run.settings.of_autogenerate()
        converge(RemoteCopy(run, models), settings, accepted_by_files(settings), head.default_schema)
    name = server.create_scratch("pgpatterns_models")
    try:
        failure = create_models(run, models, name, tuple(_before(head)), effective=effective)
        if failure is not None:
            return _skipped(failure)
        with server.connect(name) as connection:
            created = catalog.read(connection, default_schema=head.default_schema)
        if (renamed := _renamed(created, head)) is not None:
            return renamed
        declared = list(_declared(run, item))
        drifts = list(
            drifts_between(
                created,
                head,
                run.settings,
                plugin=item.database.enforced,
                left_out=lambda items: left_out(run, models, item.database.name, head.default_schema, items),
            )
        )
    except ProjectFailed as error:
        return _skipped(error.failure)
    finally:
        server.drop_database(name)
    return Compared((*drifts, *declared), None if effective else enriched(created, item.models))


def _renamed(models: Schema, head: Schema) -> Skipped | None:
    """Why nothing can be compared, if the tables of one side have a prefix that those of the other do not have."""
    for prefix, side, other in (
        (prefix_of(models, head), "models", "head"),
        (prefix_of(head, models), "head", "models"),
    ):
        if prefix:
            words = f"all tables of the {side} begin with {prefix!r}, and those of the {other} do not"
            return Skipped(ModelDrift.name, f"{words}: the application seems to replace it", expected=True)
    return None


def prefix_of(schema: Schema, other: Schema) -> str:
    """What each table of a schema has before the name of a table of the other one; empty if they have no such prefix.

    Libraries that live in their host's database have it, for example, and put the host's own prefix in its place.
    """
    names = [table.name for table in schema.tables]
    for candidate in other.tables if len(names) > 1 else ():
        prefix = names[0].name.removesuffix(candidate.name.name)
        if prefix and all(
            name.name.startswith(prefix) and other.table(Name(name.schema, name.name.removeprefix(prefix)))
            for name in names
        ):
            return prefix
    return ""


def _skipped(failure: Failure) -> Skipped:
    reason = failure.message.splitlines()[0]
    if failure.statement:
        reason += f" in {failure.statement[:_SHOWN]}{'…' if len(failure.statement) > _SHOWN else ''}"
    return Skipped(ModelDrift.name, f"the tables cannot be created from the models alone: {reason}")


def _declared(run: RunContext, item: DatabaseAtHead) -> Iterator[Drift]:
    """What models declare by `alembic_pgpatterns.declare` (policies and others), which SQLAlchemy does not know."""
    head, settings = item.schema, run.settings
    for schema, name, operation in missing_declarations(run, item.database.models, item.database.name):
        table = head.table(Name(schema or head.default_schema, name))
        if table is not None and not settings.excludes(table.name.schema, table.name.name):
            message = f"table {table.name} differs from what the models declare: {operation}"
            yield Drift(table.name, f"{table.name} {operation}", message, table.origin.location)


def _before(head: Schema) -> Iterator[str]:
    """What the models' tables need to exist first: schemas and extensions."""
    for namespace in head.namespaces:
        yield f"CREATE SCHEMA IF NOT EXISTS {quote(namespace.name)}"
    for extension in head.extensions:
        # template1 has it, and so has each new database.
        if extension.name != "plpgsql":
            yield f"CREATE EXTENSION IF NOT EXISTS {quote(extension.name)} SCHEMA {quote(extension.schema)} CASCADE"


LeftOut = Callable[[Sequence[Difference]], Sequence[bool]]


def drifts_between(
    models: Schema, head: Schema, settings: Settings, *, plugin: bool, left_out: LeftOut | None = None
) -> Iterator[Drift]:
    """What differs between two schemas that were read from databases.

    Args:
        models: created from the models.
        head: created by the revisions.
        settings: which tables are left out.
        plugin: whether env.py names our plugin, so that autogenerate writes more than Alembic alone.
        left_out: tells of each difference whether env.py keeps autogenerate from looking at it.
    """
    items = [item for item in _all(models, head) if not settings.excludes(item.table.schema, item.table.name)]
    missing_keys = _parts_of_missing_keys(models, head)
    hidden = left_out(items) if left_out is not None else [False] * len(items)
    for item, is_hidden in zip(items, hidden, strict=True):
        if not is_hidden:
            drift = _drift(item, _place(item, head), plugin)
            yield replace(drift, restated=item.object in missing_keys)


def _parts_of_missing_keys(models: Schema, head: Schema) -> frozenset[str]:
    """The primary keys of tables that have none at head, and their columns."""
    result: set[str] = set()
    for table in models.tables:
        other, key = head.table(table.name), table.primary_key
        if other is not None and other.primary_key is None and key is not None:
            columns = (table.column(name) for name in key.columns)
            result |= {label_of(key), *(column.identifier for column in columns if column is not None)}
    return frozenset(result)


def _place(item: Difference, head: Schema) -> Location | None:
    """The line of the column in the models, or of the table."""
    table = head.table(item.table) if item.object_type not in ("enum", "sequence") else None
    if table is None:
        return None
    column = table.column(item.name) if item.object_type == "column" and item.name is not None else None
    return (column.origin.location if column is not None else None) or table.origin.location


def _all(models: Schema, head: Schema) -> Iterator[Difference]:
    yield from label_differences(models, head)
    yield from sequence_differences(models, head)
    for table in models.tables:
        other = head.table(table.name)
        if other is None:
            yield Difference("missing", "table", str(table.name), table.name, name=table.name.name)
            continue
        items = (
            item for item in table_differences(table, other) if _counts(item, table) and not _is_serial(item, other)
        )
        yield from _without_renamed(items, table, other)


def _counts(item: Difference, table: Table) -> bool:
    if item.aspect in _DECLARED:
        return bool(item.first)
    if item.object_type == "policy":
        return bool(table.policies)
    if item.aspect == "default":
        # A renamed table keeps the name of its sequence. A constant is the same with a cast: 0 and '0'::bigint.
        if {item.first, item.second} <= _TRANSACTION_START:
            return False
        counted = sequence_of(item.first) and sequence_of(item.second)
        return not counted and (constant(item.first) is None or constant(item.first) != constant(item.second))
    return item.aspect != "partition"


def _is_serial(item: Difference, head: Table) -> bool:
    """Whether it is the default of a serial column that is an identity column at head, which is said already."""
    identities = {column.identifier for column in head.columns if column.identity}
    return item.aspect == "default" and item.object in identities and bool(sequence_of(item.first))


def _without_renamed(items: Iterable[Difference], models: Table, head: Table) -> Iterator[Difference]:
    """Without constraints that exist on both sides under different names."""
    listed = list(items)
    # PostgreSQL, Alembic and a naming convention choose different names for a constraint to which nobody gave one.
    of_head, of_models = nameless_constraints(head), nameless_constraints(models)
    for item in listed:
        if item.object_type in CONSTRAINTS and item.kind in ("missing", "extra"):
            side, other_side = (of_models, of_head) if item.kind == "missing" else (of_head, of_models)
            if side.get(item.object) in other_side.values():
                continue
        yield item


def _drift(item: Difference, place: Location | None, plugin: bool) -> Drift:
    if item.object_type == "table" and item.kind == "missing":
        return Drift(item.table, item.object, f"{item.object} is in the models, but not at head")
    if item.kind == "changed":
        message = f"{item.object_type} {item.object}: {item.aspect} is {item.first or 'none'} in the models, "
        message += f"{item.second or 'none'} at head"
    else:
        where = ("models", "head") if item.kind == "missing" else ("head", "models")
        message = f"{item.object_type} {item.object} is in the {where[0]}, but not in the {where[1]}"
    part = f"{item.object} {item.aspect}".strip()
    harmless, remedy, side = head_takes_more(item), _remedy(item, plugin), _SIDES[item.kind]
    return Drift(item.table, part, message, place, harmless, remedy, side, _values(item))


def _values(item: Difference) -> str:
    """What is one and the other, without the object: the same for all tables of a mixin's column."""
    return f"{item.object_type} {item.aspect} {item.first} {item.second}" if item.kind == "changed" else ""


_SIDES: dict[str, Literal["models", "head", ""]] = {"missing": "models", "extra": "head", "changed": ""}


_BY_ALEMBIC = {
    "column": ("type", "nullability", "comment"),
    "index": ("uniqueness",),
    "key": ("columns", "NULLS NOT DISTINCT"),
    "foreign key": ("columns", "reference", "ON DELETE", "ON UPDATE", "deferrability"),
    "table": ("comment",),
}
"""What Alembic alone compares (docs, "What does Autogenerate Detect")."""


def _remedy(item: Difference, plugin: bool) -> str | None:
    """What to do where autogenerate writes nothing, or drops what has values. None: it writes the missing revision."""
    if item.kind == "extra" and item.object_type == "column":
        return "Declare the column in the models. If no code uses it any more, drop it in a revision of its own."
    if item.kind == "extra" and item.object_type in ("index", "key", "foreign key"):
        # Who only runs autogenerate loses an index that somebody made by hand, and needs.
        return "Declare it in the models; or let alembic revision --autogenerate drop it, if nothing needs it."
    if item.aspect == "default" and not item.first:
        return "Declare it in the model, with server_default=…, or drop it in a revision: server_default=None."
    if item.aspect == "kind":
        return "PostgreSQL cannot make one of the other. Correct the models, or create a new table and move the rows."
    by_alembic = item.object_type in _BY_ALEMBIC and (
        item.kind != "changed" or item.aspect in _BY_ALEMBIC[item.object_type]
    )
    if not plugin and not by_alembic:
        return (
            "Alembic alone may not see this. Name the plugin alembic_pgpatterns in env.py, which does; or write the "
            "revision yourself, or correct the models."
        )
    return None


WIDER = {"int2": ("int4", "int8"), "int4": ("int8",), "json": ("jsonb",)}
"""Types whose values another type can hold too, by PostgreSQL's own names."""


def head_takes_more(item: Difference) -> bool:
    """Whether the head accepts all that the models write: another comment, an unused default, a wider type, …"""
    if item.kind == "changed" and item.aspect == "comment":
        return True
    if item.object_type == "enum" and item.aspect == "labels":
        # Their order only counts where two values are sorted or compared.
        return sorted(item.first.split(", ")) == sorted(item.second.split(", "))
    if item.kind != "changed" or item.object_type != "column":
        return False
    if item.aspect == "identity":
        return item.first == "" and item.second == "by default"
    if item.aspect == "default":
        return not item.first
    return item.aspect == "type" and _is_wider(item.second, item.first)


def _is_wider(type_: str, other: str) -> bool:
    """Whether a type can hold all values of the other: an integer of more bytes, text with a higher limit or none."""
    wide, narrow = parse_type(type_), parse_type(other)
    if wide is None or narrow is None or wide.array != narrow.array:
        return False
    if narrow.names[-1] == "varchar" and wide.names[-1] in ("varchar", "text"):
        return not wide.modifiers or bool(narrow.modifiers and wide.modifiers >= narrow.modifiers)
    if narrow.names[-1] == "text" and wide.names[-1] == "varchar":
        return not wide.modifiers
    return wide.names[-1] in WIDER.get(narrow.names[-1], ())
