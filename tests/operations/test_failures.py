"""What goes wrong half-way can be run again, and loses nothing."""

from __future__ import annotations

import threading
import time

import pytest
import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.operations.settings import ApplyRecommendedSettingsOp

DRIVERS = ("psycopg", "psycopg2", "asyncpg", "psycopg_async")


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_unique_build_that_fails_is_dropped_first_the_next_time(lab, driver):
    lab.database.execute("CREATE TABLE t (id int, a int); INSERT INTO t VALUES (1, 1), (2, 1)")
    build = lambda op: op.create_index_concurrently("ux", "t", ["a"], unique=True)  # noqa: E731
    for _ in range(2):
        with pytest.raises(PgPatternsError, match=r"ux on public.t could not be built: could not create unique index"):
            lab.upgrade(build, driver)
        assert lab.query("SELECT indisvalid FROM pg_index WHERE indexrelid >= 16384") == [(False,)]
    lab.database.execute("UPDATE t SET a = id")
    lab.upgrade(build, driver)
    lab.upgrade(build, driver)
    assert lab.query("SELECT indisvalid FROM pg_index WHERE indexrelid >= 16384") == [(True,)]


def test_an_index_of_the_same_name_is_only_taken_for_ours_when_it_is_ours(lab):
    lab.database.execute(
        "CREATE TABLE t (a int, b int); CREATE TABLE u (a int); CREATE INDEX ix ON t (b); CREATE INDEX iu ON u (a)"
    )
    with pytest.raises(PgPatternsError, match="another definition"):
        lab.upgrade(lambda op: op.create_index_concurrently("ix", "t", ["a"]))
    with pytest.raises(PgPatternsError, match=r"not on public\.t"):
        lab.upgrade(lambda op: op.create_index_concurrently("iu", "t", ["a"]))
    with pytest.raises(PgPatternsError, match="already exists"):
        lab.upgrade(lambda op: op.create_index_concurrently("ix", "t", ["b"], if_not_exists=False))
    with pytest.raises(PgPatternsError, match="there is no table nowhere"):
        lab.upgrade(lambda op: op.create_index_concurrently("ix", "nowhere", ["b"]))


def test_a_build_waits_for_old_transactions_whatever_the_timeouts_and_puts_them_back(lab, caplog):
    lab.database.execute("CREATE TABLE t (a int)")
    lab.database.execute(f"ALTER DATABASE {lab.database.name} SET lock_timeout = '70ms'")
    lab.database.execute(f"ALTER DATABASE {lab.database.name} SET statement_timeout = '60s'")
    with lab.database.connect() as other:
        other.execute("BEGIN; INSERT INTO t VALUES (1)")
        release = threading.Timer(0.6, lambda: other.execute("COMMIT"))
        release.start()

        def migration(op: Operations) -> list[str]:
            op.create_index_concurrently("ix", "t", ["a"])
            names = ("lock_timeout", "statement_timeout")
            return [op.get_bind().execute(sa.text(f"SHOW {name}")).scalar() for name in names]

        assert lab.upgrade(migration) == ["70ms", "1min"]
        release.join()
        assert f"index ix waits for pid {other.info.backend_pid} " in caplog.text
    assert lab.query("SELECT indisvalid FROM pg_index WHERE indexrelid >= 16384") == [(True,)]


def test_a_build_under_way_is_not_dropped(lab):
    lab.database.execute("CREATE TABLE t (a int)")
    with lab.database.connect() as holder, lab.database.connect() as watcher:
        holder.execute("BEGIN; INSERT INTO t VALUES (1)")
        first = threading.Thread(target=lab.upgrade, args=(lambda op: op.create_index_concurrently("ix", "t", ["a"]),))
        first.start()
        while not watcher.execute("SELECT 1 FROM pg_index WHERE NOT indisvalid").fetchall():
            time.sleep(0.02)
        with pytest.raises(PgPatternsError, match=r"is being built by the session with pid \d+"):
            lab.upgrade(lambda op: op.create_index_concurrently("ix", "t", ["a"]))
        holder.execute("COMMIT")
        first.join()
    assert lab.query("SELECT indisvalid FROM pg_index WHERE indexrelid >= 16384") == [(True,)]


def test_a_partitioned_build_goes_on_where_it_stopped(any_lab):
    any_lab.database.execute(
        "CREATE TABLE p (k int, a int) PARTITION BY LIST (k); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);"
        "CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2); INSERT INTO p VALUES (1, 1), (2, 1), (2, 1)"
    )
    build = lambda op: op.create_index_concurrently("ux", "p", ["a", "k"], unique=True)  # noqa: E731
    with pytest.raises(PgPatternsError, match=r"ux_p2 on public\.p2 could not be built"):
        any_lab.upgrade(build)
    [(first,)] = any_lab.query("SELECT relfilenode FROM pg_class WHERE relname = 'ux_p1'")
    any_lab.database.execute("DELETE FROM p2")
    any_lab.upgrade(build)
    assert any_lab.query("SELECT relfilenode FROM pg_class WHERE relname = 'ux_p1'") == [(first,)]
    assert any_lab.query("SELECT DISTINCT indisvalid FROM pg_index WHERE indexrelid >= 16384") == [(True,)]


def test_a_reindex_that_was_interrupted_leaves_nothing(lab):
    lab.database.execute("CREATE TABLE t (a int); CREATE INDEX ix ON t (a); INSERT INTO t VALUES (1), (1)")
    lab.database.execute(
        "CREATE INDEX ix_ccnew ON t (a); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_ccnew'::regclass"
    )
    lab.upgrade(lambda op: op.reindex_concurrently("ix"))
    assert lab.query("SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 't'::regclass") == [("ix",)]
    with pytest.raises(PgPatternsError, match="either"):
        lab.upgrade(lambda op: op.reindex_concurrently())


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_transaction_of_env_py_is_named_with_the_way_out(lab, driver):
    lab.database.execute("CREATE TABLE t (a int)")

    def env_py(connection: sa.Connection) -> None:
        connection.execute(sa.text("SELECT 1"))
        context = MigrationContext.configure(connection)
        refused = pytest.raises(PgPatternsError, match=r"env\.py began one .* engine\.connect")
        with Operations.context(context) as op, context.begin_transaction(), refused:
            op.create_index_concurrently("ix", "t", ["a"])

    lab.connected(env_py, driver)


def test_inside_an_autocommit_block_of_the_callers(lab):
    lab.database.execute("CREATE TABLE t (a int)")

    def migration(op: Operations) -> None:
        with op.get_context().autocommit_block():
            op.create_index_concurrently("ix", "t", ["a"])
            op.set_not_null("t", "a")

    lab.upgrade(migration)
    lab.psql(lab.sql(lambda op: op.set_not_null("t", "a")))
    assert lab.sql(lambda op: op.create_primary_key_using_index("pk", "t", ["a"])).count("COMMIT;") == 2


def test_validation_fails_is_corrected_and_runs_again(any_lab):
    any_lab.database.execute("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (a int); INSERT INTO t VALUES (7)")

    def migration(op: Operations) -> None:
        op.create_check_not_valid("ck", "t", "a IN (1,2) or a=3")
        op.create_foreign_key_not_valid("fk", "t", "p", ["a"], ["id"], ondelete="cascade")
        op.validate_constraint("ck", "t")
        op.validate_constraint("fk", "t")

    for correction in ("ALTER TABLE t DROP CONSTRAINT fk; UPDATE t SET a = 1", "INSERT INTO p VALUES (1)"):
        with pytest.raises(PgPatternsError, match=r"could not be validated: .*Correct those rows"):
            any_lab.upgrade(migration)
        any_lab.database.execute(correction)
    any_lab.upgrade(migration)
    assert any_lab.query("SELECT DISTINCT convalidated FROM pg_constraint WHERE conname IN ('ck', 'fk')") == [(True,)]
    with pytest.raises(PgPatternsError, match="a different constraint"):
        any_lab.upgrade(lambda op: op.create_check_not_valid("ck", "t", "a IN (1,2)"))
    with pytest.raises(PgPatternsError, match="a different constraint"):
        any_lab.upgrade(lambda op: op.create_foreign_key_not_valid("fk", "t", "p", ["a"], ["id"]))


def test_not_null_fails_is_corrected_and_runs_again(any_lab):
    any_lab.database.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (NULL)")
    with pytest.raises(PgPatternsError, match="could not be validated"):
        any_lab.upgrade(lambda op: op.set_not_null("t", "a"))
    any_lab.database.execute("UPDATE t SET a = 1")
    any_lab.upgrade(lambda op: op.set_not_null("t", "a"))
    assert any_lab.query("SELECT attnotnull FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'a'") == [
        (True,)
    ]
    assert any_lab.query("SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = 't'::regclass") == []
    with pytest.raises(PgPatternsError, match="has no column"):
        any_lab.upgrade(lambda op: op.set_not_null("t", "b"))


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_lock_is_tried_again_until_it_is_free(lab, driver, caplog):
    lab.database.execute("CREATE TABLE t (a int); SELECT 1")
    tries = []
    with lab.database.connect() as other:
        other.execute("SET application_name = 'report'; BEGIN; SELECT * FROM t")

        def migration(op: Operations) -> str:
            op.execute("SET LOCAL lock_timeout = '5s'")
            for attempt in op.lock_attempts("80ms", 5, pause=0.01):
                with attempt:
                    tries.append(attempt.number)
                    op.execute("CREATE TABLE u ()")
                    if attempt.number == 3:
                        other.execute("COMMIT")
                    op.enable_row_security("t")
            return op.get_bind().execute(sa.text("SHOW lock_timeout")).scalar()

        assert lab.upgrade(migration, driver) == "5s"
    assert tries == [1, 2, 3]
    assert "application report, idle in transaction" in caplog.text
    assert "AccessShareLock on t" in caplog.text
    assert lab.query("SELECT relrowsecurity FROM pg_class WHERE relname IN ('t', 'u') ORDER BY relname") == [
        (True,),
        (False,),
    ]


def test_a_lock_that_never_comes_is_an_error_that_names_who_has_it(lab):
    lab.database.execute("CREATE TABLE t (a int); CREATE INDEX ix ON t (a)")

    def migration(op: Operations) -> None:
        for attempt in op.lock_attempts(50, 2, pause=0):
            with attempt:
                op.drop_index("ix")

    with lab.database.connect() as other:
        other.execute("BEGIN; SELECT * FROM t")
        with pytest.raises(PgPatternsError, match=rf"attempt 2 of 2 .*pid {other.info.backend_pid} .* on ix, t"):
            lab.upgrade(migration)
    with pytest.raises(sa.exc.ProgrammingError, match="does not exist"):
        lab.upgrade(lambda op: [_with(attempt, op.execute, "DROP TABLE nothing") for attempt in op.lock_attempts()])
    with pytest.raises(PgPatternsError, match="savepoint"):
        lab.upgrade(
            lambda op: [
                _with(attempt, op.create_index_concurrently, "iy", "t", ["a"]) for attempt in op.lock_attempts()
            ]
        )


def _with(attempt, function, *arguments):
    with attempt:
        function(*arguments)


def test_attach_needs_no_scan_under_the_strong_lock(any_lab):
    any_lab.database.execute(
        "CREATE TABLE p (k int, h text) PARTITION BY RANGE (k); CREATE TABLE rest PARTITION OF p DEFAULT;"
        "CREATE TABLE q (k int, h text); INSERT INTO q VALUES (5, 'x'); INSERT INTO rest VALUES (50, 'y');"
        "CREATE TABLE hp (k int, h text) PARTITION BY HASH (k); CREATE TABLE hq (k int, h text)"
    )
    notices: list[str] = []
    engine = sa.create_engine(any_lab.database.url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.connection.driver_connection.add_notice_handler(lambda n: notices.append(n.message_primary))
        context = MigrationContext.configure(connection)
        with Operations.context(context) as op, context.begin_transaction():
            op.execute("SET client_min_messages = debug1")
            op.attach_partition("p", "q", "FROM (0) TO (10)")
            op.attach_partition("hp", "hq", "WITH (MODULUS 2, REMAINDER 0)")
    implied = [notice for notice in notices if "implied by existing constraints" in notice]
    assert len(implied) == 3, notices
    assert any_lab.query("SELECT conname FROM pg_constraint WHERE conname LIKE '%bound%'") == []
    with pytest.raises(PgPatternsError, match=r"public\.rest has rows that do not fit the bound"):
        any_lab.database.execute("CREATE TABLE r (k int, h text)")
        any_lab.upgrade(lambda op: op.attach_partition("p", "r", "FROM (40) TO (60)"))
    any_lab.database.execute("DELETE FROM rest")
    any_lab.upgrade(lambda op: op.attach_partition("p", "r", "FROM (40) TO (60)"))
    any_lab.upgrade(lambda op: op.detach_partition("p", "r", "FROM (40) TO (60)"))
    assert any_lab.query("SELECT conname FROM pg_constraint WHERE conname LIKE '%bound%'") == []


def test_detach_is_completed_after_an_interruption(any_lab):
    any_lab.database.execute(
        "CREATE TABLE p (k int) PARTITION BY RANGE (k); CREATE TABLE q PARTITION OF p FOR VALUES FROM (0) TO (9)"
    )
    detach = lambda op: op.detach_partition("p", "q", "FROM (0) TO (9)")  # noqa: E731
    with any_lab.database.connect() as reader, any_lab.database.connect() as watcher:
        reader.execute("BEGIN; SELECT * FROM p")
        errors: list[BaseException] = []
        thread = threading.Thread(target=lambda: errors.append(_error_of(lambda: any_lab.upgrade(detach))))
        thread.start()
        while not watcher.execute("SELECT 1 FROM pg_inherits WHERE inhdetachpending").fetchall():
            time.sleep(0.02)
        watcher.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%DETACH%' "
            "AND pid <> pg_backend_pid()"
        )
        thread.join()
        reader.execute("COMMIT")
    assert isinstance(errors[0], PgPatternsError)
    any_lab.upgrade(detach)
    any_lab.upgrade(detach)
    assert any_lab.query("SELECT * FROM pg_inherits") == []
    assert any_lab.query("SELECT conname FROM pg_constraint WHERE conrelid = 'q'::regclass") == []


def _error_of(function) -> BaseException | None:
    try:
        function()
    except BaseException as error:
        return error
    return None


def test_alter_system_without_the_right_to_says_so(lab):
    role = f"mortal_{lab.database.name}"
    lab.database.execute(f"CREATE ROLE {role} LOGIN")
    try:
        engine = sa.create_engine(lab.database.url.set(username=role), poolclass=sa.NullPool)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection)
            with (
                Operations.context(context) as op,
                context.begin_transaction(),
                pytest.raises(PgPatternsError, match=r"permission denied .* needs a superuser, or GRANT ALTER SYSTEM"),
            ):
                op.alter_system("work_mem", "5MB")
    finally:
        lab.database.execute(f"DROP ROLE {role}")


def test_alter_system_says_when_a_restart_is_needed(lab, caplog):
    lab.upgrade(lambda op: op.alter_system("max_connections", 99))
    assert "max_connections takes effect after a restart of PostgreSQL" in caplog.text
    recommended = ApplyRecommendedSettingsOp(memory_mb=8000, max_connections=50, previous={"max_connections": None})
    lab.upgrade(lambda op: op.invoke(recommended))
    written = "SELECT setting FROM pg_file_settings WHERE name = 'max_connections' AND sourcefile ~ 'auto.conf'"
    assert lab.query(written) == [("50",)]
    assert lab.upgrade(lambda op: op.get_bind().execute(sa.text("SHOW work_mem")).scalar()) == "40MB"
    lab.upgrade(lambda op: op.invoke(recommended.reverse()))
    assert lab.query(written) == []
