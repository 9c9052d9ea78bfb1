"""A second column takes the place of one that views, policies, triggers and other objects read."""

from __future__ import annotations

import uuid

import psycopg
import pytest

from tests.autogenerate.catalog_snapshot import everything

MODELS = """
author = Table("author", metadata, Column("id", Integer, primary_key=True), Column("name", String(9)))
book = Table("book", metadata, Column("id", Integer, primary_key=True),
    Column("author_id", ForeignKey("author.id", name="book_author"), index=True),
    Column("pages", Integer, nullable=False), Column("doc", JSON),
    Column("touched", Integer, nullable=False, server_default="0"))
Index("ident", book.c.pages, book.c.id, unique=True)
"""
AFTER = MODELS.replace("Integer, primary_key", "BigInteger, primary_key").replace(
    '"pages", Integer', '"pages", BigInteger'
)
AFTER = AFTER.replace('"doc", JSON', '"doc", postgresql.JSONB').replace("String(9)", "Text")
OBJECTS = """
    CREATE ROLE {role};
    CREATE VIEW stock WITH (security_barrier = true) AS SELECT id, pages, doc FROM book WHERE pages <> 5;
    CREATE VIEW report AS SELECT stock.pages, author.name, book.id AS number FROM stock JOIN book USING (id)
        JOIN author ON author.id = book.author_id;
    CREATE MATERIALIZED VIEW total WITH (fillfactor = 90) AS SELECT name, count(number) AS books, max(pages) AS most
        FROM report GROUP BY name;
    CREATE VIEW top AS SELECT name FROM total WHERE most > 10;
    CREATE MATERIALIZED VIEW empty AS SELECT pages FROM book WITH NO DATA;
    CREATE UNIQUE INDEX one_name ON total (name);
    CREATE INDEX most ON total (most) WHERE books > 0;
    COMMENT ON INDEX most IS 'it''s';
    COMMENT ON MATERIALIZED VIEW total IS 'by name';
    COMMENT ON COLUMN stock.pages IS 'number';
    ALTER VIEW stock ALTER COLUMN pages SET DEFAULT 7;
    CREATE FUNCTION kept() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER kept INSTEAD OF INSERT ON stock FOR EACH ROW EXECUTE FUNCTION kept();
    CREATE RULE no_delete AS ON DELETE TO report DO INSTEAD NOTHING;
    GRANT SELECT ON book, author TO {role};
    ALTER VIEW report OWNER TO {role};
    ALTER MATERIALIZED VIEW total OWNER TO {role};
    GRANT SELECT ON stock TO {role} WITH GRANT OPTION;
    GRANT SELECT (pages) ON report TO PUBLIC;

    CREATE POLICY own ON book AS RESTRICTIVE FOR UPDATE TO {role}, CURRENT_USER USING (pages > 0) WITH CHECK (id > 1);
    COMMENT ON POLICY own ON book IS 'own rows';
    CREATE POLICY written ON author FOR SELECT USING (EXISTS (SELECT FROM book WHERE author_id = author.id));
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.touched := NEW.touched + 1; RETURN NEW; END';
    CREATE TRIGGER touch BEFORE UPDATE ON book FOR EACH ROW EXECUTE FUNCTION touch('EXECUTE FUNCTION', '%');
    COMMENT ON TRIGGER touch ON book IS 'counts';
    CREATE TRIGGER zero BEFORE INSERT OR UPDATE OF pages ON book FOR EACH ROW WHEN (NEW.pages < 0)
        EXECUTE FUNCTION kept();
    ALTER TABLE book ENABLE ALWAYS TRIGGER zero;
    CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON book DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        WHEN (OLD.pages <> NEW.pages OR OLD.id = -1) EXECUTE FUNCTION kept();
    CREATE TRIGGER many AFTER UPDATE ON book REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION kept();
    ALTER TABLE book DISABLE TRIGGER many;
    CREATE RULE noted AS ON UPDATE TO author WHERE NEW.id <> OLD.id DO NOTHING;
    COMMENT ON RULE noted ON author IS 'a rule';
    CREATE STATISTICS two (ndistinct, mcv) ON pages, author_id, (abs(id)) FROM book;
    ALTER STATISTICS two SET STATISTICS 50;
    COMMENT ON STATISTICS two IS 'both';
    CREATE PUBLICATION shared FOR TABLE book (id, pages) WHERE (pages > 3), author;
    GRANT SELECT (pages), UPDATE (pages, doc) ON book TO {role} WITH GRANT OPTION;
    ALTER TABLE book ALTER pages SET STATISTICS 500, ALTER pages SET (n_distinct = 7);
    CLUSTER book USING ident;
    ALTER TABLE book REPLICA IDENTITY USING INDEX ident;
"""
ROWS = """
    INSERT INTO author SELECT g, 'a' || g FROM generate_series(1, 20) g;
    INSERT INTO book SELECT g, 1 + g % 20, g, '{"a": 1}' FROM generate_series(1, 300) g;
    REFRESH MATERIALIZED VIEW total;
"""
MORE = {
    "views": """
        SELECT c.relname, pg_get_userbyid(c.relowner), coalesce(c.relacl, acldefault('r', c.relowner))::text,
            c.reloptions, pg_get_viewdef(c.oid), obj_description(c.oid, 'pg_class'), c.relispopulated,
            array_agg(concat_ws(' ', a.attname, a.attacl::text, col_description(c.oid, a.attnum),
                                pg_get_expr(d.adbin, d.adrelid)) ORDER BY a.attnum)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('v', 'm') GROUP BY c.oid""",
    "policies": "SELECT * FROM pg_policies",
    "rules": "SELECT pg_get_ruledef(oid), ev_enabled FROM pg_rewrite WHERE oid > 16384 AND rulename <> '_RETURN'",
    "enabled": "SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal",
    "statistics": """
        SELECT stxname, stxkind::text, stxstattarget, pg_get_statisticsobjdef_expressions(oid),
               (SELECT array_agg(attname ORDER BY attname) FROM pg_attribute
                WHERE attrelid = stxrelid AND attnum = ANY (stxkeys)) FROM pg_statistic_ext""",
    "publications": """
        SELECT pubname, tablename, (SELECT array_agg(n ORDER BY n) FROM unnest(attnames) n), rowfilter
        FROM pg_publication_tables""",
    "column rights": """
        SELECT relname, attname, attacl::text, attstattarget, attoptions FROM pg_attribute
        JOIN pg_class c ON c.oid = attrelid
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped""",
    "marks": """
        SELECT indexrelid::regclass::text, indisclustered, indisreplident FROM pg_index
        WHERE indrelid::regclass::text !~ '^pg_'""",
}
CONTENT = """
    SELECT (SELECT json_agg(b ORDER BY b.id)
            FROM (SELECT id, author_id, pages, doc::jsonb, touched FROM book) b)::text,
           (SELECT json_agg(t ORDER BY t.name) FROM total t)::text, (SELECT count(*) FROM top),
           (SELECT count(*) FROM report)
"""


@pytest.fixture
def make_project(make_project):
    """Projects in which no pattern is enforced or suggested."""
    return lambda *given, **named: make_project(*given, **named).without_patterns()


def whole(database) -> dict:
    """Everything in the catalog but the order of columns: a new column is the table's last one."""
    with database.connect() as connection:
        rows = {
            **everything(connection),
            **{name: connection.execute(query).fetchall() for name, query in MORE.items()},
        }
        return {kind: sorted(map(repr, several)) for kind, several in rows.items()}


def content(database) -> tuple:
    with database.connect() as connection:
        return connection.execute(CONTENT).fetchone()


def started(make_project, database):
    """A project at its first revision, with objects that read its columns, and rows."""
    project = make_project(database=database)
    project.models(MODELS)
    project.revise("start")
    project.alembic("upgrade", "head")
    database.execute(OBJECTS.format(role=f"role_{uuid.uuid4().hex[:8]}"))
    database.execute(ROWS)
    return project


@pytest.mark.long
@pytest.mark.sample(1)
@pytest.mark.parametrize("fixture", ["new_database", "old_database"])
def test_all_that_reads_a_column_comes_back(make_project, request, fixture: str) -> None:
    database = request.getfixturevalue(fixture)
    database = database() if callable(database) else database
    project = started(make_project, database)
    start = project.alembic("heads").split()[0]
    before, rows = whole(database), content(database)
    project.models(AFTER)
    files = project.revise("types")
    text = "".join(files)
    assert "For a large table" not in text and "PostgreSQL refuses" not in text
    assert "with a second column" in text
    project.alembic("upgrade", "head")
    assert content(database) == rows
    assert project.clean()
    after = whole(database)
    same = ("enabled", "marks", "publications", "column rights", "rules", "triggers", "statistics")
    for kind in same:
        assert after[kind] == before[kind]
    database.execute("UPDATE book SET pages = 3000000000 WHERE id = 7; REFRESH MATERIALIZED VIEW total")
    with database.connect() as connection:
        assert connection.execute("SELECT max(most) FROM total").fetchone() == (3000000000,)
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO book SELECT * FROM book WHERE id = 8")
    database.execute("UPDATE book SET pages = 7, touched = -1 WHERE id = 7; REFRESH MATERIALIZED VIEW total")
    project.alembic("downgrade", start)
    assert whole(database) == before
    assert content(database) == rows
    project.alembic("upgrade", "head")
    assert whole(database) == after
    assert content(database) == rows


STORED = """
item = Table("item", metadata, Column("id", Integer, primary_key=True), Column("name", String(40), nullable=False),
    Column("code", String(9)), Column("size", Integer),
    Column("words", postgresql.TSVECTOR,
        Computed("to_tsvector('english', name || ' ' || code)", persisted=True)),
    Column("doubled", BigInteger, Computed("size * 2", persisted=True), nullable=False), Column("note", Text))
Index("item_words", item.c.words, postgresql_using="gin")
Index("item_doubled", item.c.doubled.desc(), item.c.code)
"""


def scalar(database, query: str) -> object:
    with database.connect() as connection:
        return connection.execute(query).fetchone()[0]


def test_stored_columns_are_computed_again_on_a_table_that_is_not_large(make_project, any_database) -> None:
    """With their indexes, statistics and comments; a larger table is refused, with the ways out."""
    database = any_database
    project = make_project(database=database)
    project.models(STORED)
    project.revise("start")
    project.alembic("upgrade", "head")
    start = project.alembic("heads").split()[0]
    database.execute("""
        COMMENT ON INDEX item_words IS 'it''s';
        COMMENT ON COLUMN item.words IS 'for the search';
        CREATE STATISTICS item_both (ndistinct) ON doubled, note FROM item;
        COMMENT ON STATISTICS item_both IS 'both';
        INSERT INTO item (id, name, code, size) SELECT g, 'name ' || g, 'c' || g, g FROM generate_series(1, 300) g
    """)
    before, rows = whole(database), "SELECT json_agg(i ORDER BY id)::text FROM (SELECT id, words, doubled FROM item) i"
    values = scalar(database, rows)
    project.models(STORED.replace('"size", Integer', '"size", BigInteger').replace("String(40)", "Text").replace(
        "String(9)", "Text"
    ))  # fmt: skip
    text = "".join(project.revise("types"))
    assert "is refused" in text and "op.drop_index" not in text, "indexes come back with the columns"
    database.execute("ALTER TABLE item ALTER note SET STORAGE EXTERNAL")
    database.execute("UPDATE item SET note = repeat('x', 40000000) WHERE id = 1")
    with pytest.raises(Exception, match="can only be computed for all rows while nobody reads or writes it"):
        project.alembic("upgrade", "head")
    database.execute("UPDATE item SET note = NULL; ALTER TABLE item ALTER note SET STORAGE EXTENDED")
    database.execute("VACUUM FULL item")
    assert whole(database) == before, text
    project.alembic("upgrade", "head")
    assert project.clean() and scalar(database, rows) == values
    project.alembic("downgrade", start)
    assert whole(database) == before and scalar(database, rows) == values
    project.alembic("upgrade", "head")
    assert project.clean() and scalar(database, rows) == values


def test_a_virtual_column_leaves_indexes_and_checks_of_its_source_in_stages(make_project, database) -> None:
    project = make_project(database=database)
    check = 'CheckConstraint("size >= 0", name="item_size")'
    models = STORED.replace("persisted=True", "persisted=False").replace(
        ' = Table("item", metadata,', f' = Table("item", metadata, {check},'
    )
    models = models.partition("Index(")[0] + 'Index("item_size_code", func.abs(item.c.size), item.c.code)\n'
    project.models(models)
    project.revise("start")
    project.alembic("upgrade", "head")
    project.models(models.replace('"size", Integer', '"size", BigInteger'))
    text = "".join(project.revise("types"))
    assert "does not write these stages" not in text and "CREATE TRIGGER" in text
    before = whole(database)
    project.alembic("upgrade", "head")
    assert project.clean()
    project.alembic("downgrade", "base+1")
    assert whole(database) == before
