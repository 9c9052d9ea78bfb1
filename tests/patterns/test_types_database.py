"""What the remedies of types and constraints do to rows that are there: nothing is lost, and the way back works."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from alembic_pgpatterns.patterns import Finding, registry
from alembic_pgpatterns.remedies.fixable import why_not_fixable
from alembic_pgpatterns.remedies.model import Advice, ChangeType, DropConstraint, Statements
from alembic_pgpatterns.remedies.sql import sql
from alembic_pgpatterns.schema.catalog import reader as catalog

pytestmark = pytest.mark.usefixtures("held_messages")


def find(connection: psycopg.Connection, name: str, statistics: bool = False, **options: object) -> list[Finding]:
    kind = registry()[name]
    schema = catalog.read(connection, statistics=statistics)
    return list(kind(kind.Options(**options), target_version=18).detect(schema))


def cure(connection: psycopg.Connection, name: str, **options: object) -> list[Any]:
    """Run each remedy once; afterwards nothing is left to cure."""
    remedies = list(dict.fromkeys(finding.remedy for finding in find(connection, name, **options)))
    for remedy in remedies:
        for statement in sql(remedy):
            connection.execute(statement)
    assert all(isinstance(finding.remedy, Advice) for finding in find(connection, name, **options))
    return remedies


def back(connection: psycopg.Connection, remedy: Statements) -> None:
    for statement in remedy.down:
        connection.execute(statement)


def rows(connection: psycopg.Connection, query: str) -> list[Any]:
    return connection.execute(query).fetchall()


def scans(connection: psycopg.Connection, table: str) -> tuple[int, int]:
    """Sequential and index scans of a table so far."""
    connection.execute("SELECT pg_stat_force_next_flush()")
    return rows(connection, f"SELECT seq_scan, idx_scan FROM pg_stat_user_tables WHERE relname = '{table}'")[0]


def test_varchar_becomes_text_without_a_rewrite_and_keeps_its_collation(any_database) -> None:
    with any_database.connect() as connection:
        connection.execute("""
            CREATE TABLE account (id bigint PRIMARY KEY, name varchar(9) COLLATE "C" DEFAULT '-', other varchar(255)[]);
            CREATE INDEX ON account (name varchar_pattern_ops);
            CREATE UNIQUE INDEX ON account (lower(name)) WHERE name <> 'x';
            INSERT INTO account VALUES (1, 'Ä b '), (2, NULL);
        """)
        files = "SELECT pg_relation_filenode('account')"
        before = rows(connection, files)
        remedies = {finding.object: finding.remedy for finding in find(connection, "varchar-length")}
        for statement in sql(remedies["public.account.name"]):
            connection.execute(statement)
        assert not remedies["public.account.name"].rewrites
        assert rows(connection, files) == before
        for statement in sql(remedies["public.account.other"]):
            connection.execute(statement)
        assert remedies["public.account.other"].rewrites
        assert rows(connection, files) != before
        assert rows(connection, "SELECT id, name FROM account ORDER BY id") == [(1, "Ä b "), (2, None)]
        query = "SELECT attcollation::regcollation::text FROM pg_attribute WHERE attrelid = 'account'::regclass"
        assert rows(connection, f"{query} AND attname = 'name'") == [('"C"',)]


def test_the_limit_stays_as_a_check_where_the_setting_says_so(database) -> None:
    with database.connect() as connection:
        connection.execute('CREATE TABLE account (id bigint PRIMARY KEY, "Full Name" varchar(5), many varchar(5)[])')
        cure(connection, "varchar-length", keep_limit="always")
        connection.execute("INSERT INTO account VALUES (1, 'äöüßé')")
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("INSERT INTO account VALUES (2, 'longer')")
        (left,) = find(connection, "varchar-length", keep_limit="always")
        assert (left.object, type(left.remedy)) == ("public.account.many", Advice)


def test_char_loses_its_padding_and_nothing_else(database) -> None:
    with database.connect() as connection:
        connection.execute("""
            CREATE TABLE currency (code char(5) PRIMARY KEY);
            CREATE TABLE price (id bigint PRIMARY KEY, code varchar(9) REFERENCES currency);
            INSERT INTO currency VALUES ('EUR'), ('x y');
            INSERT INTO price VALUES (1, 'EUR');
        """)
        (remedy,) = cure(connection, "fixed-char")
        assert {change.table.name for change in remedy.changes} == {"currency", "price"}
        assert rows(connection, "SELECT code FROM currency ORDER BY code") == [("EUR",), ("x y",)]
        assert find(connection, "foreign-key-type-mismatch") == []


def test_the_parent_key_is_named_first_and_then_what_is_in_the_way(database) -> None:
    with database.connect() as connection:
        connection.execute("""
            CREATE TABLE author (id serial PRIMARY KEY);
            CREATE TABLE book (id bigint PRIMARY KEY, author_id integer REFERENCES author);
            CREATE VIEW seen AS SELECT author_id FROM book;
        """)
        (finding,) = find(connection, "integer-primary-key")
        assert isinstance(finding.remedy, Advice)
        assert finding.remedy.text == (
            "alembic pgfix changes public.author.id to bigint, together with public.book.author_id. PostgreSQL refuses "
            "the statement alone, since the view public.seen reads public.book.author_id: the revision drops that and "
            "creates it again."
        )
        assert why_not_fixable(finding.remedy) is None


def test_a_widened_key_counts_past_the_end_of_integer(any_database) -> None:
    with any_database.connect() as connection:
        connection.execute("""
            CREATE TABLE author (id serial PRIMARY KEY);
            CREATE TABLE editor (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, author_id int REFERENCES author);
            CREATE TABLE note (id bigint PRIMARY KEY, editor_id integer REFERENCES editor);
        """)
        cure(connection, "integer-primary-key")
        for sequence in ("author_id_seq", "editor_id_seq"):
            connection.execute(f"SELECT setval('{sequence}', 2147483647)")
        connection.execute("INSERT INTO author DEFAULT VALUES")
        connection.execute("INSERT INTO editor (author_id) SELECT id FROM author")
        connection.execute("INSERT INTO note SELECT 1, id FROM editor")
        assert rows(connection, "SELECT editor_id FROM note") == [(2147483648,)]
        assert find(connection, "foreign-key-type-mismatch") == []
        assert find(connection, "sequence-too-narrow") == []


def test_a_mismatch_is_an_error_where_postgresql_casts_the_column(database) -> None:
    """The judge is the trigger's own query: with its index, it still reads the whole child table."""
    with database.connect() as connection:
        connection.execute("""
            CREATE TABLE price (id numeric PRIMARY KEY);
            CREATE TABLE item (id bigint PRIMARY KEY, price_id bigint REFERENCES price);
            CREATE INDEX ON item (price_id);
            INSERT INTO price SELECT generate_series(1, 2000);
            INSERT INTO item SELECT g, 1 + g % 1000 FROM generate_series(1, 20000) g;
            ANALYZE;
        """)
        (found,) = find(connection, "foreign-key-type-mismatch")
        assert str(found.severity) == "error"
        before = scans(connection, "item")
        connection.execute("DELETE FROM price WHERE id = 2000")
        after = scans(connection, "item")
        assert (after[0] - before[0], after[1] - before[1]) == (1, 0)


def test_a_timestamp_keeps_its_moment_in_utc(database) -> None:
    with database.connect() as connection:
        connection.execute("""
            SET TimeZone = 'Asia/Tokyo';
            CREATE TABLE visit (id bigint PRIMARY KEY, at timestamp);
            INSERT INTO visit VALUES (1, '2020-02-29 12:00:00.123456');
        """)
        cure(connection, "timestamp-without-time-zone")
        query = "SELECT (at AT TIME ZONE 'UTC')::text FROM visit"
        assert rows(connection, query) == [("2020-02-29 12:00:00.123456",)]


@pytest.mark.parametrize("name", ["flag-as-text", "flag-as-integer"])
def test_flags_become_booleans_and_back(any_database, name: str) -> None:
    text = name == "flag-as-text"
    yes, no, kind = ("'Y'", "'N'", "char(1)") if text else ("1", "0", "smallint")
    with any_database.connect() as connection:
        connection.execute(f"""
            CREATE TABLE account (
                id bigint PRIMARY KEY,
                "Is Open" {kind} NOT NULL DEFAULT {no} CONSTRAINT "Either" CHECK ("Is Open" IN ({yes}, {no}))
            );
            INSERT INTO account VALUES (1, {yes}), (2, {no});
        """)
        before = rows(connection, "SELECT * FROM account ORDER BY id")
        (remedy,) = cure(connection, name)
        connection.execute("INSERT INTO account (id) VALUES (4)")
        assert rows(connection, 'SELECT "Is Open" FROM account ORDER BY id') == [(True,), (False,), (False,)]
        connection.execute("DELETE FROM account WHERE id = 4")
        back(connection, remedy)
        assert rows(connection, "SELECT * FROM account ORDER BY id") == before
        assert [finding.remedy for finding in find(connection, name)] == [remedy]


@pytest.mark.parametrize(
    "hindrance",
    [
        "CREATE INDEX ON account (id) WHERE active = 'Y'",
        "CREATE VIEW active AS SELECT active FROM account",
        "ALTER TABLE account ADD CHECK (active <> 'N' OR id > 0)",
        "ALTER TABLE account DROP CONSTRAINT either; ALTER TABLE account RENAME active TO is_active",
        "ALTER TABLE account DROP CONSTRAINT either, ADD CONSTRAINT either CHECK (active IN ('Y', 'N')) NOT VALID",
        "CREATE POLICY own ON account USING (active = 'Y')",
    ],
)
def test_a_flag_with_something_in_the_way_is_described(database, hindrance: str) -> None:
    with database.connect() as connection:
        connection.execute("""
            CREATE TABLE account (id bigint PRIMARY KEY, active char(1) CONSTRAINT either CHECK (active IN ('Y', 'N')))
        """)
        connection.execute(hindrance)
        (found,) = find(connection, "flag-as-text")
        assert isinstance(found.remedy, Advice)


def test_identity_goes_on_from_the_serial_value_and_back(any_database) -> None:
    with any_database.connect() as connection:
        connection.execute("""
            CREATE SCHEMA "Odd";
            CREATE TABLE "Odd"."It's" ("Id" bigserial PRIMARY KEY);
            ALTER SEQUENCE "Odd"."It's_Id_seq" INCREMENT BY 5;
            INSERT INTO "Odd"."It's" DEFAULT VALUES;
            INSERT INTO "Odd"."It's" DEFAULT VALUES;
        """)
        (remedy,) = cure(connection, "serial-not-identity")
        connection.execute("""INSERT INTO "Odd"."It's" DEFAULT VALUES""")
        back(connection, remedy)
        connection.execute("""INSERT INTO "Odd"."It's" DEFAULT VALUES""")
        assert rows(connection, """SELECT "Id" FROM "Odd"."It's" ORDER BY 1""") == [(1,), (6,), (11,), (16,)]
        assert [finding.remedy for finding in find(connection, "serial-not-identity")] == [remedy]


@pytest.mark.parametrize(
    ("last", "severity"), [(None, None), (1_000, None), (1_200_000_000, "warning"), (2_000_000_000, "error")]
)
def test_a_sequence_is_measured_where_its_value_is_known(database, last: int | None, severity: str | None) -> None:
    with database.connect() as connection:
        connection.execute("CREATE TABLE event (id serial PRIMARY KEY)")
        if last is not None:
            connection.execute(f"SELECT setval('event_id_seq', {last})")
        found = [str(finding.severity) for finding in find(connection, "sequence-too-narrow", statistics=True)]
        assert found == ([] if severity is None else [severity])
        assert find(connection, "sequence-too-narrow") == []


@pytest.mark.parametrize(
    ("options", "last", "found"),
    [
        ("INCREMENT BY -1 MINVALUE -1000", -900, ["90%"]),
        ("MAXVALUE 1000", 900, ["90%"]),
        ("MAXVALUE 1000 CYCLE", 900, []),
        ("MAXVALUE 1000", 100, []),
        ("MINVALUE 900 MAXVALUE 1000", 910, []),
    ],
)
def test_either_direction_and_own_limits_count(database, options: str, last: int, found: list[str]) -> None:
    with database.connect() as connection:
        connection.execute(f"CREATE SEQUENCE counter {options}")
        connection.execute(f"SELECT setval('counter', {last})")
        findings = find(connection, "sequence-too-narrow", statistics=True)
        assert [finding.message.split()[0] for finding in findings] == found


def test_of_two_foreign_keys_the_better_one_stays(database) -> None:
    with database.connect() as connection:
        connection.execute("""
            CREATE TABLE author (id bigint PRIMARY KEY);
            CREATE TABLE book (id bigint PRIMARY KEY, author_id bigint);
            ALTER TABLE book ADD CONSTRAINT a_new FOREIGN KEY (author_id) REFERENCES author NOT VALID;
            ALTER TABLE book ADD CONSTRAINT b_old FOREIGN KEY (author_id) REFERENCES author;
        """)
        (remedy,) = cure(connection, "duplicate-foreign-key")
        assert isinstance(remedy, DropConstraint)
        assert remedy.constraint == "a_new"
        connection.execute(f"ALTER TABLE book ADD CONSTRAINT a_new {remedy.definition}")
        assert [finding.remedy for finding in find(connection, "duplicate-foreign-key")] == [remedy]


def test_validation_that_fails_leaves_all_as_it_is(database) -> None:
    with database.connect() as connection:
        connection.execute("""
            CREATE TABLE item (id bigint PRIMARY KEY, quantity int);
            INSERT INTO item VALUES (1, -1);
            ALTER TABLE item ADD CONSTRAINT positive CHECK (quantity > 0) NOT VALID;
        """)
        (found,) = find(connection, "unvalidated-constraint")
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(*sql(found.remedy))
        assert rows(connection, "SELECT * FROM item") == [(1, -1)]


def test_columns_under_a_view_are_left_to_a_person(database) -> None:
    with database.connect() as connection:
        connection.execute("""
            CREATE TABLE account (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(9), other varchar(9));
            CREATE VIEW names AS SELECT id, name FROM account;
            CREATE VIEW counted AS SELECT count(*) FROM account;
        """)
        by_name = {finding.object: finding.remedy for finding in find(connection, "varchar-length")}
        assert isinstance(by_name["public.account.name"], Advice)
        assert isinstance(by_name["public.account.other"], ChangeType)
        (found,) = find(connection, "integer-primary-key")
        assert isinstance(found.remedy, Advice)


def test_what_the_trigger_mechanism_makes_is_no_identifier_of_yours(database) -> None:
    with database.connect() as connection:
        connection.execute("""
            CREATE TABLE author (id bigint PRIMARY KEY);
            CREATE TABLE book (id bigint PRIMARY KEY, author_id bigint REFERENCES author);
        """)
        assert rows(connection, "SELECT count(*) FROM pg_trigger WHERE tgisinternal") == [(4,)]
        assert find(connection, "quoted-identifier") == []


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("timestamp-without-time-zone", "CREATE INDEX ON t USING brin (at timestamp_minmax_multi_ops)"),
        ("timestamp-without-time-zone", "CREATE INDEX ON t (id) WHERE at > '2020-01-01'"),
        ("timestamp-without-time-zone", "ALTER TABLE t ADD EXCLUDE USING gist (tsrange(at, at) WITH &&)"),
        ("integer-primary-key", "CREATE INDEX ON t USING brin (id int4_minmax_multi_ops)"),
        ("integer-primary-key", "CREATE TABLE child (PRIMARY KEY (id)) INHERITS (t)"),
        ("integer-primary-key", "ALTER TABLE t ADD twice int GENERATED ALWAYS AS (id * 2) STORED"),
        ("money-type", "ALTER TABLE t ADD CHECK (paid >= 0::money)"),
        ("money-type", "CREATE INDEX ON t (id) WHERE paid > '5'"),
        ("uuid-as-text", "CREATE INDEX ON t (file_uuid varchar_pattern_ops)"),
        ("uuid-as-text", "ALTER TABLE t ALTER file_uuid SET DEFAULT gen_random_uuid()"),
        ("varchar-length", "CREATE MATERIALIZED VIEW seen AS SELECT file_uuid FROM t"),
        ("varchar-length", "CREATE POLICY own ON t USING (file_uuid = current_user)"),
    ],
)
def test_what_alter_table_would_refuse_is_described(any_database, name: str, script: str) -> None:
    with any_database.connect() as connection:
        connection.execute("""
            CREATE TABLE t (id serial PRIMARY KEY, at timestamp, paid money, file_uuid varchar(36))
        """)
        assert not isinstance(find(connection, name)[0].remedy, Advice)
        connection.execute(script)
        assert all(isinstance(finding.remedy, Advice) for finding in find(connection, name))


def test_the_new_primary_key_takes_a_free_name(database) -> None:
    with database.connect() as connection:
        connection.execute("CREATE TABLE t (a int NOT NULL UNIQUE); CREATE TABLE t_pkey (a int PRIMARY KEY)")
        (remedy,) = cure(connection, "missing-primary-key")
        back(connection, remedy)
        assert [finding.remedy for finding in find(connection, "missing-primary-key")] == [remedy]
