from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import Obstacles
from alembic_pgpatterns.patterns._words import names_any, words
from alembic_pgpatterns.patterns.types._flags import (
    Restriction,
    default_constant,
    is_key_member,
    is_named_flag,
    restricted_columns,
    to_boolean,
)
from alembic_pgpatterns.schema.model import Column, Schema, Table


@dataclass(frozen=True, slots=True)
class Options:
    """Which names speak of a flag."""

    prefixes: tuple[str, ...] = ("is", "has")
    """A name that begins with one of these words is a yes or no."""

    enumerations: tuple[str, ...] = (
        "type", "kind", "mode", "category", "class", "state", "status", "role", "priority", "order", "version", "phase",
        "stage", "source", "method", "format", "gender", "sex", "group", "code", "side", "direction", "variant", "tier",
    )  # fmt: skip
    """Last words of a name that say it is one of several values, of which there are two so far."""

    unless: tuple[str, ...] = ("count", "number", "total", "level", "id")
    """Words in a name that say it is a number after all."""


class FlagAsInteger(SchemaPattern):
    """A yes or no that is stored in an integer column instead of a boolean.

    `WHERE active` is an error, `active = 2` is allowed, and the application gets numbers instead of True and False.
    `boolean` takes one byte, `integer` four.

    Recognised by a CHECK that allows only 0 and 1, or by a name that begins with one of `prefixes`, if its default is
    0, 1 or missing. A default of 0 alone proves nothing: counters have it too. The name alone is a guess where the
    column is in a unique constraint: it may be set to ever new numbers, so that only one row has the 1.

    Not reported: columns whose CHECK allows other numbers, members of primary and foreign keys, columns that count up,
    names with a word of `unless`, names that end in a word of `enumerations`
    (`app_type`), arrays, and in models types that a TypeDecorator chooses.
    """

    severity = Severity.WARNING
    action = Action.SUGGEST
    not_when = "Keep the integer if it is really a count or a bit mask."
    Options = Options
    references = ("https://www.postgresql.org/docs/current/datatype-boolean.html",)
    bad = """
        CREATE TABLE account (
            id bigint PRIMARY KEY,
            active smallint NOT NULL DEFAULT 1 CONSTRAINT account_active_check CHECK (active IN (0, 1))
        );
    """
    good = """
        CREATE TABLE account (id bigint PRIMARY KEY, active boolean NOT NULL DEFAULT true, visits int DEFAULT 0);
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Integer columns that hold a yes or no."""
        obstacles = schema.fact(Obstacles)
        for table, column, restriction in restricted_columns(schema):
            if _shaped(table, column) and self._is_flag(column, restriction):
                finding = self.finding(
                    at=column,
                    message=f"{column.identifier} holds a yes or no as {column.type.display}",
                    remedy=to_boolean(table, column, restriction.two, obstacles, text=False),
                )
                ruled = any(column.name in key.columns for key in table.unique_constraints)
                yield finding.but(guess=ruled and restriction.two is None)

    def _is_flag(self, column: Column, restriction: Restriction) -> bool:
        if restriction.other or default_constant(column) not in (None, "0", "1"):
            return False
        # `kind IN (0, 1)` is a list that will grow.
        if words(column.name)[-1:] and words(column.name)[-1] in self.options.enumerations:
            return False
        named = is_named_flag(column.name, self.options.prefixes) and not names_any(column.name, self.options.unless)
        return restriction.two is not None or named


def _shaped(table: Table, column: Column) -> bool:
    kind = column.type
    whole = kind.schema == "pg_catalog" and kind.name in ("int2", "int4", "int8") and not kind.array
    counted = column.identity is not None or column.sequence is not None or column.generated is not None
    return whole and not kind.decorated and not counted and not is_key_member(table, column.name)
