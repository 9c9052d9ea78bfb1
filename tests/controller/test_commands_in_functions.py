"""What a function or a DO block runs is seen like what is sent: log_statement does not log it."""

from __future__ import annotations

import pytest

from alembic_pgpatterns.revisions.serverlog import _inner
from alembic_pgpatterns.schema.model import Name
from tests.tracing import trace

EXISTING = """
CREATE TABLE book (id bigint PRIMARY KEY, title text, pages bigint);
CREATE FUNCTION earlier() RETURNS void LANGUAGE plpgsql AS $$ BEGIN {ddl}; END $$;
"""
FORMS = {
    "a function": "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $q$ BEGIN {ddl}; END $q$; SELECT f()",
    "a function of an earlier revision": "SELECT earlier()",
    "a function in SQL": "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $q$ SELECT 1; {ddl}; $q$; SELECT f()",
    "a function that calls another": "DO $q$ BEGIN PERFORM earlier(); END $q$",
    "a function for each row": "INSERT INTO author SELECT 1 FROM earlier()",
    "a procedure": "CREATE PROCEDURE p() LANGUAGE plpgsql AS $q$ BEGIN {ddl}; END $q$; CALL p()",
    "a DO block": "DO $q$ BEGIN {ddl}; END $q$",
    "text that is executed": "DO $q$ BEGIN EXECUTE concat('{left}', '{right}'); END $q$",
    "a trigger": "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS $q$ BEGIN {ddl}; RETURN NULL; END $q$;"
    "CREATE TRIGGER t AFTER INSERT ON author EXECUTE FUNCTION t(); INSERT INTO author VALUES (1)",
}
DDL = (
    'ALTER TABLE book ADD CONSTRAINT "a ""b""\n c" CHECK (pages > 0)',
    "CREATE INDEX ix_book_title ON book (title)",
    "ALTER TABLE book ALTER COLUMN pages TYPE text",
)


@pytest.mark.sample(7)
@pytest.mark.parametrize("ddl", DDL, ids=range(len(DDL)))
@pytest.mark.parametrize("form", FORMS)
def test_it_is_a_statement_with_its_facts(form: str, ddl: str, make, traced_server) -> None:
    text = FORMS[form].format(ddl=ddl, left=ddl[:9], right=ddl[9:])
    author = "CREATE TABLE author (id bigint PRIMARY KEY);"
    (direct,) = trace(make(EXISTING.format(ddl=ddl) + author, f"op.execute({ddl!r})"), traced_server, ["r1"]).runs
    (run,) = trace(make(EXISTING.format(ddl=ddl) + author, f"op.execute({text!r})"), traced_server, ["r1"]).runs
    (sent,) = direct.statements
    (inner,) = (item for item in run.statements if item.command == sent.command)
    assert inner.work == sent.work
    assert {lock for lock in sent.locks if lock.relation.name == "book"} <= {*inner.locks, *inner.held}
    assert (inner.location, inner.transaction) == (run.statements[-1].location, run.statements[-1].transaction)
    others = [item for item in run.statements if item is not inner]
    assert not [work for item in others for work in item.work]
    assert others, "what was sent is there as well"


CHANGES = {
    "a DO block": "DO $q$ BEGIN {dml}; END $q$",
    "under a condition": "DO $q$ BEGIN IF EXISTS (SELECT FROM book) THEN {dml}; END IF; END $q$",
    "text that is executed": "DO $q$ BEGIN EXECUTE '{dml}'; END $q$",
    "a function": "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $q$ BEGIN {dml}; END $q$; SELECT f()",
    "a function in SQL": "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $q$ {dml} $q$; SELECT public.f()",
    "a procedure": "CREATE PROCEDURE p() LANGUAGE plpgsql AS $q$ BEGIN {dml}; END $q$; CALL p()",
    "a function that calls itself and another": "CREATE FUNCTION g() RETURNS void LANGUAGE sql AS $q$ {dml} $q$;"
    "CREATE FUNCTION f(n int) RETURNS void LANGUAGE plpgsql AS "
    "$q$ BEGIN IF n > 0 THEN PERFORM f(n - 1); END IF; PERFORM g(); END $q$; DO $q$ BEGIN PERFORM f(2); END $q$",
}
DML = ("UPDATE book SET pages = 1", "DELETE FROM book WHERE title IS NULL")


@pytest.mark.sample(5)
@pytest.mark.parametrize("dml", DML)
@pytest.mark.parametrize("form", CHANGES)
def test_a_change_of_rows_is_a_statement(form: str, dml: str, make, traced_server) -> None:
    text = CHANGES[form].format(dml=dml)
    (run,) = trace(make(EXISTING.format(ddl=DDL[1]), f"op.execute({text!r})"), traced_server, ["r1"]).runs
    inner = [item for item in run.statements if item.command.kind in ("update", "delete")]
    assert [(item.sql, item.command.everywhere) for item in inner] == [(dml, True)]
    assert inner[0].tables == (Name("public", "book"),)
    assert [(lock.relation.name, lock.mode) for lock in inner[0].locks] == [("book", "ROW EXCLUSIVE")]
    assert inner[0].location == run.statements[-1].location


def test_a_function_that_is_not_called_changes_nothing(make, traced_server) -> None:
    text = CHANGES["a function"].format(dml=DML[0]).removesuffix("SELECT f()")
    (run,) = trace(make(EXISTING.format(ddl=DDL[1]), f"op.execute({text!r})"), traced_server, ["r1"]).runs
    assert [item.command.kind for item in run.statements] == ["create function"]


def test_old_servers_tell_it_too(make, old_traced_server) -> None:
    text = FORMS["a function"].format(ddl=DDL[1])
    (run,) = trace(make(EXISTING.format(ddl=DDL[1]), f"op.execute({text!r})"), old_traced_server, ["r1"]).runs
    assert [item.command.kind for item in run.statements if item.work] == ["create index"]


@pytest.mark.parametrize(
    ("context", "body", "inner"),
    [
        ("PL/pgSQL function ended() line 5 at GET DIAGNOSTICS", "", None),
        ('ours\nSQL statement "DROP TABLE "x""\nPL/pgSQL function f() line 1 at EXECUTE', "", 'DROP TABLE "x"'),
        ('ours\nSQL statement "DROP TABLE x"', "", "DROP TABLE x"),
        ('ours\nSQL function "f" statement 2', "SELECT 1; DROP TABLE x", "DROP TABLE x"),
        ('ours\nSQL function "f" statement 3', "SELECT 1; DROP TABLE x", None),
        ('ours\nSQL function "f" during startup', "SELECT 1", None),
    ],
)
def test_the_context_of_the_event(context: str, body: str, inner: str | None) -> None:
    assert _inner(context, body) == inner
