from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Action, Finding, Fold, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import checked_columns
from alembic_pgpatterns.patterns.types._text import KeepLimit, as_text
from alembic_pgpatterns.schema.model import Schema


@dataclass(frozen=True, slots=True)
class Options:
    """What fixed-char does with the limit."""

    keep_limit: KeepLimit = KeepLimit.AUTO
    """What becomes of the limit: `auto` keeps it as a CHECK unless it is a usual guess such as 255, `always` keeps
    every limit, `never` drops them."""


class FixedChar(SchemaPattern):
    """A column of type `char(n)`, which PostgreSQL fills up with blanks.

    PostgreSQL stores a shorter value with blanks up to n characters, and ignores the blanks in some comparisons and not
    in others: `LIKE` and regular expressions see them, `=` does not, `length()` does not, and a cast to text drops
    them. It is neither smaller nor faster than text.

    The fix keeps the limit as a CHECK (`keep_limit`). If the values have a form, write a CHECK for that, such as
    `CHECK (currency ~ '^[A-Z]{3}$')`.

    Not reported: `"char"`, the one-byte type of the system catalogs, and `bpchar` without a length, which is not filled
    up. In models, types that a TypeDecorator or a non-native Enum chooses are left alone.
    """

    severity = Severity.WARNING
    action = Action.ENFORCE
    fold = Fold.TABLE
    not_when = "Keep it if clients rely on getting the blanks."
    Options = Options
    references = (
        "https://www.postgresql.org/docs/current/datatype-character.html",
        "https://wiki.postgresql.org/wiki/Don%27t_Do_This#Don.27t_use_char.28n.29",
    )
    bad = """
        CREATE TABLE price (id bigint PRIMARY KEY, currency char(3) NOT NULL);
    """
    good = """
        CREATE TABLE price (id bigint PRIMARY KEY, currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'));
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Columns of char with a length, through arrays and domains."""
        for _, column in checked_columns(schema):
            kind = column.type
            # A TypeDecorator may pad and strip as it needs: `decorated` ones are its author's matter.
            if kind.name == "bpchar" and kind.schema == "pg_catalog" and kind.length and not kind.decorated:
                yield self.finding(
                    at=column,
                    message=f"{column.identifier} is padded with blanks to {kind.length} characters",
                    remedy=as_text(schema, column, self.options.keep_limit),
                )
