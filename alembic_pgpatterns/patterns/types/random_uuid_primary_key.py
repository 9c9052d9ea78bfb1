from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import checked_columns
from alembic_pgpatterns.patterns._growth import MANY, grows_by_itself, rows_of
from alembic_pgpatterns.patterns._words import names_any
from alembic_pgpatterns.remedies.model import Advice, Remedy, SetDefault
from alembic_pgpatterns.schema.model import UNKNOWN, Column, Schema, Table
from alembic_pgpatterns.schema.sql.values import called

SERVER_FUNCTIONS = frozenset({"gen_random_uuid", "uuid_generate_v4", "uuidv4"})
# uuid1 is made of a clock and of the machine, uuid3 and uuid5 of names.
PYTHON_FUNCTIONS = frozenset({"uuid.uuid4"})
FIRST_WITH_UUIDV7 = 18


@dataclass(frozen=True, slots=True)
class RandomUuidPrimaryKeyOptions:
    """Which values must be hard to guess."""

    secrets: tuple[str, ...] = (
        "token", "tokens", "nonce", "nonces", "secret", "secrets", "state", "states", "code", "codes", "otp", "session",
        "sessions", "invitation", "invitations", "invite", "invites", "password", "reset", "verification", "api_key",
        "api_keys", "access_key", "capability",
    )  # fmt: skip
    """Words in the name of a column, or of a table whose key is the only such value, that must be hard to guess."""


class RandomUuidPrimaryKey(SchemaPattern):
    """A primary key of random UUIDs (version 4), which makes inserts and the index slow on large tables.

    Each new row goes to a random place in the index. Every insert reads and changes a different page, so the whole
    index must stay in memory; after a checkpoint each changed page is written to the write-ahead log in full; and pages
    stay half empty.

    PostgreSQL 18 has `uuidv7()`: also unique, but its values grow with time, so inserts go to the end of the index.
    Below 18, use a bigint identity as the key and keep a random UUID beside it for the outside.

    Found in the server's default and, in models, in a Python default of `uuid.uuid4`. Existing values stay as they are;
    old and new ones work in one column.

    A guess where the application's source is known and nothing says that the index outgrows the memory: no known number
    of rows above a million, and no name of what programs fill by themselves, such as events and messages.

    Not reported: UUIDs of version 1, 6 or 7, UUIDs made elsewhere, random UUIDs that are no primary key, and values
    that must be hard to guess (option `secrets`), because version 7 reveals when a value was made.
    """

    severity = Severity.INFO
    action = Action.SUGGEST
    weighs_queries = True
    not_when = "A version 7 UUID reveals when its row was made: keep random ones if a key or that moment is a secret."
    Options = RandomUuidPrimaryKeyOptions
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

    def _is_secret(self, table: Table, column: Column) -> bool:
        """Whether the value must be hard to guess: by the column's name, or by the table's if that is all."""
        if names_any(column.name, self.options.secrets):
            return True
        others = (other.name for other in table.columns if other.name != column.name)
        return names_any(table.name.name, self.options.secrets) and not any(
            names_any(name, self.options.secrets) for name in others
        )

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Members of primary keys of type uuid with a random default."""
        for table, column in checked_columns(schema):
            key = table.primary_key
            if key is not None and column.name in key.columns and column.type.name == "uuid" and not column.type.array:
                source = _random_source(column)
                if source is not None and not self._is_secret(table, column):
                    finding = self.finding(
                        at=column,
                        message=f"{column.identifier} is a random UUID, made by {source}",
                        remedy=self._remedy(column),
                        cause=source,  # how a project makes its keys is decided once
                    )
                    yield finding.but(guess=_stays_in_memory(schema, table))

    def _remedy(self, column: Column) -> Remedy:
        if _made_in_python(column) is not None:
            by_server = " If nothing needs the id before the flush, PostgreSQL can make it: server_default uuidv7()."
            return Advice(
                "Let the default in Python make a version 7 UUID: uuid.uuid7 (Python 3.14), or a package that has it."
                + (by_server if self.allows(FIRST_WITH_UUIDV7) else "")
            )
        if not self.allows(FIRST_WITH_UUIDV7):
            return Advice(
                "Use a bigint GENERATED ALWAYS AS IDENTITY as key, with the random UUID beside it where the outside "
                "needs one; from PostgreSQL 18 on, uuidv7() as default (set target_version)."
            )
        old = column.default if isinstance(column.default, str) else None
        return SetDefault(column.table, column.name, "uuidv7()", old)


def _stays_in_memory(schema: Schema, table: Table) -> bool:
    """Whether nothing says that its index outgrows the memory: no number of rows, and no name of what programs fill."""
    rows = rows_of(table)
    if rows is not None:
        return rows < MANY
    return schema.evidence is not None and not grows_by_itself(table)


def _random_source(column: Column) -> str | None:
    if isinstance(column.default, str) and called(column.default) in SERVER_FUNCTIONS:
        return f"{called(column.default)}()"
    return _made_in_python(column)


def _made_in_python(column: Column) -> str | None:
    default = column.python_default
    return default if default is not UNKNOWN and default in PYTHON_FUNCTIONS else None
