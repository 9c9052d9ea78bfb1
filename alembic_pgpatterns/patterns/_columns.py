"""Columns that patterns about types check, how foreign keys connect them, and what prevents a change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from alembic_pgpatterns.output.counts import listed
from alembic_pgpatterns.remedies.model import Advice, ChangeType, TypeChange
from alembic_pgpatterns.schema.model import UNKNOWN, Column, ForeignKey, Name, Schema, Table
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.values import columns as columns_in

Place = tuple[Name, str]
STRINGS = frozenset({"varchar", "bpchar", "text"})


def checked_columns(schema: Schema) -> Iterator[tuple[Table, Column]]:
    """Columns of the tables that patterns report on. Inherited columns are reported only on the parent."""
    for table in schema.checked_tables():
        inherited = _inherited(schema, table) if table.inherits else frozenset()
        for column in table.columns:
            if column.name not in inherited:
                yield table, column


def _inherited(schema: Schema, table: Table) -> frozenset[str]:
    parents = (schema.table(parent) for parent in table.inherits)
    return frozenset(column.name for parent in parents if parent for column in parent.columns)


def checked_keys(schema: Schema) -> Iterator[tuple[Table, ForeignKey]]:
    """Foreign keys of the tables that patterns report on, without the copies that partitions have."""
    for table in schema.checked_tables():
        for key in table.foreign_keys:
            if not key.inherited:
                yield table, key


def apart(table: Table, key: ForeignKey) -> str:
    """A part of the fingerprint that distinguishes foreign keys on the same columns; empty if there is only one.

    It is the key's target, or its name if the targets are equal too.
    """
    alike = [other for other in table.foreign_keys if other.columns == key.columns]
    if len(alike) == 1:
        return ""
    targets = [(other.referred_table, other.referred_columns) for other in alike]
    if targets.count((key.referred_table, key.referred_columns)) > 1 and key.name is not None:
        return quote(key.name)
    return f"to {key.referred_table}({', '.join(map(quote, key.referred_columns))})"


@dataclass(frozen=True, slots=True)
class Group:
    """Columns whose types must change together. ``complete``: the schema has all of them."""

    columns: tuple[Column, ...]
    complete: bool


class Linked:
    """Which columns foreign keys connect, directly or through other columns. Partitions count as their root table."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._links: dict[Place, list[Place]] = defaultdict(list)
        self.referred: set[Place] = set()
        self.referring: set[Place] = set()
        self.bound: set[Place] = set()
        """Columns that a foreign key of one column limits to the values of another one. With more columns it tests
        nothing while one of them is null (docs, "Foreign Keys": MATCH SIMPLE)."""
        for table in schema.tables:
            for key in table.foreign_keys:
                self._link(table, key)
        self._groups: dict[Place, Group] = {}

    def _link(self, table: Table, key: ForeignKey) -> None:
        local, other = self._root(table.name), self._root(key.referred_table)
        self.referring.update((local, column) for column in key.columns)
        if len(key.columns) == 1 and key.enforced and (local, key.columns) != (other, key.referred_columns):
            self.bound.add((local, key.columns[0]))
        for column, referred in zip(key.columns, key.referred_columns, strict=False):
            self._links[local, column].append((other, referred))
            self._links[other, referred].append((local, column))
            self.referred.add((other, referred))

    def _root(self, name: Name) -> Name:
        table = self._schema.table(name)
        while table is not None and table.partition_of is not None:
            name = table.partition_of
            table = self._schema.table(name)
        return name

    def group(self, column: Column) -> Group:
        """The column and all columns connected to it; those that foreign keys reference come first."""
        start = (column.table, column.name)
        if start not in self._groups:
            places = self._reachable(start)
            order = sorted(places, key=lambda place: (place not in self.referred, place))
            columns = [self._find(place) for place in order]
            group = Group(tuple(item for item in columns if item is not None), None not in columns)
            self._groups.update(dict.fromkeys(places, group))
        return self._groups[start]

    def _reachable(self, start: Place) -> set[Place]:
        seen, waiting = {start}, [start]
        while waiting:
            for place in self._links.get(waiting.pop(), ()):
                if place not in seen:
                    seen.add(place)
                    waiting.append(place)
        return seen

    def _find(self, place: Place) -> Column | None:
        table = self._schema.table(place[0])
        return table.column(place[1]) if table is not None else None


class Obstacles:
    """Why the type of a column cannot be changed by ALTER COLUMN … TYPE alone.

    PostgreSQL refuses it if a view, a generated column, a policy or a partition key uses the column (docs, "ALTER
    TABLE"), or if a trigger, a rule, or a publication's column list or row filter names it.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._views = {read: view.name for view in reversed(schema.views) for read in view.reads}
        self._parents = {parent for table in schema.tables for parent in table.inherits}

    def of(self, column: Column) -> str | None:
        """A clause that names what a person must see to, or None."""
        if column.type.domains:
            return f"its type is the domain {column.type.domains[0]}"
        table = self._schema.table(column.table)
        if table is None or table.kind not in ("table", "partitioned"):
            return f"{column.table} is not a table that can be changed"
        if column.name in table.partition_keys:
            return f"{column.table} is partitioned by it"
        return self._inherited(table, column) or _bound_by_opclass(table, column)

    def around(self, column: Column) -> str | None:
        """A clause that names what a revision of ours drops before the change and creates again after, or None."""
        view = self._views.get((column.table, column.name))
        if view is not None:
            return f"the view {view} reads it"
        table = self._schema.table(column.table)
        if table is None:
            return None
        user = next((user for name, user in table.pinned if name == column.name), None)
        return f"the {user} uses it" if user is not None else _read_within(table, column)

    def _inherited(self, table: Table, column: Column) -> str | None:
        if table.inherits and column.name in _inherited(self._schema, table):
            return f"{table.name} inherits it"
        # PostgreSQL 18 cannot build the children's NOT NULL again ("cannot create not-null constraint").
        key = table.primary_key.columns if table.primary_key is not None else ()
        return "tables inherit it" if table.name in self._parents and column.name in key else None


def _read_within(table: Table, column: Column) -> str | None:
    for other in table.columns:
        expression = other.generated.expression if other.generated is not None else UNKNOWN
        if expression is not UNKNOWN and column.name in columns_in(expression):
            return f"the generated column {quote(other.name)} reads it"
    for policy in table.policies:
        if any(column.name in columns_in(text) for text in (policy.using, policy.check) if text):
            return f"the policy {quote(policy.name)} reads it"
    return None


def _bound_by_opclass(table: Table, column: Column) -> str | None:
    """Whether an index names an operator class that does not accept the new type. Those of strings also accept text."""
    return None if column.type.name in STRINGS else special_opclass(table, column)


def special_opclass(table: Table, column: Column) -> str | None:
    """A clause that names an index whose operator class is not the type's default, or None."""
    for index in table.indexes:
        if any(key.column == column.name and key.opclass_default is False for key in index.keys):
            return f"the index {quote(index.name.name)} has an operator class of the old type"
    return None


def together(
    group: Group,
    obstacles: Obstacles,
    change: Callable[[Column], TypeChange | str | None],
    rewrites: Callable[[Column], bool],
) -> ChangeType | Advice:
    """One remedy for all columns of a group, or the reason why a person must do it.

    Args:
        group: the columns.
        obstacles: what prevents the change of each.
        change: gives the change of one column; None if it may stay as it is; a text with the reason if it cannot be
            changed.
        rewrites: whether the change of that column rewrites an existing table.
    """
    changes: list[TypeChange] = []
    reasons: list[tuple[Column, str]] = []
    around: list[tuple[Column, str]] = []
    rewritten = False
    for column in group.columns:
        new_type = change(column)
        if isinstance(new_type, str):
            reasons.append((column, new_type))
        elif new_type is not None:
            changes.append(new_type)
            rewritten = rewritten or rewrites(column)
            for clause, clauses in ((obstacles.of(column), reasons), (obstacles.around(column), around)):
                clauses += [] if clause is None else [(column, clause)]
    if reasons:
        return _by_hand(changes, *reasons[0])
    if not group.complete:
        return Advice("A foreign key connects it with a table that is left out of this check: change both together.")
    remedy = ChangeType(tuple(changes), rewrites=rewritten)
    return by_pgfix(remedy, around)


def by_pgfix(change: ChangeType, around: Sequence[tuple[Column, str]]) -> ChangeType | Advice:
    """The change as it is or, if PostgreSQL refuses it because of what is around a column, as what pgfix does.

    Args:
        change: of columns.
        around: columns with what `Obstacles.around` says of them.
    """
    if not around:
        return change
    column, clause = around[0]
    first, also = _named(change.changes, column)
    user = clause if column.identifier == first else f"{clause.removesuffix('it')}{column.identifier}"
    new = change.changes[0].new
    zone = " Stored values are taken for UTC: else write their zone." if "with time zone" in new else ""
    return Advice(
        f"alembic pgfix changes {first} to {new}{also}. PostgreSQL refuses the statement alone, since {user}: the "
        f"revision drops that and creates it again.{zone}",
        decided=True,
        change=change,
    )


def _by_hand(changes: Sequence[TypeChange], column: Column, obstacle: str) -> Advice:
    """What to change, the referenced column first, and then why a person must do it."""
    if not changes:
        return Advice(f"{column.identifier} must be changed by a person: {obstacle}.", decided=True)
    first, also = _named(changes, column)
    link = ":" if column.identifier == first else f". In the way at {column.identifier}:"
    return Advice(f"Change {first} to {changes[0].new}{also}, by hand{link} {obstacle}.", decided=True)


def _named(changes: Sequence[TypeChange], column: Column) -> tuple[str, str]:
    """The first column that changes, and the others in words, with the column that something is in the way at first."""
    first, *others = (f"{change.table}.{quote(change.column)}" for change in changes)
    others = [name for name in others if name != column.identifier]
    if column.identifier != first:
        others.insert(0, column.identifier)
    return first, f", together with {listed(others)}" if others else ""
