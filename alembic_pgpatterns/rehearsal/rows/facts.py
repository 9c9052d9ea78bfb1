"""What the generator needs in addition to the schema: partition bounds, domains, ranges, composite types."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from alembic_pgpatterns.schema.model import Name

# 16384 is FirstNormalObjectId (access/transam.h): what initdb made has a smaller OID.
DOMAINS = """
SELECT n.nspname::text, t.typname::text, k.conname::text, pg_get_expr(k.conbin, 0)
FROM pg_constraint k JOIN pg_type t ON t.oid = k.contypid JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE k.contype = 'c' AND t.oid >= 16384
ORDER BY k.conname
"""
RANGES = """
SELECT n.nspname::text, t.typname::text, format_type(r.rngsubtype, -1)
FROM pg_range r JOIN pg_type t ON t.oid = r.rngtypid JOIN pg_namespace n ON n.oid = t.typnamespace
"""
MULTIRANGES = """
SELECT n.nspname::text, t.typname::text, format_type(r.rngtypid, -1), format_type(r.rngsubtype, -1)
FROM pg_range r JOIN pg_type t ON t.oid = r.rngmultitypid JOIN pg_namespace n ON n.oid = t.typnamespace
"""
COMPOSITES = """
SELECT n.nspname::text, t.typname::text, format_type(a.atttypid, a.atttypmod)
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
WHERE t.typtype = 'c' AND t.oid >= 16384
ORDER BY t.oid, a.attnum
"""
# pg_get_partition_constraintdef() includes the conditions of all levels above the leaf.
LEAVES = """
SELECT n.nspname::text, c.relname::text, pg_get_partition_constraintdef(leaf.relid),
       pg_get_expr(l.relpartbound, l.oid) = 'DEFAULT'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL pg_partition_tree(c.oid) leaf
JOIN pg_class l ON l.oid = leaf.relid
WHERE c.relkind = 'p' AND NOT c.relispartition AND leaf.isleaf AND c.oid >= 16384 AND l.relkind = 'r'
ORDER BY c.oid, l.oid
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """All by qualified name. Expressions are in PostgreSQL's spelling.

    ``domains``: the constraints of each, as (name, expression over VALUE). ``ranges``: the type of the bounds.
    ``multiranges``: the range type and the type of its bounds. ``composites``: the types of the fields.
    ``leaves``: of a partitioned table, the condition of each of its leaf partitions, except the default partition.
    """

    domains: dict[Name, list[tuple[str, str]]] = field(default_factory=dict)
    ranges: dict[Name, str] = field(default_factory=dict)
    multiranges: dict[Name, tuple[str, str]] = field(default_factory=dict)
    composites: dict[Name, list[str]] = field(default_factory=dict)
    leaves: dict[Name, list[str]] = field(default_factory=dict)
    defaults: frozenset[Name] = frozenset()
    """Partitioned tables that have a default partition."""

    @classmethod
    def read(cls, connection: Any) -> Facts:
        """Run five queries, for any number of tables."""
        domains: dict[Name, list[tuple[str, str]]] = defaultdict(list)
        for schema, name, constraint, expression in connection.execute(DOMAINS).fetchall():
            domains[Name(schema, name)].append((constraint, expression))
        composites: dict[Name, list[str]] = defaultdict(list)
        for schema, name, field_type in connection.execute(COMPOSITES).fetchall():
            composites[Name(schema, name)].append(field_type)
        leaves, defaults = _leaves(connection)
        return cls(
            domains=dict(domains),
            ranges={Name(s, n): bound for s, n, bound in connection.execute(RANGES).fetchall()},
            multiranges={Name(s, n): (kind, bound) for s, n, kind, bound in connection.execute(MULTIRANGES).fetchall()},
            composites=dict(composites),
            leaves=leaves,
            defaults=defaults,
        )


def _leaves(connection: Any) -> tuple[dict[Name, list[str]], frozenset[Name]]:
    leaves: dict[Name, list[str]] = defaultdict(list)
    defaults: set[Name] = set()
    for schema, name, condition, default in connection.execute(LEAVES).fetchall():
        root = Name(schema, name)
        if default:
            defaults.add(root)
        else:
            leaves[root].append(condition or "true")
    return dict(leaves), frozenset(defaults)
