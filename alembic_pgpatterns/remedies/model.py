"""What can be done about a finding, as plain data.

Renderers turn a remedy into SQL (``remedies.sql``), into a line of the model (``remedies.model_line``), into Alembic
operations (``remedies.operations``) and into a change of MetaData (``remedies.apply``).
No remedy can lose data: if a person must decide, it is an ``Advice``.
"""

from __future__ import annotations

from dataclasses import dataclass

from alembic_pgpatterns.schema.names import Name


@dataclass(frozen=True, slots=True)
class Remedy:
    """The base of all remedies."""


@dataclass(frozen=True, slots=True)
class IndexedKey:
    """A key of a new index: a column's name, or the SQL text of an expression."""

    column: str | None = None
    expression: str | None = None
    opclass: str | None = None
    collation: Name | None = None
    descending: bool = False
    nulls_first: bool | None = None

    @property
    def plain(self) -> bool:
        """Whether it is a column with its default order and collation."""
        default_order = self.nulls_first is None or self.nulls_first == self.descending
        return self.column is not None and not self.descending and default_order and self.collation is None


@dataclass(frozen=True, slots=True)
class CreateIndex(Remedy):
    """CREATE INDEX. ``name`` None: ``ix_<table>_<columns>``. ``where``: SQL text of the predicate."""

    table: Name
    keys: tuple[IndexedKey, ...]
    name: str | None = None
    method: str = "btree"
    unique: bool = False
    include: tuple[str, ...] = ()
    where: str | None = None
    nulls_not_distinct: bool = False
    options: tuple[tuple[str, str], ...] = ()

    @classmethod
    def on(cls, table: Name, *columns: str) -> CreateIndex:
        """A btree index on columns."""
        return cls(table, tuple(IndexedKey(column) for column in columns))


@dataclass(frozen=True, slots=True)
class DropIndex(Remedy):
    """DROP INDEX of one without a constraint. ``recreate`` is its definition, for the downgrade."""

    index: Name
    table: Name
    recreate: CreateIndex


@dataclass(frozen=True, slots=True)
class RebuildIndex(Remedy):
    """DROP INDEX of an invalid one, then CREATE INDEX ``recreate``. There is nothing to undo."""

    index: Name
    table: Name
    recreate: CreateIndex


@dataclass(frozen=True, slots=True)
class ReplaceIndex(Remedy):
    """A better index instead of one without a constraint: create the new one, then drop the old one."""

    index: Name
    recreate: CreateIndex
    new: CreateIndex


@dataclass(frozen=True, slots=True)
class ReplaceUnique(Remedy):
    """A unique index instead of a unique constraint (or unique index) on ``columns``."""

    table: Name
    constraint: str | None
    columns: tuple[str, ...]
    new: CreateIndex


@dataclass(frozen=True, slots=True)
class TypeChange:
    """The old and new type of one column, as SQL (``varchar(255)``, ``text``). ``using``: an expression, if needed.

    ``check``: an expression that keeps what the old type enforced; ``check_name`` its constraint's name in the
    database, ``check_label`` the name in the models, from which a naming convention may make the other.
    ``sequence``: one that the column takes values from and that must get the new type too (``serial``; the sequence of
    an identity column changes with it).
    """

    table: Name
    column: str
    old: str
    new: str
    using: str | None = None
    check: str | None = None
    check_name: str | None = None
    check_label: str | None = None
    sequence: Name | None = None


@dataclass(frozen=True, slots=True)
class ChangeType(Remedy):
    """ALTER COLUMN … TYPE for columns that must change together. ``rewrites``: an existing table is rewritten."""

    changes: tuple[TypeChange, ...]
    rewrites: bool = False


@dataclass(frozen=True, slots=True)
class SetNotNull(Remedy):
    """ALTER COLUMN … SET NOT NULL. Fails on a table that holds nulls: ``fill`` is the SQL of what they become first."""

    table: Name
    column: str
    fill: str | None = None


@dataclass(frozen=True, slots=True)
class SetDefault(Remedy):
    """ALTER COLUMN … SET DEFAULT ``new``; ``old`` None: there was none. A Python default in the models is removed."""

    table: Name
    column: str
    new: str
    old: str | None
    replaces_python_default: bool = False


@dataclass(frozen=True, slots=True)
class ValidateConstraint(Remedy):
    """ALTER TABLE … VALIDATE CONSTRAINT."""

    table: Name
    constraint: str


@dataclass(frozen=True, slots=True)
class DropConstraint(Remedy):
    """ALTER TABLE … DROP CONSTRAINT of one whose duplicate stays. ``definition``: SQL text that adds it again."""

    table: Name
    constraint: str
    definition: str


@dataclass(frozen=True, slots=True)
class Statements(Remedy):
    """SQL statements for objects that neither SQLAlchemy nor Alembic knows, and the statements that undo them.

    ``down`` empty: it cannot be undone. ``model`` is the line with our declarations, if there is one.
    """

    up: tuple[str, ...]
    down: tuple[str, ...] = ()
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Advice(Remedy):
    """What a person must do, in words, because no statement can do it safely.

    ``decided``: it is clear what is to be done; only the work is left, because something stands in the way.
    ``change``: what ``pgfix`` does about it. PostgreSQL would refuse the statement alone, because of objects that
    ``pgfix`` drops before and creates again after.
    """

    text: str
    decided: bool = False
    change: ChangeType | None = None
