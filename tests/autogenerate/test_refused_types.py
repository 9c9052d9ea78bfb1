"""A change of type that PostgreSQL refuses fails in the first file, with nothing begun, and runs once nothing is in its
way."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import DBAPIError

from tests.autogenerate.test_swap_dependents import whole
from tests.autogenerate.test_swap_stops import state

MODELS = """
other = Table("other", metadata, Column("id", BigInteger, primary_key=True), Column("n", Integer))
book = Table("book", metadata, Column("id", BigInteger, primary_key=True), Column("n", Integer), Column("kind", {}))
"""
LABELS = "Enum('a', 'b', name='kind')"
NUMBERS = "INSERT INTO other SELECT g, g FROM generate_series(1, 9) g; INSERT INTO book SELECT id, id, 1 FROM other"
ROWS = NUMBERS.replace("id, 1", "id, 'a'")
IN_THE_WAY = {
    "row filter": (
        "String(9)",
        LABELS,
        "CREATE PUBLICATION sent FOR TABLE book WHERE (kind = 'a') WITH (publish = 'insert')",
        "DROP PUBLICATION sent",
        "the row filter of publication sent",
    ),
    "cast over the text form": (
        "String(9)",
        "Integer",
        "CREATE PUBLICATION sent FOR TABLE book WHERE (kind = '1') WITH (publish = 'insert')",
        "DROP PUBLICATION sent",
        "the row filter of publication sent",
    ),
    "generated column": (
        "String(9)",
        LABELS,
        "ALTER TABLE book ADD seen boolean GENERATED ALWAYS AS (kind = 'a') VIRTUAL",
        "ALTER TABLE book DROP seen",
        "generated column seen",
    ),
    "index": ("String(9)", LABELS, "CREATE INDEX seen ON book ((kind = 'a'))", "DROP INDEX seen", "index seen"),
    "view": (
        LABELS,
        "Text",
        "CREATE VIEW inner_one AS SELECT * FROM book; CREATE VIEW seen AS SELECT id FROM inner_one WHERE kind = 'a'",
        "DROP VIEW seen",
        "view seen",
    ),
    "policy": (LABELS, "Text", "CREATE POLICY seen ON book USING (kind = 'a')", "DROP POLICY seen ON book", "policy"),
    "function": (
        "Integer",
        "BigInteger",
        """CREATE FUNCTION seen() RETURNS bigint BEGIN ATOMIC SELECT sum(kind) FROM book; END;
        CREATE VIEW shown AS SELECT kind FROM book WHERE id < seen()""",
        "DROP VIEW shown; DROP FUNCTION seen",
        "function seen()",
    ),
}


@pytest.mark.sample(2)
@pytest.mark.parametrize("case", IN_THE_WAY)
def test_nothing_is_begun(make_project, new_database, case: str) -> None:
    old, new, made, undone, named = IN_THE_WAY[case]
    database = new_database()
    project = make_project(database=database).without_patterns()
    project.configure('include_object=lambda o, name, kind, *more: name != "seen"')
    project.models(MODELS.format(old))
    project.revise("start")
    project.alembic("upgrade", "head")
    database.execute(f"{NUMBERS if 'Integer' in (old, new) else ROWS}; {made}")
    before = whole(database)
    project.models(MODELS.format(new).replace('"n", Integer', '"n", BigInteger'))
    text = "".join(project.revise("types"))
    assert text.count("CREATE TRIGGER") >= 2, "the other changes are made in stages"
    with pytest.raises(DBAPIError, match="cannot get the type") as raised:
        project.alembic("upgrade", "head")
    diagnosis = raised.value.orig.diag
    assert named in diagnosis.message_primary
    assert diagnosis.message_hint.startswith("This revision has changed nothing yet.")
    assert f"{named}" in diagnosis.message_hint
    assert whole(database) == before
    database.execute(undone)
    project.alembic("upgrade", "head")
    with database.connect() as connection:
        assert connection.execute("SELECT count(kind), count(n), sum(id) FROM book").fetchone() == (9, 9, 45)
    assert ("n", "bigint") in state(database)


def test_what_the_revision_itself_may_drop_is_left_to_it(make_project, new_database) -> None:
    database = new_database()
    project = make_project(database=database).without_patterns()
    project.models(MODELS.format(LABELS))
    project.revise("start")
    project.alembic("upgrade", "head")
    database.execute("CREATE POLICY seen ON book USING (kind = 'a')")
    hook = """process_revision_directives=lambda context, revision, directives: directives[0].upgrade_ops.ops.insert(
        0, __import__('alembic').operations.ops.ExecuteSQLOp('DROP POLICY seen ON book'))"""
    project.configure(hook)
    project.models(MODELS.format("Text"))
    project.revise("types")
    project.alembic("upgrade", "head")
    assert ("kind", "text") in state(database)


def test_a_table_whose_rows_cannot_be_updated_has_no_stages(make_project, new_database) -> None:
    """Every UPDATE fails while a publication's row filter reads a column that does not identify rows: fills, too."""
    database = new_database()
    project = make_project(database=database).without_patterns()
    project.models(MODELS.format("Integer"))
    project.revise("start")
    project.alembic("upgrade", "head")
    database.execute(f"{NUMBERS}; CREATE PUBLICATION sent FOR TABLE book (id, n) WHERE (n > 0)")
    project.models(
        MODELS.format("Integer").replace(
            'Column("n", Integer), Column("kind"', 'Column("n", BigInteger), Column("kind"'
        )
    )
    words = " ".join("".join(project.revise("types")).replace("#", " ").split())
    assert "publications of the table, which let no row be updated" in words and "REPLICA IDENTITY FULL" in words
    assert "CREATE TRIGGER" not in words
    project.alembic("upgrade", "head")
    assert ("n", "bigint") in state(database)
    project.alembic("downgrade", "-1")
    assert ("n", "integer") in state(database)
