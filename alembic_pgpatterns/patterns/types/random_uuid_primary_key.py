from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import judged_columns
from alembic_pgpatterns.remedies.model import Advice, Remedy, SetDefault
from alembic_pgpatterns.schema.model import UNKNOWN, Column, Schema
from alembic_pgpatterns.schema.sql.values import called

SERVER_FUNCTIONS = frozenset({"gen_random_uuid", "uuid_generate_v4", "uuidv4"})
PYTHON_FUNCTIONS = frozenset({"uuid.uuid4"})
FIRST_WITH_UUIDV7 = 18


class RandomUuidPrimaryKey(SchemaPattern):
    """A primary key of random UUIDs (version 4).

    Each new row goes to a random place in the index: every insert reads and dirties another page, so that the whole
    index must stay in memory, each touched page goes into the write-ahead log in full after a checkpoint, and
    pages stay half empty after splits. Rows made together are far apart for every join.

    PostgreSQL 18 has `uuidv7()`: as unique, and its values grow with time, so that inserts go to the right edge. Below
    18, a bigint identity is the key that grows; a random UUID can stay beside it for the outside.

    Seen in the server's default and, in models, in a Python-side default of `uuid.uuid4`. Existing values stay as
    they are; old and new ones live in one column.

    What does not count: UUIDs of version 1, 6 or 7, UUIDs made elsewhere, and random UUIDs that are no primary key.
    """

    severity = Severity.INFO
    action = Action.SUGGEST
    not_when = "A version 7 UUID tells when its row was made: keep random ones where a key or that moment is a secret."
    references = (
        "https://www.postgresql.org/docs/current/functions-uuid.html",
        "https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-7",
    )
    bad = """
        CREATE TABLE device (id uuid PRIMARY KEY DEFAULT gen_random_uuid());
    """
    good = """
        CREATE TABLE device (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            public_id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid()
        );
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Members of primary keys of type uuid with a random default."""
        for table, column in judged_columns(schema):
            key = table.primary_key
            if key is not None and column.name in key.columns and column.type.name == "uuid" and not column.type.array:
                source = _random_source(column)
                if source is not None:
                    yield self.finding(
                        at=column,
                        message=f"{column.identifier} is a random UUID, made by {source}",
                        remedy=self._remedy(column),
                    )

    def _remedy(self, column: Column) -> Remedy:
        if not self.allows(FIRST_WITH_UUIDV7):
            return Advice(
                "Use a bigint GENERATED ALWAYS AS IDENTITY as key, with the random UUID beside it where the outside "
                "needs one; from PostgreSQL 18 on, uuidv7() as default (set target_version)."
            )
        old = column.default if isinstance(column.default, str) else None
        return SetDefault(
            column.table, column.name, "uuidv7()", old, replaces_python_default=_made_in_python(column) is not None
        )


def _random_source(column: Column) -> str | None:
    if isinstance(column.default, str) and called(column.default) in SERVER_FUNCTIONS:
        return f"{called(column.default)}()"
    return _made_in_python(column)


def _made_in_python(column: Column) -> str | None:
    default = column.python_default
    return default if default is not UNKNOWN and default in PYTHON_FUNCTIONS else None
