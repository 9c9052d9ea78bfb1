from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Action, Finding, Fold, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import checked_columns
from alembic_pgpatterns.patterns._words import names_any, words
from alembic_pgpatterns.patterns.types._flags import is_key_member
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import Column, Schema
from alembic_pgpatterns.schema.names import quote


@dataclass(frozen=True, slots=True)
class EpochAsIntegerOptions:
    """Which names speak of a moment."""

    moments: tuple[str, ...] = ("at", "timestamp", "epoch", "unixtime", "mtime", "ctime", "atime")
    """Last words of a name that say it is a moment; `at` only behind another word."""
    times: tuple[str, ...] = (
        "time", "date", "unix", "created", "updated", "modified", "changed", "deleted", "started", "start", "ended",
        "end", "expires", "expired", "expiry", "expiration", "issued", "sent", "received", "seen", "login", "published",
    )  # fmt: skip
    """Words that say it of a name which ends with `epoch`."""


class EpochAsInteger(SchemaPattern):
    """A moment that is stored as seconds in an `integer` column, which ends in January 2038.

    The largest `integer` is 2,147,483,647 seconds after 1970: 2038-01-19 03:14:07 UTC. From then on every insert fails,
    and a time in the future, such as the end of a contract, fails today. Functions and operators for times do not work
    on the column, and nobody who reads a row sees what time it is.

    `timestamptz` takes 8 bytes, holds microseconds, and is shown in the reader's time zone.

    Recognised by the last word of the name (`launched_at`, `expiry_epoch`). It is a guess where that is `epoch` and no
    word before it speaks of a time: epochs are counted, too (`training_epoch`). Not reported: `bigint`, which does not
    end; members of primary and foreign keys; columns that count up; arrays; and in models types that a TypeDecorator
    chooses.
    """

    severity = Severity.WARNING
    action = Action.SUGGEST
    fold = Fold.TABLE
    not_when = "Keep it if another system that cannot change reads the number, and widen it to bigint."
    Options = EpochAsIntegerOptions
    references = (
        "https://www.postgresql.org/docs/current/datatype-numeric.html#DATATYPE-INT",
        "https://www.postgresql.org/docs/current/functions-datetime.html",
        "https://github.com/PowerDNS/pdns/issues/11872",
    )
    bad = "CREATE TABLE mission (id bigint PRIMARY KEY, launched_at integer);"
    good = "CREATE TABLE mission (id bigint PRIMARY KEY, launched_at timestamptz);"

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Integer columns that are named as a moment."""
        for table, column in checked_columns(schema):
            key_member = is_key_member(table, column.name)
            if _counts_seconds(column) and self._is_moment(column.name) and not key_member:
                yield self.finding(
                    at=column,
                    message=f"{column.identifier} holds a moment as a number that ends on 2038-01-19",
                    remedy=Advice(
                        f"Use timestamptz. ALTER TABLE {column.table} ALTER COLUMN {quote(column.name)} TYPE "
                        f"timestamptz USING to_timestamp({quote(column.name)}) rewrites the table; "
                        "change the code that reads and writes the number in the same deployment. "
                        "Where a library reads it, bigint keeps it a number that does not end."
                    ),
                ).but(guess=self._may_count(column.name))

    def _is_moment(self, name: str) -> bool:
        parts = words(name)
        return bool(parts) and parts[-1] in self.options.moments and (parts[-1] != "at" or len(parts) > 1)

    def _may_count(self, name: str) -> bool:
        """Whether the name may be that of a number of epochs."""
        return words(name)[-1] == "epoch" and not names_any(name, self.options.times)


def _counts_seconds(column: Column) -> bool:
    kind = column.type
    whole = kind.schema == "pg_catalog" and kind.name == "int4" and not kind.array and not kind.decorated
    # What counts rows is no time, whatever its name.
    return whole and column.identity is None and column.sequence is None and column.generated is None
