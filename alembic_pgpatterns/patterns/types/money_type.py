from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import Linked, Obstacles, checked_columns, together
from alembic_pgpatterns.patterns.types._text import spelled
from alembic_pgpatterns.remedies.model import Advice, TypeChange
from alembic_pgpatterns.schema.model import UNKNOWN, Column, Schema, Table
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.values import columns as columns_in


class MoneyType(SchemaPattern):
    """A column of type `money`, whose meaning depends on a setting of the session.

    It has no currency and no scale of its own: `lc_monetary` decides what is shown and how many digits are read, so
    restoring a dump under another locale can change amounts. Divisions cut off the cents, and drivers return text such
    as `$1,000.00`.

    Instead: `numeric`, beside a column with the currency's code. The cast from money is exact.

    Arrays and domains are checked too.
    """

    severity = Severity.WARNING
    action = Action.SUGGEST
    not_when = "Keep it if another program that cannot change reads the column's formatted text."
    references = (
        "https://www.postgresql.org/docs/current/datatype-money.html",
        "https://wiki.postgresql.org/wiki/Don%27t_Do_This#Don.27t_use_money",
    )
    bad = """
        CREATE TABLE invoice (id bigint PRIMARY KEY, amount money NOT NULL);
    """
    good = """
        CREATE TABLE invoice (id bigint PRIMARY KEY, amount numeric NOT NULL, currency text NOT NULL);
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Columns of money, through arrays and domains."""
        linked, obstacles = schema.fact(Linked), schema.fact(Obstacles)
        for table, column in checked_columns(schema):
            if column.type.name == "money" and column.type.schema == "pg_catalog":
                yield self.finding(
                    at=column,
                    message=f"the digits and the currency of {column.identifier} depend on the session's locale",
                    remedy=_compared(table, column)
                    or together(linked.group(column), obstacles, _numeric, lambda _: True),
                )


def _compared(table: Table, column: Column) -> Advice | None:
    """A CHECK or an index that compares with an amount of money does not fit numeric (numeric >= money)."""
    texts = [check.expression for check in table.checks if check.not_null_column is None]
    within = [text for index in table.indexes for text in (index.predicate, *(key.expression for key in index.keys))]
    if not any(text is UNKNOWN or (text and column.name in columns_in(text)) for text in (*texts, *within)):
        return None
    return Advice(
        "Drop the CHECKs and indexes that compare it with money, change it to numeric "
        f"(USING {quote(column.name)}::numeric), and add them again."
    )


def _numeric(column: Column) -> TypeChange | str | None:
    if column.type.name != "money":
        return f"its type is {column.type.display or 'not known'}"
    new = spelled("numeric", column)
    # The expression computes a generated column again, and PostgreSQL refuses USING for it.
    using = None if column.generated is not None else f"{quote(column.name)}::{new}"
    return TypeChange(column.table, column.name, column.type.display, new, using=using)
