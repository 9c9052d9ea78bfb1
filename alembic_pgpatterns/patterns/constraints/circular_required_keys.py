from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import apart, checked_keys
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import ForeignKey, Name, Schema, Table


class CircularRequiredKeys(SchemaPattern):
    """Tables that require each other: every row needs a row of the other table first.

    The foreign keys form a circle, their columns are NOT NULL, and no key of the circle is deferrable. Then no INSERT
    into one of the tables can be the first: only one statement that writes all of them (WITH … INSERT … INSERT) can do
    it, which SQLAlchemy does not write. Restoring data alone (`pg_dump --data-only`) fails, too.

    Not reported: a key to its own table, whose first row may reference itself; circles with a column that may be null,
    has a default, or with a DEFERRABLE key.
    """

    severity = Severity.WARNING
    action = Action.REPORT
    references = (
        "https://www.postgresql.org/docs/current/sql-set-constraints.html",
        "https://www.postgresql.org/docs/current/app-pgdump.html",
        "https://github.com/pwyf/aid-transparency-tracker/issues/334",
    )
    bad = """
        CREATE TABLE team (id bigint PRIMARY KEY, lead_id bigint NOT NULL);
        CREATE TABLE person (id bigint PRIMARY KEY, team_id bigint NOT NULL REFERENCES team);
        ALTER TABLE team ADD FOREIGN KEY (lead_id) REFERENCES person;
    """
    good = bad.replace("lead_id bigint NOT NULL", "lead_id bigint")

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Each circle once, at the key of its first table."""
        keys: dict[Name, list[tuple[Table, ForeignKey]]] = defaultdict(list)
        for table, key in checked_keys(schema):
            if key.referred_table != table.name and _required(table, key):
                keys[table.name].append((table, key))
        seen: set[frozenset[Name]] = set()
        for start in sorted(keys):
            way = _circle(start, keys)
            if way and frozenset(name.name for name, _ in way) not in seen:
                seen.add(frozenset(name.name for name, _ in way))
                yield self._finding(way)

    def _finding(self, way: list[tuple[Table, ForeignKey]]) -> Finding:
        (table, key), names = way[0], ", ".join(str(item.name) for item, _ in way)
        return self.finding(
            at=key,
            message=f"{names} require each other through NOT NULL foreign keys, so none can have a first row",
            remedy=Advice(
                "Let one of the columns be null, or make its key DEFERRABLE INITIALLY DEFERRED "
                "(ForeignKey(…, deferrable=True, initially='DEFERRED'))."
            ),
            detail=apart(table, key),
        )


def _required(table: Table, key: ForeignKey) -> bool:
    columns = [table.column(name) for name in key.columns]
    firm = all(column is not None and not column.nullable and column.default is None for column in columns)
    # A deferrable key is asked at the end of the transaction, when both rows are there.
    return key.enforced and not key.deferrable and firm


def _circle(start: Name, keys: dict[Name, list[tuple[Table, ForeignKey]]]) -> list[tuple[Table, ForeignKey]]:
    """The shortest way from a table back to itself; empty where there is none."""
    ways = [[step] for step in keys[start]]
    seen: set[Name] = set()
    while ways:
        way = ways.pop(0)
        target = way[-1][1].referred_table
        if target == start:
            return way
        if target not in seen:
            seen.add(target)
            ways += [[*way, step] for step in keys.get(target, [])]
    return []
