from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import Obstacles
from alembic_pgpatterns.patterns.types._flags import (
    FLAG_VALUES,
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


class FlagAsText(SchemaPattern):
    """A yes or no that is stored in a text column instead of a boolean.

    Every reader must know whether it is 'Y', 'yes', 'true' or '1'. Conditions become `active = 'Y'` instead of
    `active`, the application gets strings that are true even if they say 'N', and only a CHECK keeps 'y' and '' out.

    Recognised by a CHECK that allows exactly the two words of a pair ('Y'/'N', 'yes'/'no', 'true'/'false', 'T'/'F',
    '1'/'0', 'on'/'off'), by a default of 'true' or 'false', by a default of 'Y', 'N', 'T' or 'F' on a single character,
    or by a name that begins with one of `prefixes`.

    Not reported: columns whose CHECK allows other values or whose default is another word, members of primary and
    foreign keys, arrays, and in models types that a TypeDecorator or an Enum chooses.
    """

    severity = Severity.WARNING
    action = Action.SUGGEST
    not_when = "Keep text if a third value will come: then let a CHECK or an enum list all of them."
    Options = Options
    references = ("https://www.postgresql.org/docs/current/datatype-boolean.html",)
    bad = """
        CREATE TABLE account (
            id bigint PRIMARY KEY,
            active char(1) NOT NULL DEFAULT 'Y' CONSTRAINT account_active_check CHECK (active IN ('Y', 'N'))
        );
    """
    good = """
        CREATE TABLE account (id bigint PRIMARY KEY, active boolean NOT NULL DEFAULT true);
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Text columns that hold a yes or no."""
        obstacles = schema.fact(Obstacles)
        for table, column, restriction in restricted_columns(schema):
            if _shaped(table, column) and self._is_flag(column, restriction):
                yield self.finding(
                    at=column,
                    message=f"{column.identifier} holds a yes or no as {column.type.display}",
                    remedy=to_boolean(table, column, restriction.two, obstacles, text=True),
                )

    def _is_flag(self, column: Column, restriction: Restriction) -> bool:
        default = default_constant(column)
        if restriction.other or (default is not None and default.lower() not in FLAG_VALUES):
            return False
        by_check = restriction.two is not None
        return by_check or _default_tells(column, default) or is_named_flag(column.name, self.options.prefixes)


def _shaped(table: Table, column: Column) -> bool:
    kind = column.type
    text = kind.schema == "pg_catalog" and kind.name in ("varchar", "bpchar", "text")
    return text and not kind.array and not kind.decorated and not is_key_member(table, column.name)


def _default_tells(column: Column, default: str | None) -> bool:
    if default is None:
        return False
    # One letter alone says nothing where others fit in: "n" may be north.
    return default.lower() in ("true", "false") or (column.type.length == 1 and default.lower() in "yntf")
