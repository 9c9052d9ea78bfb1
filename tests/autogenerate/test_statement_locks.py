"""Which plain SQL of a revision gets a lock_timeout: what waits for a strong lock on a table that exists."""

from __future__ import annotations

import pytest
from alembic.operations import ops
from sqlalchemy import table, text

from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.planner import plan

FACTS = Facts(created=frozenset({("public", "fresh"), ("app", "fresh")}))


def is_strong(statement: object, facts: Facts = FACTS) -> bool:
    (step,) = plan(ops.ExecuteSQLOp(statement), facts)  # type: ignore[arg-type]
    return step.up.strong


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE book ADD COLUMN a text",
        "ALTER TABLE book VALIDATE CONSTRAINT c, ALTER a SET NOT NULL",
        "ALTER TABLE app.book SET SCHEMA other",
        "ALTER TABLE book RENAME COLUMN a TO b",
        "ALTER VIEW v SET (security_invoker = true)",
        "ALTER POLICY p ON book USING (true)",
        "CREATE POLICY p ON book",
        "CREATE TRIGGER t BEFORE INSERT ON book EXECUTE FUNCTION f()",
        "CREATE RULE r AS ON INSERT TO book DO NOTHING",
        "CREATE INDEX i ON book (a)",
        "CLUSTER book USING i",
        "REFRESH MATERIALIZED VIEW m",
        "LOCK TABLE book",
        "TRUNCATE book",
        "DROP INDEX i",
        "DROP TABLE fresh, book",
        "DROP TRIGGER t ON book",
        "DROP POLICY p ON book",
        "SELECT 1; ALTER TABLE book ADD COLUMN a text",
        r"ALTER TABLE book ALTER a SET DEFAULT '\:x'",
        text("ALTER TABLE book ADD CHECK (a <> '12:30')"),
    ],
)
def test_a_strong_lock(statement: object) -> None:
    assert is_strong(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE book VALIDATE CONSTRAINT c",
        "ALTER TABLE fresh ADD COLUMN a text",
        "ALTER TABLE app.fresh ADD COLUMN a text",
        "CREATE INDEX CONCURRENTLY i ON book (a)",
        "DROP INDEX CONCURRENTLY i",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY m",
        "CREATE POLICY p ON fresh",
        "ALTER TYPE a RENAME TO b",
        "ALTER FUNCTION f() SET SCHEMA app",
        "DROP FUNCTION f()",
        "COMMENT ON TABLE book IS 'ALTER TABLE book'",
        "UPDATE book SET a = 1",
        "ALTER TABLE %(name)s broken",
        "",
        table("book").delete(),
    ],
)
def test_none(statement: object) -> None:
    assert not is_strong(statement)
