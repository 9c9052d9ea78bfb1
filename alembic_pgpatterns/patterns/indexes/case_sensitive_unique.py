from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Basis, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import STRINGS
from alembic_pgpatterns.patterns.indexes._evidence import counted, queries_on
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import UNKNOWN, Column, Schema, Table
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.values import calls, columns

FOLDED = frozenset({"lower", "upper"})


class CaseSensitiveUnique(SchemaPattern):
    """A text column that is unique as it is written, while the application searches it without regard to case.

    `Ann@example.org` and `ann@example.org` can both be there. A query for `lower(email) = …` then finds two rows where
    the code expects one, or logs in the wrong user; and the index of the unique rule does not serve it.

    Recognised by queries that put lower() or upper() around a column with a unique rule of its own. Not reported:
    citext, nondeterministic collations, a column with a unique index on lower() or upper() of it, and rules over
    several columns.
    """

    severity = Severity.INFO
    action = Action.REPORT
    basis = Basis.QUERIES
    not_when = "Keep it if the application always writes the value in lower case."
    references = (
        "https://www.postgresql.org/docs/current/indexes-expressional.html",
        "https://www.postgresql.org/docs/current/citext.html",
        "https://github.com/DFXswiss/api/pull/3856",
    )
    bad = """
        CREATE TABLE account (id bigint PRIMARY KEY, email text NOT NULL UNIQUE);
    """
    good = """
        CREATE TABLE account (id bigint PRIMARY KEY, email text NOT NULL);
        CREATE UNIQUE INDEX ON account (lower(email));
    """
    names = frozenset({"email", "mail", "username", "login"})

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Unique text columns that are searched in lower or upper case; addresses and logins as guesses."""
        for table in schema.checked_tables():
            for column in table.columns:
                if not _is_unique_text(table, column) or _has_folded_index(table, column):
                    continue
                shapes = [
                    shape
                    for shape in queries_on(schema, table)
                    if any(item.column == column.name and item.function in FOLDED for item in shape.conditions)
                ]
                if shapes or column.name.rpartition("_")[2].lower() in self.names:
                    yield self.finding(
                        at=column,
                        message=f"{column.identifier} is unique as it is written, in upper and lower case",
                        remedy=Advice(
                            f"CREATE UNIQUE INDEX ON {table.name} (lower({quote(column.name)})), after joining rows "
                            "that differ in case alone, in place of the unique rule. "
                            f'Index("…", func.lower({column.name}), unique=True)'
                        ),
                        evidence=counted("it is searched without regard to case", shapes),
                    )


def _is_unique_text(table: Table, column: Column) -> bool:
    kind = column.type
    if kind.schema != "pg_catalog" or kind.name not in STRINGS or kind.array:
        return False
    # A collation that a user created may disregard case by itself (nondeterministic).
    plain = kind.collation is None or kind.collation.schema == "pg_catalog"
    rules = [key.columns for key in table.unique_constraints]
    rules += [index.columns for index in table.indexes if index.unique and index.constraint is None]  # type: ignore[misc]
    return plain and (column.name,) in rules


def _has_folded_index(table: Table, column: Column) -> bool:
    texts = [key.expression for index in table.indexes if index.unique for key in index.keys]
    return any(
        text is UNKNOWN or (text is not None and column.name in columns(text) and bool(calls(text) & FOLDED))
        for text in texts
    )
