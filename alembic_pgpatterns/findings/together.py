"""The index remedies of a table, checked together: following one must not make another one wrong.

Each pattern proposes what is best for its own finding. Here the remedies of a table are tried one after the other on a
model of the table. A remedy that no longer fits, or that makes a pattern report something new, becomes advice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from alembic_pgpatterns.patterns import Finding, SchemaPattern, registry
from alembic_pgpatterns.remedies.model import (
    Advice,
    CreateIndex,
    DropConstraint,
    DropIndex,
    IndexedKey,
    RebuildIndex,
    Remedy,
    ReplaceIndex,
    ReplaceUnique,
    ValidateConstraint,
)
from alembic_pgpatterns.remedies.naming import fit, index_name
from alembic_pgpatterns.remedies.sql import sql
from alembic_pgpatterns.schema.model import UNKNOWN, Column, Index, IndexKey, Name, Schema, Table
from alembic_pgpatterns.schema.sql.expressions import canonical
from alembic_pgpatterns.schema.sql.opclasses import default_class

INDEX_REMEDIES = (CreateIndex, DropIndex, ReplaceIndex, ReplaceUnique, RebuildIndex)
_DEFAULT_COLLATION = Name("pg_catalog", "default")


def agree(findings: Sequence[Finding], schema: Schema, patterns: Iterable[SchemaPattern]) -> list[Finding]:
    """The findings, with index remedies that can all be followed.

    Args:
        findings: of all patterns on the schema, in the order of the patterns.
        schema: the schema that they are about.
        patterns: those that ran. The patterns about indexes run again after each remedy.
    """
    about_indexes = [pattern for pattern in patterns if pattern.folder == "indexes"]
    positions: dict[Name, list[int]] = defaultdict(list)
    for position, finding in enumerate(findings):
        if isinstance(finding.remedy, INDEX_REMEDIES) and finding.table is not None:
            positions[finding.table].append(position)
    result = _without_what_goes(findings)
    names = FreeNames(schema)
    for name, of_table in positions.items():
        table = schema.table(name)
        if table is not None:
            # The worse finding comes first; a guess comes after what is certain.
            order = sorted(of_table, key=lambda position: (findings[position].guess, -findings[position].severity))
            trial = _Trial(schema, table, about_indexes, names)
            for position in order:
                result[position] = trial.followed(findings[position])
    return result


def _without_what_goes(findings: Sequence[Finding]) -> list[Finding]:
    """The findings; what one of them drops, no other validates."""
    dropped = {
        (item.remedy.table, item.remedy.constraint): item
        for item in findings
        if isinstance(item.remedy, DropConstraint)
    }
    result = []
    for item in findings:
        remedy = item.remedy
        first = dropped.get((remedy.table, remedy.constraint)) if isinstance(remedy, ValidateConstraint) else None
        advice = f"It goes if you follow {first.pattern}; validate it only if you keep it." if first is not None else ""
        result.append(item.but(remedy=Advice(advice)) if advice else item)
    return result


def share_indexes(findings: Sequence[Finding]) -> list[Finding]:
    """The findings, with the longest of several new indexes of which one begins with the other.

    Args:
        findings: about the schema and about statements, of one database.

    Returns:
        The findings, without queries for which the index that another pattern proposes is enough.
    """
    new = [item.remedy for item in findings if isinstance(item.remedy, CreateIndex) and not item.remedy.unique]
    by_table: dict[Name, list[CreateIndex]] = defaultdict(list)
    for remedy in new:
        by_table[remedy.table].append(remedy)
    shared = [
        item.but(remedy=_widest(item.remedy, by_table[item.remedy.table]))
        if isinstance(item.remedy, CreateIndex) and not item.remedy.unique
        else item
        for item in findings
    ]
    elsewhere = {_definition(item) for item in shared if not _is_of_statement(item)} - {None}
    return [item for item in shared if not _is_of_statement(item) or _definition(item) not in elsewhere]


def _is_of_statement(finding: Finding) -> bool:
    cls = registry().get(finding.pattern)
    return cls is not None and cls.folder == "statements"


def _definition(finding: Finding) -> CreateIndex | None:
    """The index that a finding proposes, whatever its name."""
    return replace(finding.remedy, name=None) if isinstance(finding.remedy, CreateIndex) else None


def _widest(index: CreateIndex, others: Sequence[CreateIndex]) -> CreateIndex:
    wider = [
        other
        for other in others
        if other.keys[: len(index.keys)] == index.keys
        and (other.method, other.where, other.options) == (index.method, index.where, index.options)
        and set(index.include) <= {*other.include, *(key.column for key in other.keys)}
    ]
    return max(wider, key=lambda other: (len(other.keys) + len(other.include), index_name(other)), default=index)


class FreeNames:
    """Names of indexes and tables in use; they share one namespace per schema."""

    def __init__(self, schema: Schema) -> None:
        self._taken = {table.name for table in schema.tables} | {
            index.name for t in schema.tables for index in t.indexes
        }
        self._new_names: dict[Name, CreateIndex] = {}

    def free(self, new: CreateIndex) -> CreateIndex:
        """The index with a name that is free. The same index gets the same name twice."""
        base, tried, number = index_name(new), new, 1
        while not self._is_free(Name(new.table.schema, index_name(tried)), new):
            number += 1
            tried = replace(new, name=fit(f"{base}_{number}"))
        self._new_names[Name(new.table.schema, index_name(tried))] = replace(new, name=None)
        return tried

    def _is_free(self, name: Name, new: CreateIndex) -> bool:
        return name not in self._taken and self._new_names.get(name) in (None, replace(new, name=None))


class _Trial:
    """One table, changed by one remedy after the other."""

    def __init__(self, schema: Schema, table: Table, patterns: Sequence[SchemaPattern], names: FreeNames) -> None:
        self._schema, self._patterns, self._names = schema, patterns, names
        # The catalog writes predicates in its own form: bring old and new ones into the same form.
        self._table = replace(table, indexes=tuple(map(_spelled, table.indexes)))
        self._around = _around(schema, table)
        self._dropped: list[Index] = []
        self._reported_before: set[str] | None = None
        self._followed: list[Finding] = []

    def followed(self, finding: Finding) -> Finding:
        """The finding with its remedy if that is still possible after the earlier ones, otherwise with advice."""
        assert finding.remedy is not None
        remedy = self._named(finding.remedy)
        after = changed(self._table, remedy)
        brings = self._brings(after, remedy) if after is not None else []
        if after is None or brings:
            return finding.but(remedy=Advice(_later(finding, brings, self._followed)))
        self._followed.append(finding)
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

    def _brings(self, after: Table, remedy: Remedy) -> list[str]:
        """What would be found, or not be served, only after the remedy."""
        dropped = [*self._dropped]
        if isinstance(remedy, DropIndex):
            dropped += [index for index in self._table.indexes if index.name == remedy.index]
        bare = [old for old in dropped if not any(stands_in(index, old) for index in after.indexes)]
        if bare:
            return [f"searches that {old.name} served" for old in bare]
        if self._reported_before is None:
            self._reported_before = self._reported(self._table)
        return sorted(self._reported(after) - self._reported_before)

    def _reported(self, table: Table) -> set[str]:
        tables = tuple(table if item.name == table.name else item for item in self._around)
        schema = replace(self._schema, tables=tables)
        # A guess is not a finding, neither before nor after.
        findings = (item for pattern in self._patterns for item in pattern.detect(schema))
        return {item.fingerprint for item in findings if not item.guess}


def _spelled(index: Index) -> Index:
    return replace(index, predicate=canonical(index.predicate)) if isinstance(index.predicate, str) else index


def _around(schema: Schema, table: Table) -> tuple[Table, ...]:
    """The tables that its patterns look at: the table, those connected with it by foreign keys, and its partitions."""
    referred = {key.referred_table for key in table.foreign_keys}
    return tuple(
        item
        for item in schema.tables
        if item.name == table.name
        or item.name in referred
        or item.partition_of == table.name
        or any(key.referred_table == table.name for key in item.foreign_keys)
    )


def _later(finding: Finding, brings: Sequence[str], followed: Sequence[Finding]) -> str:
    """Advice in place of a remedy that cannot simply be followed, too."""
    statements = "; ".join(sql(finding.remedy)) if finding.remedy is not None else ""
    left = " and ".join(brings[:2])
    redundant = [name.removeprefix("redundant-index ") for name in brings]
    if brings and all(name.startswith("redundant-index ") for name in brings):
        return f"{statements}. Then {' and '.join(redundant)} is not needed any more: drop it in the same revision."
    if not followed:
        return f"{statements}. That alone leaves {left} open: settle both in one revision."
    others = " and ".join(f"{item.pattern} of {item.object}" for item in followed[-2:])
    if brings:
        return f"{statements}. Not together with {others}: both would leave {left}."
    return f"Following {others} cures this as well."


def stands_in(index: Index, old: Index) -> bool:
    """Whether an index serves all searches that the old one served."""
    return (
        index.method == old.method
        and index.predicate in (None, old.predicate)
        and len(index.keys) >= len(old.keys)
        and all(_key(key) == _key(other) for key, other in zip(index.keys, old.keys, strict=False))
    )


def _key(key: IndexKey) -> tuple[object, ...]:
    return key.column, key.expression, key.descending, key.nulls_first, key.opclass_default is True or key.opclass


def changed(table: Table, remedy: Remedy) -> Table | None:
    """The table after an index remedy; None if the remedy does not fit the table any more."""
    if isinstance(remedy, CreateIndex):
        same = [index for index in table.indexes if index.name.name == index_name(remedy)]
        return table if same else _with(table, remedy)
    if isinstance(remedy, ReplaceUnique):
        return _without_rule(table, remedy)
    assert isinstance(remedy, (DropIndex, ReplaceIndex, RebuildIndex))
    others = tuple(index for index in table.indexes if index.name != remedy.index)
    if len(others) == len(table.indexes):
        return None
    without = replace(table, indexes=others)
    if isinstance(remedy, DropIndex):
        return without
    return _with(without, remedy.recreate if isinstance(remedy, RebuildIndex) else remedy.new)


def _without_rule(table: Table, remedy: ReplaceUnique) -> Table | None:
    rules = [key for key in table.unique_constraints if key.columns == remedy.columns and key.name == remedy.constraint]
    names = {key.index for key in rules}
    indexes = tuple(index for index in table.indexes if index.name.name not in names)
    if not rules:
        indexes = tuple(index for index in table.indexes if not (index.unique and index.columns == remedy.columns))
    if len(indexes) == len(table.indexes):
        return None
    others = tuple(key for key in table.unique_constraints if key not in rules)
    return _with(replace(table, unique_constraints=others, indexes=indexes), remedy.new)


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
    # Nulls count as the largest values, so DESC has them first (docs, "Indexes and ORDER BY").
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
