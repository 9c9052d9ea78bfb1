"""The revisions of docs/partitioning.md, run with rows."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "partitioning.md"
REVISION = re.compile(r"<!-- step \d -->\n```python\n(.*?)```", re.DOTALL)
TABLES = """
    CREATE TABLE shop (id bigint PRIMARY KEY);
    CREATE TABLE event (id bigserial CONSTRAINT event_pkey PRIMARY KEY, at timestamptz, kind text,
        shop_id bigint CONSTRAINT event_shop REFERENCES shop);
    CREATE INDEX event_by_kind ON event (kind);
    INSERT INTO shop SELECT generate_series(1, 5);
    INSERT INTO event (at, kind, shop_id)
        SELECT timestamptz '2026-01-01Z' + g * interval '1 hour', 'k' || g % 7, 1 + g % 5
        FROM generate_series(1, 500) g;
"""
FILES = """
    SELECT relname, pg_relation_filenode(oid) FROM pg_class
    WHERE relname IN ('event', 'event_before', 'event_by_kind', 'event_before_by_kind') AND relkind IN ('r', 'i')
"""
ROWS = "SELECT count(*), sum(id), max(at) FROM event"


def test_the_revisions_attach_the_table_without_reading_it(project) -> None:
    database = project.database
    project.models("")
    database.execute(TABLES)
    bodies = REVISION.findall(PAGE.read_text())
    assert len(bodies) == 2
    for number, body in enumerate(bodies, 1):
        text = f'"""r{number}"""\nfrom alembic import op\n\nrevision = "{number}"\ndown_revision = '
        text += f"{str(number - 1) if number > 1 else None!r}\n\n\n{body}"
        (project.root / "migrations" / "versions" / f"{number}_r.py").write_text(text)
    with database.connect() as connection:
        rows, files = connection.execute(ROWS).fetchone(), dict(connection.execute(FILES).fetchall())
    project.alembic("upgrade", "1")
    project.alembic("downgrade", "base")
    project.alembic("upgrade", "2")
    with database.connect() as connection:
        after = dict(connection.execute(FILES).fetchall())
        # The same files: nothing was copied or built again.
        assert (after["event_before"], after["event_before_by_kind"]) == (files["event"], files["event_by_kind"])
        assert connection.execute(ROWS).fetchone() == rows
        connection.execute("INSERT INTO event (at, kind, shop_id) VALUES ('2027-05-05Z', 'new', 2)")
        assert connection.execute("SELECT id FROM event_2027").fetchone() == (501,)
        query = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated"
        assert connection.execute(query).fetchone() == (0,)
    project.alembic("downgrade", "1")
    with database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM event").fetchone() == (501,)
