"""Lines, operations, transactions and locks, whatever driver and however env.py runs the revisions."""

from __future__ import annotations

import textwrap

import pytest

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.revisions.model import RevisionRun, Statement
from tests import projects
from tests.tracing import trace

EXISTING = "CREATE TABLE book (id bigint PRIMARY KEY, title text, pages integer);"
REVISION = '''
"""one"""
from alembic import op
import sqlalchemy as sa
revision = "r1"
down_revision = "r0"


def helper(column):
    op.execute(f"ALTER TABLE book ADD COLUMN {column} integer")


def upgrade():
    op.add_column("book", sa.Column("kind", sa.Text()))
    op.create_index(
        "ix_book_kind",
        "book",
        ["kind"],
    )
    with op.batch_alter_table("book") as batch:
        batch.add_column(sa.Column("one", sa.Integer()))
        batch.alter_column("pages", nullable=False)
    for column in ("a", "b"):
        helper(column)
    op.get_bind().execute(sa.text("UPDATE book SET title = :title"), {"title": "x"})
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY ix_book_title ON book (title)")
    op.execute("ALTER TABLE book ADD CHECK (pages > 0) NOT VALID; ALTER TABLE book ALTER pages TYPE bigint")
    with op.get_bind().begin_nested():
        op.execute("ALTER TABLE book ADD COLUMN last text")


def downgrade():
    raise NotImplementedError
'''
ASYNC = """
import asyncio
from alembic import context
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import create_async_engine


def do(connection):
    context.configure(connection=connection, transaction_per_migration={per_migration})
    with context.begin_transaction():
        context.run_migrations()


async def run():
    engine = create_async_engine("postgresql+{driver}://nobody:secret@db.example.invalid/shop", poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(do)
    await engine.dispose()


asyncio.run(run())
"""


def project_with(folder, driver: str, per_migration: bool) -> projects.Project:
    name = driver.removesuffix("_async")
    project = projects.make(folder, f"postgresql+{name}://nobody:secret@db.example.invalid/shop")
    if driver in ("asyncpg", "psycopg_async"):
        project.write("migrations/env.py", ASYNC.format(driver=driver, per_migration=per_migration))
    else:
        project.env(options=f"transaction_per_migration={per_migration}")
    project.sql("r0", EXISTING)
    project.write("migrations/versions/r1.py", REVISION.lstrip())
    return project


def line_of(text: str) -> int:
    return next(n for n, line in enumerate(REVISION.lstrip().splitlines(), 1) if text in line)


def of(run: RevisionRun, text: str) -> Statement:
    return next(statement for statement in run.statements if text in statement.sql)


@pytest.mark.parametrize("per_migration", [True, False], ids=["per migration", "one transaction"])
@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "asyncpg", "psycopg_async"])
@pytest.mark.sample(2)
def test_every_driver(tmp_path, traced_server, driver: str, per_migration: bool) -> None:
    project = project_with(tmp_path, driver, per_migration)
    if driver == "asyncpg":  # it prepares, and PostgreSQL prepares one statement at a time
        path = project.versions / "r1.py"
        path.write_text(path.read_text().replace("NOT VALID; ALTER", 'NOT VALID")\n    op.execute("ALTER'))
    traced = trace(project, traced_server, ["r1"])
    assert traced.skipped == ()
    check(traced.runs[0], shifted=driver == "asyncpg")


def test_a_driver_that_does_not_know_its_server_process(tmp_path, traced_server) -> None:
    """pg8000 is asked for it by a statement. With it Alembic's autocommit_block() fails, with or without a trace."""
    project = projects.make(tmp_path, "postgresql+pg8000://nobody:secret@db.example.invalid/shop")
    project.sql("r0", "CREATE TABLE book (id bigint)")
    project.sql("r1", "ALTER TABLE book ADD COLUMN kind text", down="r0")
    traced = trace(project, traced_server, ["r1"])
    assert traced.skipped == ()
    statement = of(traced.runs[0], "ADD COLUMN kind")
    assert statement.transactional
    assert "ACCESS EXCLUSIVE" in [lock.mode for lock in statement.locks]


def test_an_older_server(tmp_path, old_traced_server) -> None:
    check(trace(project_with(tmp_path, "psycopg", True), old_traced_server, ["r1"]).runs[0])


def check(run: RevisionRun, shifted: bool = False) -> None:
    lines = {
        "ADD COLUMN kind": ('sa.Column("kind"', "add_column", True),
        "CREATE INDEX ix_book_kind": ("op.create_index(", "create_index", True),
        "ADD COLUMN one": ("batch.add_column", "add_column", True),
        "SET NOT NULL": ("batch.alter_column", "alter_column", True),
        "ADD COLUMN a": ('op.execute(f"ALTER', "execute_sql", True),
        "UPDATE book": ("op.get_bind().execute", None, True),
        "CONCURRENTLY": ("CREATE INDEX CONCURRENTLY", "execute_sql", False),
        "NOT VALID": ("NOT VALID", "execute_sql", True),
    }
    for text, (line, op, transactional) in lines.items():
        statement = of(run, text)
        assert (statement.location.line, statement.op, statement.transactional) == (line_of(line), op, transactional)
        assert statement.location.path.endswith("versions/r1.py")
    assert of(run, "CREATE INDEX ix_book_kind").last_line == line_of("op.create_index(") + 4
    if not shifted:
        assert of(run, "TYPE bigint").location.line == line_of("NOT VALID")
    numbers = [of(run, text).transaction for text in ("ADD COLUMN kind", "UPDATE book", "CONCURRENTLY", "NOT VALID")]
    assert numbers[0] == numbers[1]
    assert len(set(numbers[1:])) == 3
    modes = {text: [lock.mode for lock in of(run, text).locks if lock.mode != "ACCESS SHARE"] for text in lines}
    assert modes["ADD COLUMN kind"] == ["ACCESS EXCLUSIVE"]
    assert modes["CREATE INDEX ix_book_kind"] == ["SHARE"]
    assert modes["CONCURRENTLY"] == ["SHARE UPDATE EXCLUSIVE"]
    assert [w.kind for w in of(run, "SET NOT NULL").work] == ["scan"]
    assert [w.kind for w in of(run, "NOT VALID").work] == []
    assert "rewrite" in [w.kind for w in of(run, "TYPE bigint").work]
    assert [w.kind for w in of(run, "CONCURRENTLY").work] == ["build"]
    assert of(run, "ADD COLUMN last").locks == ()


def test_a_raw_cursor_is_seen_without_its_line(make, traced_server) -> None:
    upgrade = """
        cursor = op.get_bind().connection.cursor()
        cursor.execute("ALTER TABLE book ADD COLUMN raw text")
    """
    (run,) = trace(make(EXISTING, textwrap.dedent(upgrade)), traced_server, ["r1"]).runs
    statement = of(run, "raw")
    assert [lock.mode for lock in statement.locks] == ["ACCESS EXCLUSIVE"]
    assert statement.location.line == statement.last_line


@pytest.mark.parametrize("off", ["log_min_messages = panic", "log_statement = 'none'"])
def test_a_revision_cannot_turn_off_the_log(make, traced_server, off: str) -> None:
    upgrade = f"""
        op.execute("SET {off}")
        op.execute("ALTER TABLE book ADD COLUMN hidden text")
    """
    (run,) = trace(make(EXISTING, textwrap.dedent(upgrade)), traced_server, ["r1"]).runs
    assert [lock.mode for lock in of(run, "hidden").locks] == ["ACCESS EXCLUSIVE"]


def test_a_log_that_was_turned_off_below_sqlalchemy_is_an_error(make, traced_server) -> None:
    upgrade = """
        op.get_bind().connection.cursor().execute("SET log_statement = 'none'")
        op.execute("ALTER TABLE book ADD COLUMN hidden text")
    """
    with pytest.raises(PgPatternsError, match=r"r1\.py:\d+: the server's log does not show this statement"):
        trace(make(EXISTING, textwrap.dedent(upgrade)), traced_server, ["r1"])


def test_raw_commits_end_transactions(make, traced_server) -> None:
    upgrade = """
        op.execute("ALTER TABLE book ADD COLUMN a text")
        op.get_bind().connection.commit()
        op.execute("ALTER TABLE book ADD COLUMN b text")
        op.execute("COMMIT")
        op.execute("BEGIN")
        op.execute("ALTER TABLE book ADD COLUMN c text")
    """
    (run,) = trace(make(EXISTING, textwrap.dedent(upgrade)), traced_server, ["r1"]).runs
    found = [of(run, f"COLUMN {name}") for name in "abc"]
    assert len({statement.transaction for statement in found}) == 3
    assert all(statement.locks for statement in found)


def test_two_databases(make, traced_server) -> None:
    head = """
        from sqlalchemy import create_engine
        def engines():
            for name in ("one", "two"):
                yield create_engine(f"postgresql+psycopg://a:b@db.example.invalid/{name}", poolclass=pool.NullPool)
    """
    add = 'op.add_column("book", sa.Column("kind", sa.Text()))'
    project = make(EXISTING, add, downgrade="raise NotImplementedError")
    project.env(head=head)
    path = project.folder / "migrations/env.py"
    text = path.read_text()
    body = text[text.index("    engine =") : text.index("if context.is_offline_mode")]
    looped = "    for engine in engines():\n" + textwrap.indent(body[body.index("    with engine") :], "    ")
    path.write_text(text.replace(body, looped + "\n"))
    traced = trace(project, traced_server, ["r1"])
    assert len(traced.runs) == 2
    assert all(of(run, "kind").locks for run in traced.runs)


def test_what_a_temporary_table_does_is_nobody_s_business(make, traced_server) -> None:
    upgrade = 'op.execute("CREATE TEMP TABLE book (id int)")\nop.execute("CREATE INDEX ON book (id)")'
    (run,) = trace(make(EXISTING, upgrade), traced_server, ["r1"]).runs
    assert all(statement.locks == () and statement.work == () for statement in run.statements)


def test_a_downgrade_that_was_not_walked_is_said(make, traced_server) -> None:
    """Roles belong to the whole server, so a copy of the database does not keep them apart."""
    upgrade = 'op.execute("CREATE ROLE pgpatterns_reader")'
    project = make(EXISTING, upgrade, downgrade='op.execute("DROP ROLE pgpatterns_reader")')
    traced = trace(project, traced_server, ["r1"])
    with traced_server.connect() as connection:
        connection.execute("DROP ROLE pgpatterns_reader")
    assert [item.subject for item in traced.skipped] == ["the downgrade of r1"]


def test_a_comment_that_mentions_roles_hides_no_downgrade(make, traced_server) -> None:
    upgrade = "op.execute(\"COMMENT ON TABLE book IS 'see CREATE ROLE reader'\")"
    (run,) = trace(make(EXISTING, upgrade, downgrade="op.execute('DROP TABLE none')"), traced_server, ["r1"]).runs
    assert run.downgrade.failure is not None and run.downgrade.skipped is None


def test_transactions_within_one_text(make, traced_server) -> None:
    upgrade = """
        op.execute("COMMIT")
        op.execute("BEGIN; ALTER TABLE book ADD COLUMN a text; COMMIT; ALTER TABLE book ADD COLUMN b text")
        op.execute("BEGIN")
    """
    (run,) = trace(make(EXISTING, textwrap.dedent(upgrade)), traced_server, ["r1"]).runs
    a, b = of(run, "COLUMN a"), of(run, "COLUMN b")
    assert (a.transactional, b.transactional) == (True, False)
    assert a.transaction != b.transaction


@pytest.mark.parametrize(("text", "milliseconds"), [("'5s'", 5000), ("250", 250), ("'2 min'", 120_000), ("0", 0)])
@pytest.mark.sample(2)
def test_timeouts_have_units(make, traced_server, text: str, milliseconds: int) -> None:
    upgrade = f'op.execute("SET LOCAL lock_timeout = {text}")\nop.execute("LOCK TABLE book")'
    (run,) = trace(make(EXISTING, upgrade), traced_server, ["r1"]).runs
    assert of(run, "LOCK TABLE").lock_timeout == milliseconds


def test_names_that_are_rolled_back_are_what_they_were(make, traced_server) -> None:
    upgrade = """
        op.execute("SAVEPOINT before")
        op.rename_table("book", "volume")
        op.execute("CREATE TABLE book (id int)")
        op.execute("ROLLBACK TO SAVEPOINT before")
        op.execute("CREATE INDEX ix_book_title ON book (title)")
    """
    (run,) = trace(make(EXISTING, textwrap.dedent(upgrade)), traced_server, ["r1"]).runs
    assert [(work.kind, work.table.name) for work in of(run, "CREATE INDEX").work] == [("build", "book")]
    assert [name and name.name for name in of(run, "CREATE INDEX").tables] == ["book"]


def test_an_env_py_with_another_database_in_each_run_is_named(make, traced_server) -> None:
    project = make(EXISTING, "op.add_column('book', sa.Column('kind', sa.Text()))")
    engine = 'create_engine(f"postgresql+psycopg://x/{uuid.uuid4().hex}", poolclass=pool.NullPool)'
    project.env(head="import uuid\nfrom sqlalchemy import create_engine", engine=engine)
    with pytest.raises(PgPatternsError, match="opens another database in each run"):
        trace(project, traced_server, ["r1"])
