"""The parts of a table in the frozen model: columns, indexes, constraints, policies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from alembic_pgpatterns.schema.names import Name, quote
from alembic_pgpatterns.schema.origin import NO_ORIGIN, UNKNOWN, Origin, Unknown
from alembic_pgpatterns.schema.types import DataType


@dataclass(frozen=True, slots=True)
class Identity:
    """``GENERATED … AS IDENTITY``."""

    always: bool
    sequence: Name | Unknown = UNKNOWN


@dataclass(frozen=True, slots=True)
class Generated:
    """``GENERATED ALWAYS AS (expression) STORED | VIRTUAL``."""

    expression: str | Unknown
    stored: bool


@dataclass(frozen=True, slots=True)
class ColumnStatistics:
    """The pg_stats entry of a column; only of a live database."""

    null_frac: float
    n_distinct: float


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    ``default`` is the server's default expression (from the catalog in pg_get_expr's form, from models the declared
    SQL text). ``python_default`` is what SQLAlchemy fills in: the dotted name of a callable (``uuid.uuid4``), or the
    repr of the value; None if there is none, UNKNOWN from the catalog. ``python_onupdate``: so for ``onupdate``.
    ``sequence`` is the sequence that it owns or
    takes nextval from (``serial``). ``position`` counts from 1. ``null_stated``: the models say ``nullable=True``,
    ``default=None`` or ``Mapped[… | None]``. ``of_subclass``: only rows of a subclass have it
    (single-table inheritance).
    ``seeded_null``: it is null in rows that the revisions put into the table; known of booleans only.
    ``required_by_model``: the models say NOT NULL, whatever the database says.
    """

    table: Name
    name: str
    type: DataType
    nullable: bool
    position: int = 0
    default: str | Unknown | None = None
    python_default: str | Unknown | None = UNKNOWN
    identity: Identity | None = None
    generated: Generated | None = None
    sequence: Name | Unknown | None = None
    comment: str | None = None
    statistics: ColumnStatistics | None = None
    null_stated: bool = False
    of_subclass: bool = False
    seeded_null: bool = False
    required_by_model: bool = False
    python_onupdate: str | Unknown | None = UNKNOWN
    origin: Origin = NO_ORIGIN

    @property
    def identifier(self) -> str:
        """``schema.table.column``, quoted where needed."""
        return f"{self.table}.{quote(self.name)}"


@dataclass(frozen=True, slots=True)
class IndexKey:
    """One key of an index: a column, or an expression.

    ``opclass`` and ``opfamily`` are qualified names (``pg_catalog.text_ops``); ``opclass_default`` says whether it is
    the type's default for the method. ``collation`` is None if the type has none. ``type`` is the key's type; UNKNOWN
    for expressions in models.
    """

    column: str | None
    expression: str | Unknown | None = None
    type: DataType | Unknown = UNKNOWN
    opclass: Name | Unknown = UNKNOWN
    opclass_default: bool | Unknown = UNKNOWN
    opfamily: Name | Unknown = UNKNOWN
    collation: Name | Unknown | None = UNKNOWN
    descending: bool = False
    nulls_first: bool = False

    def __str__(self) -> str:
        return quote(self.column) if self.column is not None else f"({self.expression})"


ConstraintKind = Literal["primary key", "unique", "exclusion"]


@dataclass(frozen=True, slots=True)
class Index:
    """An index of a table or materialised view, maybe the one of a declared key.

    ``constraint``: name of its constraint, if it has one, and ``constraint_kind``. ``predicate`` is the WHERE of a
    partial index. ``building``: a CREATE INDEX CONCURRENTLY is running (pg_stat_progress_create_index).
    ``parent``: the partitioned index that it is attached to. ``scans``: only of a live database.
    """

    name: Name
    table: Name
    method: str
    keys: tuple[IndexKey, ...]
    include: tuple[str, ...] = ()
    predicate: str | Unknown | None = None
    unique: bool = False
    nulls_not_distinct: bool | Unknown = False
    valid: bool = True
    ready: bool = True
    building: bool = False
    constraint: str | None = None
    constraint_kind: ConstraintKind | None = None
    replica_identity: bool = False
    clustered: bool = False
    parent: Name | None = None
    options: tuple[str, ...] | Unknown = UNKNOWN
    comment: str | None = None
    scans: int | None = None
    size: int | None = None
    origin: Origin = NO_ORIGIN

    @property
    def identifier(self) -> str:
        """``schema.index``: index names are unique in a schema."""
        return str(self.name)

    @property
    def columns(self) -> tuple[str | None, ...]:
        """The key columns in order; None for an expression."""
        return tuple(key.column for key in self.keys)


@dataclass(frozen=True, slots=True)
class Key:
    """A primary key or unique constraint. ``temporal``: WITHOUT OVERLAPS (PostgreSQL 18)."""

    table: Name
    name: str | None
    columns: tuple[str, ...]
    primary: bool
    index: str | None = None
    nulls_not_distinct: bool | Unknown = False
    deferrable: bool = False
    initially_deferred: bool = False
    include: tuple[str, ...] = ()
    temporal: bool = False
    inherited: bool = False
    comment: str | None = None
    origin: Origin = NO_ORIGIN

    @property
    def identifier(self) -> str:
        """``schema.table(columns)``: the same with and without a name."""
        return f"{self.table}({', '.join(map(quote, self.columns))})"


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key.

    ``key_opfamilies``: for each column the btree and hash operator families that hold the constraint's equality
    operator (``conpfeqop``) or its commutator; they decide which indexes can serve it.
    ``inherited``: it belongs to a partition and comes from its parent (``conparentid <> 0``).
    ``on_delete``, ``on_update``: 'NO ACTION', 'RESTRICT', 'CASCADE', 'SET NULL', 'SET DEFAULT'.
    """

    table: Name
    name: str | None
    columns: tuple[str, ...]
    referred_table: Name
    referred_columns: tuple[str, ...]
    key_opfamilies: tuple[frozenset[Name], ...] | Unknown = UNKNOWN
    validated: bool = True
    enforced: bool = True
    deferrable: bool = False
    initially_deferred: bool = False
    match_full: bool = False
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"
    inherited: bool = False
    temporal: bool = False
    comment: str | None = None
    origin: Origin = NO_ORIGIN

    @property
    def identifier(self) -> str:
        """``schema.table(columns)``: the same with and without a name."""
        return f"{self.table}({', '.join(map(quote, self.columns))})"


@dataclass(frozen=True, slots=True)
class Check:
    """A CHECK constraint; ``not_null_column`` for PostgreSQL 18's named NOT NULL constraints (contype n)."""

    table: Name
    name: str | None
    expression: str | Unknown
    columns: tuple[str, ...] | Unknown = UNKNOWN
    validated: bool = True
    enforced: bool = True
    no_inherit: bool = False
    inherited: bool = False
    not_null_column: str | None = None
    comment: str | None = None
    origin: Origin = NO_ORIGIN

    @property
    def identifier(self) -> str:
        """``schema.table.constraint``; without a name the expression is used instead."""
        return f"{self.table}.{quote(self.name) if self.name else f'check({self.expression})'}"


@dataclass(frozen=True, slots=True)
class Exclusion:
    """An EXCLUDE constraint; its index is among the table's indexes. ``definition``: as PostgreSQL prints it."""

    table: Name
    name: str | None
    index: str | None = None
    inherited: bool = False
    definition: str | Unknown = UNKNOWN
    comment: str | None = None
    origin: Origin = NO_ORIGIN

    @property
    def identifier(self) -> str:
        """``schema.table.constraint``."""
        return f"{self.table}.{quote(self.name or 'exclude')}"


@dataclass(frozen=True, slots=True)
class Policy:
    """A row-level security policy. ``command``: 'ALL', 'SELECT', 'INSERT', 'UPDATE', 'DELETE'."""

    table: Name
    name: str
    command: str
    permissive: bool
    roles: tuple[str, ...]
    using: str | None
    check: str | None
    origin: Origin = NO_ORIGIN

    @property
    def identifier(self) -> str:
        """``schema.table.policy``."""
        return f"{self.table}.{quote(self.name)}"
