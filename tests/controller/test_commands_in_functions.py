"""DDL that a function or a DO block runs is seen like DDL that is sent: log_statement does not log it."""

from __future__ import annotations

import pytest

from alembic_pgpatterns.revisions.serverlog import _inner
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
