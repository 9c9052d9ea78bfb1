"""Advice for tables with policies: the application's statements compare the tenant's column too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from alembic_pgpatterns.advisor.model import Advice
from tests.advised import advise, keys_of
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


@pytest.fixture(scope="module")
def advice(server: Any) -> Iterator[Advice]:
    texts = [text.format(f"t{number}") for number in range(5) for text in STATEMENTS]
    yield advise(server, TABLES, recorded(*texts))
    with server.connect() as connection:
        connection.execute("DROP ROLE app_user; DROP ROLE auditor")


@pytest.mark.parametrize("table", ["t0", "t1", "t2", "t3"])
def test_the_tenant_comes_first(advice: Advice, table: str) -> None:
    assert keys_of(advice, table) == ["(tenant_id, at)", "(tenant_id, state, at)"]


def test_without_row_security_it_is_not_there(advice: Advice) -> None:
    assert keys_of(advice, "t4") == ["(at)"]
    assert advice.unplanned == ()


def test_the_role_is_dropped(server: Any, advice: Advice) -> None:
    with server.connect() as connection:
        assert connection.execute("SELECT 1 FROM pg_roles WHERE rolname LIKE 'pgpatterns%'").fetchall() == []
    assert advice.notes == ()


def test_a_policy_that_cannot_be_computed_is_said(server: Any) -> None:
    tables = """
        CREATE TABLE t (id bigint PRIMARY KEY, during int4range, at timestamptz DEFAULT now());
        ALTER TABLE t ENABLE ROW LEVEL SECURITY;
        CREATE POLICY p ON t USING (during && current_setting('app.years')::int4range);
    """
    advice = advise(server, tables, recorded("SELECT * FROM t ORDER BY at DESC LIMIT $1"))
    assert [note.partition(":")[0] for note in advice.notes] == ["row-level security is not in the plans"]
    assert keys_of(advice, "t") == ["(at)"]
