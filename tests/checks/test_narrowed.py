"""The plan says where old code may use what a revision takes away: a label, a value, a function."""

from __future__ import annotations

from pathlib import Path

from tests.projects import make

BEFORE = """
CREATE TYPE state AS ENUM ('new', 'legacy');
CREATE TABLE book (id bigint PRIMARY KEY, state state, code varchar(9), note text, pages int, price numeric(6,2));
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n';
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touch BEFORE UPDATE ON book FOR EACH ROW EXECUTE FUNCTION touch();
"""
LABEL = """
ALTER TYPE state RENAME TO state_old;
CREATE TYPE state AS ENUM ('new');
ALTER TABLE book ALTER COLUMN state TYPE state USING state::text::state;
DROP TYPE state_old;
"""
# What a revision does, and what the plan says of old code.
CASES = (
    (LABEL, "public.book.state: where it uses 'legacy'"),
    ("ALTER TABLE book ALTER COLUMN code TYPE varchar(3)", "public.book.code: where its values do not fit"),
    ("ALTER TABLE book ALTER COLUMN pages TYPE int2", "public.book.pages: where its values do not fit"),
    ("ALTER TABLE book ALTER COLUMN price TYPE numeric(4,2)", "public.book.price: where its values do not fit"),
    ("ALTER TABLE book ADD CONSTRAINT few CHECK (pages < 9) NOT VALID", None),
    (
        "ALTER TABLE book ADD CONSTRAINT filled CHECK (note <> '')",
        "public.book.filled: where its rows do not satisfy it",
    ),
    ("DROP FUNCTION twice", "public.twice(integer): where it calls it"),
    # Nothing that old code could miss.
    ("ALTER TABLE book VALIDATE CONSTRAINT filled", "yes"),
    ("ALTER TYPE state ADD VALUE 'old'", "yes"),
    ("DROP TRIGGER touch ON book; DROP FUNCTION touch", "yes"),
    ("ALTER TABLE book ALTER COLUMN code TYPE text, ADD CONSTRAINT short CHECK (char_length(code) <= 9)", "yes"),
    ("ALTER TABLE book ALTER COLUMN price TYPE numeric(9,2)", "yes"),
)


def test_what_a_revision_takes_away(tmp_path: Path) -> None:
    project = make(tmp_path)
    project.sql("r0", BEFORE)
    for number, (statements, _) in enumerate(CASES, 1):
        project.sql(f"r{number}", statements, f"r{number - 1}")
    done = project.alembic("pgcheck", "--plan", "--since", "r0")
    assert done.returncode == 0, done.stderr
    said = [line.partition("old code: ")[2] for line in done.stdout.splitlines() if "keep running the old code" in line]
    assert len(said) == len(CASES)
    for (statements, expected), line in zip(CASES, said, strict=True):
        assert expected is None or (expected in line and line.startswith("yes" if expected == "yes" else "no,")), (
            statements,
            line,
        )
