"""Which plain SQL of a revision gets a lock_timeout: what waits for a strong lock on a table that exists."""

from __future__ import annotations

import pytest
from alembic.operations import ops
from sqlalchemy import table, text

from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.planner import plan
from alembic_pgpatterns.operations.policies import AlterPolicyOp, CreatePolicyOp, DropPolicyOp
from alembic_pgpatterns.operations.row_security import (
    DisableRowSecurityOp,
    EnableRowSecurityOp,
    ForceRowSecurityOp,
    NoForceRowSecurityOp,
)
from alembic_pgpatterns.operations.storage import SetStorageParametersOp

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


@pytest.mark.parametrize("name", ["book", "fresh"])
def test_directives_that_close_a_table_wait_with_a_limit(name: str) -> None:
    """All that docs/directives.md has under the strong locks and autogenerate writes; nobody waits for a new table."""
    directives = (
        CreatePolicyOp("own", name, using="true"),
        AlterPolicyOp("own", name, using="false"),
        DropPolicyOp("own", name),
        EnableRowSecurityOp(name),
        ForceRowSecurityOp(name),
        NoForceRowSecurityOp(name),
        DisableRowSecurityOp(name),
    )
    assert {plan(op, FACTS)[0].up.strong for op in directives} == {name == "book"}
    assert not plan(SetStorageParametersOp(name, {"fillfactor": 90}), FACTS)[0].up.strong
