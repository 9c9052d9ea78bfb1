"""What users of other tools complain of: each is silent here, and its dangerous twin is not."""

from __future__ import annotations

import pytest

from alembic_pgpatterns.patterns import RevisionPattern, registry
from tests.tracing import trace

pytestmark = pytest.mark.usefixtures("held_messages")

PATTERNS = [cls for cls in registry().values() if issubclass(cls, RevisionPattern)]
BOOK = """
    CREATE TABLE author (id bigint PRIMARY KEY);
    CREATE TABLE book (id bigint PRIMARY KEY, author_id bigint, title varchar(50), price numeric(10,2), at timestamp);
"""
TIMEOUT = "op.execute(\"SET LOCAL lock_timeout = '5s'\")\n"
DECLARED = "raise NotImplementedError"


def names(traced) -> list[str]:
    assert traced.skipped == ()
    return sorted(f.pattern for run in traced.runs for cls in PATTERNS for f in cls().detect(run))


@pytest.fixture
def judged(make, traced_server):
    def judged(upgrade: str, existing: str = BOOK, downgrade: str = DECLARED, **env: str) -> list[str]:
        return names(trace(make(existing, upgrade, downgrade=downgrade, **env), traced_server, ["r1"]))

    return judged


def test_a_table_that_the_revision_creates(judged) -> None:
    assert judged(
        """
        op.create_table("page", sa.Column("id", sa.BigInteger(), primary_key=True), sa.Column("n", sa.Integer()),
                        sa.Column("kind", sa.Text()))
        op.create_index("ix_page_n", "page", ["n"])
        op.create_unique_constraint("page_kind_key", "page", ["kind"])
        op.create_check_constraint("page_n_check", "page", "n > 0")
        op.alter_column("page", "n", nullable=False)
        op.alter_column("page", "n", type_=sa.BigInteger())
        op.add_column("page", sa.Column("token", sa.Uuid(), server_default=sa.func.gen_random_uuid(), nullable=False))
        op.add_column("page", sa.Column("needed", sa.Text(), nullable=False))
        op.execute("UPDATE page SET kind = 'a'")
        op.drop_index("ix_page_n", "page")
        op.drop_column("page", "kind")
        op.alter_column("page", "n", new_column_name="number")
        """
    ) == []  # fmt: skip


def test_the_initial_migration(make, traced_server) -> None:
    later = "CREATE INDEX ON book (title); ALTER TABLE book ADD FOREIGN KEY (author_id) REFERENCES author"
    project = make(BOOK + later)
    assert set(names(trace(project, traced_server))) == {"irreversible-revision"}


def test_a_table_of_the_same_name_in_another_schema(judged) -> None:
    assert (
        judged(
            'op.execute("CREATE SCHEMA s; CREATE TABLE s.book (id bigint, n int); CREATE INDEX ON s.book (n)")\n'
            'op.execute("ALTER TABLE s.book ALTER n SET NOT NULL, ALTER n TYPE bigint")'
        )
        == []
    )


@pytest.mark.parametrize(
    "change",
    [
        "title TYPE varchar(100)",
        "title TYPE text",
        "price TYPE numeric(12,2)",
        "price TYPE numeric",
        "at TYPE timestamptz",
    ],
)
@pytest.mark.sample(2)
def test_types_that_cost_nothing(judged, change: str) -> None:
    assert judged(f'{TIMEOUT}op.execute("ALTER TABLE book ALTER COLUMN {change}")') == []


@pytest.mark.parametrize(
    "change",
    ["title TYPE varchar(20)", "price TYPE numeric(12,3)", "id TYPE numeric", "title TYPE char(50)"],
)
def test_types_that_do(judged, change: str) -> None:
    assert judged(f'{TIMEOUT}op.execute("ALTER TABLE book ALTER COLUMN {change}")') == ["table-rewrite"]


def test_the_session_s_time_zone_decides(judged) -> None:
    upgrade = "op.execute(\"SET LOCAL timezone = 'Europe/Berlin'\")\n" + TIMEOUT
    assert judged(f'{upgrade}op.execute("ALTER TABLE book ALTER COLUMN at TYPE timestamptz")') == ["table-rewrite"]


@pytest.mark.parametrize("default", ["now()", "'x'", "CURRENT_TIMESTAMP::text", "current_user"])
@pytest.mark.sample(2)
def test_defaults_that_are_stable_or_constant(judged, default: str) -> None:
    assert judged(f'{TIMEOUT}op.execute("ALTER TABLE book ADD COLUMN c text NOT NULL DEFAULT {default}")') == []


@pytest.mark.parametrize("default", ["gen_random_uuid()", "clock_timestamp()", "random()"])
def test_defaults_that_are_volatile(judged, default: str) -> None:
    found = judged(f'{TIMEOUT}op.execute("ALTER TABLE book ADD COLUMN c text DEFAULT {default}")')
    assert found == ["table-rewrite"]


def test_a_reference_on_a_new_column_is_not_checked(judged) -> None:
    assert judged(f'{TIMEOUT}op.execute("ALTER TABLE book ADD COLUMN a_id bigint REFERENCES author")') == []


ADD = 'op.add_column("book", sa.Column("note", sa.Text()))'
URL = 'create_engine(config.get_main_option("sqlalchemy.url")'
IMPORT = "from sqlalchemy import create_engine, event\n"


@pytest.mark.parametrize(
    "env",
    [
        {"engine": URL + ', connect_args={"options": "-c lock_timeout=3s"})', "head": IMPORT},
        {
            "engine": f"patient({URL}))",
            "head": IMPORT
            + """
def patient(engine):
    @event.listens_for(engine, "connect")
    def _(driven, record):
        with driven.cursor() as cursor:
            cursor.execute("SET lock_timeout = '3s'")
        driven.commit()
    return engine
""",
        },
    ],
    ids=["connect_args", "listener"],
)
def test_timeouts_that_env_py_sets(judged, env: dict[str, str]) -> None:
    assert judged(ADD, **env) == []


def test_timeouts_of_the_role(make, traced_server) -> None:
    with traced_server.connect() as connection:
        connection.execute("ALTER ROLE CURRENT_USER SET lock_timeout = '3s'")
        try:
            assert names(trace(make(BOOK, ADD, downgrade=DECLARED), traced_server, ["r1"])) == []
        finally:
            connection.execute("ALTER ROLE CURRENT_USER RESET lock_timeout")


def test_without_any_timeout_it_is_reported_once(judged) -> None:
    assert judged(f"{ADD}\n{ADD.replace('note', 'note2')}") == ["missing-lock-timeout"]


def test_downgrades_are_not_judged_by_their_locks(judged) -> None:
    down = 'op.drop_index("ix_book_title", "book")\nop.execute("ALTER TABLE book ALTER title TYPE varchar(50)")'
    up = f"""
with op.get_context().autocommit_block():
    op.execute("CREATE INDEX CONCURRENTLY ix_book_title ON book (title)")
{TIMEOUT}op.execute("ALTER TABLE book ALTER title TYPE text")
"""
    assert judged(up, downgrade=down) == []


def test_the_transaction_of_a_statement_is_the_one_it_ran_in(judged) -> None:
    upgrade = f"""
{TIMEOUT}op.execute("ALTER TABLE book ADD CONSTRAINT c CHECK (id > 0) NOT VALID")
with op.get_context().autocommit_block():
    op.execute("ALTER TABLE book VALIDATE CONSTRAINT c")
"""
    assert judged(upgrade) == []
    raw = f"""
{TIMEOUT}op.execute("ALTER TABLE book ADD CONSTRAINT c CHECK (id > 0) NOT VALID")
op.execute("COMMIT")
op.execute("ALTER TABLE book VALIDATE CONSTRAINT c")
"""
    assert judged(raw) == []


def test_a_rename_that_leaves_a_view(judged) -> None:
    assert (
        judged(f'{TIMEOUT}op.rename_table("book", "tome")\nop.execute("CREATE VIEW book AS SELECT * FROM tome")') == []
    )
    assert judged(f'{TIMEOUT}op.rename_table("book", "tome")') == ["rename-under-running-code"]


def test_one_statement_is_reported_once(judged) -> None:
    existing = BOOK + "CREATE INDEX ON book (price); ALTER TABLE book ADD CHECK (price > 0);"
    assert judged(f'{TIMEOUT}op.execute("ALTER TABLE book ALTER price TYPE real")', existing) == ["table-rewrite"]
    assert judged(f'{TIMEOUT}op.execute("ALTER TABLE book ADD UNIQUE (title)")', existing) == ["blocking-unique"]


def test_a_partitioned_table_is_one_table(judged) -> None:
    existing = """
        CREATE TABLE event (id bigint, at date) PARTITION BY RANGE (at);
        CREATE TABLE e1 PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
        CREATE TABLE e2 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    """
    assert judged(f'{TIMEOUT}op.create_index("ix_event_at", "event", ["at"])', existing) == ["blocking-index-build"]


def test_statements_in_functions_are_seen(judged) -> None:
    body = "DO $$ BEGIN EXECUTE 'CREATE INDEX ON book (title)'; END $$"
    assert judged(f'{TIMEOUT}op.execute("{body}")') == ["blocking-index-build"]


def test_small_tables_are_fast(make, traced_server) -> None:
    from dataclasses import replace

    from alembic_pgpatterns.schema.model import Name

    project = make(BOOK, f'{TIMEOUT}op.create_index("ix_book_title", "book", ["title"])', downgrade=DECLARED)
    traced = trace(project, traced_server, ["r1"])
    small = tuple(replace(run, rows=((Name("public", "book"), 40),)) for run in traced.runs)
    large = tuple(replace(run, rows=((Name("public", "book"), 40_000_000),)) for run in traced.runs)
    assert names(replace(traced, runs=small)) == []
    assert names(replace(traced, runs=large)) == ["blocking-index-build"]


def test_a_new_table_under_the_name_of_a_renamed_one(judged) -> None:
    upgrade = (
        TIMEOUT
        + 'op.rename_table("book", "book_old")\n'
        + """op.execute(
        "CREATE TABLE book (id bigint PRIMARY KEY, n int); CREATE INDEX ix_n ON book (n);"
        "ALTER TABLE book ALTER n SET NOT NULL; ALTER TABLE book ALTER n TYPE bigint;"
        "ALTER TABLE book ADD k text NOT NULL; UPDATE book SET n = 1"
    )
    """
    )
    assert judged(upgrade) == []


def test_a_temporary_table_under_the_name_of_another(judged) -> None:
    assert (
        judged(
            TIMEOUT
            + 'op.execute("ALTER TABLE book ADD n int")\n'
            + """op.execute(
        "CREATE TEMP TABLE book (id int, n int); CREATE INDEX ON book (n); ALTER TABLE book ALTER n SET NOT NULL;"
        "ALTER TABLE book ALTER n TYPE bigint; UPDATE book SET n = 1; DROP TABLE book"
    )
    """
        )
        == []
    )


def test_a_renamed_table_is_the_one_it_was(judged) -> None:
    found = judged(
        TIMEOUT
        + 'op.rename_table("book", "volume")\n'
        + 'op.create_index("ix_volume_title", "volume", ["title"])\n'
        + 'op.alter_column("volume", "title", nullable=False)\n'
        + 'op.create_foreign_key("volume_author", "volume", "author", ["author_id"], ["id"])\n'
        + 'op.alter_column("volume", "price", new_column_name="cost")\n'
        + 'op.execute("UPDATE volume SET author_id = 1")\n'
    )
    assert found == [
        "blocking-index-build",
        "blocking-not-null",
        "rename-under-running-code",
        "rename-under-running-code",
        "strong-lock-then-more",
        "unbatched-data-change",
        "validating-foreign-key",
    ]


def test_a_truncated_table_is_empty(judged) -> None:
    work = 'op.execute("CREATE INDEX ON book (title); ALTER TABLE book ALTER title SET NOT NULL, ALTER id TYPE text")'
    assert judged(f'{TIMEOUT}op.execute("TRUNCATE book")\n{work}') == []
    assert judged(f'{TIMEOUT}op.execute("TRUNCATE author")\n{work}') != []


def test_a_required_column_that_something_fills(judged) -> None:
    for column in ("k text NOT NULL DEFAULT ''", "k bigint NOT NULL GENERATED ALWAYS AS (1) STORED", "k bigserial"):
        found = judged(f'{TIMEOUT}op.execute("TRUNCATE book; ALTER TABLE book ADD COLUMN {column}")')
        assert found == [], column
    assert judged(
        TIMEOUT
        + 'op.execute("ALTER TABLE book RENAME title TO name; ALTER TABLE book ALTER name SET NOT NULL; '
        + 'CREATE VIEW titles AS SELECT 1")'
    ) == ["blocking-not-null", "rename-under-running-code"]


@pytest.mark.parametrize(("target_version", "found"), [(15, ["table-rewrite"]), (18, []), (None, [])])
def test_a_computed_column_is_what_production_makes_of_it(make, traced_server, target_version, found) -> None:
    """Stored before PostgreSQL 18, which rewrites the table; virtual since then."""
    upgrade = f'{TIMEOUT}op.add_column("book", sa.Column("twice", sa.Numeric(), sa.Computed("price * 2")))'
    project = make(BOOK, upgrade, downgrade='op.drop_column("book", "twice")')
    assert names(trace(project, traced_server, ["r1"], target_version=target_version)) == found
