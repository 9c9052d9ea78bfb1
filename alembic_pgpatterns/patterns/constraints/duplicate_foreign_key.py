from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.remedies.model import Advice, DropConstraint, Remedy
from alembic_pgpatterns.schema.model import ForeignKey, Schema, Table
from alembic_pgpatterns.schema.names import quote

Pairs = frozenset[tuple[str, str]]


class DuplicateForeignKey(SchemaPattern):
    """Two foreign keys on one table that say the same: the same columns reference the same columns of the same table.

    Every INSERT and UPDATE checks the parent twice, and every DELETE on the parent looks for children twice. If the two
    have different ON DELETE actions, both run, in the order of their names.

    The order in which the columns are written makes no difference. The one to keep is enforced, validated and first by
    name. The fix drops the other one if both say exactly the same.

    Not reported: two keys on one column that reference different tables or different columns, and the copies that
    partitions have from their parent.
    """

    severity = Severity.WARNING
    action = Action.REPORT
    references = ("https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-FK",)
    bad = """
        CREATE TABLE author (id bigint PRIMARY KEY);
        CREATE TABLE book (id bigint PRIMARY KEY, author_id bigint);
        CREATE INDEX ON book (author_id);
        ALTER TABLE book ADD CONSTRAINT book_author_fk FOREIGN KEY (author_id) REFERENCES author;
        ALTER TABLE book ADD CONSTRAINT book_author_id_fkey FOREIGN KEY (author_id) REFERENCES author;
    """
    good = """
        CREATE TABLE author (id bigint PRIMARY KEY);
        CREATE TABLE book (id bigint PRIMARY KEY, author_id bigint REFERENCES author);
        CREATE INDEX ON book (author_id);
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Foreign keys that repeat another one of the table."""
        for table in schema.checked_tables():
            for first, *others in _alike(table):
                for key in others:
                    yield self.finding(
                        at=key,
                        message=f"{_called(key)} of {table.name} repeats {_called(first)}: the same columns "
                        f"reference the same columns of {key.referred_table}",
                        remedy=_remedy(first, key),
                        detail=quote(key.name) if key.name else "",
                    )


def _alike(table: Table) -> list[list[ForeignKey]]:
    """Groups of two and more, the one to keep first."""
    groups: dict[tuple[object, Pairs], list[ForeignKey]] = defaultdict(list)
    for key in table.foreign_keys:
        if not key.inherited:
            # A set: the order of the columns is no difference.
            groups[key.referred_table, frozenset(zip(key.columns, key.referred_columns, strict=False))].append(key)
    return [sorted(group, key=_rank) for group in groups.values() if len(group) > 1]


def _rank(key: ForeignKey) -> tuple[bool, bool, str]:
    return not key.enforced, not key.validated, key.name or ""


def _called(key: ForeignKey) -> str:
    return quote(key.name) if key.name else "an unnamed foreign key"


def _remedy(first: ForeignKey, key: ForeignKey) -> Remedy:
    if key.name is None:
        return Advice("Remove one of the two declarations.")
    if _behaviour(first) != _behaviour(key):
        differences = f"{_behaviour(first)}; {_behaviour(key)}"
        return Advice(f"The two differ ({differences}): decide which one is right, and drop the other.")
    return DropConstraint(key.table, key.name, _definition(key))


def _behaviour(key: ForeignKey) -> str:
    parts = [
        "MATCH FULL" if key.match_full else "",
        f"ON UPDATE {key.on_update} ON DELETE {key.on_delete}",
        "DEFERRABLE" if key.deferrable else "",
        "INITIALLY DEFERRED" if key.initially_deferred else "",
    ]
    return " ".join(part for part in parts if part)


def _definition(key: ForeignKey) -> str:
    columns, referred = (", ".join(map(quote, names)) for names in (key.columns, key.referred_columns))
    valid = "" if key.validated and key.enforced else " NOT VALID" if key.enforced else " NOT ENFORCED"
    return f"FOREIGN KEY ({columns}) REFERENCES {key.referred_table} ({referred}) {_behaviour(key)}{valid}"
