from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Action, Finding, Fold, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import checked_columns
from alembic_pgpatterns.patterns.types._text import GUESSED, KeepLimit, as_text
from alembic_pgpatterns.schema.model import DataType, Schema


@dataclass(frozen=True, slots=True)
class Options:
    """What varchar-length does with the limit, and which columns it means."""

    keep_limit: KeepLimit = KeepLimit.AUTO
    """What becomes of the limit: `auto` keeps it as a CHECK unless it is one of `guessed_limits`, `always` keeps every
    limit, `never` drops them."""

    guessed_limits: tuple[int, ...] = GUESSED
    """Limits that say nothing about the values: round numbers, and limits of other databases."""

    type_decorators: bool = False
    """In models, also columns whose type is a TypeDecorator over String. Enums are never meant."""


class VarcharLength(SchemaPattern):
    """A column of type `varchar(n)`, whose length limit saves nothing and is hard to change.

    PostgreSQL stores varchar(n) and text in the same way. The limit is part of the type: raising it needs an ALTER
    COLUMN under an exclusive lock, lowering it reads the table, and views, functions and foreign keys on the column
    repeat it. Most limits are guesses (255) that nobody remembers until an insert fails in production.

    Changing to `text` rewrites no row. A limit that says nothing (255, 1000 and the like: `guessed_limits`) goes away.
    Any other may be a rule that somebody wrote, so the fix keeps it as a CHECK (`keep_limit`), and the finding is an
    info, and a guess: the column refuses the same values before and after. The CHECK has a name and can be replaced
    with NOT VALID and VALIDATE, without a lock that blocks writes.

    Columns that foreign keys connect change together or not at all; the CHECK is on the one that they reference.

    Not reported: `varchar` without a length, columns whose type a TypeDecorator chooses (unless `type_decorators` is
    set), and `Enum(native_enum=False)`. Only described: a column under a view, of a domain, or in a partition key, and
    an array with a limit to keep, since no CHECK can test each element.
    """

    severity = Severity.WARNING
    action = Action.ENFORCE
    of_postgresql = True
    fold = Fold.TABLE
    not_when = "Keep it if another system reads the length from the catalog, as some reporting tools do."
    Options = Options
    references = (
        "https://www.postgresql.org/docs/current/datatype-character.html",
        "https://wiki.postgresql.org/wiki/Don%27t_Do_This#Don.27t_use_varchar.28n.29_by_default",
    )
    bad = """
        CREATE TABLE account (id bigint PRIMARY KEY, email varchar(255) NOT NULL);
    """
    good = """
        CREATE TABLE account (id bigint PRIMARY KEY, email text NOT NULL, CHECK (char_length(email) <= 254));
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Columns of varchar with a length, through arrays and domains."""
        options = self.options
        for _, column in checked_columns(schema):
            if self._is_checked(column.type):
                keep = (options.keep_limit, options.guessed_limits)
                is_guessed = column.type.length in options.guessed_limits
                finding = self.finding(
                    at=column,
                    message=f"{column.identifier} is limited to {column.type.length} characters by its type",
                    remedy=as_text(schema, column, *keep, decorated=options.type_decorators),
                    severity=None if is_guessed else Severity.INFO,
                    # A limit that somebody chose does its work: that they all could be CHECKs is said once.
                    # So is the habit of writing 255.
                    cause="guessed limits" if is_guessed else "chosen limits",
                )
                yield finding.but(guess=not is_guessed)

    def _is_checked(self, kind: DataType) -> bool:
        if kind.name != "varchar" or kind.length is None:
            return False
        return not kind.decorated or (self.options.type_decorators and not kind.labels)
