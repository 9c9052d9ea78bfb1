"""A relation as PostgreSQL prints it: its columns, constraints and indexes, as text that can be compared."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text

from alembic_pgpatterns.autogenerate.rewrite.dependents_sql import computed_again


@dataclass(frozen=True, slots=True)
class ColumnForm:
    """One column."""

    name: str
    type: str
    collation: str | None
    """None: the collation of the type."""
    nullable: bool
    default: str | None
    """The default, or the expression of a generated column."""
    generated: str = ""
    """``s`` stored, ``v`` virtual, or empty."""
    identity: str = ""
    """``a`` always, ``d`` by default, or empty."""
    sequence: Mapping[str, Any] | None = None
    """The options of the sequence that the column owns."""
    owned_sequence: str | None = None
    """The sequence that the column owns, as ``serial`` and identity make it."""
    unlogged_sequence: bool = False
    """Whether that sequence is UNLOGGED, as PostgreSQL 15 and later make it for an UNLOGGED table."""
    inherited: bool = False
    local: bool = True
    """Whether the table declares it itself, maybe besides a parent."""
    sources: tuple[str, ...] = ()
    """The columns that the expression of a generated column uses."""
    apart: bool = False
    """Whether it is generated and can go and come back in one transaction with all that uses it."""


@dataclass(frozen=True, slots=True)
class IndexForm:
    """One index that belongs to no constraint."""

    name: str
    unique: bool
    definition: str
    """What follows ``USING`` in pg_get_indexdef()."""
    method: str = "btree"
    keys: tuple[str, ...] = ()
    """Each with collation, operator class and order, where they are not the default."""
    columns: tuple[str, ...] = ()
    """The names of all columns that keys, INCLUDE and the predicate use."""
    include: tuple[str, ...] = ()
    predicate: str | None = None
    options: tuple[str, ...] = ()
    nulls_not_distinct: bool = False
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class ConstraintForm:
    """One constraint."""

    name: str
    kind: str
    """``c`` CHECK, ``x`` EXCLUDE, ``u`` UNIQUE, ``p`` PRIMARY KEY, ``f`` FOREIGN KEY."""
    definition: str
    columns: tuple[str, ...]
    comment: str | None = None
    referenced: ReferencedForm | None = None
    inherited: bool = False
    holds: str | None = None
    """The unique constraint or index that a foreign key relies on."""
    source: str | None = None
    """The SQL for which PostgreSQL prints this definition, if it prints another one for the definition itself."""

    @property
    def sql(self) -> str:
        """The SQL that restores the constraint."""
        return self.source or self.definition


@dataclass(frozen=True, slots=True)
class ReferencedForm:
    """What a foreign key references, and its options."""

    schema: str
    table: str
    columns: tuple[str, ...]
    on_update: str
    on_delete: str
    match: str
    deferrable: bool
    initially_deferred: bool


@dataclass(frozen=True, slots=True)
class Forms:
    """All of a relation."""

    columns: Mapping[str, ColumnForm] = field(default_factory=dict)
    indexes: Mapping[str, IndexForm] = field(default_factory=dict)
    constraints: Mapping[str, ConstraintForm] = field(default_factory=dict)
    kind: str = "r"
    persistence: str = "p"
    partition_key: str | None = None
    is_partition: bool = False
    options: tuple[str, ...] = ()
    toasted: bool = True
    """Whether it has a TOAST table; without one PostgreSQL forgets options for it."""
    parents: tuple[str, ...] = ()
    """Names of the tables that it inherits from, without partitioned parents.

    SQLAlchemy's ``postgresql_inherits`` quotes each as one name, so a schema cannot be part of it.
    """
    of_extension: bool = False
    """Whether it belongs to an extension, or pg_partman keeps it as the template of a partitioned table."""
    rows: int | None = None
    """How many rows the statistics say it has; None: they do not say."""

    attached: tuple[str, ...] = ()
    """Of a table that is dropped: the statements that restore its policies, triggers and rules."""
    going: tuple[str, ...] = ()
    """Of a table that is dropped: what goes with it, in words."""

    def of_kind(self, *kinds: str) -> dict[str, ConstraintForm]:
        """The constraints of some kinds, without those that come from a parent."""
        return {name: item for name, item in self.constraints.items() if item.kind in kinds and not item.inherited}


# reltuples is -1 before the first VACUUM or ANALYZE (since PostgreSQL 14; before that it was 0).
_RELATION = """
    SELECT c.oid, c.relkind::text AS kind, c.relpersistence::text AS persistence, c.relispartition AS is_partition,
           CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END AS rows,
           EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid
                   AND e.deptype = 'e') AS of_extension,
           pg_get_partkeydef(c.oid) AS partition_key,
           c.reloptions::text[] || ARRAY(SELECT 'toast.' || o FROM pg_class t, unnest(t.reloptions) AS o
                                         WHERE t.oid = c.reltoastrelid)::text[] AS options,
           c.reltoastrelid <> 0 AS toasted,
           ARRAY(SELECT p.relname FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent
                 WHERE i.inhrelid = c.oid AND p.relkind = 'r' ORDER BY i.inhseqno)::text[] AS parents
    FROM pg_class c WHERE c.oid = ANY (CAST(:oids AS oid[]))
"""
# A column owns the sequence of a serial automatically (deptype a), and that of an identity internally (i; docs,
# "pg_depend").
_COLUMNS = f"""
    SELECT a.attrelid AS relation, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
           CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END AS collation,
           NOT a.attnotnull AS nullable, pg_get_expr(d.adbin, d.adrelid) AS "default",
           a.attgenerated::text AS generated, a.attidentity::text AS identity, a.attinhcount > 0 AS inherited,
           a.attislocal AS local,
           ARRAY(SELECT u.attname FROM pg_depend p JOIN pg_attribute u ON u.attrelid = p.refobjid
                     AND u.attnum = p.refobjsubid
                 WHERE a.attgenerated <> '' AND p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid
                     AND p.refclassid = 'pg_class'::regclass AND p.refobjid = a.attrelid
                     AND p.refobjsubid <> a.attnum ORDER BY 1)::text[] AS sources,
           a.attgenerated = 'v' AND a.attacl IS NULL AND a.attinhcount = 0 AND NOT EXISTS (
               SELECT FROM pg_depend p LEFT JOIN pg_constraint n ON p.classid = 'pg_constraint'::regclass
                   AND n.oid = p.objid AND n.contype = 'n'
               WHERE p.refclassid = 'pg_class'::regclass AND p.refobjid = a.attrelid AND p.refobjsubid = a.attnum
                 AND n.oid IS NULL AND NOT (p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid))
           OR {computed_again("a", "d")} AS apart,
           to_jsonb(s) - 'seqrelid' - 'seqtypid' AS sequence,
           s.seqrelid::regclass::text AS owned_sequence,
           EXISTS (SELECT FROM pg_class q WHERE q.oid = s.seqrelid AND q.relpersistence = 'u') AS unlogged_sequence
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_depend o ON o.refclassid = 'pg_class'::regclass AND o.refobjid = a.attrelid
        AND o.refobjsubid = a.attnum AND o.classid = 'pg_class'::regclass AND o.deptype IN ('a', 'i')
        AND EXISTS (SELECT FROM pg_class q WHERE q.oid = o.objid AND q.relkind = 'S')
    LEFT JOIN pg_sequence s ON s.seqrelid = o.objid
    WHERE a.attrelid = ANY (CAST(:oids AS oid[])) AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attrelid, a.attnum
"""  # noqa: S608
# As JSON: confdelsetcols exists since PostgreSQL 15, and a query that names it would fail before that.
_CONSTRAINTS = """
    SELECT k.conrelid AS relation, k.conname AS name, k.contype::text AS kind,
           pg_get_constraintdef(k.oid) AS definition,
           obj_description(k.oid, 'pg_constraint') AS comment, NOT k.conislocal OR k.conparentid <> 0 AS inherited,
           ARRAY(SELECT a.attname FROM unnest(k.conkey) WITH ORDINALITY AS u (n, i)
                 JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.i)::text[] AS columns,
           n.nspname AS schema, r.relname AS "table",
           ARRAY(SELECT a.attname FROM unnest(k.confkey) WITH ORDINALITY AS u (n, i)
                 JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.i)::text[] AS referenced,
           k.confupdtype::text AS on_update, k.confdeltype::text AS on_delete, k.confmatchtype::text AS match,
           k.condeferrable AS deferrable, k.condeferred AS initially_deferred,
           ARRAY(SELECT a.attname FROM jsonb_array_elements_text(nullif(to_jsonb(k) -> 'confdelsetcols', 'null'))
                                           WITH ORDINALITY AS u (n, i)
                 JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n::int
                 ORDER BY u.i)::text[] AS set_columns,
           (SELECT relname FROM pg_class WHERE oid = k.conindid) AS holds
    FROM pg_constraint k LEFT JOIN pg_class r ON r.oid = k.confrelid LEFT JOIN pg_namespace n ON n.oid = r.relnamespace
    WHERE k.conrelid = ANY (CAST(:oids AS oid[])) AND k.contype IN ('c', 'x', 'u', 'p', 'f')
    ORDER BY k.conname
"""
# As JSON: indnullsnotdistinct exists since PostgreSQL 15. Indexes of partitions follow their parent's. In indoption 1
# is DESC, and 2 is NULLS FIRST (catalog/pg_index.h).
_INDEXES = """
    SELECT i.indrelid AS relation, c.relname AS name, i.indisunique AS unique,
           pg_get_indexdef(c.oid) AS definition, m.amname AS method,
           obj_description(c.oid, 'pg_class') AS comment, c.reloptions::text[] AS options,
           coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false) AS nulls_not_distinct,
           pg_get_expr(i.indpred, i.indrelid) AS predicate,
           ARRAY(SELECT concat_ws(' ', pg_get_indexdef(c.oid, n, false),
                     CASE WHEN i.indcollation[n - 1] <> 0
                         AND i.indcollation[n - 1] <> coalesce(nullif(a.attcollation, 0), (
                             SELECT typcollation FROM pg_attribute k JOIN pg_type t ON t.oid = k.atttypid
                             WHERE k.attrelid = c.oid AND k.attnum = n))
                         THEN 'COLLATE ' || i.indcollation[n - 1]::regcollation::text END,
                     CASE WHEN NOT o.opcdefault OR k.attoptions IS NOT NULL THEN quote_ident(o.opcname)
                          || coalesce(' (' || array_to_string(k.attoptions, ', ') || ')', '') END,
                     CASE i.indoption[n - 1] & 3 WHEN 1 THEN 'DESC NULLS LAST' WHEN 2 THEN 'NULLS FIRST'
                         WHEN 3 THEN 'DESC' END)
                 FROM generate_series(1, i.indnkeyatts) AS n JOIN pg_opclass o ON o.oid = i.indclass[n - 1]
                 JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = n
                 LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[n - 1]
                     AND i.indkey[n - 1] <> 0
                 ORDER BY n)::text[] AS keys,
           ARRAY(SELECT a.attname FROM pg_attribute a JOIN generate_series(i.indnkeyatts::int, i.indnatts - 1) AS n
                 ON a.attnum = i.indkey[n] WHERE a.attrelid = i.indrelid ORDER BY n)::text[] AS include,
           ARRAY(SELECT DISTINCT a.attname FROM pg_depend d JOIN pg_attribute a
                 ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                 WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refobjid = i.indrelid
                 ORDER BY 1)::text[] AS columns
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
    WHERE i.indrelid = ANY (CAST(:oids AS oid[])) AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid
                                            AND k.conrelid = i.indrelid AND k.contype IN ('u', 'p', 'x'))
      AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = c.oid)
    ORDER BY c.relname
"""
_IDENTIFIER = r'(?:"(?:[^"]|"")*"|[^\s".]+)'
# pg_get_indexdef() prints every index in this form (utils/adt/ruleutils.c). Two indexes of different names and tables
# are compared by what follows.
_HEAD = re.compile(rf"CREATE (?:UNIQUE )?INDEX {_IDENTIFIER} ON (?:ONLY )?(?:{_IDENTIFIER}\.)?{_IDENTIFIER} USING ")
_ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
_MATCHES = {"s": "SIMPLE", "f": "FULL", "p": "PARTIAL"}


def read_forms(connection: Connection, relation: str) -> Forms | None:
    """Read a relation from the catalog. Takes no lock on it.

    Args:
        connection: to the database.
        relation: the quoted name, with its schema.

    Returns:
        None if there is no such relation.
    """
    oid = connection.scalar(text("SELECT CAST(to_regclass(:relation) AS oid)"), {"relation": relation})
    return read_all_forms(connection, [oid]).get(oid) if oid is not None else None


def read_all_forms(connection: Connection, oids: Sequence[int]) -> dict[int, Forms]:
    """Read relations from the catalog, with as many statements as for one. Takes no lock on them.

    Args:
        connection: to the database.
        oids: of the relations.
    """

    def rows(query: str) -> dict[int, list[dict[str, Any]]]:
        result: dict[int, list[dict[str, Any]]] = {}
        for item in connection.execute(text(query), {"oids": list(oids)}).mappings():
            values = dict(item)
            result.setdefault(values.pop("relation"), []).append(values)
        return result

    relations = [dict(row) for row in connection.execute(text(_RELATION), {"oids": list(oids)}).mappings()]
    columns, indexes, constraints = rows(_COLUMNS), rows(_INDEXES), rows(_CONSTRAINTS)
    return {
        row["oid"]: _forms(
            row, columns.get(row["oid"], []), indexes.get(row["oid"], []), constraints.get(row["oid"], [])
        )
        for row in relations
    }


def _forms(
    row: Mapping[str, Any],
    columns: Sequence[Mapping[str, Any]],
    indexes: Sequence[Mapping[str, Any]],
    constraints: Sequence[Mapping[str, Any]],
) -> Forms:
    return Forms(
        columns={item["name"]: ColumnForm(**{**item, "sources": tuple(item["sources"])}) for item in columns},
        indexes={item["name"]: _index(item) for item in indexes},
        constraints={item["name"]: _constraint(item) for item in constraints},
        kind=row["kind"],
        persistence=row["persistence"],
        partition_key=row["partition_key"],
        is_partition=row["is_partition"],
        options=tuple(row["options"] or ()),
        toasted=row["toasted"],
        parents=tuple(row["parents"]),
        of_extension=row["of_extension"],
        rows=row["rows"],
    )


def _index(item: Mapping[str, Any]) -> IndexForm:
    lists = {name: tuple(item[name] or ()) for name in ("keys", "include", "columns", "options")}
    return IndexForm(**{**item, **lists, "definition": _HEAD.sub("", item["definition"], count=1)})


def _constraint(item: Mapping[str, Any]) -> ConstraintForm:
    reference = None
    if item["kind"] == "f":
        deletion = _ACTIONS[item["on_delete"]]
        if item["set_columns"]:
            deletion += f" ({', '.join(item['set_columns'])})"
        reference = ReferencedForm(
            schema=item["schema"],
            table=item["table"],
            columns=tuple(item["referenced"]),
            on_update=_ACTIONS[item["on_update"]],
            on_delete=deletion,
            match=_MATCHES[item["match"]],
            deferrable=item["deferrable"],
            initially_deferred=item["initially_deferred"],
        )
    return ConstraintForm(
        item["name"],
        item["kind"],
        item["definition"].removesuffix(" NOT VALID"),
        tuple(item["columns"]),
        item["comment"],
        reference,
        item["inherited"],
        item["holds"] if item["kind"] == "f" else None,
    )
