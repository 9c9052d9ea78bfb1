"""Ops that undo what a pattern asks for, because the project leaves its finding as it is: never in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.rendering import CommentOp, Note
from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import type_text
from alembic_pgpatterns.autogenerate.target.adoption import Adoption
from alembic_pgpatterns.autogenerate.target.convergence import detect_all, schema_patterns
from alembic_pgpatterns.autogenerate.target.metadata import Target
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.findings.run_patterns import suppressed
from alembic_pgpatterns.patterns import Action, Finding
from alembic_pgpatterns.remedies.model import ChangeType, CreateIndex
from alembic_pgpatterns.remedies.naming import index_name


@dataclass(frozen=True, slots=True)
class Uncured:
    """A finding that stays as it is, and what asks for that: a line of a file, a setting, or a model."""

    finding: Finding
    reason: str


def uncured(target: Target, adopted: Adoption, settings: Settings) -> list[Uncured]:
    """The findings of patterns that are enforced by default, as far as the target leaves them as they are.

    Args:
        target: the effective metadata.
        adopted: what the project accepts.
        settings: of the project.
    """
    actions = {name: replace(item, action=None) for name, item in settings.patterns.items()}
    everything = replace(settings, select=("*",), ignore=(), patterns=actions)
    patterns = [item for item in schema_patterns(everything) if item.action is Action.ENFORCE]
    enforced = {item.name for item in schema_patterns(settings) if item.action is Action.ENFORCE}
    findings = detect_all(target.read(settings.target_version), target.declared, patterns, everything)
    reasons = ((item, _reason(item, enforced, adopted, settings)) for item in findings)
    return [Uncured(item, reason) for item, reason in reasons if reason is not None]


def _reason(finding: Finding, enforced: set[str], adopted: Adoption, settings: Settings) -> str | None:
    baseline = settings.path(settings.baseline).name
    if suppressed(finding):
        return "the model ignores the pattern here; take that out to keep it"
    if finding.pattern not in enforced:
        return f"the settings do not enforce {finding.pattern}; enforce it to keep it"
    if not adopted.enforced:
        return f"there is no {baseline}, so nothing is enforced; `alembic pgcheck --write-baseline` writes it"
    if adopted.accepts(finding):
        return f'{baseline} has the line "{finding.fingerprint}"; remove the line to keep it'
    return None


def with_warnings(
    operations: Iterable[ops.MigrateOperation], findings: Callable[[], Sequence[Uncured]], default_schema: str
) -> list[ops.MigrateOperation]:
    """The ops, with a note above each that takes back what a pattern asks for.

    Args:
        operations: of the upgrade.
        findings: gives what stays as it is; called only if an op may be concerned.
        default_schema: of operations without a schema.
    """
    result: list[ops.MigrateOperation] = []
    for op in operations:
        if isinstance(op, ops.ModifyTableOps):
            op.ops = with_warnings(op.ops, findings, default_schema)
        elif isinstance(op, ops.DropIndexOp) or (isinstance(op, ops.AlterColumnOp) and op.modify_type is not None):
            taken = [item for item in findings() if _takes_back(op, item.finding, default_schema)]
            result += [CommentOp.of(_note(item)) for item in taken]
        result.append(op)
    return result


def _note(item: Uncured) -> Note:
    finding = item.finding
    reason = f"this takes back what the pattern asks for, since {item.reason}"
    return Note(finding.pattern, finding.object, reason, warns=True)


def _takes_back(op: ops.MigrateOperation, finding: Finding, default_schema: str) -> bool:
    remedy = finding.remedy
    if isinstance(remedy, ChangeType) and isinstance(op, ops.AlterColumnOp):
        return (op.schema or default_schema, op.table_name, op.column_name, _old(op)) in _cured(remedy)
    if isinstance(remedy, CreateIndex) and isinstance(op, ops.DropIndexOp):
        return str(op.index_name) == index_name(remedy)
    return False


def _old(op: ops.AlterColumnOp) -> str:
    changed = op.modify_type is not None and op.existing_type is not None
    return type_text(op.existing_type).lower() if changed and op.existing_type is not None else ""


def _cured(remedy: ChangeType) -> Iterator[tuple[str, str, str, str]]:
    for change in remedy.changes:
        yield (change.table.schema, change.table.name, change.column, str(change.new).lower())
