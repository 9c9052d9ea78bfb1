"""Comments above ops that a pattern changed: which pattern, why, and the line of the model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from alembic.operations import ops
from sqlalchemy import CheckConstraint, Column, Index

from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp, Note
from alembic_pgpatterns.autogenerate.target.metadata import Target
from alembic_pgpatterns.output.places import portable
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.remedies.model import ChangeType
from alembic_pgpatterns.remedies.type_operations import ASSUMED_ZONE, AlterTypeOp, reads_utc
from alembic_pgpatterns.schema.model import Column as ModelColumn
from alembic_pgpatterns.schema.names import Name, quote

ObjectKey = tuple[str, str, str, str]
"""Kind, schema, table, and the name of the column or index."""


def annotated(operations: Sequence[ops.MigrateOperation], target: Target) -> list[ops.MigrateOperation]:
    """Return the ops with notes above them. A change between timestamp types reads the old values in UTC."""
    notes, clocks = notes_by_object(target), set(_read_in_utc(target))
    result: list[ops.MigrateOperation] = []
    for op in operations:
        if isinstance(op, ops.ModifyTableOps):
            op.ops = annotated(op.ops, target)
            result.append(op)
            continue
        objects = tuple(objects_of(op, target.default_schema))
        findings = {note: None for key in objects for note in notes.get(key, ())}
        utc = isinstance(op, ops.AlterColumnOp) and op.modify_type is not None and clocks.intersection(objects)
        assumed = ASSUMED_ZONE if utc else ""
        result += [CommentOp.of(replace(note, reason=f"{note.reason}{assumed}")) for note in findings]
        result.append(AlterTypeOp.reading_utc(op) if utc and isinstance(op, ops.AlterColumnOp) else op)
    return result


def _read_in_utc(target: Target) -> Iterable[ObjectKey]:
    remedies = (applied.finding.remedy for applied in target.applied)
    for change in (item for remedy in remedies if isinstance(remedy, ChangeType) for item in remedy.changes):
        if reads_utc(change):
            yield ("column", change.table.schema, change.table.name, change.column)


def notes_by_object(target: Target) -> dict[ObjectKey, list[Note]]:
    """Return the notes for each column, index and check that a remedy added or changed."""
    notes: dict[ObjectKey, list[Note]] = {}
    for applied in target.applied:
        for item in applied.objects:
            key = _key_of(item, target.default_schema)
            if key is not None:
                notes.setdefault(key, []).append(note_of(applied.finding, item, target.default_schema))
    return notes


def note_of(finding: Finding, item: object, default_schema: str) -> Note:
    """Return the note for one object that the remedy of a finding added or changed."""
    location = portable_location(finding)
    if isinstance(item, Column) and isinstance(finding.at, ModelColumn) and not _is(item, finding.at, default_schema):
        changed = Name(item.table.schema or default_schema, item.table.name)
        subject = f"{changed}.{quote(item.name)}"
        reason = f"{subject} changes together with {finding.object}"
        return Note(finding.pattern, subject, reason, location, aside=True)
    reason = f"{finding.message}{_instead(finding, item)}"
    # The console has the column's note already.
    return Note(finding.pattern, finding.object, reason, location, aside=isinstance(item, CheckConstraint))


def portable_location(finding: Finding) -> str | None:
    """Return the model's file and line as they can be committed: without a folder of this machine."""
    if finding.location is None:
        return None
    return f"{portable(finding.location.path)}:{finding.location.line}"


def _instead(finding: Finding, item: object) -> str:
    """Name the column's new type: a create_table does not show which of its columns was changed, and how."""
    if not isinstance(finding.remedy, ChangeType) or not isinstance(item, Column):
        return ""
    change = next((change for change in finding.remedy.changes if change.column == item.name), None)
    if change is None:
        return ""
    return f"; here it is {change.new}{', with a CHECK that keeps the limit' if change.check else ''}"


def _is(item: Column[Any], at: ModelColumn, default_schema: str) -> bool:
    return (item.table.schema or default_schema, item.table.name, item.name) == (
        at.table.schema,
        at.table.name,
        at.name,
    )


def _key_of(item: object, default_schema: str) -> ObjectKey | None:
    if isinstance(item, Index) and item.table is not None:
        return ("index", item.table.schema or default_schema, item.table.name, str(item.name))
    if isinstance(item, Column):
        return ("column", item.table.schema or default_schema, item.table.name, item.name)
    if isinstance(item, CheckConstraint) and item.table is not None:
        return ("check", item.table.schema or default_schema, item.table.name, str(item.name))
    return None


def objects_of(op: ops.MigrateOperation, default_schema: str) -> Iterable[ObjectKey]:
    """Yield the columns, indexes and checks that an op creates or changes."""
    schema = getattr(op, "schema", None) or default_schema
    if isinstance(op, ops.CreateTableOp):
        names = (item.name for item in op.columns if isinstance(item, Column))
        yield from (("column", schema, op.table_name, str(name)) for name in names)
    elif isinstance(op, ops.AddColumnOp):
        yield ("column", schema, op.table_name, str(op.column.name))
    elif isinstance(op, ops.AlterColumnOp):
        yield ("column", schema, op.table_name, op.column_name)
    elif isinstance(op, ops.CreateIndexOp):
        yield ("index", schema, op.table_name, str(op.index_name))
    elif isinstance(op, ops.CreateCheckConstraintOp):
        yield ("check", schema, op.table_name, str(op.constraint_name))
