from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from alembic_pgpatterns.evidence.model import Condition, Use
from alembic_pgpatterns.patterns import Action, Basis, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns._growth import LISTS, is_named_list, last_word
from alembic_pgpatterns.patterns.indexes._evidence import counted, queries_on, values_asked, with_condition
from alembic_pgpatterns.patterns.indexes._shape import beside, definition, replaceable
from alembic_pgpatterns.remedies.model import Advice, IndexedKey, Remedy, ReplaceIndex
from alembic_pgpatterns.schema.model import UNKNOWN, Column, Index, Schema, Table
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.values import columns

PROVES_IS = 17
"""The first PostgreSQL that sees that `NOT c` follows from `c IS false` (its release notes, "Optimizer")."""


class IndexOnFlag(SchemaPattern):
    """An index whose only or first column has two values: reading the table is often just as fast.

    For the frequent value, half or nearly all of the table, reading the table is faster than using the index. If the
    other value is rare and searched for, a partial index serves it and contains nothing else: `CREATE INDEX ON parcel
    (id) WHERE is_lost`.

    A flag is a boolean, or an enum with two labels. It is a guess where a query has SQLAlchemy's `.is_(False)`, unless
    `target_version` is 17 or later: before, such a query uses no index WHERE NOT the flag, as one with `~flag` does.

    Not reported: unique indexes; indexes whose predicate already uses the flag; flags that are not the first column.
    """

    severity = Severity.INFO
    action = Action.SUGGEST
    basis = Basis.QUERIES
    not_when = "Keep it if both values are searched for together with the columns that follow."
    references = ("https://www.postgresql.org/docs/current/indexes-partial.html#INDEXES-PARTIAL-EX2",)
    bad = """
        CREATE TABLE parcel (id bigint PRIMARY KEY, is_lost boolean NOT NULL DEFAULT false);
        CREATE INDEX parcel_is_lost ON parcel (is_lost);
    """
    good = """
        CREATE TABLE parcel (id bigint PRIMARY KEY, is_lost boolean NOT NULL DEFAULT false);
        CREATE INDEX parcel_is_lost ON parcel (id) WHERE is_lost;
    """
    bad_models = """
from sqlalchemy import BigInteger, Boolean, Column, Index, MetaData, Table, text

metadata = MetaData()
Table(
    "parcel",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("is_lost", Boolean, server_default=text("false"), nullable=False),
    Index("parcel_is_lost", "is_lost"),
)
"""
    good_models = bad_models.replace('"is_lost"),\n)', '"id", postgresql_where=text("is_lost")),\n)')

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Plain btree and hash indexes whose first column is a flag."""
        for table in schema.checked_tables():
            for index in table.indexes:
                flag = _flag(table, index)
                if flag is not None and index.method in ("btree", "hash") and replaceable(index):
                    finding = self._findings(schema, table, index, flag)
                    # Of a list that people fill by hand, any index is as good, or not needed.
                    yield finding.but(guess=finding.guess or is_named_list(table) or last_word(table) in LISTS)

    def _findings(self, schema: Schema, table: Table, index: Index, flag: Column) -> Finding:
        shapes = with_condition(queries_on(schema, table), flag.name, Use)
        evidence = schema.evidence
        varies = evidence is not None and evidence.may_vary(table.name.schema, table.name.name, flag.name)
        values = (not varies and values_asked(shapes, flag)) or frozenset()
        value = next(iter(values)) if len(values) == 1 else None
        role = "only" if len(index.keys) == 1 else "first"
        message = f"the {role} column of {index.name}, {quote(flag.name)}, has two values"
        is_proven = self.allows(PROVES_IS) or not with_condition(shapes, flag.name, Use, _is_identity)
        if value is not None and flag.type.name == "bool" and not is_proven:
            written = f".is_({value.title()})"
            message += (
                f" (before PostgreSQL {PROVES_IS} a query with {written} uses no index WHERE {_equals(flag, value)})"
            )
        finding = self.finding(
            at=index,
            message=message,
            remedy=_remedy(table, index, flag, value),
            evidence=counted(f"only {value} is searched for", shapes) if value is not None else None,
        )
        return finding.but(guess=finding.guess or not is_proven)


def _is_identity(condition: Condition) -> bool:
    return condition.operator == "is"


def _flag(table: Table, index: Index) -> Column | None:
    column = table.column(index.keys[0].column or "")
    if column is None or column.type.array or index.predicate is UNKNOWN:
        return None
    two_valued = column.type.name == "bool" or (column.type.kind == "enum" and len(column.type.labels) == 2)
    about_it = index.predicate is not None and column.name in columns(index.predicate)
    return column if two_valued and not about_it else None


def _remedy(table: Table, index: Index, flag: Column, value: str | None) -> Remedy:
    """Which value is searched for is read from the queries; the default says nothing about it."""
    old, key = definition(index, table), table.primary_key
    if old is None or value is None or (len(index.keys) == 1 and key is None):
        following = ", ".join(map(str, index.keys[1:])) or "what the rows are sorted by"
        return Advice(
            f"If one value is rare and searched for: Index ({following}) WHERE {quote(flag.name)} has that value. "
            f"Drop {index.name}."
        )
    rare = _equals(flag, value)
    where = f"({old.where}) AND {rare}" if old.where else rare
    # An index needs a key, and the flag is the same in all rows that are left.
    keys = old.keys[1:] or tuple(IndexedKey(name) for name in (key.columns if key is not None else ()))
    named_in_keys = {item.column for item in keys}
    new = replace(old, keys=keys, method="btree", where=where)
    new = replace(new, include=tuple(name for name in old.include if name not in named_in_keys))
    return ReplaceIndex(index.name, old, beside(new, table, index.name.name, "partial"))


def _equals(flag: Column, value: str) -> str:
    if flag.type.name == "bool":
        return quote(flag.name) if value == "true" else f"NOT {quote(flag.name)}"
    return f"{quote(flag.name)} = {value}"
