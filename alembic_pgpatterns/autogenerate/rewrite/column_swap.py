"""A change of type that would rewrite the table, made with a second column that replaces the first.

Begin: add the new column, and a trigger that fills it on every write. Fill: existing rows in batches, and a validated
CHECK for NOT NULL. Swap: in one short transaction the new column takes the old one's name.
"""

from __future__ import annotations

from string import Template

from alembic.operations import ops
from sqlalchemy import Column, text
from sqlalchemy.schema import conv
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.types import TypeEngine

from alembic_pgpatterns.autogenerate.rewrite.backfill import backfill
from alembic_pgpatterns.autogenerate.rewrite.changes import altered
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.plain_steps import NOT_VALID
from alembic_pgpatterns.autogenerate.rewrite.rendering import Note, SqlOp, expression_text
from alembic_pgpatterns.autogenerate.rewrite.steps import Phase, Step
from alembic_pgpatterns.autogenerate.rewrite.table_names import alter_table, qualified
from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import assignable, type_text
from alembic_pgpatterns.patterns.revisions.table_rewrite import TableRewrite
from alembic_pgpatterns.remedies.naming import fit
from alembic_pgpatterns.schema.names import quote

# $$$$ is how a Template writes $$.
_FUNCTION = Template("""CREATE OR REPLACE FUNCTION $function() RETURNS trigger LANGUAGE plpgsql AS $$$$
BEGIN
  NEW.$new := NEW.$old;
  RETURN NEW;
END $$$$""")


def can_swap(op: ops.AlterColumnOp, facts: Facts) -> bool:
    """Whether only a default and NOT NULL depend on the column, and its values can be assigned without USING."""
    only_type = op.modify_nullable is None and op.modify_comment is False
    return (
        facts.autocommit
        and only_type
        and op.modify_name is None
        and not op.kw.get("postgresql_using")
        and op.existing_nullable is not None
        and op.existing_type is not None
        and op.modify_type is not None
        and assignable(op.existing_type, op.modify_type)
        and not facts.attached_to_column(facts.key(op.schema, op.table_name), op.column_name)
    )


def plan_swap(op: ops.AlterColumnOp, note: Note, facts: Facts) -> tuple[Step, ...]:
    """Return the steps of a change for which `can_swap` is true."""
    swap = _Swap(op, facts.settings.lock_timeout or "0")
    filling = Note(TableRewrite.name, note.subject, "existing rows, in batches that commit", aside=True)
    moment = Note(TableRewrite.name, note.subject, "the new column replaces the old one; no row is read", aside=True)
    begin = Phase(swap.begin(), strong=True, idempotent=swap.begin(idempotent=True), notes=(note,))
    # A level above the swap: a downgrade that stops between the files leaves both columns.
    renewed = Step(4, Phase(swap.begin(), strong=True))
    return (
        Step(0, begin, undo_when_split=(Step(0, Phase(swap.ended(column=True), strong=True)),)),
        Step(1, Phase(swap.filled(), autocommit=True, notes=(filling,))),
        Step(2, Phase(swap.swapped(), strong=True, notes=(moment,)), undo_when_split=(renewed,), owns_downgrade=True),
    )


class _Swap:
    """The ops of each part for one column."""

    def __init__(self, op: ops.AlterColumnOp, lock_timeout: str) -> None:
        self.lock_timeout = "'" + lock_timeout.replace("'", "''") + "'"
        assert op.modify_type is not None
        self.op = op
        self.schema, self.table, self.column = op.schema, op.table_name, str(op.column_name)
        self.kind: TypeEngine[object] = op.modify_type
        self.new = fit(f"{self.column}_new")
        self.trigger = fit(f"{self.table}_{self.column}_new")
        self.check = conv(fit(f"{self.table}_{self.column}_not_null_check"))
        self.required = op.existing_nullable is False

    def begin(self, idempotent: bool = False) -> tuple[ops.MigrateOperation, ...]:
        add = ops.AddColumnOp(self.table, Column(self.new, self.kind, nullable=True), schema=self.schema)
        function = _FUNCTION.substitute(function=self._function(), new=quote(self.new), old=quote(self.column))
        # CREATE OR REPLACE TRIGGER is new in PostgreSQL 14.
        drop = f"DROP TRIGGER IF EXISTS {quote(self.trigger)} ON {self._table()}"
        create = (
            f"CREATE TRIGGER {quote(self.trigger)} BEFORE INSERT OR UPDATE ON {self._table()} "
            f"FOR EACH ROW EXECUTE FUNCTION {self._function()}()"
        )
        first = altered(add, if_not_exists=True) if idempotent else add
        return (first, SqlOp(function), *((SqlOp(drop),) if idempotent else ()), SqlOp(create))

    def filled(self) -> tuple[ops.MigrateOperation, ...]:
        value = quote(self.column)
        fill = SqlOp(backfill(self.schema, self.table, self.new, value, f"{value} IS NOT NULL"))
        if not self.required:
            return (fill,)
        condition = text(f"{quote(self.new)} IS NOT NULL")
        check = ops.CreateCheckConstraintOp(self.check, self.table, condition, schema=self.schema)
        staged = altered(check, kw={NOT_VALID: True})
        validate = SqlOp(f"{alter_table(self.schema, self.table)} VALIDATE CONSTRAINT {quote(self.check)}")
        # ADD CHECK takes a strong lock for a moment, so the wait for it is limited.
        limit, free = SqlOp(f"SET lock_timeout = {self.lock_timeout}"), SqlOp("SET lock_timeout = 0")
        return (fill, limit, self._drop_check(if_exists=True), staged, free, validate)

    def swapped(self) -> tuple[ops.MigrateOperation, ...]:
        """Drop the old column, rename the new one, then set NOT NULL, which PostgreSQL 18 names after the column."""
        column = ops.DropColumnOp(self.table, self.column, schema=self.schema)
        rename = altered(self._alter(self.new), modify_name=self.column)
        inherited = self._alter(self.column)
        if self.op.existing_comment is not None:
            inherited.modify_comment = self.op.existing_comment
        if self.required:
            inherited.modify_nullable = False
        finishing = (*self._default(), *((inherited,) if inherited.has_changes() else ()))
        check = (self._drop_check(if_exists=None),) if self.required else ()
        return (*self.ended(column=False), column, rename, *finishing, *check)

    def _default(self) -> tuple[ops.MigrateOperation, ...]:
        """Set the new default, or the old column's. Alembic doubles percent signs of an expression: it becomes SQL."""
        unchanged = self.op.modify_server_default is False
        default = self.op.existing_server_default if unchanged else self.op.modify_server_default
        if default is None or default is False:
            return ()
        expression = getattr(default, "arg", default)
        if isinstance(expression, ClauseElement):
            alter = f"{alter_table(self.schema, self.table)} ALTER COLUMN {quote(self.column)}"
            return (SqlOp(f"{alter} SET DEFAULT {expression_text(expression)}"),)
        same = self._alter(self.column)
        same.modify_server_default = default
        return (same,)

    def ended(self, column: bool) -> tuple[ops.MigrateOperation, ...]:
        """Drop the trigger and, with ``column``, the new column."""
        drop = ops.DropColumnOp(self.table, self.new, schema=self.schema, if_exists=True)
        return (
            SqlOp(f"DROP TRIGGER IF EXISTS {quote(self.trigger)} ON {self._table()}"),
            SqlOp(f"DROP FUNCTION IF EXISTS {self._function()}()"),
            *((drop,) if column else ()),
        )

    def _alter(self, column: str) -> ops.AlterColumnOp:
        return ops.AlterColumnOp(self.table, column, schema=self.schema, existing_type=self.kind)

    def _drop_check(self, if_exists: bool | None) -> ops.DropConstraintOp:
        return ops.DropConstraintOp(self.check, self.table, "check", schema=self.schema, if_exists=if_exists)

    def _table(self) -> str:
        return qualified(self.schema, self.table)

    def _function(self) -> str:
        return qualified(self.schema, self.trigger)


def small_table(op: ops.AlterColumnOp) -> tuple[str, ...]:
    """Return lines that show the single statement for a table that is small or not in use."""
    assert op.modify_type is not None
    table, column = qualified(op.schema, op.table_name), quote(str(op.column_name))
    return (
        "If the table is small, one statement replaces all of this:",
        f"  ALTER TABLE {table} ALTER COLUMN {column} TYPE {type_text(op.modify_type)}",
    )
