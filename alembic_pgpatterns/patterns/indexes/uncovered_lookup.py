from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from alembic_pgpatterns.patterns import Action, Basis, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns._growth import LARGE, rows_of
from alembic_pgpatterns.patterns.indexes._evidence import JOINED, counted, queries_on, with_condition
from alembic_pgpatterns.patterns.indexes._links import link_columns
from alembic_pgpatterns.patterns.indexes._shape import beside, definition, replaceable, rule_of, usable
from alembic_pgpatterns.patterns.indexes.unique_across_soft_deleted import referred_keys
from alembic_pgpatterns.remedies.model import Advice, IndexedKey, Remedy, ReplaceIndex, ReplaceUnique
from alembic_pgpatterns.schema.model import Index, Schema, Table

COVERING_METHODS = frozenset({"btree", "gist", "spgist"})
"""Access methods with INCLUDE (docs, "CREATE INDEX")."""

WIDE = frozenset({"json", "jsonb", "xml", "bytea", "tsvector", "hstore", "geometry", "geography", "vector"})
"""Types whose values are too large to be kept in an index as well."""


@dataclass(frozen=True, slots=True)
class UncoveredLookupOptions:
    """How much an index may carry."""

    columns: int = 3
    """More columns than these after INCLUDE make the index too wide."""


class UncoveredLookup(SchemaPattern):
    """An index without the columns that its lookups fetch, so that each lookup also has to read the table.

    Say in the model what queries fetch by an index, and the index gets these columns (INCLUDE). Queries then read only
    the index (an index-only scan), if vacuum has marked the table's pages as visible to all.

        Index("ix_user_email", User.email, info={"pgpatterns": {"fetches": ["name", "created_at"]}})
        email = mapped_column(unique=True, info={"pgpatterns": {"fetches": ["name"]}})

    A link table needs no such note: the index on its second column exists to find the other one, and an index on
    `(second, first)` answers that alone. That counts where the table is known to be large (its rows are declared, or
    given with --stats); else it is a guess.

    Not changed, only described: more than three columns, or large ones (jsonb, bytea, arrays, …).
    """

    severity = Severity.INFO
    action = Action.SUGGEST
    basis = Basis.QUERIES
    not_when = (
        "Leave it out if the fetched columns change often (each change then writes the index too), or if the table "
        "is updated so much that few of its pages are visible to all."
    )
    Options = UncoveredLookupOptions
    references = ("https://www.postgresql.org/docs/current/indexes-index-only-scans.html",)
    bad = """
        CREATE TABLE product (id bigint PRIMARY KEY);
        CREATE TABLE tag (id bigint PRIMARY KEY);
        CREATE TABLE product_tag (
            product_id bigint REFERENCES product, tag_id bigint REFERENCES tag, PRIMARY KEY (product_id, tag_id)
        );
        CREATE INDEX product_tag_tag ON product_tag (tag_id);
    """
    good = bad.replace("(tag_id);", "(tag_id, product_id);")
    bad_models = """
from sqlalchemy import BigInteger, Column, Index, MetaData, Table, Text

metadata = MetaData()
Table(
    "person",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("email", Text),
    Column("name", Text),
    Index("person_email", "email", info={"pgpatterns": {"fetches": ["name"]}}),
)
"""
    good_models = bad_models.replace('"email", info', '"email", postgresql_include=["name"], info')

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Indexes that lack what is fetched by them."""
        referred = referred_keys(schema)
        for table in schema.checked_tables():
            link = link_columns(table)
            for index in table.indexes:
                # The index on the parent is the one that a person declares.
                if not usable(index) or index.parent is not None:
                    continue
                fetched = _declared(table, index)
                missing = [name for name in fetched if name not in (*index.columns, *index.include)]
                if missing:
                    referenced = (table.name, frozenset(index.columns)) in referred
                    yield self._uncovered(table, index, missing, referenced)
                elif link is not None and index.columns == (link[1],) and link[0] not in index.include:
                    yield from self._reverse(schema, table, index, link)

    def _reverse(self, schema: Schema, table: Table, index: Index, link: tuple[str, str]) -> Iterator[Finding]:
        old = definition(index, table)
        used = with_condition(queries_on(schema, table), link[1], JOINED)
        if old is not None and index.method == "btree" and index.predicate is None and replaceable(index):
            both = replace(old, keys=(*old.keys, IndexedKey(link[0])))
            yield self.finding(
                at=index,
                message=f"{index.name} finds rows of the link table {table.name}, and does not hold {link[0]}",
                remedy=ReplaceIndex(index.name, old, beside(both, table, index.name.name, "covering")),
                evidence=counted("rows are looked up by it", used) if _is_large(schema, table) else None,
            )

    def _uncovered(self, table: Table, index: Index, missing: list[str], referenced: bool) -> Finding:
        return self.finding(
            at=index,
            message=f"{index.name} does not include what its lookups fetch: {', '.join(missing)}",
            # What is fetched is said by the project itself, so it is no guess.
            remedy=self._remedy(table, index, missing, referenced),
            certain=True,
        )

    def _remedy(self, table: Table, index: Index, missing: list[str], referenced: bool) -> Remedy:
        unfit = self._unfit(table, index, missing)
        old = definition(index, table)
        if unfit is not None or old is None:
            return Advice(unfit or f"Rebuild {index.name} with INCLUDE ({', '.join(missing)}).")
        new = beside(replace(old, include=(*old.include, *missing)), table, index.name.name, "covering")
        if index.constraint is None and not index.replica_identity:
            return ReplaceIndex(index.name, old, new)
        key = rule_of(table, index)
        if key is None or referenced or key.deferrable or index.replica_identity:
            return Advice(f"Another object depends on {index.name}: add the covering index beside it.")
        return ReplaceUnique(table.name, key.name, key.columns, new)

    def _unfit(self, table: Table, index: Index, missing: list[str]) -> str | None:
        columns = {name: table.column(name) for name in missing}
        absent = [name for name, column in columns.items() if column is None]
        if absent:
            return f"{table.name} has no column {', '.join(absent)}: correct `fetches`."
        wide = [
            column.name for column in columns.values() if column and (column.type.array or column.type.name in WIDE)
        ]
        if wide:
            return f"Do not fetch {', '.join(wide)} by this index: they are too wide for it."
        if index.method not in COVERING_METHODS:
            return f"A {index.method} index cannot hold further columns."
        if len(index.include) + len(missing) > self.options.columns:
            return f"Fetch fewer columns by this index: at most {self.options.columns} fit into it."
        return None


def _is_large(schema: Schema, table: Table) -> bool:
    """Whether reading the table as well is noticed: where a recording shows the lookups, or the table has many rows."""
    rows = rows_of(table)
    recorded = schema.evidence is not None and schema.evidence.kind == "workload"
    return recorded if rows is None else rows >= LARGE


def _declared(table: Table, index: Index) -> tuple[str, ...]:
    """``fetches`` of the index, of the constraint behind it, or of its only column."""
    column = table.column(index.columns[0] or "") if len(index.columns) == 1 else None
    for declared in (index, rule_of(table, index), column):
        fetches = None if declared is None else declared.origin.info.get("fetches")
        if isinstance(fetches, str):
            return (fetches,)
        if isinstance(fetches, list | tuple):
            return tuple(map(str, fetches))
    return ()
