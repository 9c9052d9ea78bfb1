from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, Fold, SchemaPattern, Severity
from alembic_pgpatterns.patterns._deletions import may_lose_rows
from alembic_pgpatterns.patterns._growth import (
    KINDS,
    is_named_list,
    last_word,
    links_short_lists,
    looks_like_a_list,
)
from alembic_pgpatterns.patterns._words import words
from alembic_pgpatterns.patterns.indexes._coverage import Coverage
from alembic_pgpatterns.patterns.indexes._evidence import ONE_VALUE, not_found_otherwise, queries_on, with_condition
from alembic_pgpatterns.patterns.indexes._links import link_columns
from alembic_pgpatterns.patterns.indexes._shape import IndexNames
from alembic_pgpatterns.remedies.model import Advice, CreateIndex, IndexedKey, Remedy
from alembic_pgpatterns.schema.model import DataType, ForeignKey, Policy, Schema, Table
from alembic_pgpatterns.schema.sql import values

_REFUSING = frozenset({"NO ACTION", "RESTRICT"})

SHARED_OPERATORS = (
    frozenset({"int2", "int4", "int8"}),
    frozenset({"float4", "float8"}),
    frozenset({"text", "varchar", "name"}),
    frozenset({"date", "timestamp", "timestamptz"}),
)
"""Types whose operator families hold equality across them (docs, "Operator Classes and Operator Families")."""


class UnindexedForeignKey(SchemaPattern):
    """A foreign key without an index on its own columns.

    PostgreSQL indexes the columns that a foreign key references, but never the columns of the foreign key itself.
    Without that index, every DELETE of one parent row reads the whole child table, and so do an UPDATE of the parent's
    key and a join from parent to child.

    An index is good enough if its first columns are the key's columns, in any order, it is valid, it has the columns'
    collation, and its operators are those of the constraint. Primary keys, unique and exclusion constraints count as
    well; columns after INCLUDE and BRIN indexes do not. An index that is partial on only `<key column> IS NOT NULL`
    counts. For a partitioned table an index on each partition is enough. If an index starts with only a part of a
    composite key, the finding is an info, and a guess if that part belongs to no other foreign key, as a tenant's
    column does; a unique index on a part is enough.

    A short list, such as countries or kinds, hardly ever loses a row: a key that refers to one is a guess where the
    application's source is known, and neither it nor a policy searches by the key. So is a key of a list of named
    things that people fill by hand, such as providers or plans, one of a table that only connects such lists, and one
    that notes who did something (`created_by`) where the application's source deletes no row of the table that it
    refers to.

    A key that nothing uses is a guess, too: it has no ON DELETE, neither a policy nor a query that no index serves
    names its columns, no relationship leads from parent to children, and the source deletes no row of the parent.

    Where the application's source is known, the keys that its queries search by are said once, with all of their
    tables, and so are the others, whose indexes serve deletions of parents and relationships.

    Not reported: keys that are NOT ENFORCED (nothing is looked up), and the copies of a partitioned table's key on its
    partitions. A temporal key (PERIOD) needs a GiST index.

    If the types differ so that PostgreSQL casts the column for each comparison, no index on it helps: make the types
    equal.
    """

    severity = Severity.WARNING
    action = Action.ENFORCE
    fold = Fold.TABLE
    weighs_queries = True
    not_when = (
        "Leave it out if the parent's rows are never deleted, its key never changes, and nobody joins the tables."
    )
    references = (
        "https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-FK",
        "https://www.postgresql.org/docs/current/sql-createtable.html#SQL-CREATETABLE-PARMS-REFERENCES",
    )
    bad = """
        CREATE TABLE author (id bigint PRIMARY KEY);
        CREATE TABLE book (id bigint PRIMARY KEY, author_id bigint REFERENCES author);
    """
    good = bad + "CREATE INDEX ON book (author_id);"
    bad_models = """
from sqlalchemy import BigInteger, Column, ForeignKey, MetaData, Table

metadata = MetaData()
Table("author", metadata, Column("id", BigInteger, primary_key=True))
Table(
    "book",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("author_id", BigInteger, ForeignKey("author.id")),
)
"""
    good_models = bad_models.replace('ForeignKey("author.id")', 'ForeignKey("author.id"), index=True')

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Foreign keys of tables, partitioned tables and partitions without a covering index."""
        coverage, names = Coverage(schema), IndexNames(schema)
        for table in schema.tables:
            bare = _bare_keys(table, coverage)
            for key in bare.values():
                remedy = _remedy(schema, table, key, bare)
                finding = self.finding(
                    at=key,
                    message=f"no index of {table.name} starts with {', '.join(key.columns)}",
                    remedy=names.free(remedy) if isinstance(remedy, CreateIndex) else remedy,
                    severity=Severity.INFO if coverage.part(table, key) else None,
                )
                short = _refers_to_list(schema, key) or is_named_list(table) or _says_who(schema, key)
                guess = (short and not _may_be_searched(schema, table, key)) or _finds_few(table, key, coverage)
                # Even a search reads no more than some hundreds of rows.
                guess = guess or (schema.evidence is not None and _links_lists(schema, table))
                yield finding.but(guess=guess or _is_unused(schema, table, key), cause=_cause(schema, table, key))


def _cause(schema: Schema, table: Table, key: ForeignKey) -> str:
    if schema.evidence is None:
        return ""
    return "queries" if _may_be_searched(schema, table, key) else "deletions"


def _links_lists(schema: Schema, table: Table) -> bool:
    """Whether the table holds nothing but links between short lists, or is such a list itself."""
    is_small = link_columns(table) is not None or is_named_list(table) or last_word(table) in KINDS
    return is_small and links_short_lists(schema, table)


def _finds_few(table: Table, key: ForeignKey, coverage: Coverage) -> bool:
    """Whether an index finds the few rows of a composite key by a column that groups nothing else.

    A column of another foreign key, such as the tenant's, is one of many rows: its index helps little.
    """
    others = {name for other in table.foreign_keys if other is not key for name in other.columns}
    return any(name not in others for name in coverage.alone(table, key))


def _says_who(schema: Schema, key: ForeignKey) -> bool:
    """Whether the column only notes who did something (`created_by`), and the application deletes no such rows."""
    parent = schema.table(key.referred_table)
    deletes = parent is not None and any(shape.command == "delete" for shape in queries_on(schema, parent))
    return len(key.columns) == 1 and "by" in words(key.columns[0])[1:] and not deletes


def _refers_to_list(schema: Schema, key: ForeignKey) -> bool:
    parent = schema.table(key.referred_table)
    if parent is None or parent.name == key.table:
        return False
    return looks_like_a_list(schema, parent) or last_word(parent) in KINDS | {"template"}


def _may_be_searched(schema: Schema, table: Table, key: ForeignKey) -> bool:
    """Whether a query or a policy searches by the key's columns, or nothing is known of the queries.

    A query that another index serves does not count. A policy's condition is part of each query.
    """
    if any(_searched(policy) & set(key.columns) for policy in table.policies):
        return True
    shapes = not_found_otherwise(schema, table)
    return schema.evidence is None or any(with_condition(shapes, name, ONE_VALUE) for name in key.columns)


def _is_unused(schema: Schema, table: Table, key: ForeignKey) -> bool:
    """Whether no query, policy, relationship or DELETE of the application needs the children of a row.

    ON DELETE says that rows of the parent are meant to go, even if the source does not delete them.
    """
    if key.on_delete not in _REFUSING or may_lose_rows(schema, key.referred_table):
        return False
    shapes = not_found_otherwise(schema, table)
    is_searched = any(item.column in key.columns for shape in shapes for item in shape.conditions)
    return not is_searched and not _loads_children(schema, key) and not _may_be_searched(schema, table, key)


def _loads_children(schema: Schema, key: ForeignKey) -> bool:
    return any(
        not item.many_to_one and item.child == key.table and set(item.columns) == set(key.columns)
        for item in schema.relationships or ()
    )


def _searched(policy: Policy) -> frozenset[str]:
    """The columns that a policy's condition compares."""
    return frozenset().union(*(values.columns(text) for text in (policy.using, policy.check) if text))


def _bare_keys(table: Table, coverage: Coverage) -> dict[str, ForeignKey]:
    """Keys without an index, by identifier: two keys over the same columns need only one index."""
    bare: dict[str, ForeignKey] = {}
    for key in table.foreign_keys:
        # Without ENFORCED (PostgreSQL 18) no trigger looks for rows; an inherited key is reported where it is declared.
        if key.enforced and not key.inherited and not coverage.whole(table, key):
            bare.setdefault(key.identifier, key)
    return bare


def _remedy(schema: Schema, table: Table, key: ForeignKey, bare: dict[str, ForeignKey]) -> Remedy:
    odd = _cast_columns(schema, table, key)
    if odd:
        return Advice(
            f"Give {', '.join(odd)} the type of the column it references: it is cast for each comparison, "
            f"so that no index on it can serve {table.name}'s foreign key."
        )
    columns = _index_columns(table, key, bare)
    if key.temporal:
        return CreateIndex(table.name, tuple(map(IndexedKey, columns)), method="gist")
    return CreateIndex.on(table.name, *columns)


def _index_columns(table: Table, key: ForeignKey, bare: dict[str, ForeignKey]) -> tuple[str, ...]:
    """The key's columns, or those of a wider index that serves it as well, so that one index is enough.

    The second key of a link table takes both columns and serves the way back; a key that is part of another key
    without an index shares its index.
    """
    link = link_columns(table)
    if link is not None and key.columns == (link[1],):
        return (link[1], link[0])
    key_columns = set(key.columns)
    plain = [other for other in bare.values() if not (key.temporal or other.temporal)]
    wider = [other for other in plain if key_columns < set(other.columns)]
    for other in sorted(wider, key=lambda other: -len(other.columns)):
        columns = _narrowest_first(other, bare)
        if key_columns == set(columns[: len(key_columns)]):
            return columns
    return key.columns if key.temporal else _narrowest_first(key, bare)


def _narrowest_first(key: ForeignKey, bare: dict[str, ForeignKey]) -> tuple[str, ...]:
    """The key's columns, those of the narrowest key among them first, so that the index serves both."""
    inner = [other.columns for other in bare.values() if set(other.columns) < set(key.columns)]
    first = min(inner, key=lambda columns: (len(columns), columns), default=())
    return first + tuple(column for column in key.columns if column not in first)


def _cast_columns(schema: Schema, table: Table, key: ForeignKey) -> tuple[str, ...]:
    parent = schema.table(key.referred_table)
    if parent is None:
        return ()
    pairs = zip(key.columns, key.referred_columns, strict=True)
    return tuple(name for name, referred in pairs if _is_cast(table, name, parent, referred))


def _is_cast(table: Table, name: str, parent: Table, referred: str) -> bool:
    column, target = table.column(name), parent.column(referred)
    return column is not None and target is not None and not _comparable(column.type, target.type)


def _comparable(type_: DataType, other: DataType) -> bool:
    if "unknown" in (type_.kind, other.kind):
        return True
    if (type_.schema, type_.name, type_.array) == (other.schema, other.name, other.array):
        return True
    if type_.array or other.array or {type_.schema, other.schema} != {"pg_catalog"}:
        # An array is compared as a whole; and a type of the same name in another schema is another type.
        return False
    return any({type_.name, other.name} <= shared for shared in SHARED_OPERATORS)
