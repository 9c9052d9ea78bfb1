"""One frozen model of a schema, for the database's catalog and the application's models alike.

Two readers fill it: ``schema.catalog`` from pg_catalog, ``schema.metadata`` from SQLAlchemy's MetaData. What a reader
cannot know is ``UNKNOWN``; a pattern that needs it reports nothing.

Fields have PostgreSQL's own names if there are any (docs, "System Catalogs").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeVar, cast

from alembic_pgpatterns.evidence.model import Evidence
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.schema.origin import NO_ORIGIN, UNKNOWN, Location, Origin, Unknown
from alembic_pgpatterns.schema.others import (
    DefaultPrivilege,
    Extension,
    Function,
    Grant,
    GrantTarget,
    ModelMetaData,
    Namespace,
    Relationship,
    Sequence,
    View,
)
from alembic_pgpatterns.schema.parts import (
    Check,
    Column,
    ColumnStatistics,
    ConstraintKind,
    Exclusion,
    ForeignKey,
    Generated,
    Identity,
    Index,
    IndexKey,
    Key,
    Policy,
)
from alembic_pgpatterns.schema.types import DataType

__all__ = [
    "NO_ORIGIN",
    "UNKNOWN",
    "Check",
    "Column",
    "ColumnStatistics",
    "ConstraintKind",
    "DataType",
    "DefaultPrivilege",
    "Exclusion",
    "Extension",
    "ForeignKey",
    "Function",
    "Generated",
    "Grant",
    "GrantTarget",
    "Identity",
    "Index",
    "IndexKey",
    "Key",
    "Location",
    "ModelMetaData",
    "Name",
    "Namespace",
    "Origin",
    "Persistence",
    "Policy",
    "Relationship",
    "Schema",
    "Sequence",
    "Source",
    "Table",
    "TableKind",
    "TableStatistics",
    "Unknown",
    "View",
]


@dataclass(frozen=True, slots=True)
class TableStatistics:
    """pg_stat_user_tables and pg_class of a live database. Sizes in bytes."""

    rows: float
    dead_rows: int
    modified_since_analyze: int
    size: int
    sequential_scans: int
    index_scans: int
    sequential_rows: int


TableKind = Literal["table", "partitioned", "foreign", "materialized view"]
Persistence = Literal["permanent", "unlogged"]


@dataclass(frozen=True, slots=True)
class Table:
    """A table, partitioned table, foreign table or materialised view.

    ``partition_of``: the parent if this is a partition (maybe with partitions of its own). ``inherits``: parents by
    plain inheritance, without partitioning. ``partition_keys``: key columns, None for an expression. ``acl``: see Grant
    in ``Schema.grants``. ``rules``: names of rewrite rules. ``pinned``: (column, what uses it) if PostgreSQL refuses to
    change the column's type because of a trigger, rule or publication. ``options``: reloptions.
    ``disabled_triggers``: (name of the foreign key that it serves or '', trigger). ``published``: a publication sends
    its UPDATEs or DELETEs. ``seeded``: the revisions have put rows into it. ``modelled``: the models have it, or there
    are no models.
    """

    name: Name
    kind: TableKind = "table"
    persistence: Persistence = "permanent"
    partition_of: Name | None = None
    partition_strategy: str | None = None
    partition_keys: tuple[str | None, ...] = ()
    inherits: tuple[Name, ...] = ()
    owner: str | Unknown = UNKNOWN
    row_security: bool | Unknown = UNKNOWN
    force_row_security: bool | Unknown = UNKNOWN
    replica_identity: str | Unknown = UNKNOWN
    columns: tuple[Column, ...] = ()
    primary_key: Key | None = None
    unique_constraints: tuple[Key, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[Check, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    indexes: tuple[Index, ...] = ()
    policies: tuple[Policy, ...] = ()
    rules: tuple[str, ...] = ()
    pinned: tuple[tuple[str, str], ...] = ()
    disabled_triggers: tuple[tuple[str, str], ...] = ()
    published: bool = False
    seeded: bool = False
    modelled: bool = True
    options: tuple[str, ...] | Unknown = UNKNOWN
    comment: str | None = None
    statistics: TableStatistics | None = None
    origin: Origin = NO_ORIGIN

    @property
    def table(self) -> Name:
        """Its own name, so that all objects of a table have ``.table``."""
        return self.name

    @property
    def identifier(self) -> str:
        """``schema.table``."""
        return str(self.name)

    def column(self, name: str) -> Column | None:
        """The column of that name."""
        return next((column for column in self.columns if column.name == name), None)


OverlongItem = Namespace | Table | Column | Key | ForeignKey | Check | Exclusion | Index | Sequence
Overlong = tuple[OverlongItem, str]
"""An object of the models, and its whole name."""
Source = Literal["database", "models"]
Fact = TypeVar("Fact")


@dataclass(frozen=True, slots=True)
class Schema:
    """Everything that a schema pattern may look at.

    ``server_version``: server_version_num / 10000 (18); from models the ``target_version``, or None.
    ``default_schema``: the schema of unqualified names, 'public' unless the search_path says otherwise.
    ``evidence``: what the application's code asks for; None if nothing was read or recorded.
    ``overlong``: objects of the models whose names PostgreSQL will cut. They stand apart from the tables, because a
    database has none of them, or has them under the cut name.
    ``relationships`` is None if no registry was configured or named (the check then says "skipped").
    """

    source: Source
    tables: tuple[Table, ...]
    server_version: int | None = None
    default_schema: str = "public"
    views: tuple[View, ...] = ()
    sequences: tuple[Sequence, ...] = ()
    functions: tuple[Function, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    extensions: tuple[Extension, ...] = ()
    grants: tuple[Grant, ...] = ()
    default_privileges: tuple[DefaultPrivilege, ...] = ()
    metadatas: tuple[ModelMetaData, ...] = ()
    overlong: tuple[Overlong, ...] = ()
    relationships: tuple[Relationship, ...] | None = None
    evidence: Evidence | None = field(default=None, repr=False, compare=False, hash=False)
    _facts: dict[object, object] = field(init=False, repr=False, compare=False, hash=False, default_factory=dict)
    _by_name: dict[Name, Table] = field(init=False, repr=False, compare=False, hash=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._by_name.update((table.name, table) for table in self.tables)

    def table(self, name: Name) -> Table | None:
        """The table of that name."""
        return self._by_name.get(name)

    def fact(self, build: Callable[[Schema], Fact]) -> Fact:
        """The result of ``build`` for this schema. It is computed once, for all patterns that need it.

        Args:
            build: a function or class at module level; it is the key.
        """
        if build not in self._facts:
            self._facts[build] = build(self)
        return cast("Fact", self._facts[build])

    def checked_tables(self) -> Iterator[Table]:
        """Tables and partitioned tables that patterns report on. Partitions are reported once, for their root table."""
        for table in self.tables:
            if table.partition_of is None and table.kind in ("table", "partitioned"):
                yield table
