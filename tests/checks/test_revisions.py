"""`alembic pgcheck` and revisions: which are looked at, what is suppressed, and what is said of the whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config

from alembic_pgpatterns.checks.project import check
from alembic_pgpatterns.config.reading import read_settings
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.baseline import Baseline
from alembic_pgpatterns.findings.report_model import Report
from tests import projects
from tests.tracing import Silent, inside

BOOK = 'op.execute("CREATE TABLE book (id bigint PRIMARY KEY, title text, kind text, code varchar(255))")'
INDEX = 'op.create_index("ix_book_{0}", "book", ["{0}"])'
DROP = 'op.drop_index("ix_book_{0}", "book")'


def checked(project: projects.Project, **settings: object) -> Report:
    with inside(project.folder):
        own = Project(Config("alembic.ini"))
        given = {"select": ("revisions",), "downgrade": False, **settings}
        try:
            return check(own, read_settings(own.ini, own.pyproject, given), Silent())
        finally:
            sys.modules.pop("models", None)


def found(report: Report, pattern: str = "blocking-index-build") -> list[str]:
    return [str(f.revision) for f in report.findings if f.pattern == pattern]


@pytest.fixture
def history(tmp_path: Path) -> projects.Project:
    """r0, then r1 and r2, which build an index each."""
    project = projects.make(tmp_path)
    project.revision("r0", BOOK, downgrade='op.drop_table("book")')
    for number, column in ((1, "title"), (2, "kind")):
        project.revision(f"r{number}", INDEX.format(column), f"r{number - 1}", DROP.format(column))
    return project


def baseline(project: projects.Project, *heads: str) -> None:
    Baseline(heads=heads).write(project.folder / "pgpatterns-baseline.txt")


def test_all_of_a_short_history(history) -> None:
    assert found(checked(history)) == ["r2", "r1"] or found(checked(history)) == ["r1", "r2"]


def test_the_last_ones_of_a_long_one_and_it_says_so(history) -> None:
    report = checked(history, history=1)
    assert found(report) == ["r2"]
    assert ["2 of 3" in item.reason for item in report.skipped if item.subject == "older revisions"] == [True]
    assert found(checked(history, history=0)) == []


@pytest.mark.long
def test_those_after_the_baseline(history) -> None:
    baseline(history, "r1")
    assert found(checked(history)) == ["r2"]
    baseline(history, "r2")
    assert found(checked(history)) == []
    assert sorted(found(checked(history, since="base"))) == ["r1", "r2"]
    assert found(checked(history, since="r1")) == ["r2"]


def test_an_unknown_revision_is_named(history) -> None:
    with pytest.raises(PgPatternsError, match="nothere"):
        checked(history, since="nothere")


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.invalid", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def test_those_that_the_branch_adds(history) -> None:
    git(history.folder, "init", "-q", "-b", "trunk")
    git(history.folder, "add", ".")
    git(history.folder, "commit", "-q", "-m", "start")
    git(history.folder, "checkout", "-q", "-b", "work")
    history.revision("r3", 'op.create_index("ix_three", "book", ["kind", "id"])', "r2", 'op.drop_index("ix_three")')
    git(history.folder, "add", ".")
    git(history.folder, "commit", "-q", "-m", "three")
    history.revision("r4", 'op.create_index("ix_four", "book", ["title", "id"])', "r3", 'op.drop_index("ix_four")')
    assert sorted(found(checked(history, diff_base="trunk"))) == ["r3", "r4"]
    with pytest.raises(PgPatternsError, match="--diff-base"):
        checked(history, diff_base="nothere")


def test_the_head_is_the_same_whether_revisions_are_traced_or_not(history) -> None:
    back = 'op.add_column("book", sa.Column("title", sa.Text))'
    history.revision("r3", 'op.drop_column("book", "title")', "r2", back)
    schema = ("indexes", "types", "constraints", "security")
    plain = checked(history, select=schema)
    traced = checked(history, select=(*schema, "revisions"), downgrade=True)
    assert {f.pattern for f in plain.findings} == {"varchar-length"}
    assert [f for f in traced.findings if f.pattern == "varchar-length"] == list(plain.findings)
    assert found(traced, "irreversible-revision") == ["r3"]


def test_suppressions_in_the_file(history) -> None:
    comment = "  # pgpatterns: ignore[blocking-index-build, missing-lock-timeout] small"
    history.revision("r2", INDEX.format("kind") + comment, "r1", DROP.format("kind"))
    report = checked(history)
    assert found(report) == ["r1"]
    assert report.suppressed == 2


def test_a_suppression_of_the_whole_file_and_above_a_statement(history) -> None:
    path = history.revision("r2", INDEX.format("kind"), "r1", DROP.format("kind"))
    path.write_text("# pgpatterns: ignore[blocking-index-build] nobody uses it yet\n" + path.read_text())
    above = "# pgpatterns: ignore[blocking-index-build] nobody uses it yet\n" + INDEX.format("title")
    history.revision("r1", above, "r0", DROP.format("title"))
    report = checked(history)
    assert found(report) == []
    assert report.suppressed == 2
    assert not any("ignore[" in hint for hint in report.hints)


def test_unused_and_unknown_suppressions_are_named(history) -> None:
    text = "# pgpatterns: ignore[table-rewrite] why\n# pgpatterns: ignore[tabel-rewrite] typo\n" + INDEX.format("kind")
    history.revision("r2", text, "r1", DROP.format("kind"))
    hints = [hint for hint in checked(history).hints if "ignore[" in hint]
    assert len(hints) == 2
    assert "r2.py" in hints[0]
    assert "suppresses nothing" in hints[0]
    assert "no pattern of that name" in hints[1]


@pytest.mark.long
def test_write_baseline_accepts_the_past_by_its_heads_alone(history) -> None:
    assert history.alembic("pgcheck", "--write-baseline").returncode == 0
    text = (history.folder / "pgpatterns-baseline.txt").read_text()
    assert "# heads: r2" in text
    assert "blocking-index-build" not in text
    done = history.alembic("pgcheck", "--format", "json", "--no-downgrade")
    document = json.loads(done.stdout)
    assert document["stale"] == []
    assert {f["pattern"] for f in document["findings"]} == set()


@pytest.mark.long
def test_the_plan(history, tmp_path) -> None:
    history.revision("r3", 'op.drop_column("book", "kind")', "r2", "raise NotImplementedError")
    (history.folder / "rows").write_text("book 1234567\n")
    done = history.alembic("pgcheck", "--plan", "--stats", "rows", "--since", "r1")
    assert done.returncode == 0, done.stderr
    assert "1,234,567" in done.stdout
    assert "index build under SHARE" in done.stdout
    assert "keep running the old code: no, it would fail (public.book.kind)" in done.stdout
    done = history.alembic("pgcheck", "--plan", "markdown", "--since", "r2")
    assert "| public.book | ACCESS EXCLUSIVE | reads and writes |" in done.stdout


def test_a_server_that_is_not_ours_is_not_watched(history, server) -> None:
    url = server.url("postgres").render_as_string(hide_password=False)
    report = checked(history, server=url)
    assert found(report) == []
    assert any("--server" in item.reason for item in report.skipped)


@pytest.mark.long
def test_two_heads(history) -> None:
    history.revision("other", "pass", "r1")
    report = checked(history)
    assert len([f for f in report.findings if f.pattern == "multiple-heads"]) == 1
    history.revision("merge", "pass", ("r2", "other"))
    assert not [f for f in checked(history).findings if f.pattern == "multiple-heads"]


@pytest.mark.long
def test_one_transaction_over_revisions_that_lock(history) -> None:
    assert [f.pattern for f in checked(history).findings].count("transaction-spans-revisions") == 1
    history.env(options="transaction_per_migration=True")
    assert [f.pattern for f in checked(history).findings].count("transaction-spans-revisions") == 0


def test_lock_of_env_py_that_a_commit_would_release(history) -> None:
    env = (history.folder / "migrations" / "env.py").read_text()
    lock = "connection.exec_driver_sql('SELECT pg_advisory_xact_lock(1)')"
    run = "            context.run_migrations()\n\n\nif"
    assert run in env
    history.write("migrations/env.py", env.replace(run, f"            {lock}\n{run}"))
    # Of both: the builds' advice has an autocommit block, and one transaction a revision commits after the first.
    told = {"blocking-index-build", "transaction-spans-revisions"}
    remedies = {f.pattern: str(f.remedy) for f in checked(history).findings if f.pattern in told}
    assert set(remedies) == told
    assert all("pg_try_advisory_lock" in text for text in remedies.values())


def test_block_of_batch_alter_table(history) -> None:
    batch = 'with op.batch_alter_table("book") as batch:\n    batch.create_index("ix_book_code", ["code"])'
    history.revision("r3", batch, "r2")
    notes = {str(f.revision): str(f.remedy) for f in checked(history).findings if f.pattern == "blocking-index-build"}
    assert {name for name, text in notes.items() if "behind the op.batch_alter_table block" in text} == {"r3"}
    # Such blocks are made for SQLite, on which all revisions run then.
    assert all("SQLite has none of this" in text for text in notes.values())


@pytest.mark.long
def test_env_py_that_opens_the_transaction(history) -> None:
    pattern = "opened-transaction-with-autocommit"
    assert [f.pattern for f in checked(history).findings].count(pattern) == 0
    path = history.folder / "migrations/env.py"
    path.write_text(path.read_text().replace("engine.connect()", "engine.begin()"))
    (found,) = [f for f in checked(history).findings if f.pattern == pattern]
    assert str(found.severity) == "warning"
    assert found.location is not None
    assert found.location.path == "migrations/env.py"


SECURED = "ALTER TABLE book ENABLE ROW LEVEL SECURITY"
OWN = "CREATE POLICY own ON book USING (id = tenant())"
MODELS = """
from sqlalchemy import *
target_metadata = MetaData()
book = Table("book", target_metadata, Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("title", Text), Column("kind", Text), Column("code", String(255)){more})
Index("ix_book_title", book.c.title{title})
Index("ix_book_kind", book.c.kind)
"""


def test_models_that_agree(history) -> None:
    history.env(models=MODELS.format(more="", title=""))
    assert found(checked(history), "model-drift") == []


@pytest.mark.long
@pytest.mark.sample(3)
@pytest.mark.parametrize(
    ("more", "title", "said"),
    [
        ("", ', postgresql_where=text("title IS NOT NULL")', "predicate"),
        ("", ', postgresql_include=["kind"]', "INCLUDE"),
        ("", ', postgresql_ops={"title": "text_pattern_ops"}', "text_pattern_ops"),
        (', CheckConstraint("id > 0", name="positive")', "", "positive"),
        (', Column("more", Text)', "", "more"),
        (', Column("twice", BigInteger, Computed("id * 2"))', "", "twice"),
    ],
)
def test_models_that_drifted(history, more: str, title: str, said: str) -> None:
    history.env(models=MODELS.format(more=more, title=title))
    drifts = [f for f in checked(history).findings if f.pattern == "model-drift"]
    assert len(drifts) == 1
    assert said in drifts[0].message


@pytest.mark.long
@pytest.mark.sample(3)
@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("", "enable_row_security"),
        ("ALTER TABLE book ENABLE ROW LEVEL SECURITY", "create_policy"),
        (f"{SECURED}; CREATE POLICY own ON book USING (id > 1)", "alter_policy"),
        (f"{SECURED}; {OWN}; CREATE POLICY other ON book USING (true)", "drop_policy"),
        (f"{SECURED}; {OWN}; ALTER TABLE book FORCE ROW LEVEL SECURITY", "no_force_row_security"),
        (f"{SECURED}; CREATE POLICY own ON book USING (id = ((tenant())))", ""),
    ],
)
def test_what_models_declare_in_our_words(history, head: str, said: str) -> None:
    more = ', RowSecurity(), Policy("own", using="id = tenant()")'
    declared = "from alembic_pgpatterns.declare import Policy, RowSecurity\n"
    history.env(models=declared + MODELS.format(more=more, title=""))
    function = "CREATE FUNCTION tenant() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT 1::bigint'"
    history.sql("r3", f"{function}; {head}", "r2")
    drifts = [f.message for f in checked(history).findings if f.pattern == "model-drift"]
    assert len(drifts) == (1 if said and head else 2 if said else 0)
    assert any(said in message for message in drifts) or not said


@pytest.mark.long
def test_a_revision_that_says_it_cannot_be_undone_is_respected(history) -> None:
    history.revision("r3", 'op.drop_column("book", "kind")', "r2", 'raise RuntimeError("no way back")')
    assert found(checked(history, downgrade=True), "irreversible-revision") == []
    history.revision("r3", 'op.drop_column("book", "kind")', "r2", "None.nothing()")
    assert found(checked(history, downgrade=True), "irreversible-revision") == ["r3"]
    assert found(checked(history, downgrade=False), "irreversible-revision") == []


@pytest.mark.long
def test_a_constraint_that_the_downgrade_does_not_name(history) -> None:
    """As autogenerate writes it where the models have no naming convention."""
    history.revision(
        "r3",
        'op.create_unique_constraint(None, "book", ["kind"])',
        "r2",
        'op.drop_constraint(None, "book", type_="unique")',
    )
    (finding,) = [item for item in checked(history, downgrade=True).findings if item.pattern == "irreversible-revision"]
    assert finding.message == "the downgrade fails: it drops a constraint without naming it"
    assert "'book_kind_key' there in place of None" in str(finding.remedy)


@pytest.mark.long
def test_files_without_a_downgrade_are_said_once(history) -> None:
    """A project that writes none is not told so for every file."""
    for path in sorted(history.versions.glob("r*.py")):
        text = path.read_text()
        path.write_text(text[: text.index("def downgrade")])
    history.revision("r3", 'op.drop_column("book", "kind")', "r2", "None.nothing()")
    report = checked(history, downgrade=True)
    assert found(report, "irreversible-revision") == ["r3"]
    skipped = [(item.subject, item.expected) for item in report.skipped if "no downgrade()" in item.reason]
    assert skipped == [("the downgrades of 3 revisions such as r0", True)]


@pytest.mark.long
def test_a_table_that_a_revision_reflects_is_no_model(history) -> None:
    """A revision may use the models' own MetaData as a scratch pad; autogenerate, which runs none, never sees that."""
    history.write("models.py", projects.BOOKS_AND_AUTHORS)
    history.env(models="import sys; sys.path.insert(0, '.')\nimport models\ntarget_metadata = models.Base.metadata\n")
    history.revision("r3", 'op.execute("CREATE TABLE old_book (id int PRIMARY KEY)")', "r2")
    history.revision(
        "r4",
        """
        import models
        models.Base.metadata.reflect(op.get_bind(), only=["old_book"])
        op.drop_table("old_book")
        """,
        "r3",
    )
    drifts = [finding.message for finding in checked(history).findings if finding.pattern == "model-drift"]
    assert any("author is in the models" in message for message in drifts)
    assert not any("old_book" in message for message in drifts)


@pytest.mark.long
def test_a_revision_that_needs_company_does_not_end_the_trace(history) -> None:
    """Alembic remembers enum types within one run: the second CREATE TYPE is left out there, and fails alone."""
    table = 'op.create_table("{}", sa.Column("mood", sa.Enum("a", "b", name="mood")))'
    history.revision("r3", table.format("one"), "r2", "raise NotImplementedError")
    history.revision("r4", table.format("two"), "r3", "raise NotImplementedError")
    history.revision("r5", 'op.create_index("ix_late", "book", ["id"])', "r4", 'op.drop_index("ix_late")')
    report = checked(history, since="r2")
    assert found(report) == ["r5"]
    assert [item.subject for item in report.skipped if item.subject.startswith("revision ")] == ["revision r4"]


@pytest.mark.parametrize(
    ("upgrade", "said"),
    [
        ('op.execute("CREATE INDEX CONCURRENTLY i ON book (id)")', "concurrent-in-transaction"),
        ('op.execute("CREATE TYPE m AS ENUM (\'a\')")\nop.execute("COMMIT")\nop.execute("BEGIN")\n'
         'op.execute("ALTER TYPE m ADD VALUE \'b\'")\nop.execute("SELECT \'b\'::m")', "enum-value-used-at-once"),
    ],
)  # fmt: skip
def test_what_fails_names_its_pattern(history, upgrade: str, said: str) -> None:
    history.revision("r3", upgrade, "r2")
    with pytest.raises(PgPatternsError, match=said):
        checked(history)
