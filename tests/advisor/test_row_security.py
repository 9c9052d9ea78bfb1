"""Advice for tables with policies: the application's statements compare the tenant's column too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alembic_pgpatterns.advisor.advise import Advisor
from alembic_pgpatterns.advisor.facts import Statistics, TableSize
from alembic_pgpatterns.advisor.model import Advice, Options
from alembic_pgpatterns.remedies.sql import create_index
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.names import Name
from tests.recorded import recorded

TABLES = """
CREATE ROLE app_user; CREATE ROLE auditor;
CREATE FUNCTION tenant() RETURNS bigint STABLE LANGUAGE plpgsql AS
    $$ BEGIN RETURN current_setting('app.of_a_function')::bigint; END $$;
CREATE TABLE t0 (id bigint PRIMARY KEY, tenant_id bigint NOT NULL, at timestamptz NOT NULL DEFAULT now(), state text);
CREATE TABLE t1 (id bigint PRIMARY KEY, tenant_id uuid NOT NULL, at timestamptz NOT NULL DEFAULT now(), state text);
CREATE TABLE t2 (id bigint PRIMARY KEY, tenant_id bigint NOT NULL, at timestamptz NOT NULL DEFAULT now(), state text);
CREATE TABLE t3 (id bigint PRIMARY KEY, tenant_id bigint NOT NULL, at timestamptz NOT NULL DEFAULT now(), state text);
CREATE TABLE t4 (id bigint PRIMARY KEY, tenant_id bigint NOT NULL, at timestamptz NOT NULL DEFAULT now(), state text);
ALTER TABLE t0 ENABLE ROW LEVEL SECURITY; ALTER TABLE t1 ENABLE ROW LEVEL SECURITY;
ALTER TABLE t2 ENABLE ROW LEVEL SECURITY; ALTER TABLE t3 ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t0 USING (tenant_id = current_setting('app.tenant')::bigint);
CREATE POLICY p ON t1 USING (tenant_id = (SELECT current_setting('app.organisation')::uuid));
CREATE POLICY p ON t2 USING (tenant_id = tenant());
CREATE POLICY p ON t3 TO app_user USING (tenant_id = nullif(current_setting('app.tenant', true), '')::bigint);
CREATE POLICY q ON t3 TO auditor USING (true);
"""
STATEMENTS = ("SELECT * FROM {} ORDER BY at DESC LIMIT $1", "SELECT * FROM {} WHERE state = $1 AND at >= $2")


def advise(server: Any, tables: str, *statements: str) -> Advice:
    name = server.create_database("test_policies")
    with server.connect(name) as connection:
        connection.execute(tables)
        schema = catalog.read(connection)
    sizes = {table.name: TableSize(5_000_000) for table in schema.tables}
    advice = Advisor(server, schema, Statistics(sizes)).advise(name, recorded(*statements), Options())
    with server.connect(name) as connection:
        roles = [row[0] for row in connection.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'pgpatterns%'")]
        assert roles == []
        for row in connection.execute("SELECT rolname FROM pg_roles WHERE rolname IN ('app_user', 'auditor')"):
            connection.execute(f"DROP OWNED BY {row[0]}; DROP ROLE {row[0]}")
    server.drop_database(name)
    return advice


@pytest.fixture(scope="module")
def advice(server: Any) -> Advice:
    return advise(server, TABLES, *(text.format(f"t{number}") for number in range(5) for text in STATEMENTS))


def indexes(advice: Advice, table: str) -> list[str]:
    found = [item.index for item in advice.indexes if item.index.table == Name("public", table)]
    return sorted(create_index(replace(item, include=())).partition(f"public.{table} ")[2] for item in found)


@pytest.mark.parametrize("table", ["t0", "t1", "t2", "t3"])
def test_the_tenant_comes_first(advice: Advice, table: str) -> None:
    assert indexes(advice, table) == ["(tenant_id, at)", "(tenant_id, state, at)"]


def test_without_row_security_it_is_not_there(advice: Advice) -> None:
    assert indexes(advice, "t4") == ["(at)"]
    assert advice.unplanned == ()
    assert advice.notes == ()


def test_a_policy_that_cannot_be_computed_is_said(server: Any) -> None:
    tables = """
        CREATE TABLE t (id bigint PRIMARY KEY, during int4range, at timestamptz DEFAULT now());
        ALTER TABLE t ENABLE ROW LEVEL SECURITY;
        CREATE POLICY p ON t USING (during && current_setting('app.years')::int4range);
    """
    advice = advise(server, tables, "SELECT * FROM t ORDER BY at DESC LIMIT $1")
    assert [note.partition(":")[0] for note in advice.notes] == ["row-level security is not in the plans"]
    assert indexes(advice, "t") == ["(at)"]
