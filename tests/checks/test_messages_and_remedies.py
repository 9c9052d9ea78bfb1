"""What findings say and propose, where the facts around a statement decide it; proposals are run."""

from __future__ import annotations

from functools import partial
from textwrap import dedent

import pytest

from alembic_pgpatterns.checks.deploy_plan import plans
from alembic_pgpatterns.patterns import registry
from alembic_pgpatterns.patterns.revisions.irreversible_revision import IrreversibleRevision
from tests.tracing import findings, trace

pytestmark = pytest.mark.usefixtures("held_messages")

BOOK = """
    CREATE TABLE author (id bigint PRIMARY KEY);
    CREATE TABLE book (id bigint PRIMARY KEY, author_id bigint, title varchar(50), pages integer, at timestamp);
    INSERT INTO author VALUES (1);
    INSERT INTO book VALUES (1, 1, 'a', 10, '2026-01-01');
"""
TIMEOUT = "op.execute(\"SET LOCAL lock_timeout = '5s'\")\n"


@pytest.fixture
def found(make, traced_server):
    def found(upgrade: str, pattern: str, existing: str = BOOK):
        traced = trace(make(existing, upgrade, downgrade="raise NotImplementedError"), traced_server, ["r1"])
        assert traced.skipped == ()
        return findings(registry()[pattern], traced.runs)

    return found


def proposed(finding) -> str:
    return finding.remedy.text


def test_the_lock_that_an_earlier_statement_left_is_named(found) -> None:
    key = 'op.create_foreign_key("book_author", "book", "author", ["author_id"], ["id"])\n'
    (alone,) = found(key, "validating-foreign-key")
    assert alone.message.endswith("while SHARE ROW EXCLUSIVE is held on public.book and public.author: writes wait")
    (after,) = found('op.add_column("book", sa.Column("note", sa.Text()))\n' + key, "validating-foreign-key")
    assert after.message.endswith(
        "while ACCESS EXCLUSIVE is held on public.book and SHARE ROW EXCLUSIVE is held on public.author: "
        "reads and writes wait"
    )
    index = 'op.create_index("ix_book_title", "book", ["title"])\n'
    (alone,) = found(index, "blocking-index-build")
    assert "building ix_book_title keeps SHARE on public.book until it is done: writes wait" in alone.message
    (after,) = found('op.add_column("book", sa.Column("note", sa.Text()))\n' + index, "blocking-index-build")
    assert "while this transaction holds ACCESS EXCLUSIVE on public.book: reads and writes wait" in after.message


def test_a_key_on_a_new_column_comes_with_it(found) -> None:
    add = 'op.add_column("book", sa.Column("editor_id", sa.BigInteger()))\n'
    key = 'op.create_foreign_key("book_editor", "book", "author", ["editor_id"], ["id"], ondelete="SET NULL")\n'
    (finding,) = found(add + key, "validating-foreign-key")
    assert proposed(finding).startswith(
        'op.execute("ALTER TABLE book ADD COLUMN editor_id bigint CONSTRAINT book_editor REFERENCES author (id) ON '
        'DELETE SET NULL")'
    )
    assert found(TIMEOUT + proposed(finding), "validating-foreign-key") == []
    (filled,) = found(add + 'op.execute("UPDATE book SET editor_id = 1")\n' + key, "validating-foreign-key")
    assert "NOT VALID" in proposed(filled)


@pytest.mark.long
@pytest.mark.parametrize("using", ["", " USING at AT TIME ZONE 'UTC'", " USING timezone('utc', at)"])
def test_timestamps_of_utc_become_aware_without_a_rewrite(found, using: str) -> None:
    berlin = "op.execute(\"SET LOCAL timezone = 'Europe/Berlin'\")\n"
    (finding,) = found(f'{berlin}op.execute("ALTER TABLE book ALTER at TYPE timestamptz{using}")', "table-rewrite")
    assert "SET LOCAL timezone" in proposed(finding)
    assert found(berlin + proposed(finding), "table-rewrite") == []


def test_another_zone_is_written_anew(found) -> None:
    alter = "ALTER TABLE book ALTER at TYPE timestamptz USING at AT TIME ZONE 'Europe/Berlin'"
    (finding,) = found(f'op.execute("{alter}")', "table-rewrite")
    assert "timezone" not in proposed(finding)


@pytest.mark.long
def test_a_shorter_varchar(found) -> None:
    (finding,) = found('op.alter_column("book", "title", type_=sa.String(20))', "table-rewrite")
    assert "from character varying(50) to character varying(20), which fails where a value is longer" in finding.message
    assert "CHECK (char_length(title) <= 20) NOT VALID" in proposed(finding)
    for pattern in ("table-rewrite", "validating-check", "validated-in-same-transaction"):
        assert found(TIMEOUT + proposed(finding), pattern) == []


@pytest.mark.long
def test_a_data_change_says_which_rows_and_how_else(found) -> None:
    update = "UPDATE book SET title = '-', pages = 1 WHERE title IS NULL"
    (finding,) = found(f'op.execute("{update}")', "unbatched-data-change")
    assert "changes all rows of public.book where title IS NULL: each stays locked" in finding.message
    assert proposed(finding).startswith(
        'op.backfill("book", {"title": sa.text("\'-\'"), "pages": sa.text("1")}, where="title IS NULL")'
    )
    assert found(proposed(finding), "unbatched-data-change") == []
    (finding,) = found("""op.execute("UPDATE book SET title = 'x' WHERE pages IS NOT NULL")""", "unbatched-data-change")
    assert """where="(pages IS NOT NULL) AND (title IS DISTINCT FROM ('x'))")""" in proposed(finding)
    assert found(proposed(finding), "unbatched-data-change") == [], "the backfill ran to its end"
    (finding,) = found('op.execute("UPDATE book SET pages = pages + 1")', "unbatched-data-change")
    assert "where=…" in proposed(finding)
    parameters = 'op.get_bind().execute(sa.text("UPDATE book SET title = :t WHERE title IS NULL"), {"t": "x"})'
    (finding,) = found(parameters, "unbatched-data-change")
    assert "…" in proposed(finding)
    (finding,) = found('op.execute("DELETE FROM book WHERE title IS NULL")', "unbatched-data-change")
    assert "TRUNCATE" not in proposed(finding)


def test_remedies_name_a_renamed_table_as_it_is_called_then(found) -> None:
    rename = 'op.rename_table("book", "Volume")\n'
    (finding,) = found(rename + 'op.alter_column("Volume", "title", nullable=False)', "blocking-not-null")
    assert 'ALTER TABLE "Volume" ADD CONSTRAINT' in proposed(finding)
    assert "public.book.title" in finding.message


def test_other_work_under_a_lock_is_a_warning(found) -> None:
    add = 'op.add_column("book", sa.Column("note", sa.Text()))\n'
    (finding,) = found(add + 'op.alter_column("author", "id", type_=sa.Numeric())', "strong-lock-then-more")
    assert (str(finding.severity), finding.message.split(" is held while ")[1]) == (
        "warning",
        f"line {finding.location.line} rewrites public.author",
    )
    (finding,) = found(add + 'op.add_column("author", sa.Column("note", sa.Text()))', "strong-lock-then-more")
    assert str(finding.severity) == "info"


def test_what_leaves_the_transaction_is_said_by_its_own_finding_alone(found) -> None:
    """An index that is built CONCURRENTLY, and a constraint that is validated later, hold no other table's lock."""
    add = 'op.add_column("book", sa.Column("note", sa.Text()))\n'
    build = 'op.create_index("ix_author_id", "author", ["id"])\n'
    assert found(add + build, "strong-lock-then-more") == []
    assert len(found(add + build, "blocking-index-build")) == 1
    two = build + 'op.create_index("ix_book_title", "book", ["title"])'
    assert found(two, "strong-lock-then-more") == []
    check = 'op.create_check_constraint("positive", "author", "id > 0")'
    (finding,) = found(add + check, "strong-lock-then-more")
    assert str(finding.severity) == "info", "NOT VALID takes the lock as well, for a moment"


@pytest.mark.long
def test_an_index_that_goes_with_its_column_or_waits_for_nobody(found) -> None:
    """DROP INDEX is instant. What matters is whether the statement has to wait for the lock."""
    indexed = BOOK + "CREATE INDEX ix_book_title ON book (title); CREATE INDEX ix_book_pages ON book (pages, title);"
    drop = 'op.drop_index("ix_book_title", "book")\n'
    both = drop + 'op.drop_index("ix_book_pages", "book")\n'
    run = partial(found, pattern="blocking-index-drop", existing=indexed)
    assert len(run(both)) == 2
    assert run(both + 'op.drop_column("book", "title")') == []
    partly = indexed + "CREATE INDEX ix_book_long ON book (pages) WHERE title > 'm';"
    of_condition = 'op.drop_index("ix_book_long", "book")\nop.drop_column("book", "title")'
    assert found(of_condition, "blocking-index-drop", partly) == []
    assert [item.object for item in run(both + 'op.drop_column("book", "pages")')] == ["public.ix_book_title"]
    add = 'op.add_column("book", sa.Column("note", sa.Text()))\n'
    assert run(add + drop) == []
    assert len(run(drop + add)) == 1


@pytest.mark.long
def test_an_enum_made_again_needs_only_a_new_label(found) -> None:
    enum = BOOK + "CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE mind (id bigint PRIMARY KEY, mood mood);"
    again = """
        op.execute("ALTER TYPE mood RENAME TO mood_old")
        op.execute("CREATE TYPE mood AS ENUM ('sad', 'it''s fine')")
        op.execute("ALTER TABLE mind ALTER COLUMN mood TYPE mood USING mood::text::mood")
        op.execute("DROP TYPE mood_old")
    """
    (finding,) = found(dedent(again), "table-rewrite", enum)
    assert "(the type of mood to an enum of the same name with more labels)" in finding.message
    proposal = proposed(finding)
    assert proposal.startswith("op.execute(\"ALTER TYPE public.mood ADD VALUE IF NOT EXISTS 'it''s fine'\")")
    assert found(proposal, "table-rewrite", enum) == []
    arrays = again.replace("TYPE mood USING mood::text::mood", "TYPE mood[] USING mood::text[]::mood[]")
    (finding,) = found(dedent(arrays), "table-rewrite", enum.replace("mood mood)", "mood mood[])"))
    assert proposed(finding) == proposal  # labels are the type's, not the array's
    fewer = again.replace("'sad', ", "")
    (finding,) = found(dedent(fewer), "table-rewrite", enum)
    assert "to an enum of the same name with other labels" in finding.message


@pytest.mark.parametrize(
    "upgrade",
    [
        'op.execute("TRUNCATE book; ALTER TABLE book ADD COLUMN kind text NOT NULL")',
        'op.execute("ALTER TABLE book ADD kind text; UPDATE book SET kind = title;'
        'ALTER TABLE book ALTER kind SET NOT NULL")',
        'op.execute("ALTER TABLE book ADD k text; UPDATE book SET k = title; ALTER TABLE book ALTER k SET NOT NULL;'
        'ALTER TABLE book RENAME k TO kind")',
    ],
)
def test_a_new_column_that_old_code_does_not_fill(make, traced_server, upgrade: str) -> None:
    traced = trace(make(BOOK, upgrade, downgrade="raise NotImplementedError"), traced_server, ["r1"])
    (finding,) = findings(registry()["required-column-without-default"], traced.runs)
    assert str(finding.severity) == "warning"
    assert finding.message.startswith("kind of public.book is new, NOT NULL, and without a default after")
    (plan,) = plans(traced.runs, [finding])
    assert plan.old_code == ("public.book.kind: its INSERTs lack it, so wait until only new code runs",)


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ("ALTER pages TYPE text", True),
        ("ALTER at TYPE timestamptz", True),
        ("ALTER title TYPE varchar(80)", False),
        ("ALTER pages TYPE bigint", False),
        ("ALTER title TYPE text", False),
        ("DROP pages, ADD pages text", True),
        ("DROP pages, ADD pages bigint", False),
    ],
)
@pytest.mark.sample(3)
def test_a_column_of_another_kind_breaks_old_code(make, traced_server, change: str, broken: bool) -> None:
    project = make(BOOK, f'op.execute("ALTER TABLE book {change}")', downgrade="raise NotImplementedError")
    traced = trace(project, traced_server, ["r1"])
    (plan,) = plans(traced.runs, [])
    assert plan.old_code == ((f"public.book.{'at' if ' at ' in change else 'pages'}",) if broken else ())
    dropped = findings(registry()["drop-under-running-code"], traced.runs)
    assert [finding.object for finding in dropped] == (["public.book.pages"] if broken and "DROP" in change else [])


def test_a_type_that_does_not_come_back_is_named_once(make, traced_server) -> None:
    project = make(
        BOOK,
        'op.alter_column("book", "pages", type_=sa.Text())',
        downgrade="op.execute('ALTER TABLE book ALTER pages TYPE bigint USING pages::bigint')",
    )
    (finding,) = findings(IrreversibleRevision, trace(project, traced_server, ["r1"]).runs)
    assert finding.message.endswith("is not what it was: column public.book.pages: type is bigint, was integer")
    project = make(
        BOOK,
        "op.execute('ALTER TABLE book ALTER pages TYPE numeric')",
        downgrade="op.execute('ALTER TABLE book ALTER pages TYPE text')",
    )
    (finding,) = findings(IrreversibleRevision, trace(project, traced_server, ["r1"]).runs)
    assert finding.message.endswith("is not what it was: column public.book.pages: type is text, was integer")
    assert finding.remedy is not None


RECREATE = """
with op.batch_alter_table("book", recreate="always") as batch:
    batch.add_column(sa.Column("n", sa.Integer()))
"""


@pytest.mark.long
def test_a_table_that_is_copied_is_written_anew(found) -> None:
    copied = "public.book is rewritten (copied into a table that replaces it)"
    (finding,) = found(RECREATE, "table-rewrite")
    assert finding.message.startswith(f"{copied} under ACCESS EXCLUSIVE: reads and writes wait")
    copy = "CREATE TABLE copy (LIKE book); INSERT INTO copy SELECT {}; DROP TABLE book; ALTER TABLE copy RENAME TO book"
    (finding,) = found(f'op.execute("{copy.format("* FROM book")}")', "table-rewrite")
    assert finding.message.startswith(f"{copied} and writes are not blocked during the copy")
    assert len(found(f'op.execute("{copy.format("* FROM (SELECT * FROM book) b")}")', "table-rewrite")) == 1
    assert found(f'op.execute("{copy.format("1")}")', "table-rewrite") == []
    assert found(f'op.execute("{copy.replace("SELECT {}", "VALUES (1)")}")', "table-rewrite") == []


def test_an_index_that_was_built_anew_on_the_way_is_the_one_it_was(found) -> None:
    existing = BOOK + "CREATE INDEX ix_book_pages ON book (pages);"
    drop = 'op.drop_index("ix_book_pages", "book")'
    # In a transaction of its own: otherwise the lock is held already when the index is dropped.
    retype = 'with op.get_context().autocommit_block():\n    op.alter_column("book", "pages", type_=sa.BigInteger())\n'
    assert len(found(retype + drop, "blocking-index-drop", existing)) == 1
    new = 'op.execute("CREATE TABLE new (n int); CREATE INDEX ix_new ON new (n); DROP INDEX ix_new")'
    assert found(new, "blocking-index-drop", existing) == []
    with_table = f'{drop}\nop.drop_table("book")'
    assert found(with_table, "blocking-index-drop", existing) == []
