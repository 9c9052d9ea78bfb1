from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, Fold, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import Linked, Obstacles, checked_columns, together
from alembic_pgpatterns.patterns._growth import MANY, looks_like_a_list, rows_of
from alembic_pgpatterns.patterns.types._whole import LARGEST, Feeding, feeding_sequences, widened
from alembic_pgpatterns.schema.model import UNKNOWN, Column, Schema, Table

WIDE = "int8"


class IntegerPrimaryKey(SchemaPattern):
    """A primary key of type `integer` or `smallint` that counts up and will run out of numbers.

    The last number is 2,147,483,647 (32,767 for smallint). Rolled back transactions, `ON CONFLICT` and failed inserts
    use up numbers too, so the end comes long before that many rows exist. Then every insert fails. Changing to bigint
    at that moment means rewriting the table, and every table that references it, under an exclusive lock.

    `bigint` costs four bytes per row, often none because of alignment. The key and all foreign keys that reference it,
    directly or through others, change together. A new table gets bigint at once. An existing one would be rewritten, so
    it is done in stages: add a bigint column to each table, keep it filled by a trigger, fill it in batches, build its
    indexes concurrently, then swap the columns in one short transaction.

    A short list (few columns, referenced by others, with a unique name or filled by revisions, and no code that adds
    rows) is only an info, and a guess. Where the application's source is known, each table is a guess of which no
    number of rows above a million is known: a name such as `event` does not say that there will be two billion.

    Not reported: keys that do not count up, such as codes and years, and a link table's keys, which change with the
    tables they reference.
    """

    severity = Severity.WARNING
    action = Action.ENFORCE
    weighs_queries = True
    fold = Fold.ALL
    not_when = "Keep it for a list that is known to stay short, such as countries."
    references = (
        "https://www.postgresql.org/docs/current/datatype-numeric.html#DATATYPE-INT",
        "https://www.postgresql.org/docs/current/ddl-identity-columns.html",
    )
    bad = """
        CREATE TABLE author (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
        CREATE TABLE book (id serial PRIMARY KEY, author_id integer REFERENCES author);
        CREATE INDEX ON book (author_id);
    """
    good = """
        CREATE TABLE author (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
        CREATE TABLE book (id bigserial PRIMARY KEY, author_id bigint REFERENCES author);
        CREATE INDEX ON book (author_id);
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Members of primary keys that a sequence feeds and that are narrower than bigint."""
        linked, obstacles = schema.fact(Linked), schema.fact(Obstacles)
        feeding = schema.fact(feeding_sequences)
        for table, column in checked_columns(schema):
            if is_counted_key(table, column, feeding):
                group = linked.group(column)
                remedy = together(group, obstacles, lambda item: widened(item, WIDE, feeding), lambda _: True)
                message = f"{column.identifier} ends at {LARGEST[column.type.name]:,}"
                small = Severity.INFO if looks_like_a_list(schema, table) else None
                finding = self.finding(at=column, message=message, remedy=remedy, severity=small)
                yield finding.but(guess=small is not None or not _may_end(schema, table))


def _may_end(schema: Schema, table: Table) -> bool:
    """Whether the numbers may end one day. Without the application's source any table may grow."""
    rows = rows_of(table)
    if rows is not None:
        return rows >= MANY
    return schema.evidence is None


def is_counted_key(table: Table, column: Column, feeding: Feeding) -> bool:
    """Whether a sequence or identity counts up this member of the primary key, in less than bigint."""
    kind, key = column.type, table.primary_key
    if key is None or column.name not in key.columns or kind.name not in LARGEST or kind.name == WIDE or kind.array:
        return False
    counted = column.identity is not None or column.sequence not in (None, UNKNOWN)
    return not kind.decorated and (counted or (column.table, column.name) in feeding)
