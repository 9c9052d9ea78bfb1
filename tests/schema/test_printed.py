"""What PostgreSQL prints in two ways is one thing, and what differs stays different."""

from __future__ import annotations

import psycopg
import pytest

from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.catalog.difference import differences
from alembic_pgpatterns.schema.sql.printed import one_spelling

LIST = "c IN ('a', 'b')"
PRINTED = """
SELECT format('ALTER TABLE t ADD CONSTRAINT %I %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint
WHERE conrelid = 't'::regclass AND contype IN ('c', 'x')
UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 't'::regclass AND indpred IS NOT NULL
UNION ALL SELECT format('CREATE POLICY p ON t USING (%s)', pg_get_expr(polqual, polrelid)) FROM pg_policy
UNION ALL SELECT format('CREATE VIEW v AS %s', pg_get_viewdef('v'::regclass))
"""


def all_forms(type_: str, listed: str = LIST) -> list[str]:
    return [
        f"CREATE TABLE t (id bigint PRIMARY KEY, c {type_}, g boolean GENERATED ALWAYS AS ({listed}) STORED)",
        f"ALTER TABLE t ADD CONSTRAINT k CHECK ({listed})",
        f"CREATE INDEX i ON t (id) WHERE {listed}",
        f"CREATE POLICY p ON t USING ({listed})",
        f"CREATE VIEW v AS SELECT id FROM t WHERE {listed}",
    ]


def execute(connection: psycopg.Connection, statements: list[str]) -> None:
    for statement in statements:
        connection.execute(statement.encode())


def read(connection: psycopg.Connection):
    return catalog.read(connection)


@pytest.mark.parametrize("type_", ["varchar(3)", "varchar", "text", "char(1)"])
def test_what_was_printed_and_read_again_is_the_same(any_database, type_: str) -> None:
    with any_database.connect() as connection:
        execute(connection, all_forms(type_))
        before = read(connection)
        printed = [row[0] for row in connection.execute(PRINTED)]
        assert len(printed) == 4
        execute(connection, ["DROP VIEW v", "DROP INDEX i", "DROP POLICY p ON t", "ALTER TABLE t DROP CONSTRAINT k"])
        execute(connection, printed)
        assert differences(before, read(connection)) == ()


def test_a_check_on_what_became_a_text_is_that_of_a_text(any_database) -> None:
    with any_database.connect() as connection:
        execute(connection, all_forms("varchar(3)"))
        execute(connection, ["DROP VIEW v", "DROP POLICY p ON t", "ALTER TABLE t DROP COLUMN g"])
        execute(connection, ["ALTER TABLE t ALTER c TYPE text"])
        retyped = read(connection)
        execute(connection, ["DROP TABLE t", *all_forms("text")])
        execute(connection, ["DROP VIEW v", "DROP POLICY p ON t", "ALTER TABLE t DROP COLUMN g"])
        assert differences(retyped, read(connection)) == ()


def test_other_values_are_another_check(any_database) -> None:
    with any_database.connect() as connection:
        execute(connection, all_forms("varchar(3)"))
        before = read(connection)
        execute(connection, ["DROP VIEW v", "DROP TABLE t", *all_forms("varchar(3)", "c IN ('a', 'c')")])
        changed = {item.object_type for item in differences(before, read(connection))}
        assert changed == {"column", "check", "index", "policy", "view"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("'a '::character(2)::text", "'a '::text"),
        ("'abc'::character varying(2)::text", "'abc'::text"),
        ("(ARRAY['a'::text])::varchar(1)[]", "(ARRAY['a'::text])::varchar(2)[]"),
        ("(c)::text = 'a'::text", "c = 'a'::text"),
        ("'1'::text", "'1'::integer"),
        ("not sql (", "not  sql ("),
    ],
)
def test_a_cast_that_changes_a_value_stays(first: str, second: str) -> None:
    assert one_spelling(first) != one_spelling(second)
