"""The catalog reader on PostgreSQL 18 and an older one."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import UNKNOWN, Name

HARD = Path(__file__).with_name("hard.sql").read_text()


def read(database, **options):
    with database.connect() as connection:
        return catalog.read(connection, **options)


def table(schema, name, namespace="public"):
    found = schema.table(Name(namespace, name))
    assert found is not None, name
    return found


@pytest.fixture
def hard(any_database):
    any_database.execute(HARD)
    return any_database


def test_relations(hard):
    schema = read(hard)
    kinds = {str(table.name): (table.kind, table.persistence) for table in schema.tables}
    assert kinds == {
        '"Other.one"."Weird ""name"': ("table", "permanent"),
        "public.child": ("table", "permanent"),
        "public.fleeting": ("table", "unlogged"),
        "public.heir": ("table", "permanent"),
        "public.mv": ("materialized view", "permanent"),
        "public.parent": ("table", "permanent"),
        "public.part": ("partitioned", "permanent"),
        "public.part1": ("table", "permanent"),
        "public.refpart": ("table", "permanent"),
        "public.uses": ("table", "permanent"),
    }
    part, child = table(schema, "part"), table(schema, "child")
    assert (part.partition_strategy, part.partition_keys) == ("range", ("d",))
    assert table(schema, "part1").partition_of == part.name
    assert (table(schema, "heir").inherits, table(schema, "heir").partition_of) == ((Name("public", "parent"),), None)
    assert (child.row_security, child.force_row_security, child.comment) == (True, False, "kids")
    assert table(schema, "fleeting").rules == ("rr",)
    assert [str(view.name) for view in schema.views] == ["public.mv", "public.v"]
    assert schema.views[1].security_barrier and not schema.views[1].security_invoker
    assert (Name("public", "parent"), "n") in schema.views[1].reads
    assert schema.server_version == hard.version // 10000 and schema.source == "database"


def test_types_are_looked_through(hard):
    child = table(read(hard), "child")
    types = {column.name: column.type for column in child.columns}
    assert list(types)[-1] == "after_drop" and child.columns[-1].position == len(types)
    assert [str(domain) for domain in types["e"].domains] == ["public.strict_email", "public.email"]
    assert (types["e"].name, types["e"].domain_not_null, types["e"].domain_checked) == ("text", True, True)
    assert (types["es"].name, types["es"].array, types["es"].display) == ("text", True, "public.email[]")
    assert (types["s"].name, types["s"].length, types["s"].display) == ("varchar", 12, "public.short")
    assert (types["st"].kind, types["st"].labels) == ("enum", ("new", "it's"))
    assert (types["sts"].array, types["sts"].labels) == (True, ("new", "it's"))
    assert (types["iv"].modifier, types["mr"].modifier) == ((2,), (5, 2))
    assert (types["v"].collation, types["ci"].schema) == (Name("pg_catalog", "C"), "public")
    assert types["pa"].collation is None


def test_columns(hard):
    schema = read(hard)
    child = table(schema, "child")
    assert child.column("id").identity.always
    assert child.column("id").identity.sequence == Name("public", "child_id_seq")
    assert child.column("g").generated.stored and child.column("g").default is None
    assert child.column("st").default == "'new'::public.status"
    assert (child.column("pa").nullable, child.column("pa").comment) == (True, "pay")
    assert table(schema, "parent").column("id").sequence == Name("public", "parent_id_seq")
    assert table(schema, "uses").column("id").sequence == Name("public", "lone")
    sequences = {str(sequence.name): sequence for sequence in schema.sequences}
    assert sequences["public.lone"].used_by == {(Name("public", "uses"), "id")}
    assert (sequences["public.lone"].maximum, sequences["public.lone"].cycle) == (32767, True)
    assert sequences["public.child_id_seq"].internal
    assert sequences["public.uses_table_seq"].owned_by == (Name("public", "uses"), "table")


def test_indexes(hard):
    schema = read(hard)
    indexes = {index.name.name: index for found in schema.tables for index in found.indexes}
    found = indexes["child_expr"]
    assert found.columns == (None, None, "pb") and found.include == ("j", "id")
    assert [key.expression for key in found.keys] == ["lower((v)::text)", "(pa + pb)", None]
    assert [(key.descending, key.nulls_first) for key in found.keys] == [(True, False), (False, False), (True, True)]
    assert [key.opclass.name for key in found.keys] == ["text_pattern_ops", "int4_ops", "int4_ops"]
    assert [key.opclass_default for key in found.keys] == [False, True, True]
    assert found.keys[0].collation == Name("pg_catalog", "C") and found.keys[1].collation is None
    assert found.predicate == "((pa IS NOT NULL) AND (st = 'new'::public.status))"
    assert (indexes["child_gin"].method, indexes["child_gin"].options) == ("gin", ("fastupdate=off",))
    assert [key.opclass_default for key in indexes["child_ci"].keys] == [True, True]
    assert (indexes["child_pkey"].constraint, indexes["child_pkey"].constraint_kind) == ("child_pkey", "primary key")
    assert indexes["child_r_excl"].constraint_kind == "exclusion"
    assert indexes["part1_k_idx"].parent == Name("public", "part_k")
    assert indexes["mv_id"].table == Name("public", "mv")
    assert indexes["child_ci"].comment == "ix"


def test_an_operator_class_that_stores_something_else(any_database):
    any_database.execute("""
        CREATE EXTENSION btree_gin;
        CREATE TABLE t (a text, d tsvector);
        CREATE INDEX documents ON t USING gin (to_tsvector('simple', a), d, a);
    """)
    keys = table(read(any_database), "t").indexes[0].keys
    assert [key.opclass.name for key in keys] == ["tsvector_ops", "tsvector_ops", "text_ops"]
    assert [key.opclass_default for key in keys] == [True, True, True]
    assert keys[0].type is UNKNOWN and (keys[1].type.name, keys[2].type.name) == ("tsvector", "text")


def test_constraints(hard):
    schema = read(hard)
    keys = {key.columns: key for key in table(schema, "child").foreign_keys}
    wide = keys["wid",]
    assert (wide.referred_table, wide.on_delete) == (Name("Other.one", 'Weird "name'), "CASCADE")
    assert wide.deferrable and wide.initially_deferred and not wide.match_full
    assert keys["pa", "pb"].match_full and keys["pa", "pb"].referred_columns == ("a", "b")
    integer, numeric = Name("pg_catalog", "integer_ops"), Name("pg_catalog", "numeric_ops")
    assert [integer in families for families in keys["pa", "pb"].key_opfamilies] == [True, True]
    # A bigint that references a numeric is cast: the key's operator is not one of bigint's.
    assert numeric in keys["amount",].key_opfamilies[0] and integer not in keys["amount",].key_opfamilies[0]
    assert [key.inherited for key in table(schema, "part1").foreign_keys] == [True]
    assert [key.name for key in table(schema, "refpart").foreign_keys] == ["refpart_pid_d_fkey"]
    check = table(schema, "child").checks[0]
    assert (check.name, check.expression, check.columns, check.no_inherit) == ("chk", "(pa > 0)", ("pa",), True)
    assert check.comment == "ck"
    assert [check.validated for check in table(schema, "fleeting").checks] == [False]
    assert [exclusion.index for exclusion in table(schema, "child").exclusions] == ["child_r_excl"]
    policy = table(schema, "child").policies[0]
    assert (policy.command, policy.roles, policy.check) == ("SELECT", ("PUBLIC",), None)
    assert "current_setting('x.y'::text)" in policy.using


def test_privileges_and_functions(hard):
    schema = read(hard)
    public = {
        (grant.target, grant.privilege, grant.name.name, grant.column)
        for grant in schema.grants
        if grant.grantee == "PUBLIC" and grant.name.name in ("child", "public", "f")
    }
    assert {
        ("table", "SELECT", "child", None),
        ("table", "UPDATE", "child", "pa"),
        ("schema", "CREATE", "public", None),
        ("function", "EXECUTE", "f", None),
    } <= public
    assert [(found.target, found.privilege) for found in schema.default_privileges] == [("table", "SELECT")]
    functions = {function.identifier: function for function in schema.functions}
    assert set(functions) == {"public.f(integer, text)", "public.atomic()"}
    assert functions["public.f(integer, text)"].security_definer
    assert functions["public.f(integer, text)"].config == ("search_path=public",)
    assert functions["public.atomic()"].standard_body and functions["public.atomic()"].volatility == "stable"
    assert {extension.name for extension in schema.extensions} == {"citext", "pg_stat_statements", "plpgsql"}
    assert [namespace.name for namespace in schema.namespaces] == ["Other.one", "public"]


def test_postgresql_18(database):
    database.execute("""
        CREATE TABLE p (id int PRIMARY KEY);
        CREATE TABLE t (
            a int REFERENCES p NOT ENFORCED, v int GENERATED ALWAYS AS (a + 1), r int4range,
            CONSTRAINT soft CHECK (a > 1) NOT ENFORCED, UNIQUE NULLS NOT DISTINCT (a), n int NOT NULL
        );
        CREATE EXTENSION btree_gist;
        CREATE TABLE temporal (id int, at daterange, PRIMARY KEY (id, at WITHOUT OVERLAPS));
        ALTER TABLE t ADD CONSTRAINT later NOT NULL r NOT VALID;
    """)
    schema = read(database)
    found = table(schema, "t")
    assert not found.foreign_keys[0].enforced
    assert not found.column("v").generated.stored
    assert {(check.name, check.enforced, check.validated, check.not_null_column) for check in found.checks} == {
        ("soft", False, False, None),
        ("later", True, False, "r"),
    }
    assert found.indexes[0].nulls_not_distinct and found.unique_constraints[0].nulls_not_distinct
    assert table(schema, "temporal").primary_key.temporal


def test_invalid_and_unready_indexes(any_database):
    any_database.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        any_database.execute("CREATE UNIQUE INDEX CONCURRENTLY broken ON t (a)")
    broken = table(read(any_database), "t").indexes[0]
    assert (broken.valid, broken.building) == (False, False)


def test_a_build_under_way_is_told_from_a_failed_one(any_database):
    any_database.execute("CREATE TABLE t (a int)")
    with any_database.connect() as blocker, any_database.connect() as builder:
        blocker.execute("BEGIN; INSERT INTO t VALUES (1)")
        builder.pgconn.send_query(b"CREATE INDEX CONCURRENTLY growing ON t (a)")
        for _ in range(200):
            found = table(read(any_database), "t").indexes
            if found:
                break
        assert (found[0].valid, found[0].building) == (False, True)
        blocker.execute("COMMIT")
        while builder.pgconn.get_result() is not None:
            pass
    assert table(read(any_database), "t").indexes[0].valid


BOOKKEEPING = """
    CREATE TABLE alembic_version (version_num varchar(32) NOT NULL PRIMARY KEY);
    CREATE TABLE django_migrations (id serial PRIMARY KEY, app text, name text, applied timestamptz);
    CREATE TABLE "__EFMigrationsHistory" ("MigrationId" text, "ProductVersion" text);
    CREATE TABLE schema_migrations (version text, dirty bool);
    CREATE TABLE knex_migrations (id serial, mine text);
    CREATE SCHEMA app;
    CREATE TABLE app.versions_of_alembic (version_num varchar(32));
"""


def test_tables_of_migration_tools_are_left_out(any_database):
    any_database.execute(BOOKKEEPING)
    schema = read(any_database, version_tables=[Name("app", "versions_of_alembic")])
    # The name is a tool's, the columns are not.
    assert [str(table.name) for table in schema.tables] == ["public.knex_migrations"]
    assert [str(sequence.name) for sequence in schema.sequences] == ["public.knex_migrations_id_seq"]


def test_the_search_path_and_the_transaction_of_the_caller_do_not_matter(hard):
    plain = read(hard)
    with hard.connect() as connection:
        connection.execute("SET search_path = 'Other.one', public")
        assert catalog.read(connection).tables == plain.tables
        assert catalog.read(connection).default_schema == "Other.one"
        assert connection.execute("SHOW search_path").fetchone() == ('"Other.one", public',)
        connection.autocommit = False
        connection.execute("SET LOCAL search_path = public, pg_catalog")
        connection.execute("CREATE TABLE fresh (id int)")
        assert Name("public", "fresh") in {found.name for found in catalog.read(connection).tables}
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
        assert connection.execute("SHOW search_path").fetchone() == ("public, pg_catalog",)
        connection.rollback()
        catalog.read(connection)
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert connection.execute("SHOW search_path").fetchone() == ('"Other.one", public',)


@pytest.mark.parametrize("isolation", [None, "AUTOCOMMIT"])
@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_every_driver_reads_the_same(hard, driver, isolation):
    options = {"isolation_level": isolation} if isolation else {}
    engine = sqlalchemy.create_engine(hard.url.set(drivername=f"postgresql+{driver}"), **options)
    with engine.connect() as connection:
        assert catalog.read(connection) == read(hard)
        assert not connection.in_transaction()
    engine.dispose()


@pytest.mark.parametrize("isolation", [None, "AUTOCOMMIT"])
def test_asyncpg_reads_the_same(hard, isolation):
    import asyncio

    async def through_asyncpg():
        options = {"isolation_level": isolation} if isolation else {}
        engine = create_async_engine(hard.url.set(drivername="postgresql+asyncpg"), **options)
        async with engine.connect() as connection:
            found = await connection.run_sync(catalog.read)
        await engine.dispose()
        return found

    assert asyncio.run(through_asyncpg()) == read(hard)


def test_a_role_without_rights_reads_the_same(hard):
    with hard.connect() as connection:
        connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        connection.execute("DROP ROLE IF EXISTS nobody_at_all")
        connection.execute("CREATE ROLE nobody_at_all")
        everything = catalog.read(connection, default_schema="public", statistics=True)
        connection.execute("SET ROLE nobody_at_all")
        least = catalog.read(connection, default_schema="public", statistics=True)
        connection.execute("RESET ROLE; DROP ROLE nobody_at_all")
    assert [found.name for found in least.tables] == [found.name for found in everything.tables]
    assert table(least, "child").indexes[0].keys == table(everything, "child").indexes[0].keys


def test_statistics(any_database):
    any_database.execute("""
        CREATE TABLE t (id serial PRIMARY KEY, a int);
        INSERT INTO t (a) SELECT CASE WHEN n > 50 THEN n END FROM generate_series(1, 100) n;
    """)
    any_database.execute("ANALYZE t")
    found = read(any_database, statistics=True)
    counted = table(found, "t")
    assert counted.statistics.rows == 100 and counted.statistics.size > 0
    assert counted.column("a").statistics.null_frac == 0.5
    assert counted.indexes[0].size > 0 and counted.indexes[0].scans is not None
    assert found.sequences[0].last_value == 100
    assert table(read(any_database), "t").statistics is None


def test_the_number_of_queries_is_fixed(database):
    def queries() -> int:
        sent: list[str] = []
        with database.connect() as connection:

            def execute(query: str) -> list[tuple[object, ...]]:
                sent.append(query)
                cursor = connection.execute(query.encode())
                return cursor.fetchall() if cursor.description else []

            catalog.read(execute)
        return len(sent)

    empty = queries()
    database.execute("".join(f"CREATE TABLE t{n} (id serial PRIMARY KEY, a int UNIQUE);" for n in range(60)))
    assert queries() == empty


@pytest.mark.parametrize(("changes", "outcome"), [(1, "read"), (99, "error")])
def test_a_schema_that_changes_while_it_is_read(database, changes, outcome):
    """An index on a column that was added after the columns were read."""
    database.execute("CREATE TABLE t (a0 int)")
    done = 0
    with database.connect() as connection, database.connect() as other:

        def execute(query: str) -> list[tuple[object, ...]]:
            nonlocal done
            if "FROM pg_index i" in query and done < changes:
                done += 1
                other.execute(f"ALTER TABLE t ADD a{done} int; CREATE INDEX i{done} ON t (a{done})")
            cursor = connection.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

        if outcome == "read":
            assert [index.columns for index in table(catalog.read(execute), "t").indexes] == [("a1",)]
        else:
            with pytest.raises(PgPatternsError, match="changed while it was read"):
                catalog.read(execute)


def test_type_modifiers_are_decoded(any_database):
    declared = [
        "varchar(1)",
        "varchar(10485760)",
        "char(3)",
        "numeric(1)",
        "numeric(38, 37)",
        "numeric(1000, 1000)",
        "numeric(5, -3)",
        "numeric(3, 5)",
        "timestamp(0)",
        "timestamptz(6)",
        "time(2)",
        "timetz(3)",
        "interval(4)",
        "interval second(1)",
        "bit(7)",
        "varbit(9)",
        "varchar(4)[]",
        "numeric(6, 2)[][]",
    ]
    any_database.execute("CREATE TABLE t ({})".format(", ".join(f"c{n} {name}" for n, name in enumerate(declared))))
    for column in table(read(any_database), "t").columns:
        numbers = tuple(map(int, re.findall(r"-?[0-9]+", column.type.display)))
        assert column.type.modifier == numbers, column.type.display


def test_an_empty_database(any_database):
    assert read(any_database).tables == ()
    any_database.execute("DROP SCHEMA public")
    assert read(any_database).default_schema == "public"
