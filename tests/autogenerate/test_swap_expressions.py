"""Expressions on a column that gets another type: rewritten where PostgreSQL takes them, named where it does not."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import DBAPIError

from tests.autogenerate.test_swap_dependents import whole

NEW = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
MODELS = f"""
task = Table("task", metadata, Column("id", BigInteger, primary_key=True), Column("n", Integer), Column("day", Date),
    Column("state", Text, nullable=False, server_default="new"), Column("kind", String(9), nullable=False),
    Column("token", Text, server_default="{NEW}"), Column("doc", JSON), Column("price", Float),
    CheckConstraint("state <> 'old' OR n > 0", name="task_old"),
    CheckConstraint("kind IN ('big', 'small')", name="task_kind"),
    CheckConstraint("price < 1000.5", name="task_price"))
Index("task_new", task.c.n, unique=True, postgresql_where=text("state = 'new'"))
Index("task_any", task.c.n, postgresql_where=text("kind IN ('big', 'small')"))
Index("task_gone", func.lower(task.c.kind))
Index("task_token", task.c.n, postgresql_where=text("token <> '{NEW}'"))
"""
AFTER = (
    MODELS.replace('"state", Text', '"state", Enum("new", "old", name="task_state")')
    .replace('"kind", String(9)', '"kind", Enum("big", "small", name="task_kinds")')
    .replace('"token", Text', '"token", Uuid')
    .replace('"doc", JSON', '"doc", postgresql.JSONB')
    .replace('"price", Float', '"price", Numeric(9, 2)')
    .replace('"n", Integer', '"n", BigInteger')
    .replace("    CheckConstraint(\"kind IN ('big', 'small')\", name=\"task_kind\"),\n", "")
    .replace('Index("task_gone", func.lower(task.c.kind))', 'Index("task_made", task.c.kind)')
)
OBJECTS = """
    ALTER TABLE task ENABLE ROW LEVEL SECURITY;
    CREATE POLICY open ON task USING (state <> 'old' OR state IN (
        SELECT current_setting('app.state', true))) WITH CHECK (state = 'new');
    CREATE POLICY tokens ON task FOR SELECT USING (token = current_setting('app.token', true));
    CREATE FUNCTION kept() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER closed BEFORE UPDATE OF state ON task FOR EACH ROW WHEN (NEW.state = 'old' AND OLD.n > 0)
        EXECUTE FUNCTION kept();
    CREATE TRIGGER noted AFTER UPDATE ON task FOR EACH ROW WHEN (NEW.state = 'old') EXECUTE FUNCTION kept();
    CREATE TRIGGER dear AFTER UPDATE ON task FOR EACH ROW WHEN (NEW.price > 3) EXECUTE FUNCTION kept();
    CREATE RULE never AS ON UPDATE TO task WHERE (NEW.token = 'none') DO INSTEAD NOTHING;
    CREATE VIEW shown AS SELECT id, upper(state) AS state FROM task WHERE state LIKE 'n%';
    CREATE VIEW docs AS SELECT json_extract_path_text(doc, 'a') AS a FROM task;
    CREATE MATERIALIZED VIEW counted AS SELECT state, count(*) AS tasks FROM shown GROUP BY state;
    CREATE VIEW later AS SELECT day + n AS day FROM task;
    CREATE STATISTICS days ON n, (day + n) FROM task;
"""
ROWS = """
    INSERT INTO task (id, n, day, state, kind, token, doc, price) SELECT g, g, '2024-01-01',
        CASE WHEN g % 3 = 0 THEN 'old' ELSE 'new' END, CASE WHEN g % 2 = 0 THEN 'big' ELSE 'small' END,
        md5(g::text)::uuid::text, '{"a": 1}', g / 4.0 FROM generate_series(1, 60) g;
    REFRESH MATERIALIZED VIEW counted;
"""
CONTENT = """
    SELECT (SELECT json_agg(t ORDER BY id) FROM (SELECT id, n, state, kind, token, doc::jsonb, price::float FROM task)
           t)::text, (SELECT json_agg(c)::text FROM counted c), (SELECT json_agg(s ORDER BY id)::text FROM shown s),
           (SELECT max(day) FROM later), (SELECT max(a) FROM docs)
"""


@pytest.fixture
def make_project(make_project):
    """Projects in which no pattern is enforced or suggested."""
    return lambda *given, **named: make_project(*given, **named).without_patterns()


def started(make_project, database, models: str = MODELS, objects: str = OBJECTS, rows: str = ROWS):
    project = make_project(database=database)
    project.models(models)
    project.revise("start")
    project.alembic("upgrade", "head")
    database.execute(objects)
    database.execute(rows)
    return project


def content(database) -> tuple:
    with database.connect() as connection:
        return connection.execute(CONTENT).fetchone()


@pytest.mark.long
@pytest.mark.sample(1)
@pytest.mark.parametrize("fixture", ["new_database", "old_database"])
def test_expressions_are_made_for_the_new_type(make_project, request, fixture: str) -> None:
    """Those of the models as the models have them, and the others with a cast to what the column was."""
    database = request.getfixturevalue(fixture)
    database = database() if callable(database) else database
    project = started(make_project, database)
    start = project.alembic("heads").split()[0]
    before, rows = whole(database), content(database)
    project.models(AFTER)
    text = "".join(project.revise("types"))
    assert "does not write these stages" not in text and "PostgreSQL refuses to change" not in text
    assert "op.create_index(" not in text and "op.drop_constraint('task_old'" not in text
    words = " ".join(text.replace("#", " ").split())
    assert "read state::text, since PostgreSQL refuses them with the new type" in words
    project.alembic("upgrade", "head")
    assert project.clean() and content(database) == rows
    after = whole(database)
    policies = str(after["policies"])
    assert "(state)::text <> " in policies and "(token)::text = current_setting(" in policies
    with database.connect() as connection:
        connection.execute("SET enable_seqscan = off")
        plan = connection.execute("EXPLAIN SELECT FROM task WHERE state = 'new' AND n = 3").fetchall()
    assert "task_new" in str(plan), "the partial index is of use to the new type"
    project.alembic("downgrade", start)
    assert whole(database) == before and content(database) == rows
    project.alembic("upgrade", "head")
    assert whole(database) == after and content(database) == rows


def test_what_has_changed_since_stops_the_swap(make_project, new_database) -> None:
    database = new_database()
    project = started(make_project, database)
    project.models(MODELS.replace('"state", Text', '"state", Enum("new", "old", name="task_state")'))
    project.revise("types")
    rows = content(database)
    project.alembic("upgrade", "+1")
    for change, undo, named in (
        (
            "ALTER POLICY open ON task WITH CHECK (state = 'old')",
            "ALTER POLICY open ON task WITH CHECK (state = 'new')",
            "policy open on table task",
        ),
        (
            "CREATE OR REPLACE VIEW shown AS SELECT id, lower(state) AS state FROM task",
            "CREATE OR REPLACE VIEW shown AS SELECT id, upper(state) AS state FROM task WHERE state LIKE 'n%'",
            "view public.shown",
        ),
    ):
        database.execute(change)
        with pytest.raises(DBAPIError, match=f"{named} is not what it was when this revision was written"):
            project.alembic("upgrade", "head")
        database.execute(undo)
    project.alembic("upgrade", "head")
    assert project.clean() and content(database) == rows


def revised_beside(project, database, statement, undo):
    """The words of what autogenerate writes while an object is there; the revision is taken away again."""
    database.execute(statement)
    files = set(project.versions())
    text = "".join(project.revise("types"))
    for path in set(project.versions()) - files:
        path.unlink()
    database.execute(undo)
    return " ".join(text.replace("#", " ").split())


REFUSED = (
    ("CREATE INDEX found ON task (lower(state))", "DROP INDEX found", "index found"),
    (
        "ALTER TABLE task ADD open boolean GENERATED ALWAYS AS (state <> 'old') VIRTUAL",
        "ALTER TABLE task DROP open",
        "generated column open",
    ),
    (
        "CREATE PUBLICATION sent FOR TABLE task WHERE (state <> 'old') WITH (publish = 'insert')",
        "DROP PUBLICATION sent",
        "the row filter of publication sent",
    ),
    (
        "CREATE VIEW joined AS SELECT id FROM task JOIN (SELECT 'new'::text AS state) s USING (state)",
        "DROP VIEW joined",
        "view joined",
    ),
)


def test_what_postgresql_refuses_with_the_cast_too_is_named_first(make_project, new_database) -> None:
    database = new_database()
    bare = 't = Table("task", metadata, Column("id", BigInteger, primary_key=True), Column("state", Text))'
    project = started(make_project, database, bare, "SELECT 1", "SELECT 1")
    project.configure('include_object=lambda o, name, kind, *more: name not in ("found", "open")')
    project.models(bare.replace("Text", 'Enum("new", "old", name="task_state")'))
    for statement, undo, named in REFUSED:
        text = revised_beside(project, database, statement, undo).partition("def downgrade")[0]
        assert f"because of: {named}, which PostgreSQL refuses with the new type (" in text, named
        assert "change the models so that it fits the new type" in text and "CREATE TRIGGER" not in text
    assert "CREATE TRIGGER" in "".join(project.revise("types"))


TO_TEXT = (
    ("CREATE VIEW new AS SELECT id FROM task WHERE state = 'new'", "DROP VIEW new", "state", "view new, which"),
    (
        "CREATE POLICY new ON task USING (state = 'new')",
        "DROP POLICY new ON task",
        "state",
        "policy new on table task, w",
    ),
    (
        "CREATE PUBLICATION sent FOR TABLE task WHERE (n > 1)",
        "DROP PUBLICATION sent",
        "n",
        "of publication sent, which",
    ),
    (
        "CREATE POLICY more ON task USING (n > 1)",
        "DROP POLICY more ON task",
        "n",
        "refuses them with the new type; a value that is no integer will make them fail",
    ),
)


def test_what_a_text_would_break_is_named(make_project, new_database) -> None:
    """A text that is no label has no value of the enum, which may go; a row filter takes no such cast."""
    database = new_database()
    kind = 'Enum("new", "old", name="task_state")'
    bare = f"""t = Table("task", metadata, Column("id", BigInteger, primary_key=True), Column("state", {kind}),
        Column("n", Integer))"""
    project = started(make_project, database, bare, "SELECT 1", "SELECT 1")
    for statement, undo, column, named in TO_TEXT:
        project.models(bare.replace({"state": f", {kind}", "n": ", Integer"}[column], ", Text"))
        assert named in revised_beside(project, database, statement, undo), named


def test_one_object_that_reads_two_columns_asks_for_two_revisions(make_project, new_database) -> None:
    database = new_database()
    models = (
        't = Table("task", metadata, Column("id", BigInteger, primary_key=True), Column("a", Text), Column("b", Text))'
    )
    both = "ALTER TABLE task ENABLE ROW LEVEL SECURITY; CREATE POLICY two ON task USING (a = 'x' OR b = 'y')"
    project = started(make_project, database, models, both, "SELECT 1")
    first = models.replace('"a", Text', '"a", Enum("x", name="a_kind")')
    project.models(first.replace('"b", Text', '"b", Enum("y", name="b_kind")'))
    text = " ".join("".join(project.revise("types")).replace("#", " ").split())
    assert "policy two on table task, which reads b too, of which this revision changes the type" in text
    assert "make the change of type a revision of its own" in text
