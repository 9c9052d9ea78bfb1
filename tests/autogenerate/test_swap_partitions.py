"""Changes of type on partitioned tables, and on tables that they reference: staged, with rows."""

from __future__ import annotations

import pytest

from alembic_pgpatterns.autogenerate.rewrite.swap_recipes import recipe
from tests.autogenerate.catalog_snapshot import everything

BEFORE = """
author = Table("author", metadata, Column("id", Integer, primary_key=True), Column("name", Text))
event = Table("event", metadata,
    Column("id", Integer, primary_key=True, autoincrement=True), Column("at", Date, primary_key=True),
    Column("author_id", Integer, ForeignKey("author.id", name="event_author")),
    Column("size", Integer, CheckConstraint("size >= 0", name="event_size"), nullable=False, server_default="3"),
    Column("word", Text), UniqueConstraint("size", "at", "id", name="event_place", deferrable=True),
    postgresql_partition_by="RANGE (at)")
Index("event_by_author", event.c.author_id, event.c.at.desc())
Index("event_large", func.abs(event.c.size), event.c.word, postgresql_where=event.c.size > 5)
"""
KEYS = BEFORE.replace(" Integer", " BigInteger")
# Before PostgreSQL 18 a partitioned table has no foreign key that is NOT VALID.
WITHOUT_REFERENCE = BEFORE.replace('"size", Integer', '"size", BigInteger').replace(
    '"id", Integer, primary_key=True, a', '"id", BigInteger, primary_key=True, a'
)
PARTITIONS = """
    CREATE TABLE event_old PARTITION OF event FOR VALUES FROM (MINVALUE) TO ('2025-01-01');
    CREATE TABLE "Event 2025" PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')
        PARTITION BY RANGE (at);
    CREATE TABLE event_h1 PARTITION OF "Event 2025" FOR VALUES FROM ('2025-01-01') TO ('2025-07-01');
    CREATE TABLE event_rest PARTITION OF "Event 2025" DEFAULT;
    CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.word := ''seen''; RETURN NEW; END';
    CREATE TRIGGER noted BEFORE UPDATE ON event FOR EACH ROW EXECUTE FUNCTION noted();
    CREATE VIEW large AS SELECT id, size FROM event WHERE size > 100;
    INSERT INTO author SELECT g, 'a' || g FROM generate_series(1, 20) g;
    INSERT INTO event (at, author_id, size, word)
        SELECT date '2024-10-01' + g % 400, 1 + g % 20, g % 70, 'w' || g FROM generate_series(1, 900) g;
"""
CONTENT = "SELECT json_agg(e ORDER BY e.id)::text FROM (SELECT id, at, author_id, size, word FROM event) e"


def whole(database) -> dict:
    """Everything in the catalog but the order of columns: a new column is the table's last one."""
    with database.connect() as connection:
        return {kind: sorted(map(repr, rows)) for kind, rows in everything(connection).items()}


def content(database) -> str:
    with database.connect() as connection:
        return connection.execute(CONTENT).fetchone()[0]


def started(make_project, database):
    """A project with the partitions and rows in its database."""
    project = make_project(database=database).without_patterns()
    project.models(BEFORE)
    project.revise("start")
    project.alembic("upgrade", "head")
    database.execute(PARTITIONS)
    return project


NEW_INDEXES = "SELECT oid, relname FROM pg_class WHERE relkind = 'i' AND relname ~ '^pgpatterns_[0-9]+_new$'"


def upgraded(project, database) -> int:
    """Stop each file before its swap, and run it again; the number of partitions' indexes that the swaps took."""
    taken = 0
    for path in sorted(project.versions(), key=lambda path: path.stat().st_mtime_ns)[1:]:
        text = path.read_text()
        upgrade, _, downgrade = text.partition("def downgrade")
        head, end, tail = upgrade.rpartition("op.execute('RESET statement_timeout')\n")
        built: dict = {}
        if end:
            path.write_text(f"{head}{end}    raise RuntimeError('stopped')\n{tail}def downgrade{downgrade}")
            with pytest.raises(RuntimeError, match="stopped"):
                project.alembic("upgrade", "+1")
            path.write_text(text)
            with database.connect() as connection:
                built = dict(connection.execute(NEW_INDEXES).fetchall())
        project.alembic("upgrade", "+1")
        with database.connect() as connection:
            query = "SELECT relname FROM pg_class WHERE oid = ANY (%s)"
            names = {name for (name,) in connection.execute(query, (list(built),)).fetchall()}
        assert len(names) == len(built), "an index that was built is gone"
        taken += len(names - set(built.values()))
    return taken


@pytest.mark.long
def test_a_partitioned_table_is_changed_in_stages(make_project, new_database, old_database) -> None:
    """Also with partitions of partitions, keys, and a foreign key of the partitioned table."""
    # Three partitions, with two indexes on each column; the foreign key's column has one.
    for database, models, indexes in ((new_database(), KEYS, 15), (old_database, WITHOUT_REFERENCE, 12)):
        project = started(make_project, database)
        start = project.alembic("heads").split()[0]
        before, rows = whole(database), content(database)
        project.models(models)
        text = "".join(project.revise("types"))
        assert "For a large table, replace this by stages" not in text and "CREATE TRIGGER" in text
        assert upgraded(project, database) == indexes
        assert content(database) == rows
        assert project.clean()
        database.execute("""
            INSERT INTO event (at, author_id) VALUES ('2025-03-01', 1);
            DELETE FROM event WHERE word IS NULL
        """)
        project.alembic("downgrade", start)
        assert whole(database) == before
        assert content(database) == rows


@pytest.mark.long
def test_a_partition_that_comes_between_the_files_gets_its_indexes_too(make_project, new_database) -> None:
    database = new_database()
    project = started(make_project, database)
    start = project.alembic("heads").split()[0]
    project.models(BEFORE.replace('"size", Integer', '"size", BigInteger'))
    assert len(project.revise("types")) == 2
    before, rows = whole(database), content(database)
    project.alembic("upgrade", "+1")
    partition = "PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')"
    database.execute(f"CREATE TABLE event_2026 {partition}; INSERT INTO event (at, size) VALUES ('2026-05-05', 9)")
    project.alembic("upgrade", "+1")
    assert project.clean()
    database.execute("DROP TABLE event_2026")
    project.alembic("downgrade", start)
    assert whole(database) == before and content(database) == rows


LATE = """
    CREATE TABLE "late '%" (LIKE event INCLUDING CONSTRAINTS);
    INSERT INTO "late '%" (id, at, size) VALUES (5000, '2026-05-05', 9), (5001, '2026-05-05', NULL);
    ALTER TABLE event ATTACH PARTITION "late '%" FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')
"""


def test_a_partition_that_is_attached_after_the_fill_stops_the_swap(make_project, new_database) -> None:
    """A table LIKE the parent has the new column but no trigger: its rows would lose their values in the swap."""
    database = new_database()
    project = started(make_project, database)
    models = BEFORE.replace('nullable=False, server_default="3"', 'server_default="3"')
    database.execute("ALTER TABLE event ALTER size DROP NOT NULL")
    project.models(models.replace('"size", Integer', '"size", BigInteger'))
    assert len(project.revise("types")) == 2
    project.alembic("upgrade", "+1")
    last = max(project.versions(), key=lambda path: path.stat().st_mtime_ns)
    text = last.read_text()
    head, _, downgrade = text.partition("def downgrade")
    filled, end, swap = head.rpartition("op.execute('RESET statement_timeout')\n")
    late = LATE.replace("%", "%%")
    last.write_text(f"{filled}{end}    op.get_bind().exec_driver_sql({late!r})\n{swap}def downgrade{downgrade}")
    with pytest.raises(Exception, match="came after the rows were filled: its rows would lose their values"):
        project.alembic("upgrade", "+1")
    last.write_text(text)
    database.execute(LATE)
    project.alembic("upgrade", "+1")
    assert project.clean()
    with database.connect() as connection:
        rows = connection.execute("SELECT size FROM event WHERE id >= 5000 ORDER BY id").fetchall()
    assert rows == [(9,), (None,)]


REFUSED = (
    ("CREATE INDEX mine ON event_old (size)", "DROP INDEX mine", "size", "index mine, of a partition"),
    (
        "ALTER TABLE event_old ADD CONSTRAINT mine CHECK (size < 1000)",
        "ALTER TABLE event_old DROP CONSTRAINT mine",
        "size",
        "constraint mine on table event_old, of a partition",
    ),
    (
        "CREATE TRIGGER mine BEFORE UPDATE ON event_h1 FOR EACH ROW EXECUTE FUNCTION noted()",
        "DROP TRIGGER mine ON event_h1",
        "size",
        "trigger mine, of partition event_h1",
    ),
    (
        "ALTER TABLE event_old ALTER size SET DEFAULT 7",
        "ALTER TABLE event_old ALTER size SET DEFAULT 3",
        "size",
        "default value for column size of table event_old, of a partition",
    ),
    (
        "GRANT SELECT (size) ON event_old TO PUBLIC",
        "REVOKE SELECT (size) ON event_old FROM PUBLIC",
        "size",
        "column size of partition event_old, which has rights",
    ),
    (
        "CREATE TABLE seat (id int, at date, CONSTRAINT seat_event FOREIGN KEY (id, at) REFERENCES event)",
        "DROP TABLE seat",
        "id",
        "foreign key seat_event of seat, which references the partitioned table",
    ),
)


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.long)])
def test_what_stands_in_the_way_on_a_partition_is_named(make_project, new_database, every: int) -> None:
    database = new_database()
    project = started(make_project, database)
    for statement, undo, column, named in REFUSED[::every]:
        project.models(
            BEFORE.replace(f'"{column}", Integer', f'"{column}", BigInteger', 2).replace(
                'author", metadata, Column("id", BigInteger', 'author", metadata, Column("id", Integer'
            )
        )
        database.execute(statement)
        files = set(project.versions())
        text = " ".join("".join(project.revise("types")).replace("#", " ").split())
        assert f"Autogenerate does not write these stages because of: {named}" in text
        assert "What to do about" not in text and recipe(named) in text
        for path in set(project.versions()) - files:
            path.unlink()
        database.execute(undo)


@pytest.mark.long
def test_before_postgresql_18_a_foreign_key_of_a_partitioned_table_is_named(make_project, old_database) -> None:
    project = started(make_project, old_database)
    project.models(KEYS)
    text = " ".join("".join(project.revise("types")).replace("#", " ").split())
    assert "foreign key event_author of the partitioned table event, which cannot be NOT VALID before" in text
