"""The index remedies of a table, so that all of them can be followed: none undoes what another one rests on.

Each pattern proposes what is best for its own finding. Here the remedies of a table are tried on the model of it,
one after the other. One that no longer fits, or that makes a pattern report something new, becomes advice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from alembic_pgpatterns.patterns import Finding, SchemaPattern
from alembic_pgpatterns.remedies.model import (
    Advice,
    CreateIndex,
    DropIndex,
    IndexedKey,
    RebuildIndex,
    Remedy,
    ReplaceIndex,
    ReplaceUnique,
)
from alembic_pgpatterns.remedies.naming import fit, index_name
from alembic_pgpatterns.schema.model import UNKNOWN, Column, Index, IndexKey, Name, Schema, Table
from alembic_pgpatterns.schema.sql.expressions import canonical
from alembic_pgpatterns.schema.sql.opclasses import default_class

INDEX_REMEDIES = (CreateIndex, DropIndex, ReplaceIndex, ReplaceUnique, RebuildIndex)
_DEFAULT_COLLATION = Name("pg_catalog", "default")


def agree(findings: Sequence[Finding], schema: Schema, patterns: Iterable[SchemaPattern]) -> list[Finding]:
    """The findings, with index remedies that can all be followed.

    Args:
        findings: of all patterns on the schema, in the order of the patterns.
        schema: what they were found in.
        patterns: those that ran; the ones about indexes are asked again.
    """
    asked = [pattern for pattern in patterns if pattern.folder == "indexes"]
    positions: dict[Name, list[int]] = defaultdict(list)
    for position, finding in enumerate(findings):
        if isinstance(finding.remedy, INDEX_REMEDIES) and finding.table is not None:
            positions[finding.table].append(position)
    result = list(findings)
    names = _Names(schema)
    for name, own in positions.items():
        table = schema.table(name)
        if table is not None:
            # What is worse is cured first; a guess gives way to what is certain.
            order = sorted(own, key=lambda position: (findings[position].guess, -findings[position].severity))
            trial = _Trial(schema, table, asked, names)
            for position in order:
                result[position] = trial.followed(findings[position])
    return result


class _Names:
    """Names of indexes and tables in use; they share one namespace per schema."""

    def __init__(self, schema: Schema) -> None:
        self._taken = {table.name for table in schema.tables} | {
            index.name for t in schema.tables for index in t.indexes
        }
        self._given: dict[Name, CreateIndex] = {}

    def free(self, new: CreateIndex) -> CreateIndex:
        """The index under a name that nothing else has; the same index twice has one name."""
        base, tried, number = index_name(new), new, 1
        while not self._is_free(Name(new.table.schema, index_name(tried)), new):
            number += 1
            tried = replace(new, name=fit(f"{base}_{number}"))
        self._given[Name(new.table.schema, index_name(tried))] = replace(new, name=None)
        return tried

    def _is_free(self, name: Name, new: CreateIndex) -> bool:
        return name not in self._taken and self._given.get(name) in (None, replace(new, name=None))


class _Trial:
    """One table, changed by one remedy after the other."""

    def __init__(self, schema: Schema, table: Table, patterns: Sequence[SchemaPattern], names: _Names) -> None:
        self._schema, self._patterns, self._names = schema, patterns, names
        # The catalog writes predicates in its own way: one way of writing for old and new ones.
        self._table = replace(table, indexes=tuple(map(_spelled, table.indexes)))
        self._around = _around(schema, table)
        self._dropped: list[Index] = []
        self._known: set[str] | None = None

    def followed(self, finding: Finding) -> Finding:
        """The finding with its remedy, if that can be followed after those before; else with advice."""
        assert finding.remedy is not None
        remedy = self._named(finding.remedy)
        after = changed(self._table, remedy)
        if after is None or not self._is_better(after, remedy):
            return finding.but(remedy=Advice(_later(finding)))
        if isinstance(remedy, DropIndex):
            self._dropped += [index for index in self._table.indexes if index.name == remedy.index]
        self._table = after
        return finding.but(remedy=remedy)

    def _named(self, remedy: Remedy) -> Remedy:
        if isinstance(remedy, CreateIndex):
            return self._names.free(remedy)
        if isinstance(remedy, (ReplaceIndex, ReplaceUnique)):
            return replace(remedy, new=self._names.free(remedy.new))
        return remedy

    def _is_better(self, after: Table, remedy: Remedy) -> bool:
        dropped = [*self._dropped]
        if isinstance(remedy, DropIndex):
            dropped += [index for index in self._table.indexes if index.name == remedy.index]
        if not all(any(stands_in(index, gone) for index in after.indexes) for gone in dropped):
            return False
        if self._known is None:
            self._known = self._reported(self._table)
        return self._reported(after) <= self._known

    def _reported(self, table: Table) -> set[str]:
        tables = tuple(table if item.name == table.name else item for item in self._around)
        schema = replace(self._schema, tables=tables)
        # What would be a guess is no finding, neither before nor after.
        found = (item for pattern in self._patterns for item in pattern.detect(schema))
        return {item.fingerprint for item in found if not item.guess}


def _spelled(index: Index) -> Index:
    return replace(index, predicate=canonical(index.predicate)) if isinstance(index.predicate, str) else index


def _around(schema: Schema, table: Table) -> tuple[Table, ...]:
    """The table with those that foreign keys tie to it, and its partitions: what its patterns look at."""
    referred = {key.referred_table for key in table.foreign_keys}
    return tuple(
        item
        for item in schema.tables
        if item.name == table.name
        or item.name in referred
        or item.partition_of == table.name
        or any(key.referred_table == table.name for key in item.foreign_keys)
    )


def _later(finding: Finding) -> str:
    remedy = finding.remedy
    index = remedy.index if isinstance(remedy, (DropIndex, ReplaceIndex)) else None
    what = f"{index} is concerned by" if index is not None else "The indexes of this table are concerned by"
    return (
        f"{what} other findings of {finding.table}. Follow those first, then run pgcheck again: this one may be gone."
    )


def stands_in(index: Index, gone: Index) -> bool:
    """Whether an index serves the searches that another one served."""
    return (
        index.method == gone.method
        and index.predicate in (None, gone.predicate)
        and len(index.keys) >= len(gone.keys)
        and all(_key(one) == _key(other) for one, other in zip(index.keys, gone.keys, strict=False))
    )


def _key(key: IndexKey) -> tuple[object, ...]:
    return key.column, key.expression, key.descending, key.nulls_first, key.opclass_default is True or key.opclass


def changed(table: Table, remedy: Remedy) -> Table | None:
    """The table after an index remedy; None where it does not fit the table any more."""
    if isinstance(remedy, CreateIndex):
        same = [index for index in table.indexes if index.name.name == index_name(remedy)]
        return table if same else _with(table, remedy)
    if isinstance(remedy, ReplaceUnique):
        return _without_rule(table, remedy)
    assert isinstance(remedy, (DropIndex, ReplaceIndex, RebuildIndex))
    kept = tuple(index for index in table.indexes if index.name != remedy.index)
    if len(kept) == len(table.indexes):
        return None
    left = replace(table, indexes=kept)
    if isinstance(remedy, DropIndex):
        return left
    return _with(left, remedy.recreate if isinstance(remedy, RebuildIndex) else remedy.new)


def _without_rule(table: Table, remedy: ReplaceUnique) -> Table | None:
    rules = [key for key in table.unique_constraints if key.columns == remedy.columns and key.name == remedy.constraint]
    names = {key.index for key in rules}
    indexes = tuple(index for index in table.indexes if index.name.name not in names)
    if not rules:
        indexes = tuple(index for index in table.indexes if not (index.unique and index.columns == remedy.columns))
    if len(indexes) == len(table.indexes):
        return None
    kept = tuple(key for key in table.unique_constraints if key not in rules)
    return _with(replace(table, unique_constraints=kept, indexes=indexes), remedy.new)


def _with(table: Table, new: CreateIndex) -> Table:
    return replace(table, indexes=(*table.indexes, _built(new, table)))


def _built(new: CreateIndex, table: Table) -> Index:
    """The index as the catalog would show it, as far as that is known here."""
    return Index(
        name=Name(table.name.schema, index_name(new)),
        table=table.name,
        method=new.method,
        keys=tuple(_built_key(key, table, new.method) for key in new.keys),
        include=new.include,
        predicate=canonical(new.where) if new.where is not None else None,
        unique=new.unique,
        nulls_not_distinct=new.nulls_not_distinct,
    )


def _built_key(key: IndexedKey, table: Table, method: str) -> IndexKey:
    column = table.column(key.column or "")
    default = default_class(method, column.type) if column is not None and key.opclass is None else None
    nulls_first = key.descending if key.nulls_first is None else key.nulls_first
    opclass = default[0] if default is not None else UNKNOWN if key.opclass is None else Name("pg_catalog", key.opclass)
    return IndexKey(
        column=key.column,
        expression=key.expression,
        type=column.type if column is not None else UNKNOWN,
        opclass=opclass,
        opclass_default=key.opclass is None,
        opfamily=default[1] if default is not None else UNKNOWN,
        collation=key.collation if key.collation is not None else _collation(column),
        descending=key.descending,
        nulls_first=nulls_first,
    )


def _collation(column: Column | None) -> Name | None:
    return column.type.collation if column is not None else _DEFAULT_COLLATION
