"""What the remedies for policies do to queries: calls are counted, plans are read, rows are compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from alembic_pgpatterns.patterns import Finding, registry
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.remedies.sql import sql
from alembic_pgpatterns.schema.catalog import reader as catalog

pytestmark = pytest.mark.usefixtures("held_messages")

ROWS = 40
ROLE = "pgpatterns_app"
SETUP = f"""
DO $$ BEGIN CREATE ROLE {ROLE}; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
CREATE SEQUENCE calls;
CREATE FUNCTION tenant() RETURNS bigint LANGUAGE plpgsql STABLE AS
    'BEGIN PERFORM nextval(''calls''); RETURN current_setting(''app.tenant'')::bigint; END';
CREATE FUNCTION tenants() RETURNS bigint[] LANGUAGE plpgsql STABLE AS
    'BEGIN PERFORM nextval(''calls''); RETURN ARRAY[current_setting(''app.tenant'')::bigint]; END';
CREATE TABLE member (tenant_id bigint, user_id bigint);
INSERT INTO member SELECT n % 4, n FROM generate_series(0, 3) n;
CREATE TABLE doc (id bigint PRIMARY KEY, tenant_id bigint NOT NULL, code varchar(20));
INSERT INTO doc SELECT n, n % 4, 'code ' || n % 4 FROM generate_series(1, {ROWS}) n;
ALTER TABLE doc ENABLE ROW LEVEL SECURITY;
GRANT ALL ON ALL TABLES IN SCHEMA public TO {ROLE};
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {ROLE};
"""


def findings(connection: psycopg.Connection[Any], name: str, version: int = 18) -> list[Finding]:
    pattern: Any = registry()[name]
    return list(pattern(target_version=version).detect(catalog.read(connection)))


def cure(connection: psycopg.Connection[Any], name: str) -> None:
    """Applies the remedies, each of which must be one."""
    found = findings(connection, name)
    assert found
    for finding in found:
        assert finding.remedy is not None and not isinstance(finding.remedy, Advice), finding
        for statement in sql(finding.remedy):
            connection.execute(statement)
    assert findings(connection, name) == []


@contextmanager
def as_application(connection: psycopg.Connection[Any], tenant: str | None) -> Iterator[None]:
    with connection.transaction(force_rollback=True):
        connection.execute(f"SET LOCAL ROLE {ROLE}")
        if tenant is not None:
            connection.execute("SELECT set_config('app.tenant', %s, true)", (tenant,))
        yield


def calls(connection: psycopg.Connection[Any], statement: str) -> int:
    connection.execute("SELECT setval('calls', 1, false)")
    with as_application(connection, "1"):
        connection.execute(statement)
    return int(connection.execute("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM calls").fetchone()[0])


def visible(connection: psycopg.Connection[Any], tenant: str | None) -> list[int] | str:
    try:
        with as_application(connection, tenant):
            return [row[0] for row in connection.execute("SELECT id FROM doc ORDER BY id")]
    except psycopg.Error as error:
        return str(error.sqlstate)


def plan(connection: psycopg.Connection[Any], query: str, settings: str = "") -> str:
    with as_application(connection, "1"):
        connection.execute(f"SET LOCAL jit = off; {settings}")
        return "\n".join(row[0] for row in connection.execute(f"EXPLAIN (COSTS OFF) {query}"))


PER_ROW = {
    "equality": "tenant_id = tenant()",
    "array": "tenant_id = ANY (ARRAY[tenant(), 3])",
    "cast array": "tenant_id = ANY ((tenants()::text)::bigint[])",
    "either": "id < 0 OR tenant_id = tenant() + 0",
    "no column": "tenant() = 1",
    "whole comparison": "(SELECT tenant() = doc.tenant_id)",
    "left of in": "tenant() IN (SELECT m.user_id FROM member m)",
    "correlated": "EXISTS (SELECT FROM member m WHERE m.tenant_id = doc.tenant_id AND m.user_id = tenant())",
    "case": "CASE WHEN tenant() = 1 THEN tenant_id = 1 ELSE false END",
}


@pytest.mark.parametrize("expression", PER_ROW.values(), ids=PER_ROW.keys())
def test_a_wrapped_call_runs_once_and_shows_the_same_rows(expression: str, any_database: Any) -> None:
    with any_database.connect() as connection:
        connection.execute(SETUP)
        connection.execute(f"CREATE POLICY p ON doc USING ({expression})")
        seen = visible(connection, "1")
        assert calls(connection, "SELECT count(*) FROM doc") > 1
        cure(connection, "policy-evaluated-per-row")
        assert calls(connection, "SELECT count(*) FROM doc") == 1
        assert visible(connection, "1") == seen
        assert seen


ONCE = {
    "uncorrelated": "tenant_id IN (SELECT m.tenant_id FROM member m WHERE m.user_id = 1 AND tenant() = 1)",
    "scalar with cast": "tenant_id = (SELECT tenant()::text)::bigint",
    "array of rows": "tenant_id = ANY (ARRAY(SELECT unnest(tenants())))",
    "function in from": "EXISTS (SELECT FROM unnest(tenants()) t(id) WHERE t.id = doc.tenant_id)",
}


@pytest.mark.parametrize("expression", ONCE.values(), ids=ONCE.keys())
def test_silence_where_a_call_does_not_run_for_each_row(expression: str, any_database: Any) -> None:
    with any_database.connect() as connection:
        connection.execute(SETUP)
        connection.execute(f"CREATE POLICY p ON doc USING ({expression})")
        few = calls(connection, "SELECT count(*) FROM doc")  # the planner may call it too, for its estimates
        connection.execute("INSERT INTO doc SELECT n, n % 4 FROM generate_series(1001, 1400) n")
        assert 1 <= calls(connection, "SELECT count(*) FROM doc") == few
        assert findings(connection, "policy-evaluated-per-row") == []


SPELLINGS = """
tenant_id IS NOT DISTINCT FROM tenant()
(tenant_id, id) = (tenant(), 3)
ROW(tenant_id, 1) IN (SELECT m.tenant_id, tenant() FROM member m WHERE m.tenant_id = doc.id)
code LIKE current_setting('app.tenant') || '%' ESCAPE '!'
code SIMILAR TO current_setting('app.tenant')
code ~* current_setting('app.tenant')
tenant_id BETWEEN SYMMETRIC tenant() AND 3
(now() AT TIME ZONE current_setting('TimeZone')) > '2020-01-01'::timestamp
code COLLATE "C" = current_setting('app.tenant') COLLATE "C"
tenant_id = (tenants())[1]
tenant_id = ANY ((tenants())[1:2])
tenant_id <> ALL (ARRAY[tenant(), NULL])
tenant_id = GREATEST(tenant(), 0) OR tenant_id = LEAST(tenant(), 9)
extract(epoch FROM now()) > tenant() AND position('a' IN code) > 0
current_setting('app.claims', true)::jsonb @> jsonb_build_object('tenant', tenant_id)
(current_setting('app.claims', true)::jsonb -> 'tenants') ? code
(current_setting('app.claims', true)::jsonb #>> '{a,b}')::bigint = tenant_id
current_setting('app.claims', true) IS JSON AND id > 0
overlay(current_setting('app.tenant') PLACING 'x' FROM 1 FOR 1) = code
trim(BOTH ' ' FROM current_setting('app.tenant')) = code
make_interval(days => tenant()::int) > interval '1 day'
format('%s-%s', VARIADIC ARRAY[current_setting('app.tenant'), 'x']) = code
(tenant() = 1) IS TRUE AND NOT (tenant() IS NULL)
NOT EXISTS (SELECT FROM member m WHERE m.tenant_id = doc.tenant_id AND m.user_id <> tenant())
tenant_id = (SELECT max(m.tenant_id) FILTER (WHERE m.user_id = tenant()) FROM member m WHERE m.tenant_id = doc.id)
id IN (SELECT row_number() OVER (ORDER BY m.user_id = tenant()) FROM member m WHERE m.tenant_id = doc.tenant_id)
id IN (SELECT m.user_id FROM member m WHERE m.tenant_id = doc.tenant_id ORDER BY tenant() LIMIT 3)
EXISTS (SELECT FROM member m JOIN member n ON n.user_id = tenant() AND m.user_id = n.user_id WHERE m.tenant_id = doc.id)
CASE current_setting('app.tenant') WHEN '1' THEN tenant_id = 1 ELSE code = 'x' END
COALESCE(NULLIF(current_setting('app.tenant', true), ''), code) = code
code = E'it''s \\\\ %s :name ' || current_setting('app.tenant')
""".strip().splitlines()


IN_PLACE = {
    "count(*)": "(SELECT count(*) >= (SELECT tenant()::float8) FROM member m WHERE m.tenant_id = doc.tenant_id)",
    "count(1)": "(SELECT count(1) >= (SELECT tenant()::float8) FROM member m WHERE m.tenant_id = doc.tenant_id)",
    "window": "1 IN (SELECT rank() OVER () * (SELECT tenant()::float8) FROM member m WHERE doc.id > 0)",
    "random": "random() * 0 + (SELECT tenant()::float8) = tenant_id",
    "extension": "ext.show_limit() * 0 + (SELECT tenant()::float8) = tenant_id",
}


@pytest.mark.parametrize("wrapped", IN_PLACE.values(), ids=IN_PLACE.keys())
def test_what_must_stay_where_it_is_is_not_wrapped_along(wrapped: str, database: Any) -> None:
    """Aggregates, volatile functions and those nothing is known of."""
    with database.connect() as connection:
        connection.execute(SETUP + "CREATE SCHEMA ext; CREATE EXTENSION pg_trgm SCHEMA ext;")
        connection.execute(f"GRANT USAGE ON SCHEMA ext TO {ROLE}")
        connection.execute(f"CREATE POLICY p ON doc USING ({wrapped})")
        rows = visible(connection, "1")
        (right,) = connection.execute("SELECT pg_get_expr(polqual, polrelid) FROM pg_policy").fetchone()
        bare = wrapped.replace("(SELECT tenant()::float8)", "tenant()::float8")
        connection.execute(f"ALTER POLICY p ON doc USING ({bare})")
        cure(connection, "policy-evaluated-per-row")
        (made,) = connection.execute("SELECT pg_get_expr(polqual, polrelid) FROM pg_policy").fetchone()
        assert made == right
        assert visible(connection, "1") == rows


def test_every_spelling_can_be_rewritten(any_database: Any) -> None:
    """By the parse tree, so that nothing depends on how an expression is written."""
    with any_database.connect() as connection:
        connection.execute(SETUP)
        modern = any_database.version >= 160000
        wanted = [text for text in SPELLINGS if modern or "IS JSON" not in text]
        for number, text in enumerate(wanted):
            connection.execute(f"CREATE POLICY p{number} ON doc USING ({text})")
        assert {finding.object for finding in findings(connection, "policy-evaluated-per-row")} == {
            f"public.doc.p{number}" for number in range(len(wanted))
        }
        cure(connection, "policy-evaluated-per-row")


def test_with_check_runs_once_a_statement(database: Any) -> None:
    with database.connect() as connection:
        connection.execute(SETUP)
        connection.execute("CREATE POLICY p ON doc FOR INSERT WITH CHECK (tenant_id = tenant())")
        insert = "INSERT INTO doc SELECT n, 1 FROM generate_series(1001, 1030) n"
        assert calls(connection, insert) == 30
        cure(connection, "policy-evaluated-per-row")
        assert calls(connection, insert) == 1
        with pytest.raises(psycopg.errors.InsufficientPrivilege), as_application(connection, "1"):
            connection.execute("INSERT INTO doc VALUES (2000, 2)")


def test_a_setting_is_read_in_an_init_plan_and_means_the_same(any_database: Any) -> None:
    """Unset, empty, wrong and right."""
    with any_database.connect() as connection:
        connection.execute(SETUP)
        connection.execute(
            "CREATE POLICY p ON doc USING (tenant_id = nullif(current_setting('app.tenant', true), '')::integer)"
        )
        values = (None, "", "x", "1", "99")
        before = [visible(connection, value) for value in values]
        assert "InitPlan" not in plan(connection, "SELECT * FROM doc")
        cure(connection, "policy-evaluated-per-row")
        assert "InitPlan" in plan(connection, "SELECT * FROM doc")
        assert [visible(connection, value) for value in values] == before
        assert before[3] == list(range(1, ROWS + 1, 4))


SERVED = {
    "value": "tenant_id = (SELECT tenant())",
    "not wrapped": "tenant_id = tenant()",
    "any": "tenant_id = ANY ((SELECT tenants())::bigint[])",
    "varchar": "code = (SELECT 'code ' || tenant())",
    "and": "id > 0 AND tenant_id = (SELECT tenant()) AND code IS NOT NULL",
    "or": "tenant_id = (SELECT tenant()) OR code = (SELECT 'code ' || tenant())",
    "current_user": "code = CURRENT_USER::text",
}


@pytest.mark.parametrize("expression", SERVED.values(), ids=SERVED.keys())
def test_the_index_serves_the_policy(expression: str, any_database: Any) -> None:
    no_scan = "SET LOCAL enable_seqscan = off; SET LOCAL enable_indexonlyscan = off"
    with any_database.connect() as connection:
        connection.execute(SETUP)
        connection.execute(f"CREATE POLICY p ON doc USING ({expression})")
        before = plan(connection, "SELECT code FROM doc", no_scan)
        assert "Index Cond: (tenant_id" not in before and "Index Cond: ((code" not in before
        cure(connection, "unindexed-policy-column")
        after = plan(connection, "SELECT code FROM doc", no_scan)
        assert "Index Cond" in after and "Seq Scan on doc" not in after


UNSERVED = {
    "in select": "tenant_id IN (SELECT m.tenant_id FROM member m WHERE m.user_id = tenant())",
    "or": "tenant_id = (SELECT tenant()) OR code LIKE '%x'",
    "not": "NOT tenant_id = (SELECT tenant())",
}


@pytest.mark.parametrize("expression", UNSERVED.values(), ids=UNSERVED.keys())
def test_silence_where_no_index_would_help(expression: str, database: Any) -> None:
    with database.connect() as connection:
        connection.execute(SETUP)
        connection.execute(f"CREATE POLICY p ON doc USING ({expression})")
        assert findings(connection, "unindexed-policy-column") == []
        connection.execute("CREATE INDEX ON doc (tenant_id); CREATE INDEX ON doc (code)")
        after = plan(connection, "SELECT code FROM doc", "SET LOCAL enable_seqscan = off")
        assert "Index Cond" not in after.split("SubPlan")[0].split("InitPlan")[0]


def test_a_cast_column_gets_advice_because_its_index_is_useless(database: Any) -> None:
    with database.connect() as connection:
        connection.execute(SETUP)
        connection.execute("CREATE POLICY p ON doc USING (tenant_id::text = (SELECT current_setting('app.tenant')))")
        (found,) = findings(connection, "unindexed-policy-column")
        assert isinstance(found.remedy, Advice)
        connection.execute("CREATE INDEX ON doc (tenant_id)")
        assert "Index Cond" not in plan(connection, "SELECT * FROM doc", "SET LOCAL enable_seqscan = off")


def test_partitions_are_reached_through_the_policies_of_their_parent(database: Any) -> None:
    """Why partitions are not reported: their own row security concerns only who names them."""
    with database.connect() as connection:
        connection.execute(SETUP)
        connection.execute(f"""
            CREATE TABLE event (id bigint, tenant_id bigint) PARTITION BY LIST (tenant_id);
            CREATE TABLE event_1 PARTITION OF event FOR VALUES IN (1);
            INSERT INTO event VALUES (1, 1);
            ALTER TABLE event ENABLE ROW LEVEL SECURITY;
            ALTER TABLE event_1 ENABLE ROW LEVEL SECURITY;
            CREATE POLICY p ON event USING (tenant_id = (SELECT current_setting('app.tenant')::bigint));
            GRANT SELECT ON event, event_1 TO {ROLE};
        """)
        with as_application(connection, "1"):
            assert connection.execute("SELECT count(*) FROM event").fetchone() == (1,)
            assert connection.execute("SELECT count(*) FROM event_1").fetchone() == (0,)
        assert findings(connection, "row-security-without-policy") == [
            finding for finding in findings(connection, "row-security-without-policy") if "event" not in finding.object
        ]


def test_a_volatile_function_is_not_wrapped_for_its_author(database: Any) -> None:
    with database.connect() as connection:
        connection.execute(SETUP)
        connection.execute("ALTER FUNCTION tenant() VOLATILE; CREATE POLICY p ON doc USING (tenant_id = tenant())")
        connection.execute("CREATE INDEX ON doc (tenant_id)")
        (found,) = findings(connection, "policy-evaluated-per-row")
        assert isinstance(found.remedy, Advice) and "STABLE" in found.remedy.text
        assert "Index Cond" not in plan(connection, "SELECT * FROM doc", "SET LOCAL enable_seqscan = off")


def test_listed_functions_count_although_the_catalog_does_not_know_them(database: Any) -> None:
    """A function of an extension is not read; a project can name it."""
    pattern: Any = registry()["policy-evaluated-per-row"]
    with database.connect() as connection:
        connection.execute(SETUP + "CREATE SCHEMA ext; CREATE EXTENSION pg_trgm SCHEMA ext;")
        connection.execute("CREATE POLICY p ON doc USING (id > ext.show_limit())")
        schema = catalog.read(connection)
    assert list(pattern().detect(schema)) == []
    assert list(pattern(pattern.Options(functions=("ext.show_limit",))).detect(schema)) != []
