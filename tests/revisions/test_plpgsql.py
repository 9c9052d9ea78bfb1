"""What a trigger function sets, and that its body is read at all."""

from __future__ import annotations

import pytest

from alembic_pgpatterns.revisions.plpgsql import bodies, columns_of_new
from alembic_pgpatterns.schema.sql.parser import postgast

HEAD = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("NEW.a := NEW.b;", {"a", "b"}),
        ('NEW."Ab"[1] = 3;', {"Ab"}),
        ("IF TG_OP = 'INSERT' THEN NEW.a := '{}},{}},'; END IF;", {"a"}),
        ("x := OLD.a;", set()),
        ("SELECT 1, 2 INTO x, NEW.a;", {"a"}),
        ("EXECUTE 'SELECT 1' INTO NEW.a;", {"a"}),
        ("FOR NEW.a IN SELECT 1 LOOP END LOOP;", {"a"}),
        ("GET DIAGNOSTICS NEW.a = ROW_COUNT;", {"a"}),
        ("NEW := OLD;", None),
        ("SELECT * INTO NEW FROM book;", None),
        ("FOR NEW IN SELECT * FROM book LOOP END LOOP;", None),
        ("RETURN jsonb_populate_record(NEW, '{}');", None),
        ("CALL fill(NEW.a);", None),
        ("nonsense", None),
    ],
)
def test_the_columns_that_a_trigger_function_may_set(body: str, expected: set[str] | None) -> None:
    text = f"{HEAD} $$ DECLARE x int; BEGIN {body} RETURN NEW; END $$"
    assert columns_of_new(text) == expected


def test_a_row_of_its_own_may_be_what_it_returns() -> None:
    text = f"{HEAD} $$ DECLARE r record; BEGIN SELECT * INTO r FROM book; RETURN r; END $$"
    assert columns_of_new(text) is None


def test_the_sql_in_a_trigger_function_is_read() -> None:
    text = f"{HEAD} $$ BEGIN INSERT INTO log VALUES (NEW.id); RETURN NEW; END $$"
    assert "INSERT INTO log VALUES (NEW.id)" in list(bodies(postgast.parse(text).stmts[0].stmt))


def test_another_language_is_not_read() -> None:
    text = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpython3u AS $$ BEGIN NEW.a := 1; END $$"
    assert columns_of_new(text) is None
