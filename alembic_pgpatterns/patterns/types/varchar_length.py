from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Action, Finding, Fold, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import Linked, Obstacles, checked_columns
from alembic_pgpatterns.patterns.types._text import as_text
from alembic_pgpatterns.schema.model import DataType, Schema


@dataclass(frozen=True, slots=True)
class Options:
    """What varchar-length does with the limit, and which columns it means."""

    keep_limit: bool = False
    """Keep the limit as a CHECK constraint, which can be changed later without touching the column."""

    type_decorators: bool = False
    """In models, also columns whose type is a TypeDecorator over String. Enums are never meant."""


class VarcharLength(SchemaPattern):
    """A column of type `varchar(n)`, whose length limit saves nothing and is hard to change.

    PostgreSQL stores varchar(n) and text in the same way. The limit is part of the type: raising it needs an ALTER
    COLUMN under an exclusive lock, lowering it reads the table, and views, functions and foreign keys on the column
    repeat it. Most limits are guesses (255) that nobody remembers until an insert fails in production.

    Changing to `text` rewrites no row. If the limit matters, keep it as a CHECK constraint (option `keep_limit`): it
    has a name and can be replaced with NOT VALID and VALIDATE. Foreign keys to such a column change together with it or
    not at all.

    Not reported: `varchar` without a length, columns whose type a TypeDecorator chooses (unless `type_decorators` is
    set), and `Enum(native_enum=False)`. Only described: a column under a view, of a domain, or in a partition key.
    """

    severity = Severity.WARNING
    action = Action.ENFORCE
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
        linked, obstacles = schema.fact(Linked), schema.fact(Obstacles)
        for _, column in checked_columns(schema):
            if self._is_checked(column.type):
                yield self.finding(
                    at=column,
                    message=f"{column.identifier} is limited to {column.type.length} characters by its type",
                    remedy=as_text(
                        linked.group(column), obstacles, self.options.keep_limit, self.options.type_decorators
                    ),
                )

    def _is_checked(self, kind: DataType) -> bool:
        if kind.name != "varchar" or kind.length is None:
            return False
        return not kind.decorated or (self.options.type_decorators and not kind.labels)
