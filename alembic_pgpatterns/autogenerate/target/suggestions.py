"""Suggestions: practices that a person has to decide on, as comments beside the ops they are about."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy
from alembic.autogenerate.render import render_op
from alembic.operations import ops

from alembic_pgpatterns.autogenerate.rewrite.changes import altered
from alembic_pgpatterns.autogenerate.rewrite.database_facts import commits
from alembic_pgpatterns.autogenerate.rewrite.indexes import CONCURRENTLY, drop_concurrently
from alembic_pgpatterns.autogenerate.rewrite.rendering import WIDTH, CommentOp, Note
from alembic_pgpatterns.autogenerate.target.asked import unserved, without_repetition
from alembic_pgpatterns.autogenerate.target.comments import objects_of, portable_location
from alembic_pgpatterns.autogenerate.target.convergence import Accepts, detect, schema_patterns
from alembic_pgpatterns.autogenerate.target.metadata import Target
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.findings.application import read_application, with_evidence
from alembic_pgpatterns.findings.together import FreeNames
from alembic_pgpatterns.patterns import Action, Finding, registry
from alembic_pgpatterns.remedies.model import Advice, ChangeType, CreateIndex, ReplaceUnique, SetDefault, SetNotNull
from alembic_pgpatterns.remedies.model_line import model_line
from alembic_pgpatterns.remedies.operations import operations
from alembic_pgpatterns.schema.model import Column, ForeignKey, Index, Key, Name

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

SHOWN = 5
"""Number of suggestions that get their own line on the console."""

IN_USE = "# the table is in use: in a revision of its own"


class Suggestions:
    """The suggestions for one revision."""

    def __init__(self, context: AutogenContext, target: Target, settings: Settings, accepts: Accepts) -> None:
        """Keep what is needed. Patterns run in `beside`."""
        self._context = context
        self._target = target
        self._settings = settings
        self._accepts = accepts
        self._made: list[Finding] = []
        self._created: set[Name] = set()

    def beside(
        self, operations: Sequence[ops.MigrateOperation], touched: Sequence[ops.MigrateOperation]
    ) -> list[ops.MigrateOperation]:
        """Return the ops with the suggestions as comments beside the ops that create their objects."""
        if not touched:
            return list(operations)
        new = (op for op in touched if isinstance(op, ops.CreateTableOp))
        self._created = {Name(op.schema or self._target.default_schema, op.table_name) for op in new}
        patterns = [p for p in schema_patterns(self._settings) if p.action is Action.SUGGEST]
        evidence = read_application(self._settings, [self._target.declared])
        schema = with_evidence(self._target.read(self._settings.target_version), evidence)
        # What no query is known to support is a guess, and no line of a revision.
        result = [f for f in detect(schema, self._target.declared, patterns, self._settings) if not f.guess]
        result += without_repetition(unserved(schema, evidence, self._settings), result)
        # Findings of enforced patterns that only a person can cure are written in the same way.
        open_ = [*(f for f in result if not self._accepts(f) and not self._is_ours(f)), *self._target.described]
        names = FreeNames(schema)
        return self._beside(operations, {f.fingerprint: _with_free_name(f, names) for f in open_})

    def _is_ours(self, finding: Finding) -> bool:
        """Whether it is about an index that a pattern has just added, which has a comment already."""
        added = (item for applied in self._target.applied for item in applied.objects)
        names = {item.name for item in added if isinstance(item, sqlalchemy.Index)}
        return isinstance(finding.at, Index) and finding.at.name.name in names

    def _beside(
        self, operations: Sequence[ops.MigrateOperation], open_: dict[str, Finding]
    ) -> list[ops.MigrateOperation]:
        result: list[ops.MigrateOperation] = []
        for op in operations:
            if isinstance(op, ops.ModifyTableOps):
                op.ops = self._beside(op.ops, open_)
                result.append(op)
                continue
            concerned = [f for f in open_.values() if concerns(f, op, self._target.default_schema)]
            for finding in concerned:
                del open_[finding.fingerprint]
            self._made += concerned
            # Prose goes above the op. Code goes below it, where it can run. What the op itself creates is better
            # written in the models: then this op creates it right.
            words = [f for f in concerned if _in_words(f) or self._is_of_new(f, op)]
            result += [self._comment(f, code=False) for f in words]
            result.append(op)
            result += [self._comment(f) for f in concerned if f not in words]
        return result

    def _is_of_new(self, finding: Finding, op: ops.MigrateOperation) -> bool:
        """Whether this revision creates what the remedy would change: the table, or a column that it would alter."""
        of_column = isinstance(finding.remedy, (ChangeType, SetNotNull, SetDefault))
        return finding.table in self._created or (isinstance(op, ops.AddColumnOp) and of_column)

    def _comment(self, finding: Finding, *, code: bool = True) -> CommentOp:
        location = portable_location(finding)
        not_when = registry()[finding.pattern].not_when
        prose = [f"not when: {not_when}"] if not_when else []
        prose += [finding.remedy.text] if isinstance(finding.remedy, Advice) else []
        wrapped = [line for text in prose for line in textwrap.wrap(text, WIDTH - 4, break_long_words=False)]
        model = [f"model: {line}" for line in _model(finding)]
        more = (*wrapped, *model, *(self._code(finding) if code or not model else ()))
        note = Note(f"suggests {finding.pattern}", finding.object, finding.message, location, tuple(more))
        return CommentOp(note.comment())

    def _code(self, finding: Finding) -> Iterator[str]:
        remedy = finding.remedy
        if remedy is None or isinstance(remedy, Advice):
            return
        rendered: Iterable[Any] = operations(remedy, self._target.default_schema)
        rendered_ops = [(op, self._concurrent(op)) for op in rendered]
        outside = [op for _, op in rendered_ops if op is not None]
        if outside:
            yield IN_USE
            yield "with op.get_context().autocommit_block():"
            yield from (f"    {line}" for op in outside for line in self._lines(op))
        for op, concurrent in rendered_ops:
            if concurrent is None:
                yield from self._lines(op)
        if isinstance(remedy, ReplaceUnique) and remedy.constraint is None:
            yield f"# and drop the unique constraint on {', '.join(remedy.columns)}, to which the models give no name"

    def _concurrent(self, op: ops.MigrateOperation) -> ops.MigrateOperation | None:
        """Return an index op in its CONCURRENTLY form, or None if that cannot run or is not needed."""
        if not isinstance(op, (ops.CreateIndexOp, ops.DropIndexOp)) or not commits(self._context.migration_context):
            return None
        name = Name(op.schema or self._target.default_schema, str(op.table_name))
        table = self._target.declared.table(name)
        if name in self._created or table is None or table.kind != "table":
            return None
        if isinstance(op, ops.DropIndexOp):
            return drop_concurrently(op)
        return altered(op, kw={**op.kw, CONCURRENTLY: True}, if_not_exists=True)

    def _lines(self, op: ops.MigrateOperation) -> Iterator[str]:
        for text in render_op(self._context, op):
            yield from text.splitlines()

    def console(self) -> Iterator[str]:
        """Yield at most five lines, then a count."""
        for finding in self._made[:SHOWN]:
            location = str(finding.location) if finding.location else None
            yield Note(f"suggests {finding.pattern}", finding.object, finding.message, location).line
        if len(self._made) > SHOWN:
            yield f"pgpatterns: {len(self._made) - SHOWN} more suggestions are in the revision."


def _with_free_name(finding: Finding, names: FreeNames) -> Finding:
    """The finding; of two new indexes that differ in their operator classes only, each gets a name of its own."""
    return finding.but(remedy=names.free(finding.remedy)) if isinstance(finding.remedy, CreateIndex) else finding


def _model(finding: Finding) -> tuple[str, ...]:
    return model_line(finding.remedy, finding.call) if finding.remedy is not None else ()


def _in_words(finding: Finding) -> bool:
    """Whether the suggestion has no op that could be uncommented."""
    return finding.remedy is None or isinstance(finding.remedy, Advice)


def concerns(finding: Finding, op: ops.MigrateOperation, default_schema: str) -> bool:
    """Whether the op creates or changes what the finding is about. ``default_schema``: of an op without a schema."""
    at, table = finding.at, finding.table
    if table is None:
        return False
    touched = set(objects_of(op, default_schema))
    if isinstance(op, ops.CreateTableOp) and (op.schema or default_schema, op.table_name) == (table.schema, table.name):
        return not isinstance(at, Index) or at.constraint is not None
    if isinstance(at, Column):
        return ("column", table.schema, table.name, at.name) in touched
    if isinstance(at, Index):
        return ("index", table.schema, table.name, at.name.name) in touched
    if isinstance(at, (ForeignKey, Key)):
        return any(("column", table.schema, table.name, name) in touched for name in at.columns)
    if isinstance(finding.remedy, CreateIndex):  # of a statement
        return any(("column", table.schema, table.name, key.column) in touched for key in finding.remedy.keys)
    return False
