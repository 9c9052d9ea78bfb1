"""What the remedies for privileges, views and functions change, and that they can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from alembic_pgpatterns.patterns import Finding, registry
from alembic_pgpatterns.remedies.model import Advice, Remedy, Statements
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import Schema

pytestmark = pytest.mark.usefixtures("held_messages")

CATALOGUE = Path(__file__).parent / "catalogue"
ROLE = "pgpatterns_app"
MAKE_ROLE = f"DO $$ BEGIN CREATE ROLE {ROLE}; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
WITH_STATEMENTS = (
    "definer-without-search-path",
    "policy-evaluated-per-row",
    "policy-without-row-security",
    "public-can-create",
    "public-grant",
    "unforced-row-security",
    "view-past-row-security",
)


def findings(schema: Schema, name: str, version: int | None = 18) -> list[Finding]:
    pattern: Any = registry()[name]
    return list(pattern(target_version=version).detect(schema))


def statements(found: list[Finding]) -> list[Statements]:
    return [finding.remedy for finding in found if isinstance(finding.remedy, Statements)]


def run(connection: psycopg.Connection[Any], lines: tuple[str, ...]) -> None:
    for line in lines:
        connection.execute(line)


@pytest.mark.parametrize("name", WITH_STATEMENTS)
def test_each_statement_is_taken_back_by_its_own(name: str, new_database: Callable[[], Any]) -> None:
    script = (CATALOGUE / f"{name.replace('-', '_')}.sql").read_text()
    with new_database().connect() as connection:
        connection.execute(script)
        before = catalog.read(connection)
        remedies = statements(findings(before, name))
        assert remedies
        for remedy in remedies:
            run(connection, remedy.up)
        assert catalog.read(connection) != before
        for remedy in reversed(remedies):
            run(connection, remedy.down)
        assert catalog.read(connection) == before


SECRET = f"""
{MAKE_ROLE}
CREATE TABLE secret (id bigint PRIMARY KEY, tenant_id bigint);
INSERT INTO secret VALUES (1, 1), (2, 2);
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON secret USING (tenant_id = (SELECT current_setting('app.tenant')::bigint));
CREATE VIEW lower AS SELECT * FROM secret;
CREATE VIEW invoking WITH (security_invoker = true) AS SELECT * FROM secret;
CREATE VIEW upper_one AS SELECT * FROM lower;
CREATE VIEW upper_two AS SELECT * FROM invoking;
CREATE VIEW invoking_one WITH (security_invoker = true) AS SELECT * FROM lower;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO {ROLE};
"""


def rows(connection: psycopg.Connection[Any], relation: str) -> int:
    with connection.transaction(force_rollback=True):
        connection.execute(f"SET LOCAL app.tenant = '1'; SET LOCAL ROLE {ROLE}")
        return int(connection.execute(f"SELECT count(*) FROM {relation}").fetchone()[0])


def test_views_show_what_their_reader_may_see(any_database: Any) -> None:
    """Those above other views follow the ones below, whatever they say of themselves."""
    with any_database.connect() as connection:
        connection.execute(SECRET)
        names = ("lower", "invoking", "upper_one", "upper_two", "invoking_one")
        assert [rows(connection, name) for name in names] == [2, 1, 2, 1, 2]
        found = findings(catalog.read(connection), "view-past-row-security")
        assert {finding.object for finding in found} == {"public.lower", "public.upper_one"}
        (remedy,) = statements(found)
        run(connection, remedy.up)
        assert [rows(connection, name) for name in names] == [1, 1, 1, 1, 1]
        assert findings(catalog.read(connection), "view-past-row-security") == []


@pytest.mark.parametrize(("version", "kind"), [(14, Advice), (None, Advice), (15, Statements)])
def test_security_invoker_is_proposed_from_15_on(version: int | None, kind: type[Remedy], database: Any) -> None:
    with database.connect() as connection:
        connection.execute(SECRET)
        found = findings(catalog.read(connection), "view-past-row-security", version)
    (lower,) = (finding for finding in found if finding.object == "public.lower")
    assert type(lower.remedy) is kind


def definer(path: str) -> str:
    return f"""
        {MAKE_ROLE}
        CREATE TABLE price (amount integer);
        INSERT INTO price VALUES (100);
        CREATE FUNCTION total() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER {path}
            AS 'BEGIN RETURN (SELECT sum(amount) FROM price); END';
    """


@pytest.mark.parametrize("path", ["", "SET search_path = public", "SET search_path = 'public, pg_temp'"])
def test_a_definer_function_no_longer_reads_its_callers_tables(path: str, any_database: Any) -> None:
    with any_database.connect() as connection:
        connection.execute(definer(path))
        connection.execute(f"GRANT TEMPORARY ON DATABASE {any_database.name} TO {ROLE}")

        def attacked() -> int | None:
            with connection.transaction(force_rollback=True):
                connection.execute(f"SET LOCAL ROLE {ROLE}; CREATE TEMP TABLE price (amount integer)")
                connection.execute("INSERT INTO price VALUES (1); GRANT SELECT ON price TO PUBLIC")
                return connection.execute("SELECT total()").fetchone()[0]

        assert attacked() == 1
        (remedy,) = statements(findings(catalog.read(connection), "definer-without-search-path"))
        run(connection, remedy.up)
        assert attacked() == 100


def test_an_atomic_body_reads_the_tables_it_was_made_with(database: Any) -> None:
    with database.connect() as connection:
        connection.execute(definer(""))
        connection.execute("""
            DROP FUNCTION total();
            CREATE FUNCTION total() RETURNS bigint LANGUAGE sql SECURITY DEFINER
                BEGIN ATOMIC SELECT sum(amount) FROM price; END;
        """)
        assert findings(catalog.read(connection), "definer-without-search-path") == []
        connection.execute("CREATE TEMP TABLE price (amount integer); INSERT INTO price VALUES (1)")
        assert connection.execute("SELECT total()").fetchone() == (100,)


def test_public_loses_what_is_revoked(database: Any) -> None:
    with database.connect() as connection:
        connection.execute(f"""
            {MAKE_ROLE}
            CREATE TABLE open (id bigint PRIMARY KEY, name text, other text);
            GRANT SELECT (id, name), INSERT ON open TO PUBLIC;
            GRANT CREATE ON SCHEMA public TO PUBLIC;
            ALTER DEFAULT PRIVILEGES GRANT DELETE ON TABLES TO PUBLIC;
        """)

        def allowed() -> tuple[bool, ...]:
            questions = f"""SELECT has_column_privilege('{ROLE}', 'open', 'name', 'SELECT'),
                has_table_privilege('{ROLE}', 'open', 'INSERT'), has_schema_privilege('{ROLE}', 'public', 'CREATE'),
                has_table_privilege('{ROLE}', 'later', 'DELETE')"""
            connection.execute("DROP TABLE IF EXISTS later; CREATE TABLE later (id bigint)")
            found: tuple[bool, ...] = connection.execute(questions).fetchone()
            return found

        assert allowed() == (True,) * 4
        connection.execute("DROP TABLE later")
        schema = catalog.read(connection)
        for remedy in statements(findings(schema, "public-grant") + findings(schema, "public-can-create")):
            run(connection, remedy.up)
        assert allowed() == (False,) * 4


def test_what_another_role_granted_needs_that_role(database: Any) -> None:
    """REVOKE as the owner would succeed, and leave the privilege where it is."""
    with database.connect() as connection:
        connection.execute(f"""
            {MAKE_ROLE}
            CREATE TABLE open (id bigint PRIMARY KEY);
            GRANT SELECT ON open TO {ROLE} WITH GRANT OPTION;
            SET ROLE {ROLE}; GRANT SELECT ON open TO PUBLIC; RESET ROLE;
        """)
        (found,) = findings(catalog.read(connection), "public-grant")
        assert isinstance(found.remedy, Advice) and ROLE in found.remedy.text
        connection.execute("REVOKE SELECT ON open FROM PUBLIC")
        assert findings(catalog.read(connection), "public-grant") == [found]


def test_row_security_is_not_forced_upon_an_owner_whom_no_policy_lets_in(database: Any) -> None:
    with database.connect() as connection:
        connection.execute(f"""
            {MAKE_ROLE}
            CREATE TABLE doc (id bigint PRIMARY KEY);
            ALTER TABLE doc ENABLE ROW LEVEL SECURITY;
            CREATE POLICY p ON doc TO {ROLE} USING (id > 0);
        """)
        (found,) = findings(catalog.read(connection), "unforced-row-security")
        assert isinstance(found.remedy, Advice)


TENANTS = """
CREATE TABLE one (id bigint PRIMARY KEY, tenant_id bigint, region text);
ALTER TABLE one ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON one USING (
    tenant_id = (SELECT current_setting('a.b')::bigint) AND region = (SELECT current_setting('a.c')));
CREATE TABLE two (id bigint PRIMARY KEY, tenant_id bigint);
CREATE TABLE three (id bigint PRIMARY KEY, region text);
"""


def test_the_tenant_column_is_guessed_only_where_policies_agree(database: Any) -> None:
    pattern: Any = registry()["unprotected-tenant-table"]
    with database.connect() as connection:
        connection.execute(TENANTS)
        schema = catalog.read(connection)
    assert list(pattern().detect(schema)) == []
    found = list(pattern(pattern.Options(columns=("tenant_id",))).detect(schema))
    assert [finding.fingerprint for finding in found] == ["unprotected-tenant-table public.two"]
    both = list(pattern(pattern.Options(columns=("tenant_id", "region"))).detect(schema))
    assert [finding.object for finding in both] == ["public.two", "public.three"]
    nobody = replace(schema, tables=tuple(replace(table, row_security=False, policies=()) for table in schema.tables))
    assert list(pattern(pattern.Options(columns=("tenant_id",))).detect(nobody)) == []
