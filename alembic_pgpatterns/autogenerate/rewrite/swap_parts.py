"""What a new column needs before it can take another one's place: indexes, keys, CHECKs, foreign keys, the sequence.

Each object is made once more for the new column, under another name and without blocking anybody. In the swap the old
ones go with the old column, and the new ones get their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from alembic_pgpatterns.autogenerate.rewrite.dependents import (
    CheckOn,
    Dependents,
    ForeignKeyOn,
    IndexOn,
    SequenceOf,
    StatisticsOn,
)
from alembic_pgpatterns.autogenerate.rewrite.renamed_column import (
    NotRenamedError,
    Renamed,
    constraint_statement,
    index_statement,
    statistics_statement,
)
from alembic_pgpatterns.autogenerate.rewrite.rendering import SqlOp
from alembic_pgpatterns.autogenerate.rewrite.swap_partitions import (
    build_on_partitions,
    renamed_on_partitions,
    restored_indexes,
    saved_indexes,
)
from alembic_pgpatterns.autogenerate.rewrite.table_names import alter_table, qualified
from alembic_pgpatterns.autogenerate.rewrite.view_sql import literal
from alembic_pgpatterns.remedies.naming import fit
from alembic_pgpatterns.schema.names import quote

_KEYS = {"p": "PRIMARY KEY", "u": "UNIQUE"}


def beside(name: str) -> str:
    """Return the name of the new object beside the old one."""
    return fit(f"{name}_new")


@dataclass(frozen=True, slots=True)
class Parts:
    """The statements for the dependents of one column."""

    schema: str | None
    table: str
    column: str
    new: str
    dependents: Dependents
    default_schema: str

    def not_renamed(self) -> tuple[str, ...]:
        """Return the objects whose definition cannot be written for another column."""
        failed = []
        for item, write in self._written():
            try:
                write()
            except NotRenamedError:
                failed.append(f"{item.name}, whose definition cannot be read")
        return tuple(failed)

    def names(self) -> tuple[tuple[str, str], ...]:
        """Return schema and name of every object that is made beside another."""
        schema = str(self.schema or self.default_schema)
        items: tuple[IndexOn | CheckOn, ...] = (*self._of_table(), *self.dependents.checks)
        named = [(schema, beside(item.name)) for item in items]
        named += [(key.schema, beside(key.name)) for key in self.dependents.foreign_keys]
        named += [(item.schema, beside(item.name)) for item in self.dependents.statistics]
        for view in (view for view in self.dependents.views if view.copied):
            named += [(view.schema, beside(name)) for name in (view.name, *view.indexes)]
        return (*named, *(((schema, self._kept_sequence()),) if self._identity() else ()))

    def locked(self) -> tuple[str, ...]:
        """Return the tables that the swap locks: those of the foreign keys too, on either side.

        Who writes a row locks its table first and then, for the foreign key, the referenced one: so do we.
        """
        keys = self.dependents.foreign_keys
        before = sorted(self._table_of(key) for key in keys if key.referenced)
        after = sorted(self._qualified(*peer[:2]) for key in keys if key.referencing for peer in key.peers)
        this = self._table()
        return tuple(dict.fromkeys((*(table for table in before if table != this), this, *after)))

    def altered(self) -> tuple[str, ...]:
        """Return, in the same order, those of them whose constraints these parts add and drop."""
        changed = {self._table(), *map(self._table_of, self.dependents.foreign_keys)}
        return tuple(table for table in self.locked() if table in changed)

    def leftovers(self) -> list[str]:
        """Drop what an attempt before has left. Foreign keys come first: they need the index."""
        keys = [(self._table_of(key), key.name) for key in self.dependents.foreign_keys]
        checks = [(self._table(), check.name) for check in self.dependents.checks]
        return [f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {quote(beside(name))}" for table, name in keys + checks]

    def add_checks(self) -> list[str]:
        """Add the CHECKs, NOT VALID: their locks last for a moment."""
        return [self._check(check) for check in self.dependents.checks]

    def add_foreign_keys(self) -> list[str]:
        """Add the foreign keys, NOT VALID, on an index that is there by then."""
        return [self._foreign_key(key) for key in self.dependents.foreign_keys]

    def valid_checks(self) -> list[str]:
        """Return the names of the CHECKs to validate. What was not valid before stays so."""
        return [beside(check.name) for check in self.dependents.checks if check.valid]

    def validate_foreign_keys(self) -> list[str]:
        """Read all rows, without blocking anybody."""
        return [validate(self._table_of(key), beside(key.name)) for key in self.dependents.foreign_keys if key.valid]

    def build_indexes(self) -> list[SqlOp]:
        """Build the indexes, each after the drop of what a failed build leaves; on a partitioned table those of its
        partitions."""
        if self.dependents.partitioned:
            column = Renamed(self.column, self.new)
            named = ((index, self._beside_table(index.name)) for index in self.dependents.indexes)
            return [build_on_partitions(index, name, column) for index, name in named]
        statements = [
            part for index in self.dependents.indexes for part in (self._drop_index(index), self._index(index))
        ]
        return list(map(SqlOp, statements))

    def create_statistics(self) -> list[str]:
        """Create the statistics objects, and collect: without that, queries on the new column get bad plans."""
        created = [part for item in self.dependents.statistics for part in self._statistics(item)]
        return [*created, f"ANALYZE {self._table()}"]

    def release(self) -> list[str]:
        """Before the old column goes: keep its sequence, and drop the foreign keys that hold it."""
        holding = [key for key in self.dependents.foreign_keys if key.referenced]
        drops = [f"ALTER TABLE {self._table_of(key)} DROP CONSTRAINT {quote(key.name)}" for key in holding]
        names = [self._beside_table(index.name) for index in self._of_partitions()]
        return [*drops, *self._keep_sequence(), *([saved_indexes(names)] if names else [])]

    def settle(self) -> list[str]:
        """After the new column has its name: the sequence, keys, and the names and comments of all."""
        return [
            *self._restore_sequence(),
            *([restored_indexes()] if self._of_partitions() else []),
            *(self._attach(index) for index in self._of_table() if index.key),
            *self._renames(),
            *self._marks(),
            *self._comments(),
        ]

    def _written(self) -> Iterable[tuple[Any, Any]]:
        yield from ((index, lambda index=index: self._index(index)) for index in self.dependents.indexes)
        yield from ((check, lambda check=check: self._check(check)) for check in self.dependents.checks)
        yield from ((key, lambda key=key: self._foreign_key(key)) for key in self.dependents.foreign_keys)
        yield from ((item, lambda item=item: self._statistics(item)) for item in self.dependents.statistics)

    def _of_table(self) -> tuple[IndexOn, ...]:
        """The indexes that are made beside the old ones."""
        return () if self.dependents.partitioned else self.dependents.indexes

    def _of_partitions(self) -> tuple[IndexOn, ...]:
        """The indexes whose counterparts are made on each partition."""
        return self.dependents.indexes if self.dependents.partitioned else ()

    def _index(self, index: IndexOn) -> str:
        column = Renamed(self.column, self.new)
        return index_statement(index.definition, self.schema, beside(index.name), column, index.tablespace)

    def _statistics(self, item: StatisticsOn) -> list[str]:
        name = self._qualified(item.schema, beside(item.name))
        column = Renamed(self.column, self.new)
        statements = [f"DROP STATISTICS IF EXISTS {name}"]
        statements.append(statistics_statement(item.definition, item.schema, beside(item.name), column))
        if item.target is not None and item.target >= 0:
            statements.append(f"ALTER STATISTICS {name} SET STATISTICS {item.target}")
        return statements

    def _drop_index(self, index: IndexOn) -> str:
        return f"DROP INDEX CONCURRENTLY IF EXISTS {self._beside_table(beside(index.name))}"

    def _check(self, check: CheckOn) -> str:
        column = Renamed(self.column, self.new)
        return constraint_statement(check.definition, self._table(), beside(check.name), column)

    def _foreign_key(self, key: ForeignKeyOn) -> str:
        column = Renamed(self.column, self.new, key.referencing, key.referenced)
        return constraint_statement(key.definition, self._table_of(key), beside(key.name), column)

    def _attach(self, index: IndexOn) -> str:
        """Make the unique index a key's. PostgreSQL gives the index the key's name."""
        add = f"ADD CONSTRAINT {quote(index.name)} {_KEYS[index.key]} USING INDEX {quote(beside(index.name))}"
        deferrable = " DEFERRABLE" if index.deferrable else ""
        deferred = " INITIALLY DEFERRED" if index.initially_deferred else ""
        return f"{alter_table(self.schema, self.table)} {add}{deferrable}{deferred}"

    def _renames(self) -> Iterable[str]:
        for index in self._of_table():
            if not index.key:
                yield f"ALTER INDEX {self._beside_table(beside(index.name))} RENAME TO {quote(index.name)}"
        for check in self.dependents.checks:
            yield _rename(self._table(), check.name)
        for key in self.dependents.foreign_keys:
            yield _rename(self._table_of(key), key.name)
            if key.on_partitioned:
                yield renamed_on_partitions(key, self._table_of(key), beside(key.name))
        for item in self.dependents.statistics:
            yield f"ALTER STATISTICS {self._qualified(item.schema, beside(item.name))} RENAME TO {quote(item.name)}"

    def _marks(self) -> Iterable[str]:
        """What a table says of its indexes, and who owns statistics."""
        table = alter_table(self.schema, self.table)
        for index in self.dependents.indexes:
            if index.clustered:
                yield f"{table} CLUSTER ON {quote(index.name)}"
            if index.replica_identity:
                yield f"{table} REPLICA IDENTITY USING INDEX {quote(index.name)}"
        for item in self.dependents.statistics:
            if item.owner is not None:
                yield f"ALTER STATISTICS {self._qualified(item.schema, item.name)} OWNER TO {quote(item.owner)}"

    def _comments(self) -> Iterable[str]:
        keys = [(index.name, index.key_comment, self._table()) for index in self.dependents.indexes if index.key]
        keys += [(check.name, check.comment, self._table()) for check in self.dependents.checks]
        keys += [(key.name, key.comment, self._table_of(key)) for key in self.dependents.foreign_keys]
        for name, comment, table in keys:
            if comment is not None:
                yield f"COMMENT ON CONSTRAINT {quote(name)} ON {table} IS {literal(comment)}"
        for index in self.dependents.indexes:
            if index.comment is not None:
                yield f"COMMENT ON INDEX {self._beside_table(index.name)} IS {literal(index.comment)}"
        for item in self.dependents.statistics:
            if item.comment is not None:
                yield f"COMMENT ON STATISTICS {self._qualified(item.schema, item.name)} IS {literal(item.comment)}"

    def _identity(self) -> SequenceOf | None:
        sequence = self.dependents.sequence
        return sequence if sequence is not None and sequence.identity else None

    def _keep_sequence(self) -> list[str]:
        """Let a serial column's sequence belong to the new column. An identity's cannot change its owner: keep where
        it stands in a sequence of the table's schema, which the same transaction drops."""
        sequence = self.dependents.sequence
        if sequence is None:
            return []
        name = self._qualified(sequence.schema, sequence.name)
        if not sequence.identity:
            return [f"ALTER SEQUENCE {name} OWNED BY {self._table()}.{quote(self.new)}"]
        holder = self._beside_table(self._kept_sequence())
        limits = f"MINVALUE {-(2**63)} MAXVALUE {2**63 - 1}"
        return [f"CREATE SEQUENCE {holder} {limits} START WITH 0", _moved(holder, name)]

    def _restore_sequence(self) -> list[str]:
        sequence = self.dependents.sequence
        if sequence is None:
            return []
        alter = f"{alter_table(self.schema, self.table)} ALTER COLUMN {quote(self.column)}"
        if not sequence.identity:
            return [f"{alter} SET DEFAULT {sequence.default}"] if sequence.default is not None else []
        name, holder = self._qualified(sequence.schema, sequence.name), self._beside_table(self._kept_sequence())
        kind = "ALWAYS" if sequence.identity == "a" else "BY DEFAULT"
        add = f"{alter} ADD GENERATED {kind} AS IDENTITY (SEQUENCE NAME {name} {_options(sequence.options)})"
        comment = [f"COMMENT ON SEQUENCE {name} IS {literal(sequence.comment)}"] if sequence.comment else []
        return [add, _moved(name, holder), f"DROP SEQUENCE {holder}", *comment]

    def _kept_sequence(self) -> str:
        return fit(f"{self.table}_{self.column}_kept_seq")

    def _table(self) -> str:
        return qualified(self.schema, self.table)

    def _table_of(self, key: ForeignKeyOn) -> str:
        return self._qualified(key.schema, key.table)

    def _qualified(self, schema: str, name: str) -> str:
        """Return a name as the revision writes it: the default schema is left out."""
        return qualified(None if schema == self.default_schema and not self.schema else schema, name)

    def _beside_table(self, name: str) -> str:
        return qualified(self.schema, name)


def validate(table: str, name: str) -> str:
    """Return the statement that validates a constraint of a table, whose name is quoted."""
    return f"ALTER TABLE {table} VALIDATE CONSTRAINT {quote(name)}"


def _rename(table: str, name: str) -> str:
    return f"ALTER TABLE {table} RENAME CONSTRAINT {quote(beside(name))} TO {quote(name)}"


def _moved(sequence: str, source: str) -> str:
    """In a DO statement, as PL/pgSQL has it."""
    return f"PERFORM setval({literal(sequence)}, last_value, is_called) FROM {source}"


_LIMITS = frozenset(sign * 2**bits - (sign > 0) for bits in (15, 31, 63) for sign in (1, -1))


def _options(options: Mapping[str, Any]) -> str:
    """Return the options of a sequence, without limits that only come from its type."""
    words = [
        f"START WITH {options['seqstart']}",
        f"INCREMENT BY {options['seqincrement']}",
        f"CACHE {options['seqcache']}",
        "CYCLE" if options["seqcycle"] else "NO CYCLE",
    ]
    for name, keyword in (("seqmin", "MINVALUE"), ("seqmax", "MAXVALUE")):
        if options[name] not in _LIMITS:
            words.append(f"{keyword} {options[name]}")
    return " ".join(words)
