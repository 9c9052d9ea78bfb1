from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import Schema


class InheritedTable(SchemaPattern):
    """A table that inherits from another one with `INHERITS`, but not its keys and unique constraints.

    A SELECT, UPDATE or DELETE on the parent also reaches the child's rows. But the parent's primary key, unique
    constraints and foreign keys do not apply to the child: the same key can exist in both tables, and a foreign key
    that references the parent does not see the child's rows.

    Instead: use partitions to split one table into parts, or a foreign key (joined-table inheritance in SQLAlchemy) if
    one kind of thing is a special case of another.

    Not reported: partitions.
    """

    severity = Severity.INFO
    action = Action.REPORT
    references = (
        "https://www.postgresql.org/docs/current/ddl-inherit.html#DDL-INHERIT-CAVEATS",
        "https://wiki.postgresql.org/wiki/Don%27t_Do_This#Don.27t_use_table_inheritance",
    )
    bad = """
        CREATE TABLE place (id bigint PRIMARY KEY, name text);
        CREATE TABLE capital (PRIMARY KEY (id)) INHERITS (place);
    """
    good = """
        CREATE TABLE place (id bigint PRIMARY KEY, name text);
        CREATE TABLE capital (place_id bigint PRIMARY KEY REFERENCES place);
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Tables with a parent that they are no partition of."""
        for table in schema.checked_tables():
            if table.inherits:
                parents = ", ".join(map(str, table.inherits))
                yield self.finding(
                    at=table,
                    message=f"{table.name} inherits from {parents}, whose keys do not apply to it",
                    remedy=Advice(
                        "Make the tables partitions of one parent, or give the child a foreign key to it; "
                        f"ALTER TABLE {table.name} NO INHERIT … ends the inheritance and keeps the rows."
                    ),
                )
