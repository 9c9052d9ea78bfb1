"""What trying out new revisions tells of their locks; up, down and up again as ever."""

from __future__ import annotations

import argparse
import io
import re
import textwrap

import pytest
from alembic.config import Config

from alembic_pgpatterns.checks.deploy_plan import plans
from alembic_pgpatterns.checks.dry_run import UNWATCHED, DryRun, dry_run
from alembic_pgpatterns.cli.run_pgrevision import write
from alembic_pgpatterns.config.reading import read_settings
from alembic_pgpatterns.controller.env_run import Databases
from alembic_pgpatterns.controller.head_schema import RunAt
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.controller.run import Run
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.patterns import registry
from alembic_pgpatterns.report import plan
from alembic_pgpatterns.report.dry_run import lines_of
from alembic_pgpatterns.server.protocol import Server
from tests import projects
from tests.tracing import Silent, findings, inside, trace

BOOK = "CREATE TABLE book (id bigint PRIMARY KEY, title text, kind text); CREATE TABLE author (id bigint PRIMARY KEY)"
INDEX = 'op.create_index("ix_book_title", "book", ["title"])'
DROP_INDEX = 'op.drop_index("ix_book_title", "book")'
RENAME = f'op.alter_column("book", "kind", new_column_name="sort")\n{INDEX}'
NAME_BACK = f'{DROP_INDEX}\nop.alter_column("book", "sort", new_column_name="kind")'
LOOK = "SELECT count(*) FROM pg_event_trigger, pg_namespace WHERE evtname ~ 'pgpatterns' OR nspname ~ 'pgpatterns'"


def rehearsed(
    project: projects.Project, server: Server, *revisions: str, watched: bool = True, look: str = "", **given: object
) -> tuple[DryRun, list[str]]:
    """The outcome, and its lines; ``look``: a query that must count 0 in each database afterwards."""
    with inside(project.folder), Project(Config("alembic.ini")) as own:
        settings = read_settings(own.ini, own.pyproject, {"select": ("revisions",), **given})
        at = RunAt(Run(own, settings, Silent(), server), Databases())
        try:
            outcome = dry_run(at, revisions, watched=watched)
            for database in at.databases.names if look else ():
                with server.connect(database) as connection:
                    assert connection.execute(look).fetchall() == [(0,)]
            return outcome, list(lines_of(outcome, [f"{name}.py" for name in revisions], server))
        finally:
            for database in at.databases.names:
                server.drop_database(database)


def cells(line: str) -> list[str]:
    return re.split(r" {2,}", line.strip())


@pytest.mark.long
@pytest.mark.parametrize("version", ["traced_server", "old_traced_server"])
def test_locks_are_told_as_by_pgcheck_plan(make, version, request) -> None:
    server = request.getfixturevalue(version)
    project = make(BOOK, RENAME, downgrade=NAME_BACK)
    outcome, said = rehearsed(project, server, "r1", look=LOOK)
    runs = trace(project, server, ["r1"]).runs
    found = findings(registry()["rename-under-running-code"], runs)
    assert [list(plan.text(one)) for one in outcome.plans] == [list(plan.text(one)) for one in plans(runs, found)]
    heading, table, old_code, *more = said[1:]
    assert cells(heading) == ["table", "strongest lock", "who waits", "work under it", "line"]
    work = "index build under ACCESS EXCLUSIVE"
    assert cells(table) == ["public.book", "ACCESS EXCLUSIVE", "reads and writes", work, "12"]
    assert old_code.strip() == "keep running the old code: no, it would fail (public.book.kind)"
    told = [line for line in more if line.startswith("pgpatterns: warning: blocking-index-build: ")]
    assert told and told[0].endswith("(migrations/versions/r1.py:13)")
    assert outcome.lost == ()


def test_a_file_that_locks_nothing_says_so(make, traced_server) -> None:
    create = 'op.create_table("note", sa.Column("id", sa.BigInteger(), primary_key=True))'
    project = make(BOOK, create, downgrade='op.drop_table("note")')
    _, said = rehearsed(project, traced_server, "r1")
    assert [line.strip() for line in said[1:]] == [
        "locks no table that existed before",
        "keep running the old code: yes",
    ]


def test_a_comment_in_the_file_is_heeded(make, traced_server) -> None:
    suppressed = RENAME.replace("\n", "  # pgpatterns: ignore[rename-under-running-code] nobody reads it\n")
    outcome, said = rehearsed(make(BOOK, suppressed, downgrade=NAME_BACK), traced_server, "r1")
    assert {finding.pattern for finding in outcome.new} >= {"blocking-index-build"}
    assert "rename-under-running-code" not in {finding.pattern for finding in outcome.new}
    assert "  keep running the old code: yes" in said


def test_what_pgcheck_hides_as_a_guess_is_not_told(make, traced_server) -> None:
    """The index on a key that may be null is one that autogenerate itself writes."""
    add = 'op.execute("ALTER TABLE book ADD author bigint REFERENCES author; CREATE INDEX by_author ON book (author)")'
    project = make(BOOK, add, downgrade='op.drop_column("book", "author")')
    wanted = {"select": ("index-on-sparse-foreign-key",)}
    assert rehearsed(project, traced_server, "r1", watched=False, **wanted)[0].new == ()
    assert len(rehearsed(project, traced_server, "r1", watched=False, guesses=True, **wanted)[0].new) == 1


def test_each_file_of_a_chain_is_told(make, traced_server) -> None:
    """What the first makes is there for the second to lock; the way down loses nothing, and that is still seen."""
    project = make(BOOK)
    project.revision("r1", 'op.execute("CREATE TABLE note (id bigint PRIMARY KEY)")', "r0", "pass")
    project.revision("r2", 'op.execute("ALTER TABLE note ADD COLUMN x text")', "r1", 'op.drop_table("note")')
    outcome, said = rehearsed(project, traced_server, "r1", "r2", look=LOOK)
    assert [line for line in said if line.startswith("  m")] == [f"  migrations/versions/r{n}.py" for n in (1, 2)]
    first, second = outcome.plans
    assert first.lines == ()
    assert [(str(line.table), line.mode) for line in second.lines] == [("public.note", "ACCESS EXCLUSIVE")]
    assert outcome.lost == ()


def test_what_fails_and_what_is_lost_is_told_as_before(make, traced_server) -> None:
    project = make(BOOK, "op.execute('ALTER TABLE book ADD COLUMN IF NOT EXISTS x int')", downgrade="pass")
    outcome, said = rehearsed(project, traced_server, "r1")
    assert [*map(str, outcome.lost)] == ["column public.book.x is left behind"]
    assert said[-1].endswith(str(outcome.lost[0]))
    project.revision("r2", "op.drop_table('nowhere')", "r1")
    with pytest.raises(PgPatternsError, match=r"^upgrade failed: migrations/versions/r2\.py:12: .*nowhere"):
        rehearsed(project, traced_server, "r1", "r2")


def in_each(project: projects.Project, places: tuple[str, str], engine: str, options: str) -> None:
    """An env.py that runs everything in each of two places."""
    project.env(engine=engine, options=f"place=place, {options}")
    path = project.folder / "migrations/env.py"
    text = path.read_text()
    start, end = text.index("    engine ="), text.index("if context.is_offline_mode")
    path.write_text(f"{text[:start]}    for place in {places}:\n{textwrap.indent(text[start:end], '    ')}{text[end:]}")


def test_of_several_databases_each_is_told(make, traced_server) -> None:
    upgrade = f"if op.get_context().opts['place'] == 'two':\n    {INDEX}"
    project = make(BOOK, upgrade, downgrade='op.execute("DROP INDEX IF EXISTS ix_book_title")')
    url = 'f"postgresql+psycopg://a:b@db.example.invalid/{place}"'
    engine = f'engine_from_config({{"url": {url}}}, prefix="", poolclass=pool.NullPool)'
    in_each(project, ("one", "two"), engine, "")
    outcome, said = rehearsed(project, traced_server, "r1")
    one, two = outcome.plans
    assert one.lines == ()
    assert [line.mode for line in two.lines] == ["SHARE"]
    assert "  migrations/versions/r1.py in database two" in said
    assert outcome.lost == ()


def test_of_several_schemas_in_one_database_each_is_told(make, traced_server) -> None:
    project = make("SELECT 1")
    in_each(project, ("a", "b"), projects.ENGINE, "version_table_schema=place")
    project.write("before.sql", "CREATE SCHEMA a; CREATE SCHEMA b")
    here = 'schema=op.get_context().opts["place"]'
    project.revision("r0", f'op.create_table("book", sa.Column("id", sa.BigInteger()), {here})')
    add = f'op.add_column("book", sa.Column("x", sa.Text()), {here})'
    project.revision("r1", add, "r0", f'op.drop_column("book", "x", {here})')
    outcome, _ = rehearsed(project, traced_server, "r1", prepare=project.folder / "before.sql")
    (told,) = outcome.plans
    assert [str(line.table) for line in told.lines] == ["a.book", "b.book"]
    assert outcome.lost == ()


MODELS = """
from sqlalchemy import BigInteger, Column, MetaData, Table
target_metadata = MetaData()
Table("author", target_metadata, Column("id", BigInteger, primary_key=True))
"""


def test_an_empty_file_brings_nothing(make, traced_server) -> None:
    """That the models have no naming convention is no news with every revision; with the first it is."""
    project = make("", "pass")
    project.env(models=MODELS)
    project.revision("r0", 'op.execute("CREATE TABLE author (id bigint PRIMARY KEY)")', None, 'op.drop_table("author")')
    (first,) = rehearsed(project, traced_server, "r0", select=("unnamed-constraint",))[0].new
    assert first.pattern == "unnamed-constraint"
    assert rehearsed(project, traced_server, "r1", select=("unnamed-constraint",))[0].new == ()


def test_where_the_server_is_somebody_s_this_is_said(make, server) -> None:
    project = make(BOOK)
    project.env(models=MODELS)
    config = Config(str(project.folder / "alembic.ini"), stdout=io.StringIO())
    url = server.url("postgres").render_as_string(hide_password=False)
    flags = ("head", "splice", "branch_label", "version_path", "depends_on", "sql")
    arguments = {**dict.fromkeys(flags), "head": "head", "message": "x", "rev_id": "r1"}
    with inside(project.folder):
        write(config, argparse.Namespace(server=url, prepare=None), arguments)
    said = config.stdout.getvalue()
    assert "migrations/versions/r1_x.py: up, down and up again on PostgreSQL" in said
    assert f"\npgpatterns: {UNWATCHED}.\n" in said
    assert "old code" not in said
