"""The rewriter on real servers: what the files do, that they can run twice, and that they can be undone."""

from __future__ import annotations

import re

import pytest
import sqlalchemy
from alembic.runtime.migration import MigrationContext

from alembic_pgpatterns.autogenerate.rewrite.alembic_versions import HAS_INLINE_REFERENCES
from alembic_pgpatterns.autogenerate.rewrite.database_facts import RewriteSettings, read_facts
from tests.autogenerate.conftest import PLUGIN, REWRITER


@pytest.fixture
def make_project(make_project):
    """Projects in which no pattern is enforced or suggested."""
    return lambda *given, **named: make_project(*given, **named).without_patterns()


@pytest.fixture
def project(make_project):
    return make_project()


ID = 'Column("id", BigInteger, primary_key=True)'
BASE = f"""
author = Table("author", metadata, {ID}, Column("name", Text))
book = Table("book", metadata, {ID}, Column("title", Text), Column("isbn", Text), Column("pages", Integer))
"""
AFTER = f"""
author = Table("author", metadata, {ID}, Column("name", Text, nullable=False))
book = Table("book", metadata, {ID}, Column("title", Text), Column("isbn", Text), Column("pages", Integer),
    Column("author_id", BigInteger, ForeignKey("author.id", ondelete="CASCADE")),
    Column("token", Uuid, server_default=func.gen_random_uuid(), nullable=False),
    Column("kind", Text, nullable=False, server_default="novel"),
    Column("rank", Integer, CheckConstraint("rank > 0")),
    UniqueConstraint("isbn"), Index("ix_book_title", "title"), Index("ix_book_author_id", "author_id"))
thing = Table("thing", metadata, {ID}, Column("book_id", ForeignKey("book.id")))
"""
ROWS = """
    INSERT INTO author SELECT g, 'n' || g FROM generate_series(1, 20) g;
    INSERT INTO book (id, title, isbn) SELECT g, 't', 'i' || g FROM generate_series(1, 200) g;
"""


def started(project, models: str = BASE, rows: str = ROWS):
    """The project at head with some models, and rows."""
    project.models(models)
    project.revise("start")
    project.alembic("upgrade", "head")
    project.database.execute(rows)
    return project


def code(files: list[str]) -> str:
    """The revisions' statements, without comments, as one text."""
    return "\n".join(line for text in files for line in text.splitlines() if not line.strip().startswith("#"))


def upgrade_of(text: str) -> str:
    return text[text.index("def upgrade") : text.index("def downgrade")]


def downgrade_of(text: str) -> str:
    return text[text.index("def downgrade") :]


@pytest.mark.long
@pytest.mark.sample(5)
@pytest.mark.parametrize("way", [PLUGIN, REWRITER], ids=["plugin", "rewriter"])
@pytest.mark.parametrize("template", ["generic", "async", "pyproject", "pyproject_async"])
def test_up_down_up_with_rows(make_project, template: str, way: str) -> None:
    project = started(make_project(template, "asyncpg" if "async" in template else "psycopg", way))
    before = project.snapshot()
    project.models(AFTER)
    files = project.revise("later")
    assert len(files) == 3
    project.alembic("upgrade", "head")
    after = project.snapshot()
    assert all(row[4] for row in after["constraints"]) and all(row[1] for row in after["indexes"])
    assert project.clean()
    assert project.revise("again")[0].count("pass") == 2
    project.alembic("downgrade", project_start(project))
    assert project.snapshot() == before
    project.alembic("upgrade", "head")
    assert project.snapshot() == after


@pytest.mark.long
@pytest.mark.sample(3)
@pytest.mark.parametrize("per_migration", [True, False])
@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_one_revision_at_a_time_each_undone_and_redone(make_project, driver: str, per_migration: bool) -> None:
    project = make_project(driver=driver)
    if per_migration:
        project.configure("transaction_per_migration=True")
    started(project).models(AFTER)
    schemas = [project.snapshot()]
    for _ in project.revise("later"):
        project.alembic("upgrade", "+1")
        schemas.append(project.snapshot())
        project.alembic("downgrade", "-1")
        assert validated(project.snapshot()) == validated(schemas[-2])
        project.alembic("upgrade", "+1")
        assert validated(project.snapshot()) == validated(schemas[-1])
    assert validated(schemas[-1]) == schemas[-1]


def validated(schema: dict) -> dict:
    """The schema with its constraints valid: a downgrade does not undo VALIDATE, and need not."""
    rows = [(*row[:3], row[3].removesuffix(" NOT VALID"), True) for row in schema["constraints"]]
    return {**schema, "constraints": sorted(rows, key=repr)}


def test_a_failed_unique_build_is_run_again(project) -> None:
    started(project).database.execute("UPDATE book SET isbn = 'same' WHERE id < 3")
    project.models(AFTER)
    project.revise("later")
    with pytest.raises(sqlalchemy.exc.IntegrityError, match="could not create unique index"):
        project.alembic("upgrade", "head")
    left = [row for row in project.snapshot()["indexes"] if not row[1]]
    assert [row[0].split()[3] for row in left] == ["book_isbn_key"]
    project.database.execute("UPDATE book SET isbn = id::text WHERE id < 3")
    project.alembic("upgrade", "head")
    assert all(row[1] for row in project.snapshot()["indexes"])
    assert project.clean()


def test_rows_that_break_a_check_are_mended_and_it_is_run_again(project) -> None:
    started(project).database.execute("UPDATE author SET name = NULL WHERE id = 1")
    project.models(AFTER)
    project.revise("later")
    with pytest.raises(sqlalchemy.exc.IntegrityError, match="violated by some row"):
        project.alembic("upgrade", "head")
    project.database.execute("UPDATE author SET name = 'x' WHERE id = 1")
    project.alembic("upgrade", "head")
    assert project.clean()


@pytest.mark.long
def test_a_failure_at_every_statement(project) -> None:
    """Whatever statement of the chain fails: after it, `upgrade head` arrives, and so does `downgrade`."""
    started(project)
    assert failing_everywhere(project, AFTER) > 20


def failing_everywhere(project, models: str) -> int:
    """Write the revisions for models, and have each of their statements fail once; how many there are."""
    before, start = project.snapshot(), project_start(project)
    project.models(models)
    project.revise("later")
    broken = 1
    while (seen := failing(project, broken, "upgrade", "head")) >= broken:
        project.alembic("upgrade", "head")
        after = project.snapshot()
        assert all(row[4] for row in after["constraints"]) and all(row[1] for row in after["indexes"])
        failing(project, broken, "downgrade", start)
        project.alembic("downgrade", start)
        assert project.snapshot() == before
        broken += 1
    return seen


def failing(project, number: int, *arguments: str) -> int:
    """Run a command in which the n-th DDL or backfill statement fails on its way to the server; how many there were."""
    seen = [0]

    def maybe(conn, cursor, statement, parameters, context, executemany):
        if re.match(r"\s*(ALTER|CREATE|DROP|DO)\b", statement):
            seen[0] += 1
            if seen[0] == number:
                raise ConnectionError("broken on purpose")

    sqlalchemy.event.listen(sqlalchemy.engine.Engine, "before_cursor_execute", maybe)
    try:
        project.alembic(*arguments)
    except ConnectionError:
        pass
    finally:
        sqlalchemy.event.remove(sqlalchemy.engine.Engine, "before_cursor_execute", maybe)
    return seen[0]


def project_start(project) -> str:
    """The first revision of a project."""
    return project.alembic("history").strip().splitlines()[-1].split(" -> ")[1].split()[0].rstrip(",")


def test_new_tables_need_none_of_it(project) -> None:
    project.models(AFTER)
    (text,) = project.revise("start")
    assert "lock_timeout" not in text and "autocommit_block" not in text and "pgpatterns" not in text
    project.alembic("upgrade", "head")
    project.alembic("downgrade", "base")


def test_lock_timeout_is_over_with_its_revision(project) -> None:
    started(project).models(BASE + 'book.append_column(Column("more", Text))')
    (text,) = project.revise("later")
    assert "SET LOCAL lock_timeout = '5s'" in text
    project.alembic("revision", "-m", "by hand")
    last = max(project.versions(), key=lambda path: path.stat().st_mtime_ns)
    shown = "op.execute(\"CREATE TABLE seen AS SELECT current_setting('lock_timeout') AS it\")"
    last.write_text(last.read_text().replace("    pass", f"    {shown}", 1))
    project.alembic("upgrade", "head")
    with project.database.connect() as connection:
        assert connection.execute("SELECT it FROM seen").fetchall() == [("0",)]


def test_timeouts_that_env_sets_are_kept(project) -> None:
    """What env.py set for its session is there again after a build, and is not set a second time."""
    project.env(
        "with connectable.connect() as connection:",
        "import sqlalchemy as sa\n"
        "    def on_connect(c, r): c.execute(\"SET lock_timeout = '7s'\") and c.commit()\n"
        "    sa.event.listen(connectable, 'connect', on_connect)\n"
        "    with connectable.connect() as connection:",
    )
    started(project).models(BASE + 'Index("ix_book_title", book.c.title); book.append_column(Column("more", Text))')
    first, second = project.revise("later")
    assert "SET LOCAL" not in first + second
    assert "SET lock_timeout = '7s'" in second and "RESET statement_timeout" in second
    project.alembic("upgrade", "head")


@pytest.mark.long
def test_a_timeout_in_the_url_is_not_made_longer(project) -> None:
    limited = f"{project.url}&options=-clock_timeout%3D2s"
    project.replace(project.ini, project.url.replace("%", "%%"), limited.replace("%", "%%"))
    started(project).models(BASE + 'Index("ix_book_title", book.c.title); book.append_column(Column("more", Text))')
    first, second = project.revise("later")
    assert "SET LOCAL" not in first + second and "RESET lock_timeout" in second


def test_a_build_is_not_killed_by_the_role_s_timeouts(project) -> None:
    started(project).models(BASE + 'Index("ix_book_title", book.c.title)')
    (revision,) = project.revise("later")
    project.database.execute(f'ALTER DATABASE "{project.database.name}" SET statement_timeout = 1')
    engine = sqlalchemy.create_engine(project.database.url, poolclass=sqlalchemy.NullPool)
    with pytest.raises(sqlalchemy.exc.OperationalError, match="statement timeout"), engine.connect() as connection:
        connection.execute(sqlalchemy.text("SELECT pg_sleep(1)"))
    up = upgrade_of(revision)
    assert up.index("SET statement_timeout = 0") < up.index("create_index") < up.index("RESET statement_timeout")


@pytest.mark.long
def test_partitioned_parents_are_left_to_people(make_project, old_database, new_database) -> None:
    parent = f'{ID}, Column("at", Date, primary_key=True), Column("who", BigInteger)'
    before = f"""
    who = Table("who", metadata, {ID})
    log = Table("log", metadata, {parent}, postgresql_partition_by="RANGE (at)")
    """
    after = f"""
    who = Table("who", metadata, {ID})
    log = Table("log", metadata, {parent}, Column("note", Text, nullable=False),
        Column("by", ForeignKey("who.id")), CheckConstraint("who > 0", name="positive"),
        ForeignKeyConstraint(["who"], ["who.id"]), UniqueConstraint("who", "at"),
        Index("ix_log_who", "who"), postgresql_partition_by="RANGE (at)")
    """
    for database in (old_database, new_database()):
        project = make_project(database=database)
        project.configure("include_name=lambda name, kind, parents: name != 'log_1'")
        started(project, before, "CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2020-01-01') TO ('2030-01-01')")
        schema = project.snapshot()
        project.models(after)
        files = project.revise("later")
        plain = [text for text in files if "create_index('ix_log_who', 'log'" in text]
        assert len(plain) == 1 and "concurrent-on-partitioned-parent" in plain[0] and "ON ONLY log" in plain[0]
        not_valid = re.findall(r"'log', 'who', .*not_valid=True", code(files))
        assert bool(not_valid) is (database.version >= 180000)
        project.alembic("upgrade", "head")
        assert project.clean()
        project.alembic("downgrade", project_start(project))
        assert project.snapshot() == schema


def test_an_env_that_opens_its_own_transaction_is_told(project) -> None:
    project.env("        context.configure(", "        connection.begin()\n        context.configure(")
    end = "            context.run_migrations()\n"
    project.env(f"{end}\n\nif", f"{end}        connection.commit()\n\n\nif")
    started(project).models(AFTER)
    (text,) = project.revise("later")
    assert "autocommit_block():" not in text
    assert "env.py opens its own transaction" in re.sub(r"\s+#?\s+", " ", text)
    project.alembic("upgrade", "head")
    assert project.clean()


@pytest.mark.long
@pytest.mark.skipif(not HAS_INLINE_REFERENCES, reason="Alembic before 1.19 loses ON DELETE there")
def test_a_foreign_key_of_a_new_column_is_inline_under_the_convention_s_name(project) -> None:
    convention = """
    metadata.naming_convention = {
        "ix": "ix_%(column_0_label)s", "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s", "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    }
    """.replace("\n    ", "\n")
    started(project, convention + BASE).models(
        convention + AFTER.replace('CheckConstraint("rank > 0")', 'CheckConstraint("rank > 0", name="rank_positive")')
    )
    schema = project.snapshot()
    text = code(project.revise("later"))
    assert "sa.ForeignKey('author.id', ondelete='CASCADE')" in text and "inline_references=True" in text
    project.alembic("upgrade", "head")
    found = {row[1] for row in project.snapshot()["constraints"]}
    assert {"fk_book_author_id_author", "uq_book_isbn", "ck_book_rank_positive"} <= found
    assert not {name for name in found if name.endswith(("_check", "_fkey"))}
    assert project.clean()
    project.alembic("downgrade", project_start(project))
    assert project.snapshot() == schema


def test_names_that_need_quotes_and_are_too_long(project) -> None:
    long = "a" * 50
    before = f"""
    odd = Table("Odd Table", metadata, {ID}, Column("The Name", Text), Column("{long}", Text), schema="Other One")
    """
    after = f"""
    odd = Table("Odd Table", metadata, {ID}, Column("The Name", Text, nullable=False), Column("{long}", Text),
        Column("Parent", ForeignKey("Other One.Odd Table.id")),
        Column("at", Uuid, server_default=func.gen_random_uuid()),
        UniqueConstraint("The Name"), UniqueConstraint("{long}", "The Name"), Index("Odd Index", "The Name"),
        schema="Other One")
    """
    project.configure("include_schemas=True")
    project.database.execute('CREATE SCHEMA "Other One"')
    started(project, before, "").models(after)
    schema = project.snapshot()
    project.revise("later")
    project.alembic("upgrade", "head")
    assert project.clean()
    project.alembic("downgrade", project_start(project))
    assert project.snapshot() == schema


def test_type_changes_say_what_they_cost(project) -> None:
    before = f"""
    t = Table("t", metadata, {ID}, Column("small", Integer), Column("short", String(10)),
        Column("price", Numeric(8, 2)), Column("at", DateTime),
        Index("ix_small", "small"), CheckConstraint("short <> ''", name="said"))
    """
    after = f"""
    t = Table("t", metadata, {ID}, Column("small", BigInteger), Column("short", String(20)),
        Column("price", Numeric(10, 2)), Column("at", DateTime(timezone=True)), Index("ix_small", "small"),
        CheckConstraint("short <> ''", name="said"))
    """
    started(project, before, "INSERT INTO t VALUES (1, 2, 'x', 1.5, now()); CREATE VIEW seen AS SELECT small FROM t")
    project.models(after)
    with project.database.connect() as connection:
        files = {name: connection.execute(f"SELECT pg_relation_filenode('{name}')").fetchone() for name in ("t",)}
    text, last = project.revise("later")
    assert sorted(re.findall(r"# pgpatterns: ([a-z-]+):", upgrade_of(text))) == [
        "missing-lock-timeout",
        "missing-lock-timeout",
        "rebuilt-dependents",  # the CHECK
        "table-rewrite",
        "timestamp-without-time-zone",  # read as UTC
    ]
    assert "from INTEGER to BIGINT" in text and "VALIDATE CONSTRAINT said" in upgrade_of(last)
    assert "rebuilt-dependents: view seen: dropped before" in upgrade_of(last)
    project.alembic("upgrade", "head")
    with project.database.connect() as connection:
        assert connection.execute("SELECT pg_relation_filenode('t')").fetchone() == files["t"]
    assert project.clean()


def test_offline_sql_of_everything_is_run_by_psql_alone(make_project) -> None:
    project = started(make_project())
    other = started(make_project())
    for each in (project, other):
        each.models(AFTER)
    project.revise("later")
    project.alembic("upgrade", "head")
    for path in project.versions():
        target = other.root / "migrations" / "versions" / path.name
        target.write_text(path.read_text())
    first = project_start(project)
    script = project.alembic("upgrade", f"{first}:head", "--sql")
    with other.database.connect() as connection:
        connection.execute(f"UPDATE alembic_version SET version_num = '{first}'")
    run_script(other.database, script)
    assert other.snapshot() == project.snapshot()
    run_script(other.database, project.alembic("downgrade", f"head:{first}", "--sql"))
    project.alembic("downgrade", first)
    assert other.snapshot() == project.snapshot()


def run_script(database, script: str) -> None:
    """A script statement by statement, as psql does."""
    import postgast

    with database.connect() as connection:
        for statement in postgast.split(script):
            connection.execute(str(statement))


def test_columns_that_are_computed_for_every_row_are_explained(project) -> None:
    started(project).models(
        BASE.replace(
            'Column("pages", Integer))',
            'Column("pages", Integer), Column("twice", Integer, Computed("pages * 2", persisted=True)), '
            'Column("number", BigInteger, Identity()), '
            'Column("mail", postgresql.DOMAIN("mail", Text, check="VALUE LIKE \'%@%\'", create_type=False)))',
        )
    )
    project.database.execute("CREATE DOMAIN mail AS text CONSTRAINT mail_check CHECK (VALUE LIKE '%@%')")
    before = project.snapshot()
    (text,) = project.revise("later")
    assert upgrade_of(text).count("# pgpatterns: table-rewrite: ") == 3
    assert "For a large table, write it in stages instead" in text
    project.alembic("upgrade", "head")
    assert project.clean()
    project.alembic("downgrade", "-1")
    assert project.snapshot() == before


def test_what_is_evaluated_once_a_row(database) -> None:
    database.execute("""
        CREATE SCHEMA other;
        CREATE FUNCTION other.shaky() RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
        CREATE FUNCTION steady() RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
    """)
    with database.engine().connect() as connection:
        volatile = read_facts(MigrationContext.configure(connection), RewriteSettings()).volatile
        found = {
            expression: volatile(expression)
            for expression in (
                "now()", "CURRENT_TIMESTAMP", "'x'::text", "upper('x') || 'y'", "steady()", "1 + 2", "ARRAY[1]",
                "random()", "1 + coalesce(random(), 2)", "gen_random_uuid()::text", "nextval('s')", "clock_timestamp()",
                "other.shaky()", "shaky()", "(not an expression",
            )
        }  # fmt: skip
    assert [expression for expression, often in found.items() if often] == [
        "random()", "1 + coalesce(random(), 2)", "gen_random_uuid()::text", "nextval('s')", "clock_timestamp()",
        "other.shaky()", "shaky()", "(not an expression",
    ]  # fmt: skip


def test_a_new_table_s_concurrent_index_is_plain(project) -> None:
    """The models' own CONCURRENTLY is right for later and refused in the transaction of CREATE TABLE."""
    index = 'Index("ix_title", book.c.title, postgresql_concurrently=True)'
    project.models(BASE + index)
    (text,) = project.revise("start")
    assert "autocommit_block" not in text and "concurrently" not in text
    project.alembic("upgrade", "head")
    project.models(BASE)
    project.revise("without")
    project.alembic("upgrade", "head")
    assert project.clean()
    project.alembic("downgrade", "base")
