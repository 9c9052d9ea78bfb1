"""Rows that satisfy a schema: every kind of constraint, on a real server, which is the judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from alembic_pgpatterns.rehearsal.rows.fill import fill
from alembic_pgpatterns.rehearsal.rows.model import ColumnShape, Filled, Request
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import Name, Schema

HARD = Path(__file__).with_name("hard.sql").read_text(encoding="utf-8")


def filled(connection: Any, script: str, rows: int = 300, **options: Any) -> tuple[Schema, Filled]:
    connection.execute(script)
    schema = catalog.read(connection)
    return schema, fill(connection, schema, Request(others=rows, **options))


def broken_keys(connection: Any, schema: Schema) -> list[str]:
    """Foreign keys that a row breaks: they did not run while the rows were made."""
    result = []
    for table in schema.tables:
        for key in table.foreign_keys if table.partition_of is None else ():
            pairs = zip(key.columns, key.referred_columns, strict=True)
            same = [sql.SQL("c.{} = p.{}").format(sql.Identifier(a), sql.Identifier(b)) for a, b in pairs]
            present = [sql.SQL("c.{} IS NOT NULL").format(sql.Identifier(name)) for name in key.columns]
            query = sql.SQL("SELECT count(*) FROM {} c WHERE {} AND NOT EXISTS (SELECT FROM {} p WHERE {})").format(
                sql.Identifier(table.name.schema, table.name.name),
                sql.SQL(" AND ").join(present),
                sql.Identifier(key.referred_table.schema, key.referred_table.name),
                sql.SQL(" AND ").join(same),
            )
            if connection.execute(query).fetchone()[0]:
                result.append(str(key.name))
    return result


@pytest.mark.sample(2)
def test_a_schema_of_all_kinds_of_constraints(any_database: Any) -> None:
    with any_database.connect() as connection:
        schema, result = filled(connection, HARD)
        assert broken_keys(connection, schema) == []
    reasons = {item.table.name: item.reason for item in result.unfilled}
    assert reasons == {"impossible": "no value of x satisfies check impossible_x_check"}
    empty = [name.name for name, rows in result.rows.items() if not rows]
    assert empty == ["impossible"]


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ("id int PRIMARY KEY, name text", 300),
        ("flag bool PRIMARY KEY DEFAULT true CHECK (flag)", 1),
        ("letter char(1) PRIMARY KEY", 16),
        ("small smallint PRIMARY KEY CHECK (small BETWEEN 5 AND 9)", 5),
        ("kind text CHECK (kind IN ('a', 'b')), size int CHECK (size IN (1, 2, 3)), PRIMARY KEY (kind, size)", 6),
    ],
)
def test_as_many_rows_as_the_keys_allow(database: Any, table: str, rows: int) -> None:
    with database.connect() as connection:
        _, result = filled(connection, f"CREATE TABLE t ({table})")
    assert result.unfilled == ()
    assert result.rows[Name("public", "t")] == rows


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ("x int NOT NULL CHECK (x > 5 AND x < 3)", "no value of x satisfies check t_x_check"),
        ("x text NOT NULL CHECK (md5(x) = 'a')", "no values were found that satisfy check t_x_check"),
        ("x int NOT NULL REFERENCES other", "foreign key t_x_fkey: public.other has no rows to refer to"),
    ],
)
def test_a_table_that_cannot_be_filled_is_named_with_its_constraint(database: Any, columns: str, reason: str) -> None:
    impossible = "CREATE TABLE other (id int PRIMARY KEY CHECK (id > 5 AND id < 3));"
    with database.connect() as connection:
        _, result = filled(connection, f"{impossible} CREATE TABLE t ({columns})")
    reasons = {item.table.name: item.reason for item in result.unfilled}
    assert reasons["t"].startswith(reason)


def test_a_foreign_table_is_named(database: Any) -> None:
    script = """
        CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;
        CREATE FOREIGN TABLE f (id int) SERVER s;
    """
    with database.connect() as connection:
        _, result = filled(connection, script)
    assert [item.reason for item in result.unfilled] == ["it is a foreign table"]


def test_statistics_decide_how_values_are_spread(database: Any) -> None:
    table = Name("public", "t")
    shapes = {
        (table, "kind"): ColumnShape(distinct=4, common=(0.9,)),
        (table, "note"): ColumnShape(null_frac=0.5, distinct=-1),
    }
    with database.connect() as connection:
        filled(connection, "CREATE TABLE t (id int PRIMARY KEY, kind int, note text)", 4000, shapes=shapes)
        row = connection.execute("""
            SELECT count(DISTINCT kind), (SELECT max(n) FROM (SELECT count(*) n FROM t GROUP BY kind) k) / 4000.0,
                   count(*) FILTER (WHERE note IS NULL) / 4000.0
            FROM t
        """).fetchone()
    assert row[0] == 4
    assert 0.87 < row[1] < 0.97
    assert 0.45 < row[2] < 0.55


def test_rows_that_are_there_stay_and_sequences_go_on(database: Any) -> None:
    script = "CREATE TABLE t (id serial PRIMARY KEY, name text UNIQUE); INSERT INTO t (name) VALUES ('x'), ('Name 7')"
    with database.connect() as connection:
        _, result = filled(connection, script, 50)
        connection.execute("INSERT INTO t (name) VALUES ('another')")
        names = [row[0] for row in connection.execute("SELECT name FROM t ORDER BY id")]
    assert result.rows[Name("public", "t")] == 50
    assert names[0] == "x"


def test_tables_that_the_user_filled_get_no_other_rows(database: Any) -> None:
    script = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (7); CREATE TABLE u (t int REFERENCES t)"
    with database.connect() as connection:
        _, result = filled(connection, script, 50, keep_filled=True)
        assert connection.execute("SELECT DISTINCT t FROM u WHERE t IS NOT NULL").fetchall() == [(7,)]
    assert result.rows == {Name("public", "t"): 1, Name("public", "u"): 50}


def test_conditions_that_most_rows_satisfy_by_chance(database: Any) -> None:
    """Two keys to one table that must differ, and a condition with the generated column."""
    script = """
        CREATE TABLE node (id uuid PRIMARY KEY, n int);
        CREATE TABLE edge (
            id int PRIMARY KEY, a uuid NOT NULL REFERENCES node, b uuid NOT NULL REFERENCES node, CHECK (a <> b),
            m int NOT NULL, k int GENERATED ALWAYS AS (m % 7) STORED, CHECK (k <> 3)
        );
    """
    with database.connect() as connection:
        schema, result = filled(connection, script, 300)
        assert broken_keys(connection, schema) == []
    assert result.unfilled == ()
    assert result.rows[Name("public", "edge")] == 300


@pytest.mark.parametrize("triggers", [False, True])
def test_triggers_run_only_if_they_shall(database: Any, triggers: bool) -> None:
    script = """
        CREATE TABLE t (id int PRIMARY KEY, n int);
        CREATE FUNCTION one() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.n := 1; RETURN NEW; END';
        CREATE TRIGGER one BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION one();
    """
    with database.connect() as connection:
        filled(connection, script, 50, triggers=triggers)
        row = connection.execute("SELECT count(*) FILTER (WHERE n = 1) FROM t").fetchone()
    assert (row[0] == 50) == triggers


RETYPED = [
    ("int", "numeric(3,1)", 300),
    ("int NOT NULL UNIQUE", "numeric(3,1)", 99),
    ("int", "numeric(2,2)", 300),
    ("int CHECK (x BETWEEN 1 AND 5)", "numeric(3,1)", 300),
    ("bigint", "real", 300),
    ("smallint", "int", 33_000),
    ("bigint", "smallint", 33_000),
    ("numeric(3,1)", "int", 300),
    ("numeric(3,1)", "smallint", 33_000),
    ("numeric(12,4)", "numeric(3,1)", 300),
    ("real", "numeric(4,2)", 300),
    ("bool", "int", 300),
    ("int", "bool", 300),
    ("text", "uuid", 300),
    ("text", "numeric(3,1)", 300),
    ("varchar(4)", "int", 300),
    ("date", "timestamptz", 300),
    ("timestamp", "date", 300),
    ("mood", "temper", 300),
    ("text", "temper", 300),
]


def test_a_column_that_gets_another_type_has_values_of_both(database: Any) -> None:
    """None of the tables stays empty, and the change succeeds on all rows."""
    script = "CREATE TYPE mood AS ENUM ('sad', 'ok', 'gone'); CREATE TYPE temper AS ENUM ('new', 'ok', 'sad');"
    for number, (before, after, _) in enumerate(RETYPED):
        script += f"CREATE TABLE t{number} (id int PRIMARY KEY, x {before}); CREATE TABLE n{number} (x {after});"
    with database.connect() as connection:
        connection.execute(script)
        schema = catalog.read(connection)
        tables = {table.name.name: table for table in schema.tables}
        pairs = {tables[f"t{number}"]: tables[f"n{number}"] for number in range(len(RETYPED))}
        like = {(old.name, "x"): new.column("x") for old, new in pairs.items()}
        rows = {table.name: RETYPED[number][2] for number, table in enumerate(pairs)}
        result = fill(connection, schema, Request(rows, others=0, like=like))
        assert result.unfilled == ()
        assert {name: result.rows[name] for name in rows} == rows
        for number, (before, after, _) in enumerate(RETYPED):
            value = "x::text" if before == "mood" else "x"  # there is no cast from one enum to another
            connection.execute(f"ALTER TABLE t{number} ALTER x TYPE {after} USING {value}::{after}")


def test_the_new_column_of_a_staged_change_has_the_old_ones_value(database: Any) -> None:
    script = """
        CREATE TABLE t (id bigint PRIMARY KEY, a int, a_new bigint, seen int);
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN /* pgpatterns: fills the new column */ NEW.a_new := new.a; RETURN NEW; END';
        CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.seen := 7; RETURN NEW; END';
        CREATE TRIGGER "F" BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f();
        CREATE TRIGGER g BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION g();
    """
    with database.connect() as connection:
        filled(connection, script)
        different = "SELECT count(*) FROM t WHERE a_new IS DISTINCT FROM a"
        assert connection.execute(different).fetchone() == (0,)
        assert connection.execute("SELECT count(*) > 0 FROM t WHERE seen IS DISTINCT FROM 7").fetchone() == (True,)
        states = connection.execute("SELECT tgenabled FROM pg_trigger WHERE NOT tgisinternal").fetchall()
        assert {str(state) for (state,) in states} == {"O"}
