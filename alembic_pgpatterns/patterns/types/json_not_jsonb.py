from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.evidence.model import QueryShape, Use
from alembic_pgpatterns.patterns import Action, Finding, Fold, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import checked_columns
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import Column, Schema
from alembic_pgpatterns.schema.names import quote


class JsonNotJsonb(SchemaPattern):
    """A column of type `json` instead of `jsonb`.

    `json` stores the text as it came and parses it again at every access. It has no equality, so `DISTINCT`, `GROUP
    BY`, `UNION` and `=` fail on it; it has no containment operator and no GIN index.

    `jsonb` stores the parsed document: faster to read, comparable, indexable. It drops white space, the order of keys,
    and all but the last of duplicate keys, and refuses `\u0000`. So the fix is only described: a person must say
    whether the exact text matters.

    It is a guess where the application's source is known and no query looks into the column: a document that is written
    and read as a whole costs the same as either.

    Arrays and domains are checked too.
    """

    severity = Severity.WARNING
    action = Action.SUGGEST
    of_postgresql = True
    weighs_queries = True
    fold = Fold.TABLE
    not_when = "Keep json if the exact text matters: signed documents, the order of keys, a log of requests."
    references = ("https://www.postgresql.org/docs/current/datatype-json.html",)
    bad = """
        CREATE TABLE event (id bigint PRIMARY KEY, payload json NOT NULL);
    """
    good = """
        CREATE TABLE event (id bigint PRIMARY KEY, payload jsonb NOT NULL);
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Columns of json, through arrays and domains."""
        for _, column in checked_columns(schema):
            if column.type.name == "json" and column.type.schema == "pg_catalog":
                finding = self.finding(
                    at=column,
                    message=f"{column.identifier} is kept as text and parsed again at every access",
                    remedy=_advice(column),
                    # That a project has one and not the other is one decision.
                    cause=column.type.decorator or "json",
                )
                yield finding.but(guess=_is_read_whole(schema, column))


def _is_read_whole(schema: Schema, column: Column) -> bool:
    """Whether the application's queries are known, and none has the column in a condition, an order or a group.

    Not in models, of which autogenerate asks: a new column costs nothing to change.
    """
    if schema.evidence is None or not schema.evidence.shapes or schema.source == "models":
        return False
    shapes = schema.evidence.of_table(column.table.schema, column.table.name)
    return not any(shape.distinct or column.name in _looked_into(shape) for shape in shapes)


def _looked_into(shape: QueryShape) -> frozenset[str]:
    conditions = (item for item in shape.conditions if item.use not in (Use.IS_NULL, Use.IS_NOT_NULL))
    keys = {item.column for item in conditions} | {item.column for item in shape.order}
    return frozenset(keys | {*shape.grouped} | {name for _, name in shape.aggregates})


def _advice(column: Column) -> Advice:
    name, new = quote(column.name), "jsonb[]" if column.type.array else "jsonb"
    where = f" as the impl of {column.type.decorator}" if column.type.decorator else ""
    return Advice(
        f"JSONB{where}, where neither the order of keys nor duplicate keys matter. From the model, the plugin's "
        f"autogenerate changes existing rows in stages; alone, ALTER TABLE {column.table} ALTER COLUMN {name} "
        f"TYPE {new} USING {name}::{new} rewrites the table."
    )
