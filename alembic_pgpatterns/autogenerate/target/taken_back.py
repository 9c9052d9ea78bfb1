"""Ops that undo what a pattern asks for, because the project accepts the pattern's finding: never in silence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp, Note
from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import type_text
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.remedies.model import ChangeType, CreateIndex
from alembic_pgpatterns.remedies.naming import index_name

DEFAULT_SCHEMA = "public"


def with_warnings(
    operations: Iterable[ops.MigrateOperation], accepted: Sequence[Finding], baseline: str
) -> list[ops.MigrateOperation]:
    """The ops, with a note above each that takes back what a pattern asks for.

    Args:
        operations: of the upgrade.
        accepted: the findings on the models that the project accepts.
        baseline: the name of the file that accepts them, for the note.
    """
    result: list[ops.MigrateOperation] = []
    for op in operations:
        if isinstance(op, ops.ModifyTableOps):
            op.ops = with_warnings(op.ops, accepted, baseline)
        for finding in accepted if not isinstance(op, ops.OpContainer) else ():
            if _takes_back(op, finding):
                warning = f"warning: this takes back what the pattern asks for, since {baseline} has the line "
                note = Note(
                    finding.pattern, finding.object, f'{warning}"{finding.fingerprint}"; remove the line to keep it'
                )
                result.append(CommentOp.of(note))
        result.append(op)
    return result


def _takes_back(op: ops.MigrateOperation, finding: Finding) -> bool:
    remedy = finding.remedy
    if isinstance(remedy, ChangeType) and isinstance(op, ops.AlterColumnOp):
        return (op.schema or DEFAULT_SCHEMA, op.table_name, op.column_name, _old(op)) in _cured(remedy)
    if isinstance(remedy, CreateIndex) and isinstance(op, ops.DropIndexOp):
        return str(op.index_name) == index_name(remedy)
    return False


def _old(op: ops.AlterColumnOp) -> str:
    changed = op.modify_type is not None and op.existing_type is not None
    return type_text(op.existing_type).lower() if changed and op.existing_type is not None else ""


def _cured(remedy: ChangeType) -> Iterator[tuple[str, str, str, str]]:
    for change in remedy.changes:
        yield (change.table.schema, change.table.name, change.column, str(change.new).lower())
