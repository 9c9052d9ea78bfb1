"""Constraints and policies, from pg_constraint and pg_policy."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from alembic_pgpatterns.schema.catalog.queries import constraints as sql
from alembic_pgpatterns.schema.catalog.queries.indexes import EQUALITY_FAMILIES
from alembic_pgpatterns.schema.catalog.relations import Facts
from alembic_pgpatterns.schema.catalog.session import Session
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.origin import UNKNOWN
from alembic_pgpatterns.schema.parts import Check, Exclusion, ForeignKey, Index, Key, Policy

ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
COMMANDS = {"*": "ALL", "r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}


@dataclass(frozen=True, slots=True)
class Constraint:
    """A row of pg_constraint, in the order of the query."""

    oid: int
    table: int
    name: str
    kind: str
    deferrable: bool
    deferred: bool
    validated: bool
    enforced: bool
    columns: list[int] | None
    index: int
    referred: int
    referred_columns: list[int] | None
    on_update: str
    on_delete: str
    match: str
    no_inherit: bool
    inherited: bool
    temporal: bool
    operators: list[int] | None
    expression: str | None


@dataclass(slots=True)
class TableConstraints:
    """The constraints of one table."""

    primary_key: Key | None = None
    unique: list[Key] = field(default_factory=list)
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    exclusions: list[Exclusion] = field(default_factory=list)


class Constraints:
    """All constraints, grouped by table."""

    def __init__(self, session: Session, facts: Facts, indexes: dict[int, tuple[Index, ...]]) -> None:
        self._facts = facts
        self._indexes = {index.name: index for group in indexes.values() for index in group}
        self._families: dict[int, set[Name]] = defaultdict(set)
        for operator, schema, family in session.rows(EQUALITY_FAMILIES):
            self._families[operator].add(Name(schema, family))
        self._referred = {
            (oid, number): (Name(schema, table), column)
            for oid, number, schema, table, column in session.rows(sql.REFERRED_COLUMNS)
        }
        self.by_table: dict[int, TableConstraints] = defaultdict(TableConstraints)
        for row in session.rows(sql.CONSTRAINTS):
            # The tables of extensions and of migration tools are left out, and so are their constraints.
            if row[1] in facts.relations:
                self._add(Constraint(*row))

    def _add(self, row: Constraint) -> None:
        constraints = self.by_table[row.table]
        if row.kind == "p":
            constraints.primary_key = self._key(row)
        elif row.kind == "u":
            constraints.unique.append(self._key(row))
        elif row.kind == "f":
            constraints.foreign_keys.append(self._foreign_key(row))
        elif row.kind == "x":
            table = self._facts.relations[row.table].name
            comment = self._facts.constraint_comment(row.oid)
            definition = row.expression or UNKNOWN
            item = Exclusion(table, row.name, row.name, row.inherited, definition=definition, comment=comment)
            constraints.exclusions.append(item)
        else:
            constraints.checks.append(self._check(row))

    def _columns(self, row: Constraint) -> tuple[str, ...]:
        names = self._facts.column_names[row.table]
        return tuple(names[number] for number in row.columns or ())

    def _key(self, row: Constraint) -> Key:
        table = self._facts.relations[row.table].name
        # A constraint and its index always share their name (docs, ALTER TABLE ... ADD CONSTRAINT USING INDEX).
        index = self._indexes.get(Name(table.schema, row.name))
        return Key(
            table=table,
            name=row.name,
            columns=self._columns(row),
            primary=row.kind == "p",
            index=row.name,
            nulls_not_distinct=index.nulls_not_distinct if index else False,
            deferrable=row.deferrable,
            initially_deferred=row.deferred,
            include=index.include if index else (),
            temporal=row.temporal,
            inherited=row.inherited,
            comment=self._facts.constraint_comment(row.oid),
        )

    def _foreign_key(self, row: Constraint) -> ForeignKey:
        referred = [self._referred[row.referred, number] for number in row.referred_columns or ()]
        return ForeignKey(
            table=self._facts.relations[row.table].name,
            name=row.name,
            columns=self._columns(row),
            referred_table=referred[0][0],
            referred_columns=tuple(column for _, column in referred),
            key_opfamilies=tuple(frozenset(self._families[operator]) for operator in row.operators or ()),
            validated=row.validated,
            enforced=row.enforced,
            deferrable=row.deferrable,
            initially_deferred=row.deferred,
            match_full=row.match == "f",
            on_delete=ACTIONS[row.on_delete],
            on_update=ACTIONS[row.on_update],
            inherited=row.inherited,
            temporal=row.temporal,
            comment=self._facts.constraint_comment(row.oid),
        )

    def _check(self, row: Constraint) -> Check:
        columns = self._columns(row)
        not_null = columns[0] if row.kind == "n" else None
        return Check(
            table=self._facts.relations[row.table].name,
            name=row.name,
            expression=row.expression if row.expression is not None else f"{columns[0]} IS NOT NULL",
            columns=columns,
            validated=row.validated,
            enforced=row.enforced,
            no_inherit=row.no_inherit,
            inherited=row.inherited,
            not_null_column=not_null,
            comment=self._facts.constraint_comment(row.oid),
        )


def read_policies(session: Session, facts: Facts) -> dict[int, list[Policy]]:
    """Row-level security policies by the oid of their table."""
    policies: dict[int, list[Policy]] = defaultdict(list)
    for row in session.rows(sql.POLICIES):
        if row[0] in facts.relations:
            policies[row[0]].append(_policy(facts, row))
    return policies


def _policy(facts: Facts, row: Any) -> Policy:
    oid, name, command, permissive, roles, using, check = row
    return Policy(
        table=facts.relations[oid].name,
        name=name,
        command=COMMANDS[command],
        permissive=permissive,
        roles=tuple(roles),
        using=using,
        check=check,
    )
