"""A revision rehearsed from end to end: waits, failures that only rows show, content that is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alembic_pgpatterns.patterns import RehearsalPattern, registry
from alembic_pgpatterns.rehearsal.content import contents, lost
from alembic_pgpatterns.schema.catalog import reader as catalog
from tests.rehearsal.conftest import NAMES, Rehearse

BOOK = "CREATE TABLE book (id bigint PRIMARY KEY, title text, pages integer NOT NULL);"
QUIET = """
    def upgrade():
        op.execute("COMMENT ON TABLE book IS 'x'")
"""


def known_locks(rehearsed: Rehearse):
    """A revision that holds ACCESS EXCLUSIVE on one table and SHARE on another for two seconds."""
    result = rehearsed(
        f"""
        {BOOK}
        CREATE TABLE shelf (id bigint PRIMARY KEY, n integer);
        CREATE TABLE other (id bigint PRIMARY KEY, n integer);
        """,
        """
        def upgrade():
            op.execute("SELECT 1 FROM other LIMIT 1")
            op.execute("LOCK TABLE book IN ACCESS EXCLUSIVE MODE; LOCK TABLE shelf IN SHARE MODE")
            op.execute("SELECT pg_sleep(2)")
        """,
    )
    (revision,) = result.revisions
    reads = {table.table.name: table.read_wait for table in revision.tables}
    writes = {table.table.name: table.write_wait for table in revision.tables}
    return revision, (reads["book"], writes["book"], writes["shelf"]), (reads["shelf"], reads["other"], writes["other"])


@pytest.mark.long
def test_those_wait_whom_a_lock_blocks(rehearsed: Rehearse) -> None:
    """No time is asserted but the lock's own, from below: the machine may be busy."""
    revision, blocked, free = known_locks(rehearsed)
    assert min(blocked) > 1.5
    assert min(free) < min(blocked)
    assert [statement.location.line for statement in revision.statements] == [9, 10, 11]


@pytest.mark.real
def test_locks_of_a_known_time_are_measured(rehearsed: Rehearse) -> None:
    """The wait is the lock's time within 5 %, for those that it blocks; the others wait for nothing."""
    revision, blocked, free = known_locks(rehearsed)
    assert blocked == pytest.approx((2, 2, 2), rel=0.05)
    assert max(free) < 1
    book = next(table for table in revision.tables if table.table.name == "book")
    assert book.predicted is not None
    assert book.predicted.growth == "does not grow"


@pytest.mark.long
def test_rows_changed_and_wal_are_counted(rehearsed: Rehearse) -> None:
    result = rehearsed(BOOK, "def upgrade():\n    op.execute('UPDATE book SET pages = pages + 1')", rows=8000)
    (revision,) = result.revisions
    assert [statement.rows for statement in revision.statements] == [8000]
    assert revision.wal_bytes > 8000 * 50
    assert revision.sizes == (2000, 8000)
    assert [table.rows for table in revision.tables] == [8000]


NULLS = "contains null values; a row that stands in the way: ("
VIOLATED = "is violated by some row; a row that stands in the way: ("
FAILING = {
    "nulls": (
        "op.alter_column('book', 'title', nullable=False)",
        NULLS,
    ),
    "unique": ("op.create_unique_constraint('u', 'book', ['pages'])", "is duplicated"),
    "check": (
        "op.create_check_constraint('c', 'book', 'pages > 100000')",
        VIOLATED,
    ),
    "cast": (
        "op.execute('ALTER TABLE book ALTER title TYPE int USING (title || $x$a$x$)::int')",
        "invalid input syntax",
    ),
    "loop": ("[int(title) for (title,) in op.get_bind().execute(sa.text('SELECT title FROM book'))]", "int()"),
}


@pytest.mark.long
@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.long)])
def test_what_fails_only_with_rows_is_a_finding(rehearsed: Rehearse, every: int) -> None:
    """Each on a table of its own, so that none stands in the way of another."""
    failing = dict(list(FAILING.items())[::every])
    tables = "".join(BOOK.replace("book", f"book_{name}") for name in failing)
    sources = [
        f"def upgrade():\n    {statement.replace('book', f'book_{name}')}" for name, (statement, _) in failing.items()
    ]
    result = rehearsed(tables, *sources, rows=400)
    findings = {item.revision: item for item in result.findings if item.pattern == "fails-with-rows"}
    assert len(findings) == len(result.findings) == len(failing)
    for revision, (_, said) in zip(NAMES, failing.values(), strict=False):
        assert said in findings[revision].message
        assert findings[revision].location is not None
        assert findings[revision].location.line == 9


@pytest.mark.long
def test_keys_pointed_at_another_column_fail_as_soon_as_there_is_a_row(rehearsed: Rehearse) -> None:
    """A uuid column becomes the name, and foreign keys that held uuids now shall hold names."""
    result = rehearsed(
        """
        CREATE TABLE author (id uuid PRIMARY KEY, name text NOT NULL UNIQUE);
        CREATE TABLE book (id bigint PRIMARY KEY, author_id uuid NOT NULL REFERENCES author);
        """,
        """
        def upgrade():
            op.drop_constraint("book_author_id_fkey", "book")
            op.execute("ALTER TABLE book ALTER author_id TYPE text")
            op.alter_column("book", "author_id", new_column_name="author_name")
            op.create_foreign_key("book_author_name_fkey", "book", "author", ["author_name"], ["name"])
        """,
        rows=400,
    )
    (finding,) = [item for item in result.findings if item.pattern == "fails-with-rows"]
    assert "is not present in table" in finding.message
    assert finding.location is not None
    assert finding.location.line == 12


@pytest.mark.long
def test_rows_that_the_revision_demands_are_measured_although_others_fail(rehearsed: Rehearse) -> None:
    result = rehearsed(BOOK, "def upgrade():\n    op.alter_column('book', 'title', nullable=False)\n")
    assert [finding.pattern for finding in result.findings] == ["fails-with-rows"]
    assert [table.rows for table in result.revisions[0].tables] == [4000]


@pytest.mark.sample(6)
@pytest.mark.parametrize(
    "pattern", [pytest.param(cls, id=name) for name, cls in registry().items() if issubclass(cls, RehearsalPattern)]
)
@pytest.mark.parametrize("example", ["bad", "good"])
def test_the_examples_of_the_patterns(pattern: type[RehearsalPattern], example: str, rehearsed: Rehearse) -> None:
    result = rehearsed(pattern.existing, getattr(pattern, example), rows=400)
    found = [finding.pattern for finding in result.findings if finding.pattern == pattern.name]
    assert found == ([pattern.name] if example == "bad" else [])


BEGUN = """
    def begun():
        op.add_column("book", sa.Column("pages_new", sa.BigInteger()))
        op.execute("CREATE FUNCTION book_pages_new() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN\\n-- pgpatterns: fills the new column\\nNEW.pages_new := NEW.pages; RETURN NEW; END'")
        op.execute("CREATE TRIGGER new BEFORE INSERT OR UPDATE ON book FOR EACH ROW EXECUTE FUNCTION book_pages_new()")

    def ended():
        op.execute("DROP FUNCTION book_pages_new() CASCADE")
"""
BEGIN = f"""{BEGUN}
    def upgrade():
        begun()

    def downgrade():
        ended()
        op.drop_column("book", "pages_new")
"""
SWAP = f"""{BEGUN}
    def upgrade():
        ended()
        op.drop_column("book", "pages")
        op.alter_column("book", "pages_new", new_column_name="pages")
        op.execute("UPDATE book SET title = '-' WHERE title IS NULL")

    def downgrade():
        op.execute("ALTER TABLE book ALTER COLUMN pages TYPE integer")
        begun()
"""


@pytest.mark.long
def test_what_a_change_in_stages_makes_and_drops_is_no_loss(rehearsed: Rehearse) -> None:
    """The column that one revision fills and the next one renames holds nothing of the user's; a filled NULL neither.

    The old column is another thing: its values must come back.
    """
    assert rehearsed(BOOK, BEGIN, SWAP, rows=400).findings == ()


def test_equal_values_with_another_text_are_no_loss(any_database: Any) -> None:
    rows = """INSERT INTO note VALUES (1, '{"b":1,  "a": 2}', 1.50)"""
    any_database.execute(f"CREATE TABLE note (id bigint PRIMARY KEY, doc json, price numeric); {rows}")
    there = "ALTER TABLE note ALTER COLUMN doc TYPE jsonb, ALTER COLUMN price TYPE float"
    back = "ALTER TABLE note ALTER COLUMN doc TYPE json, ALTER COLUMN price TYPE numeric"
    with any_database.connect() as connection:
        seen = []
        for change in ("SELECT 1", there, back, "UPDATE note SET price = 1.6"):
            connection.execute(change)
            seen.append(contents(connection, catalog.read(connection)))
    before, between, after, changed = seen
    assert list(lost(before, after, between)) == []
    assert [item.column for item in lost(before, changed, between)] == ["price"]


@pytest.mark.long
def test_the_old_column_of_a_change_in_stages_must_come_back(rehearsed: Rehearse) -> None:
    lost = SWAP.replace("pages TYPE integer", "pages TYPE integer USING 1")
    result = rehearsed(BOOK, BEGIN, lost, rows=400)
    assert [item.object for item in result.findings] == ["public.book.pages"]


@pytest.mark.long
def test_a_dropped_column_that_comes_back_empty_is_told_as_information(rehearsed: Rehearse) -> None:
    result = rehearsed(
        BOOK,
        """
        def upgrade():
            op.drop_column("book", "title")

        def downgrade():
            op.add_column("book", sa.Column("title", sa.Text()))
        """,
        rows=400,
    )
    (finding,) = result.findings
    assert finding.pattern == "data-lost-on-downgrade"
    assert str(finding.severity) == "info"
    assert "values of book.title are gone" in finding.message


@pytest.mark.long
def test_production_decides_the_rows_and_what_is_predicted(rehearsed: Rehearse, tmp_path: Path) -> None:
    stats = tmp_path / "rows.txt"
    stats.write_text("book 4000000\nshelf 400\n", encoding="utf-8")
    result = rehearsed(
        f"{BOOK} CREATE TABLE shelf (id bigint PRIMARY KEY, n integer);",
        """
        def upgrade():
            op.execute("UPDATE book SET pages = 1")
            op.execute("UPDATE shelf SET n = 1")
        """,
        settings={"stats": stats},
    )
    tables = {table.table.name: table for table in result.revisions[0].tables}
    assert {name: table.rows for name, table in tables.items()} == {"book": 4000, "shelf": 1}
    assert {name: t.predicted.rows for name, t in tables.items() if t.predicted} == {"book": 4000000, "shelf": 400}


def test_a_revision_that_touches_nothing_needs_no_rows(rehearsed: Rehearse) -> None:
    result = rehearsed(BOOK, "def upgrade():\n    op.create_table('t', sa.Column('id', sa.Integer()))\n")
    (revision,) = result.revisions
    assert revision.tables == ()
    assert revision.note == "touches no table that existed before"


def test_time_that_is_over_is_said(rehearsed: Rehearse) -> None:
    result = rehearsed(BOOK, QUIET, seconds=0.001)
    assert [(item.subject, item.reason) for item in result.skipped] == [
        ("revision second", "the time of --budget was over")
    ]


@pytest.mark.long
@pytest.mark.parametrize("endless", ["op.execute('SELECT pg_sleep(600)')", "time.sleep(600)"], ids=["sql", "python"])
@pytest.mark.sample(2)
def test_a_revision_that_does_not_end_is_ended_with_the_budget(rehearsed: Rehearse, endless: str) -> None:
    """It ends on empty tables. Without the limit it would run for ten minutes per row."""
    source = f"""
        def upgrade():
            for row in op.get_bind().execute(sa.text("SELECT id FROM book")).all():
                {endless}
    """
    result = rehearsed(BOOK, source, seconds=8)
    assert ("revision second", "the time of --budget was over") in [(s.subject, s.reason) for s in result.skipped]
    assert result.findings == ()


def test_a_revision_that_fills_the_disk_is_ended(rehearsed: Rehearse) -> None:
    """On empty tables it writes nothing; per row it would write 200 MB."""
    source = """
        def upgrade():
            op.create_table("copy", sa.Column("t", sa.Text()))
            op.execute("INSERT INTO copy SELECT repeat(md5(n::text), 6) FROM book, generate_series(1, 1000000) n")
    """
    result = rehearsed(BOOK, source, bytes=100 << 20)
    (skipped,) = result.skipped
    assert skipped.reason.startswith("it needs more than 100 MB of disk")
    assert result.findings == ()


@pytest.mark.long
def test_less_disk_means_fewer_rows(rehearsed: Rehearse) -> None:
    """What the smaller number of rows has shown stays, if the larger one reaches the limit."""
    result = rehearsed(
        BOOK, "def upgrade():\n    op.execute('UPDATE book SET pages = 1')", rows=400_000, bytes=110 << 20
    )
    (revision,) = result.revisions
    assert max(revision.sizes) < 400_000
    assert any(text in result.skipped[0].reason for text in ("--disk allows", "MB of disk (--disk"))
    assert result.skipped[0].expected


@pytest.mark.long
def test_a_table_without_rows_is_named(rehearsed: Rehearse) -> None:
    result = rehearsed(
        "CREATE TABLE book (id bigint PRIMARY KEY CHECK (id > 5 AND id < 3), pages integer);",
        QUIET,
        rows=400,
    )
    assert [(item.table.name, item.reason) for item in result.unfilled] == [
        ("book", "no value of id satisfies check book_id_check")
    ]
    assert [(item.subject, item.reason) for item in result.unrehearsed] == [
        ("revision second on rows of public.book", "no value of id satisfies check book_id_check")
    ]


@pytest.mark.long
def test_own_rows_take_the_place_of_made_up_ones(rehearsed: Rehearse, tmp_path: Path) -> None:
    seed = tmp_path / "rows.sql"
    seed.write_text("INSERT INTO book VALUES (1, 'a', 1), (2, 'b', 2)", encoding="utf-8")
    result = rehearsed(BOOK, "def upgrade():\n    op.execute('UPDATE book SET pages = 0')", rows=400, seed=seed)
    assert [statement.rows for statement in result.revisions[0].statements] == [2]


NOT_VALID = "def upgrade():\n    op.execute('ALTER TABLE book ADD CONSTRAINT few CHECK (pages < 0) NOT VALID')"
VALIDATE = "def upgrade():\n    op.execute('ALTER TABLE book VALIDATE CONSTRAINT few')"


@pytest.mark.long
def test_validating_meets_rows_that_are_older_than_the_constraint(rehearsed: Rehearse) -> None:
    result = rehearsed(BOOK, NOT_VALID, VALIDATE, rows=400)
    (finding,) = [item for item in result.findings if item.pattern == "fails-with-rows"]
    assert finding.revision == "third"
    assert "few" in finding.message


@pytest.mark.long
def test_a_revision_between_them_mends_the_rows(rehearsed: Rehearse) -> None:
    mend = "def upgrade():\n    op.execute('UPDATE book SET pages = -1')"
    result = rehearsed(BOOK, NOT_VALID, mend, VALIDATE, rows=400)
    assert [item for item in result.findings if item.pattern == "fails-with-rows"] == []


@pytest.mark.long
def test_without_the_revision_that_adds_the_constraint_there_are_no_old_rows(rehearsed: Rehearse) -> None:
    result = rehearsed(BOOK, NOT_VALID, VALIDATE, rows=400, revisions=("third",))
    (skipped,) = result.skipped
    assert skipped.subject == "revision third on rows that are older than few on public.book"
    assert not skipped.expected
