from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.names import quote


class RewriteRule(SchemaPattern):
    """A rewrite rule (CREATE RULE) on a table, which makes other statements of what the application sends.

    A rule works like a macro: it changes the text of a query before the query is planned. `nextval()` or `random()`
    then may run twice with two results, INSERT … ON CONFLICT and MERGE are refused on the table, and row counts and
    RETURNING are wrong.

    Instead: a trigger.

    Not reported: views, which PostgreSQL implements as rules.
    """

    severity = Severity.INFO
    action = Action.REPORT
    needs = Needs.DATABASE
    references = (
        "https://www.postgresql.org/docs/current/rules-triggers.html",
        "https://wiki.postgresql.org/wiki/Don%27t_Do_This#Don.27t_use_rules",
    )
    bad = """
        CREATE TABLE account (id bigint PRIMARY KEY, email text);
        CREATE RULE keep AS ON DELETE TO account DO INSTEAD NOTHING;
    """
    good = """
        CREATE TABLE account (id bigint PRIMARY KEY, email text);
        CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER keep BEFORE DELETE ON account FOR EACH ROW EXECUTE FUNCTION keep();
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Rules on tables."""
        for table in schema.checked_tables():
            for rule in table.rules:
                yield self.finding(
                    at=table,
                    message=f"the rule {quote(rule)} rewrites statements on {table.name}",
                    remedy=Advice(f"Write a trigger instead, then: DROP RULE {quote(rule)} ON {table.name}."),
                    detail=quote(rule),
                )
