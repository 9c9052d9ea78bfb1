from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from alembic_pgpatterns.patterns import Action, Finding, Fold, SchemaPattern, Severity
from alembic_pgpatterns.patterns._growth import singular
from alembic_pgpatterns.patterns._words import words
from alembic_pgpatterns.patterns.indexes._links import linking_columns
from alembic_pgpatterns.patterns.indexes._roles import never_null
from alembic_pgpatterns.patterns.indexes._shape import usable
from alembic_pgpatterns.patterns.indexes._soft_deletion import SoftDeletionOptions, soft_delete_column
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import UNKNOWN, Index, Key, Schema, Table
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.expressions import null_columns
from alembic_pgpatterns.schema.sql.values import columns as columns_of
from alembic_pgpatterns.schema.sql.values import null_tested

NULLS_NOT_DISTINCT = 15
"""The first PostgreSQL with UNIQUE NULLS NOT DISTINCT (its release notes, "Utility Commands")."""


class _Rule(NamedTuple):
    """A unique constraint or index: its words for messages, its columns, and those whose nulls it is not about."""

    at: Key | Index
    text: str
    members: tuple[str | None, ...]
    excluded: frozenset[str] = frozenset()


class NullableUnique(SchemaPattern):
    """A unique rule over several columns that allows duplicates as soon as one column is null.

    In a unique index two nulls are not equal: the row (7, NULL) can exist any number of times, and ON CONFLICT does not
    find it. From PostgreSQL 15 on, UNIQUE NULLS NOT DISTINCT treats nulls as equal.

    Not reported: rules of which a part is unique already and never null; rules over one column, where null means "has
    none"; rules with a soft-deletion column, whose null is the point; a link table without a primary key, which
    missing-primary-key reports; a partial index whose predicate covers the nulls, alone or together with a CHECK; a
    table with another unique index for the rows where the column is null; a column in whose place other rules have
    another one ((phone, shop) beside (email, shop)); columns that a CHECK keeps from being null.

    Where only the name that something has elsewhere may be null (`external_id`, `saml_subject`), null usually means
    that it has none; so it does where all columns may be null, and one is a number within a parent (`job_id`,
    `row_number`). That is a guess.
    """

    severity = Severity.INFO
    action = Action.REPORT
    fold = Fold.ALL
    not_when = "Keep it if several rows without the value may exist beside each other."
    Options = SoftDeletionOptions
    references = (
        "https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-UNIQUE-CONSTRAINTS",
        "https://www.postgresql.org/docs/current/sql-createindex.html",
    )
    bad = """
        CREATE TABLE room (id bigint PRIMARY KEY, house text NOT NULL, door text, UNIQUE (house, door));
    """
    good = """
        CREATE TABLE room (
            id bigint PRIMARY KEY, house text NOT NULL, door text, UNIQUE NULLS NOT DISTINCT (house, door)
        );
    """
    example_version = NULLS_NOT_DISTINCT
    bad_models = """
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, UniqueConstraint

metadata = MetaData()
Table(
    "room",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("house", Text, nullable=False),
    Column("door", Text),
    UniqueConstraint("house", "door", name="room_house_door"),
)
"""
    good_models = bad_models.replace('"door", name=', '"door", postgresql_nulls_not_distinct=True, name=')

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Unique constraints, and unique indexes behind none."""
        for table in schema.checked_tables():
            for key in table.unique_constraints:
                if key.nulls_not_distinct is False and not key.temporal:
                    rule = _Rule(key, f"the unique constraint {key.identifier}", key.columns)
                    yield from self._findings(schema, table, rule)
            for index in table.indexes:
                if _rules(index):
                    rule = _Rule(index, str(index.name), index.columns, _kept_out(table, index))
                    yield from self._findings(schema, table, rule)

    def _findings(self, schema: Schema, table: Table, rule: _Rule) -> Iterator[Finding]:
        members = rule.members
        soft = soft_delete_column(table, self.options.columns)
        if table.primary_key is None and linking_columns(table).issuperset(filter(None, members)):
            return
        if len(members) < 2 or (soft is not None and soft.name in members):
            return
        if _is_implied(table, members):
            return
        columns = [column for column in table.columns if column.name in members and column.name not in rule.excluded]
        nullable = [
            column.name for column in columns if not (never_null(table, column) or _has_companion(table, column.name))
        ]
        shared = [name for name in nullable if not _is_alternative(table, name, members)]
        alternatives = bool(nullable) and _other_parent(table, nullable, members)
        nullable = shared or nullable
        if nullable:
            names = " or ".join(map(quote, nullable))
            finding = self.finding(
                at=rule.at,
                message=f"{rule.text} allows duplicate rows when {names} is null",
                remedy=self._advice(nullable),
            )
            optional = _is_optional(schema, table, nullable, all_of_them=len(nullable) == len(members))
            yield finding.but(guess=alternatives or optional)

    def _advice(self, nullable: list[str]) -> Advice:
        """Rows that stand there by now may break the stricter rule, and may be meant to."""
        stricter = (
            "declare it NULLS NOT DISTINCT" if self.allows(NULLS_NOT_DISTINCT) else "add a unique index for the null"
        )
        return Advice(
            f"Make {', '.join(map(quote, nullable))} NOT NULL, or {stricter}, if such rows must not come twice."
        )


def _rules(index: Index) -> bool:
    """Whether it keeps a rule of its own, all of which is known."""
    is_rule = index.unique and index.constraint is None and index.parent is None and usable(index)
    return is_rule and index.nulls_not_distinct is False and index.predicate is not UNKNOWN


def _kept_out(table: Table, index: Index) -> frozenset[str]:
    """Columns whose nulls the index's predicate is about, alone or through a CHECK on both."""
    if index.predicate is None or index.predicate is UNKNOWN:
        return frozenset()
    in_predicate = columns_of(index.predicate)
    conditions = [check.expression for check in table.checks if check.expression is not UNKNOWN]
    by_check = (null_tested(text) for text in conditions if in_predicate & columns_of(text))
    return null_tested(index.predicate).union(*by_check)


def _is_implied(table: Table, members: tuple[str | None, ...]) -> bool:
    """Whether fewer of the columns are unique already, none of them null: then no row comes twice."""
    rules = [key.columns for key in (table.primary_key, *table.unique_constraints) if key is not None]
    rules += [index.columns for index in table.indexes if index.unique and index.predicate is None]  # type: ignore[misc]
    smaller = [rule for rule in rules if rule and set(rule) < set(members)]
    columns = {column.name: column for column in table.columns}
    return any(all(name in columns and never_null(table, columns[name]) for name in rule) for rule in smaller)


def _is_alternative(table: Table, name: str, members: tuple[str | None, ...]) -> bool:
    """Whether other rules have another column instead: (phone, shop) beside (email, shop). One of them is null."""
    rest = {member for member in members if member != name}
    rules = [key.columns for key in table.unique_constraints]
    partial = [index.columns for index in table.indexes if index.unique and index.constraint is None]
    return any(rest < set(other) and name not in other for other in (*rules, *partial))


def _other_parent(table: Table, nullable: list[str], members: tuple[str | None, ...]) -> bool:
    """Whether a row belongs to one of several parents, with a rule for each: (person, task) beside (person, entity)."""
    linked = {name for key in table.foreign_keys for name in key.columns}
    optional = {column.name for column in table.columns if column.nullable and column.name in linked}
    rest = set(members) - set(nullable)
    rules: list[tuple[str | None, ...]] = [key.columns for key in table.unique_constraints]
    rules += [index.columns for index in table.indexes if index.unique and index.constraint is None]
    others = (set(other) - rest for other in rules if rest < set(other))
    return set(nullable) <= optional and any(other <= optional - set(nullable) for other in others)


_IDENTITIES = frozenset({
    "alias", "barcode", "code", "email", "fingerprint", "handle", "hash", "id", "isbn", "issuer", "key", "login",
    "nickname", "number", "phone", "ref", "reference", "sku", "slug", "subject", "uid", "username", "uuid",
})  # fmt: skip
"""Last words of columns with a name that something has elsewhere, which not everything has."""


def _is_optional(schema: Schema, table: Table, nullable: list[str], *, all_of_them: bool) -> bool:
    """Whether null means that the row has no such name, or no parent in which it has one."""
    linked = {name for key in table.foreign_keys for name in key.columns} if all_of_them else set()
    unlinked = [name for name in nullable if name not in linked]
    return bool(unlinked) and all(_names_it_elsewhere(schema, table, name) for name in unlinked)


def _names_it_elsewhere(schema: Schema, table: Table, name: str) -> bool:
    """Whether the column holds a name from elsewhere, and does not refer to a table, with or without a foreign key."""
    parts = words(name)
    if not parts or parts[-1] not in _IDENTITIES or any(name in key.columns for key in table.foreign_keys):
        return False
    return parts[:-1] not in schema.fact(_things)


def _things(schema: Schema) -> frozenset[tuple[str, ...]]:
    """The names of the tables in words, the last one in the singular."""
    names = (words(table.name.name) for table in schema.tables)
    return frozenset((*name[:-1], singular(name[-1])) for name in names if name)


def _has_companion(table: Table, name: str) -> bool:
    """Whether another unique index keeps the rule for the rows where the column is null."""
    predicates = (index.predicate for index in table.indexes if index.unique)
    return any(isinstance(predicate, str) and name in null_columns(predicate) for predicate in predicates)
