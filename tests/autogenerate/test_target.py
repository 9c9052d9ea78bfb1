"""The target: what is enforced converges, nothing of the application's is touched, adoption is a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

import alembic_pgpatterns
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.remedies.metadata_copy import copied
from tests.autogenerate.catalog_snapshot import tables as snapshot
from tests.autogenerate.conftest import AlembicProject

SHOP = """
author = Table("author", metadata, Column("id", Integer, primary_key=True), Column("name", String(80), nullable=False))
book = Table(
    "book",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("author_id", ForeignKey("author.id"), nullable=False),
    Column("title", String(255)),
    Column("printed", DateTime),
)
"""
BASELINE = "pgpatterns-baseline.txt"


@pytest.fixture
def shop(tmp_path: Path, any_database) -> AlembicProject:
    project = AlembicProject(tmp_path, any_database)
    project.models(SHOP)
    return project


def converged(project: AlembicProject) -> bool:
    """Upgrade; whether autogenerate then finds nothing, and `alembic check` is clean."""
    project.alembic("upgrade", "head")
    return "No new upgrade operations detected" in project.alembic("check")


def column_types(project: AlembicProject) -> dict[str, str]:
    with project.database.connect() as connection:
        return {f"{row[0]}.{row[1]}": row[2] for row in snapshot(connection)["columns"]}


def indexes(project: AlembicProject) -> str:
    with project.database.connect() as connection:
        return "\n".join(row[0] for row in snapshot(connection)["indexes"])


def test_greenfield_is_enforced_and_adopted(shop: AlembicProject) -> None:
    (text,) = shop.revise()
    assert "# pgpatterns: unindexed-foreign-key: no index of public.book starts with author_id" in text
    assert "models.py:" in text
    assert "# pgpatterns: suggests timestamp-without-time-zone" in text
    assert converged(shop)
    types = column_types(shop)
    assert types["author.id"] == types["book.author_id"] == "bigint"
    assert types["book.title"] == types["author.name"] == "text"
    assert types["book.printed"] == "timestamp without time zone"
    assert "(author_id)" in indexes(shop)
    assert (shop.root / BASELINE).read_text().startswith("#")


def test_check_does_not_adopt(shop: AlembicProject) -> None:
    with pytest.raises(AssertionError):
        shop.alembic("check")
    assert not (shop.root / BASELINE).exists()


def old_shop(project: AlembicProject) -> None:
    """A project with a history from before it had the plugin."""
    project.env(', autogenerate_plugins=["alembic.autogenerate.*", "alembic_pgpatterns"]', "")
    project.revise("before")
    project.alembic("upgrade", "head")
    project.configure('autogenerate_plugins=["alembic.autogenerate.*", "alembic_pgpatterns"]')


def test_old_project_is_left_alone(shop: AlembicProject) -> None:
    old_shop(shop)
    assert converged(shop)
    shop.revise("nothing")
    assert "--write-baseline" in shop.output
    assert not (shop.root / BASELINE).exists()


def test_adopt_all_pays_everything(shop: AlembicProject) -> None:
    old_shop(shop)
    with shop.ini.open("a") as file:
        file.write("\n[pgpatterns]\nadopt = all\nignore = integer-primary-key\n")
    shop.revise("pay")
    assert converged(shop)
    assert column_types(shop)["book.title"] == "text"


@pytest.mark.long
def test_old_times_are_read_in_utc_whatever_zone_the_database_has(shop: AlembicProject) -> None:
    old_shop(shop)
    shop.database.execute("INSERT INTO author (name) VALUES ('a')")
    shop.database.execute("INSERT INTO book (author_id, printed) VALUES (1, '2020-07-01 12:00')")
    shop.database.execute(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone = %L', current_database(), 'Europe/Berlin'); END $$"
    )
    with shop.ini.open("a") as file:
        file.write("\n[pgpatterns]\nadopt = all\nselect = timestamp-without-time-zone\n")
        file.write("\n[pgpatterns:timestamp-without-time-zone]\naction = enforce\n")
    (text,) = shop.revise("moments")
    assert "every row is rewritten" not in text
    assert converged(shop)
    assert moment(shop) == "2020-07-01 12:00:00"
    shop.alembic("downgrade", "-1")
    assert column_types(shop)["book.printed"] == "timestamp without time zone"
    with shop.database.connect() as connection:
        assert connection.execute("SELECT printed::text FROM book").fetchone() == ("2020-07-01 12:00:00",)


def moment(project: AlembicProject) -> str:
    with project.database.connect() as connection:
        assert connection.execute("SHOW TimeZone").fetchone() == ("Europe/Berlin",)
        row = connection.execute("SELECT (printed AT TIME ZONE 'UTC')::text FROM book").fetchone()
    return str(row[0])


@pytest.mark.long
def test_baseline_accepts_old_and_enforces_new(shop: AlembicProject) -> None:
    old_shop(shop)
    accepted = [
        "integer-primary-key public.author.id",
        "integer-primary-key public.book.id",
        "unindexed-foreign-key public.book(author_id)",
        "varchar-length public.author.name",
        "varchar-length public.book.title",
    ]
    (shop.root / BASELINE).write_text("\n".join(accepted) + "\n")
    assert converged(shop)
    shop.models(
        SHOP
        + """
Table("review", metadata, Column("id", Integer, primary_key=True), Column("text", String(9)),
      Column("book_id", ForeignKey("book.id")))
"""
    )
    shop.revise("review")
    assert converged(shop)
    types = column_types(shop)
    assert (types["review.id"], types["review.text"], types["review.book_id"]) == ("bigint", "text", "integer")
    assert types["book.title"] == "character varying(255)"
    assert "review USING btree (book_id)" in indexes(shop)
    (shop.root / BASELINE).write_text("\n".join(accepted[:2] + accepted[3:]) + "\n")
    shop.revise("pay the index")
    assert converged(shop)
    assert "book USING btree (author_id)" in indexes(shop)


@pytest.mark.long
@pytest.mark.sample(3)
@pytest.mark.parametrize(
    "change",
    [
        "DROP INDEX ix_book_author_id",
        "ALTER TABLE book ALTER title TYPE varchar(255)",
    ],
)
def test_what_was_undone_by_hand_comes_back(shop: AlembicProject, change: str) -> None:
    shop.revise()
    assert converged(shop)
    before = column_types(shop), indexes(shop)
    shop.database.execute(change)
    shop.revise("again")
    assert converged(shop)
    assert (column_types(shop), indexes(shop)) == before


@pytest.mark.sample(2)
def test_covering_index_declared_and_removed(shop: AlembicProject) -> None:
    shop.revise()
    assert converged(shop)
    shop.models(SHOP + 'Index("own", book.c.author_id, book.c.title)')
    shop.revise("own")
    assert converged(shop)
    assert "own" in indexes(shop)
    assert "ix_book_author_id" not in indexes(shop)
    shop.models(SHOP)
    shop.revise("none")
    assert converged(shop)
    assert "ix_book_author_id" in indexes(shop)


def test_a_hook_that_drops_what_is_empty(shop: AlembicProject) -> None:
    shop.env("target_metadata = models.metadata", f"target_metadata = models.metadata\n{DROPS_EMPTY}")
    shop.configure("process_revision_directives=drops_empty")
    (text,) = shop.revise()
    assert "# pgpatterns: unindexed-foreign-key" in text
    assert "# pgpatterns: suggests timestamp-without-time-zone" in text
    assert (shop.root / BASELINE).exists()
    assert converged(shop)


DROPS_EMPTY = """
from alembic.operations import ops as _ops

def _filled(container):
    found = [op for op in container.ops if not isinstance(op, _ops.OpContainer) or _filled(op)]
    container.ops[:] = found
    return found

def drops_empty(context, revision, directives):
    for one in directives:
        _filled(one.upgrade_ops)
        one.upgrade_ops.reverse_into(one.downgrade_ops)
"""


@pytest.mark.sample(5)
@pytest.mark.parametrize(
    "option",
    [
        "include_object=lambda object, *rest: object.metadata is models.metadata if hasattr(object, 'metadata')"
        " else object.table.metadata is models.metadata",
        "include_name=lambda name, type_, parents: not (type_ == 'index' and name == 'ix_book_author_id')",
        "compare_type=False",
        "compare_type=lambda *given: None",
        "compare_server_default=True",
        "render_item=lambda type_, obj, context: False",
        "process_revision_directives=lambda context, revision, directives: None",
    ],
)
def test_users_own_settings(shop: AlembicProject, option: str) -> None:
    shop.configure(option)
    (text,) = shop.revise()
    assert "op.create_table('book'" in text
    assert converged(shop)


def ddl(metadata: sa.MetaData) -> list[str]:
    """All that create_all() would send."""
    sent: list[str] = []
    engine = sa.create_mock_engine("postgresql+psycopg://", lambda sql, *rest: sent.append(str(sql.compile(engine))))
    metadata.create_all(engine, checkfirst=False)
    return sorted(sent)


def hard_metadata() -> sa.MetaData:
    metadata = sa.MetaData(naming_convention={"ck": "ck_%(table_name)s_%(constraint_name)s", "pk": "pk_%(table_name)s"})
    metadata.info["other"] = ["plugin"]
    sa.Sequence("standalone", metadata=metadata)
    parent = sa.Table(
        "parent",
        metadata,
        sa.Column("id", sa.Integer, sa.Identity(always=True, start=5), primary_key=True),
        sa.Column("kind", sa.Enum("a", "b", name="kind"), server_default="a", comment="why"),
        sa.Column("flat", sa.Enum("x", "y", native_enum=False, length=3)),
        sa.Column("flag", sa.Boolean(create_constraint=True, name="is_flag")),
        sa.Column("twice", sa.Integer, sa.Computed("id * 2", persisted=True)),
        sa.CheckConstraint("id > 0", name="positive"),
        sa.Index("ix_partial", "kind", postgresql_where=sa.text("flag"), postgresql_include=["flat"]),
        prefixes=["UNLOGGED"],
        comment="a table",
        schema="s",
    )
    sa.Table(
        "child",
        metadata,
        sa.Column("a", sa.ForeignKey(parent.c.id, ondelete="CASCADE", use_alter=True, name="fk_use"), primary_key=True),
        sa.Column("b", sa.Numeric(10, 2)),
        sa.Index("ix_child_b", "b"),
        sa.UniqueConstraint("b", "a", name="uq_ba", deferrable=True),
        postgresql_partition_by="LIST (a)",
    )
    return metadata


def test_copy_is_complete() -> None:
    original = hard_metadata()
    seen: list[str] = []
    sa.event.listen(original.tables["child"], "before_create", lambda *given, **more: seen.append("table"))
    sa.event.listen(original, "before_create", lambda *given, **more: seen.append("metadata"))
    copy = copied([original]).metadata
    assert ddl(copy) == ddl(original)
    assert seen == ["metadata", "table"] * 2
    assert copy.info == original.info
    assert set(copy._sequences) == set(original._sequences)


def test_index_without_a_name_converges(shop: AlembicProject) -> None:
    shop.models(
        'metadata.naming_convention = {"pk": "pk_%(table_name)s"}\n'
        'Table("t", metadata, Column("id", BigInteger, primary_key=True), Column("x", BigInteger, index=True))'
    )
    shop.revise()
    assert converged(shop)
    assert "ix_t_x" in indexes(shop)


def test_application_metadata_is_untouched() -> None:
    original = hard_metadata()
    before = ddl(original)
    effective = alembic_pgpatterns.effective_metadata(original, Settings())
    assert ddl(original) == before
    assert effective is not original
    assert not set(map(id, effective.tables.values())) & set(map(id, original.tables.values()))


def test_create_all_of_effective_metadata_has_the_remedies(any_database) -> None:
    metadata = sa.MetaData()
    sa.Table("author", metadata, sa.Column("id", sa.Integer, primary_key=True))
    sa.Table(
        "book",
        metadata,
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("author_id", sa.ForeignKey("author.id")),
        sa.Column("title", sa.String(10)),
    )
    effective = alembic_pgpatterns.effective_metadata(metadata, Settings())
    effective.create_all(any_database.engine())
    inspector = sa.inspect(any_database.engine())
    assert [index["name"] for index in inspector.get_indexes("book")] == ["ix_book_author_id"]
    dialect = sa.dialects.postgresql.dialect()
    types = {column["name"]: column["type"].compile(dialect) for column in inspector.get_columns("book")}
    assert types == {"id": "BIGINT", "author_id": "BIGINT", "title": "TEXT"}


def accept(project: AlembicProject) -> None:
    with (project.root / BASELINE).open("a") as file:
        file.write("varchar-length public.author.name\nunindexed-foreign-key public.book(author_id)\n")


def ignore(project: AlembicProject) -> None:
    with project.ini.open("a") as file:
        file.write("\n[pgpatterns]\nignore = varchar-length, unindexed-foreign-key\n")


def ignore_in_models(project: AlembicProject) -> None:
    info = 'info={"pgpatterns": {"ignore": ["varchar-length", "unindexed-foreign-key"], "reason": "a test"}}'
    models = SHOP.replace("String(80)", f"String(80), {info}").replace('"author.id")', f'"author.id"), {info}')
    project.models(models)


def abandon(project: AlembicProject) -> None:
    (project.root / BASELINE).unlink()


@pytest.mark.sample(9)
@pytest.mark.parametrize(
    ("how", "why"),
    [
        (accept, 'pgpatterns-baseline.txt has the line "varchar-length public.author.name"'),
        (ignore, "the settings do not enforce varchar-length"),
        (ignore_in_models, "the model ignores the pattern here"),
        (abandon, "there is no pgpatterns-baseline.txt"),
    ],
    ids=["baseline", "settings", "models", "no baseline"],
)
def test_a_cure_is_never_taken_back_in_silence(shop: AlembicProject, how: Callable[..., None], why: str) -> None:
    shop.revise()
    shop.alembic("upgrade", "head")
    how(shop)
    text = "\n".join(shop.revise("back"))
    assert "# pgpatterns: warning: varchar-length: this takes back what the pattern asks for" in text
    assert "# pgpatterns: warning: unindexed-foreign-key: this takes back what the pattern asks for" in text
    lines = [line for line in shop.output.splitlines() if line.startswith("pgpatterns: warning: varchar-length")]
    assert any(why in line for line in lines)
    assert converged(shop)


def test_a_new_partitioned_table_is_said_to_refuse_rows(shop: AlembicProject) -> None:
    key = 'Column("at", DateTime(timezone=True), primary_key=True)'
    shop.models(f'Table("log", metadata, {key}, postgresql_partition_by="RANGE (at)")')
    (text,) = shop.revise("first")
    assert "log is partitioned: PostgreSQL refuses every row" in text
