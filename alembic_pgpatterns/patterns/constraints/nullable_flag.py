from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Action, Finding, Fold, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import checked_columns
from alembic_pgpatterns.patterns._words import words
from alembic_pgpatterns.remedies.model import Advice, Remedy, SetNotNull
from alembic_pgpatterns.remedies.sql import sql
from alembic_pgpatterns.schema.model import UNKNOWN, Column, Schema, Table
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.values import null_tested, required


@dataclass(frozen=True, slots=True)
class NullableFlagOptions:
    """Which names speak of something that may not have happened yet."""

    outcomes: tuple[str, ...] = (
        "succeeded", "failed", "passed", "sent", "received", "accepted", "approved", "rejected", "answered",
        "acknowledged", "attended", "correct", "successful",
    )  # fmt: skip
    """Last words of a name that say how something ended: without a default, null means that it has not yet."""


class NullableFlag(SchemaPattern):
    """A boolean column that allows null.

    It then has three values instead of two: `WHERE active` and `WHERE NOT active` both leave out the rows with null,
    and so does `active <> true`. A row that is inserted without a value for the column is in neither group.

    Not reported: columns without a default of which the model says `nullable=True`, `default=None` or
    `Mapped[bool | None]`, or whose name ends in a word of `outcomes`, where null is meant to say "not known" or "not
    yet"; arrays of booleans, generated columns, domains that are NOT NULL, columns that a CHECK tests for null (it
    forbids null, or says which rows have it), columns that only a subclass of single-table inheritance has, columns
    inherited from a parent, columns that are null in rows that the revisions themselves insert.
    """

    severity = Severity.INFO
    action = Action.SUGGEST
    Options = NullableFlagOptions
    fold = Fold.TABLE
    not_when = "Leave it if null has a meaning of its own, such as 'not asked yet'."
    references = (
        "https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-NOT-NULL",
        "https://www.postgresql.org/docs/current/datatype-boolean.html",
    )
    bad = """
        CREATE TABLE account (id bigint PRIMARY KEY, active boolean DEFAULT true);
    """
    good = """
        CREATE TABLE account (id bigint PRIMARY KEY, active boolean NOT NULL DEFAULT true);
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Booleans without NOT NULL."""
        for table, column in checked_columns(schema):
            if (
                _may_be_null(column)
                and not column.of_subclass
                and not column.seeded_null
                and not self._is_open(column)
                and not _decided_by_check(table, column.name)
            ):
                yield self.finding(
                    at=column,
                    message=f"{column.identifier} is a boolean that allows null",
                    remedy=_remedy(column),
                    # What the fix of one says does not hold for the other.
                    cause="nobody fills it" if _is_never_filled(column) else "filled",
                )

    def _is_open(self, column: Column) -> bool:
        """Whether null is meant: no default fills it in, and the model or the name says so."""
        filled = column.default is not None or column.python_default not in (None, UNKNOWN)
        return not filled and (column.null_stated or words(column.name)[-1] in self.options.outcomes)


def _remedy(column: Column) -> Remedy:
    remedy = SetNotNull(column.table, column.name, _fill(column))
    if _is_never_filled(column) and not column.required_by_model:
        return Advice(
            "Decide what a row without a value means. Then give the model that default and nullable=False, fill the "
            f"rows in which {quote(column.name)} is null, and SET NOT NULL: alone that would refuse every INSERT that "
            "does not name the column."
        )
    if column.required_by_model:
        return Advice(f"The models say NOT NULL already, and no revision does it: {'; '.join(sql(remedy))}.")
    return remedy


def _is_never_filled(column: Column) -> bool:
    """Whether neither the server nor the models have a default; from the catalog alone that is not known."""
    return column.default is None and column.python_default is None


def _fill(column: Column) -> str | None:
    """What the default gives to new rows, as SQL: for the rows without a value, too. None where it is not known."""
    if isinstance(column.default, str):
        return column.default
    return {"True": "true", "False": "false"}.get(str(column.python_default))


def _may_be_null(column: Column) -> bool:
    kind = column.type
    flag = kind.name == "bool" and kind.schema == "pg_catalog" and not kind.array and not kind.domain_not_null
    return flag and column.nullable and column.generated is None


def _decided_by_check(table: Table, name: str) -> bool:
    """Whether a CHECK forbids null, or says when the column is null, as single-table inheritance does."""
    return any(
        name in required(check.expression) or name in null_tested(check.expression)
        for check in table.checks
        if isinstance(check.expression, str) and check.enforced
    )
