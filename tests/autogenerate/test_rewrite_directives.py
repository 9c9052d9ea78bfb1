"""The rewriter with ``directives = true``: other ops, the same effect."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import UniqueConstraint

from alembic_pgpatterns.autogenerate.rewrite.alembic_versions import HAS_INLINE_REFERENCES
from tests.autogenerate.conftest import HEAD
from tests.autogenerate.inprocess import InProcess, there_and_back
from tests.autogenerate.test_rewriter import (
    AFTER,
    BASE,
    ID,
    failing_everywhere,
    project_start,
    run_script,
    started,
    upgrade_of,
)
from tests.versions import accepts


@pytest.fixture
def make_project(make_project):
    """Projects in which no pattern is enforced or suggested, and directives are on."""

    def make(*given, directives: bool = True, **named):
        project = make_project(*given, **named).without_patterns()
        with project.ini.open("a") as file:
            file.write(f"directives = {str(directives).lower()}\n")
        return project

    return make


@pytest.fixture
def project(make_project):
    return make_project()


def words(body: str) -> list[str]:
    """The names of the operations that a function calls, in their order."""
    found = [node.func for node in ast.walk(ast.parse(body.strip())) if isinstance(node, ast.Call)]
    calls = [f for f in found if isinstance(f, ast.Attribute) and isinstance(f.value, ast.Name) and f.value.id == "op"]
    return [f.attr for f in sorted(calls, key=lambda f: (f.lineno, f.col_offset)) if f.attr != "f"]


ROWS = """
    INSERT INTO o SELECT g FROM generate_series(1, 50) g;
    INSERT INTO t SELECT g, g, g FROM generate_series(1, 50) g;
"""
TABLE = 't = Table("t", metadata, {id}, Column("a", Integer), Column("b", Text){more})\n'
LOSSY = ("unique", "column with a check")
"""Reflection sees neither DEFERRABLE of a unique constraint nor the CHECK of a column."""
IN_AUTOCOMMIT = ("get_context", *["execute"] * 5)
"""A statement between the timeouts of a block."""
PLAIN = f'o = Table("o", metadata, {ID})\n' + TABLE.format(id=ID, more="")


def with_more(more: str) -> str:
    return f'o = Table("o", metadata, {ID})\n' + TABLE.format(id=ID, more=f", {more}")


# What is written up and down; None: as the upgrade of the opposite, and what tidies up where it is gone half-way.
KINDS = {
    "index": (
        with_more('Index("ix_a", "a", unique=True, postgresql_where=text("a > 0"), postgresql_include=["b"])'),
        ["create_index_concurrently"],
        ["drop_index_concurrently"],
    ),
    "expression": (
        with_more('Index("ix_b", text("lower(b)"))'), ["create_index_concurrently"], ["drop_index_concurrently"],
    ),
    "unique": (
        with_more('UniqueConstraint("a", "b", name="uq_a", deferrable=True, initially="DEFERRED")'),
        ["execute", "create_unique_using_index", "execute"],
        ["lock_attempts", "drop_constraint"],
    ),
    "unique including": (
        with_more('UniqueConstraint("a", name="uq_a", postgresql_include=["b"])'),
        ["execute", "create_index_concurrently", "create_unique_using_index", "execute"],
        ["lock_attempts", "drop_constraint"],
    ),
    "foreign key": (
        with_more('ForeignKeyConstraint(["a"], ["o.id"], name="fk_a", onupdate="CASCADE", deferrable=True)'),
        ["lock_attempts", "create_foreign_key_not_valid", "validate_constraint"],
        ["lock_attempts", "drop_constraint"],
    ),
    "required": (
        PLAIN.replace('"b", Text', '"b", Text, nullable=False'),
        ["execute", "set_not_null", "execute"],
        ["lock_attempts", "alter_column"],
    ),
    "column with a reference": (
        with_more('Column("o_id", ForeignKey("o.id", name="to_o", ondelete="SET NULL"), comment="50% :o")'),
        ["lock_attempts", "add_column_with_reference"],
        ["lock_attempts", "drop_column"],
    ),
    "column with a check": (
        with_more('Column("c", Integer, CheckConstraint("c > 0", name="positive"))'),
        ["lock_attempts", "add_column", "create_check_not_valid", "validate_constraint"],
        ["lock_attempts", "drop_constraint", "drop_column"],
    ),
    "volatile default": (
        with_more('Column("token", Uuid, server_default=func.gen_random_uuid(), nullable=False)'),
        ["lock_attempts", "add_column", "alter_column", "execute", "backfill", "set_not_null", "execute"],
        ["lock_attempts", "drop_column", "lock_attempts", "alter_column"],
    ),
    "required column": (
        with_more('Column("c", Integer, nullable=False)'),
        ["lock_attempts", "add_column", "execute", "set_not_null", "execute"],
        ["lock_attempts", "drop_column", "lock_attempts", "alter_column"],
    ),
    "wider type": (
        PLAIN.replace('"a", Integer', '"a", BigInteger'),
        ["lock_attempts", "add_column", "execute", "execute", *IN_AUTOCOMMIT, "backfill", *IN_AUTOCOMMIT,
         "lock_attempts", "execute", "drop_column", "alter_column"],
        None,
    ),
}  # fmt: skip
if not accepts(UniqueConstraint, "include"):
    del KINDS["unique including"]
if not HAS_INLINE_REFERENCES:
    del KINDS["column with a reference"]


@pytest.fixture
def second_database(any_server, any_database) -> Iterator[Any]:
    """One more database on the server of ``any_database``."""
    name = any_server.create_database(f"{any_database.name}_too")
    yield type(any_database)(any_server, name)
    any_server.drop_database(name)


@pytest.fixture
def ways(any_database, second_database, tmp_path: Path) -> Iterator[list[InProcess]]:
    """With directives and without, each on a database of its own."""
    with ExitStack() as stack:
        made = []
        for database, directives in ((any_database, "true"), (second_database, "false")):
            connection = stack.enter_context(database.engine().connect())
            made.append(InProcess(connection, stack.enter_context(database.connect()), tmp_path / directives))
            (tmp_path / directives / "alembic.ini").write_text(f"[pgpatterns]\nignore = *\ndirectives = {directives}\n")
        yield made


@pytest.mark.long
@pytest.mark.sample(4)
@pytest.mark.parametrize("every", [2, 1])
def test_the_same_schema_by_other_words(ways: list[InProcess], every: int) -> None:
    """Each kind: what is written, there, nothing left to do, back and there again, as without directives."""
    for way in ways:
        way.upgrade(way.revise(metadata_of(PLAIN)))
        way.look.execute(ROWS)
    start = ways[0].snapshot()
    for kind, (after, up, down) in list(KINDS.items())[::every]:
        if kind == "required column":
            for way in ways:
                way.look.execute("DELETE FROM t")
        files = there_and_back(ways[0], metadata_of(after))
        assert [word for file in files for word in words(file.upgrade)] == up, kind
        if down is not None:
            assert [word for file in files for word in words(file.downgrade)] == down, kind
        ways[1].upgrade(ways[1].revise(metadata_of(after)))
        assert ways[0].snapshot() == ways[1].snapshot(), kind
        # Back by the models, so that the opposite changes are written too. Reflection, which the downgrade is then
        # made of, does not know all.
        there_and_back(ways[0], metadata_of(PLAIN), restores=kind not in LOSSY)
        assert ways[0].snapshot() == start, kind
        ways[1].upgrade(ways[1].revise(metadata_of(PLAIN)))


@pytest.mark.long
def test_what_depends_on_a_column_gets_its_new_type_too(ways: list[InProcess]) -> None:
    """The directive fills the rows; the indexes, CHECKs and foreign keys are made as without directives."""
    before = (
        f't = Table("t", metadata, {ID}, Column("a", Integer, CheckConstraint("a > 0", name="plus"), nullable=False),'
        ' UniqueConstraint("a", name="uq_a"), Index("ix_a", "a", "id"), Column("n", Integer, nullable=False))\n'
        f'u = Table("u", metadata, {ID}, Column("t_a", Integer, ForeignKey("t.a")), Index("ix_t_a", "t_a"))\n'
    )
    for way in ways:
        way.upgrade(way.revise(metadata_of(before)))
        way.look.execute("INSERT INTO t SELECT g, g, g FROM generate_series(1, 50) g; INSERT INTO u SELECT 1, 7")
        files = there_and_back(way, metadata_of(before.replace(" Integer", " BigInteger")))
        written = "".join(file.upgrade + file.downgrade for file in files)
        assert written.count("with a second column") == 6
        assert ("op.backfill" in written) == (way is ways[0])
        assert way.look.execute("SELECT t_a FROM u").fetchone() == (7,)
    assert ways[0].snapshot() == ways[1].snapshot()


def test_percent_signs_and_colons(ways: list[InProcess]) -> None:
    """Which Alembic's own operations do not survive: they are written twice, or taken for parameters."""
    way = ways[0]
    way.upgrade(way.revise(metadata_of(PLAIN)))
    check = 'CheckConstraint("c % 2 = 0 AND c::text <> \'\\\\:x\'", name="even")'
    there_and_back(way, metadata_of(with_more(f'Column("c", Integer, {check})')))
    assert any("c % 2" in row[3] and "':x'" in row[3] for row in way.snapshot()["constraints"])


def metadata_of(models: str) -> Any:
    scope: dict[str, Any] = {}
    exec(HEAD + models, scope)
    return scope["metadata"]


@pytest.mark.parametrize("template", ["generic", "async"])
@pytest.mark.sample(2)
def test_all_of_it_with_rows(make_project, template: str) -> None:
    project = started(make_project(template, "asyncpg" if template == "async" else "psycopg2"))
    before = project.snapshot()
    project.models(AFTER)
    files = project.revise("later")
    assert len(files) == 2
    assert "autocommit_block" not in "".join(files) and "concurrently=True" not in "".join(files)
    project.alembic("upgrade", "head")
    after = project.snapshot()
    assert all(row[4] for row in after["constraints"]) and all(row[1] for row in after["indexes"])
    assert project.clean()
    project.alembic("downgrade", project_start(project))
    assert project.snapshot() == before
    project.alembic("upgrade", "head")
    assert project.snapshot() == after


@pytest.mark.long
def test_a_new_process_knows_the_words(project) -> None:
    """No import line: they are methods of ``op`` wherever the package is installed."""
    started(project).models(AFTER)
    files = project.revise("later")
    assert not re.search(r"import.*pgpatterns", "".join(files))
    project.outside("upgrade", "head")
    assert project.clean()
    project.outside("downgrade", project_start(project))


@pytest.mark.long
def test_a_failure_at_every_statement(project) -> None:
    """Whatever statement fails: after it, `upgrade head` arrives, and so does `downgrade`."""
    started(project)
    assert failing_everywhere(project, AFTER) > 15


def test_a_failed_build_is_run_again(project, capsys) -> None:
    """An INVALID index and rows that break a NOT NULL: the error says what to do, and then it is run again."""
    started(project).database.execute("UPDATE book SET isbn = 'same' WHERE id < 3; UPDATE author SET name = NULL")
    project.models(AFTER)
    project.revise("later")
    for wrong, mend in (
        ("author_name_is_not_null of author could not be validated", "UPDATE author SET name = 'x'"),
        ("index book_isbn_key on public.book could not be built", "UPDATE book SET isbn = id::text"),
    ):
        with pytest.raises(AssertionError):
            project.alembic("upgrade", "head")
        assert wrong in capsys.readouterr().out
        project.database.execute(mend)
    project.alembic("upgrade", "head")
    assert all(row[1] for row in project.snapshot()["indexes"])
    assert project.clean()


def test_a_lock_that_is_held_is_waited_for_in_short_attempts(project, capsys) -> None:
    """Nobody queues for longer than a lock_timeout; the holder is named, and then it is run again."""
    project.replace(project.ini, "directives = true", "directives = true\nlock_timeout = 50ms")
    started(project).models(BASE + 'book.append_column(Column("more", Text))')
    (text,) = project.revise("later")
    assert "for attempt in op.lock_attempts(lock_timeout='50ms'):" in text
    path = max(project.versions(), key=lambda path: path.stat().st_mtime_ns)
    path.write_text(text.replace("'50ms')", "'50ms', attempts=2, pause=0)"))
    with project.database.connect() as holder:
        holder.autocommit = False
        holder.execute("SET application_name = 'holder'; LOCK TABLE book IN ACCESS SHARE MODE")
        with pytest.raises(AssertionError):
            project.alembic("upgrade", "head")
        said = capsys.readouterr().out
        assert "attempt 2 of 2 got no lock in 50ms" in said and "holder" in said
    project.alembic("upgrade", "head")
    assert project.clean()


@pytest.mark.long
def test_partitioned_parents_are_built_one_partition_after_another(make_project, old_database, new_database) -> None:
    parent = f'{ID}, Column("at", Date, primary_key=True), Column("who", BigInteger)'
    before = f'log = Table("log", metadata, {parent}, postgresql_partition_by="RANGE (at)")'
    after = before.replace(", postgresql_p", ', Index("ix_log_who", "who"), CheckConstraint("who > 0"), postgresql_p')
    for database in (old_database, new_database()):
        project = make_project(database=database)
        project.configure("include_name=lambda name, kind, parents: name != 'log_1'")
        started(project, before, "CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2020-01-01') TO ('2030-01-01')")
        schema = project.snapshot()
        project.models(after)
        (text,) = project.revise("later")
        steps = ["create_check_not_valid", "create_index_concurrently", "lock_attempts", "validate_constraint"]
        assert sorted(words(upgrade_of(text))) == steps
        project.alembic("upgrade", "head")
        assert len([row for row in project.snapshot()["indexes"] if "(who)" in row[0] and row[1]]) == 2
        assert project.clean()
        project.alembic("downgrade", project_start(project))
        assert project.snapshot() == schema


def test_names_that_conventions_make_and_names_in_quotes(project) -> None:
    """A convention for checks leaves the names alone that the directives go by."""
    conventions = """
metadata.naming_convention = {
    "ix": "ix_%(column_0_label)s", "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s", "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
}
"""
    table = f'odd = Table("Odd Table", metadata, {ID}, Column("The: %Name", Text), schema="Other One")'
    more = """
odd.append_column(Column("Parent", ForeignKey("Other One.Odd Table.id")))
odd.append_column(Column("rank", Integer, CheckConstraint("rank > 0", name="positive")))
odd.append_column(Column("at", Uuid, server_default=func.gen_random_uuid()))
odd.append_constraint(UniqueConstraint("The: %Name"))
Index("Odd Index", odd.c["The: %Name"])
"""
    project.configure("include_schemas=True")
    project.database.execute('CREATE SCHEMA "Other One"')
    rows = """INSERT INTO "Other One"."Odd Table" SELECT g, g FROM generate_series(1, 5) g"""
    started(project, conventions + table, rows)
    schema = project.snapshot()
    project.models(conventions + table.replace('Name", Text', 'Name", Text, nullable=False') + more)
    project.revise("later")
    project.alembic("upgrade", "head")
    assert project.clean()
    names = {row[1] for row in project.snapshot()["constraints"]}
    assert {"ck_Odd Table_positive", "uq_Odd Table_The: %Name", "fk_Odd Table_Parent_Odd Table"} <= names
    project.alembic("downgrade", project_start(project))
    assert project.snapshot() == schema


def test_offline_sql_is_run_by_psql_alone(make_project) -> None:
    """All but the backfill, which commits on its way and says so."""
    after = AFTER.replace('Column("token", Uuid, server_default=func.gen_random_uuid(), nullable=False),', "")
    project, other = started(make_project()), started(make_project())
    project.models(after)
    project.revise("later")
    project.alembic("upgrade", "head")
    for path in project.versions():
        (other.root / "migrations" / "versions" / path.name).write_text(path.read_text())
    first = project_start(project)
    other.database.execute(f"UPDATE alembic_version SET version_num = '{first}'")
    run_script(other.database, project.alembic("upgrade", f"{first}:head", "--sql"))
    assert other.snapshot() == project.snapshot()
    run_script(other.database, project.alembic("downgrade", f"head:{first}", "--sql"))
    project.alembic("downgrade", first)
    assert other.snapshot() == project.snapshot()


def test_without_a_key_the_backfill_is_the_block_of_sql(project) -> None:
    table = 'Table("keyless", metadata, Column("a", Integer){more})'
    more = ', Column("token", Uuid, server_default=func.gen_random_uuid(), nullable=False)'
    started(project, table.format(more=""), "INSERT INTO keyless SELECT 1").models(table.format(more=more))
    text = project.revise("later")[1]
    assert "op.backfill" not in text and "UPDATE keyless SET token = DEFAULT" in text
    project.alembic("upgrade", "head")
    assert project.clean()
    project.alembic("downgrade", "base")


@pytest.mark.long
def test_an_env_that_sees_to_transactions_or_timeouts_itself(make_project) -> None:
    own = make_project()
    own.env("        context.configure(", "        connection.begin()\n        context.configure(")
    end = "            context.run_migrations()\n"
    own.env(f"{end}\n\nif", f"{end}        connection.commit()\n\n\nif")
    started(own).models(AFTER)
    (text,) = own.revise("later")
    assert "env.py opens its own transaction" in re.sub(r"\s+#?\s+", " ", text)
    own.alembic("upgrade", "head")
    assert own.clean()
    limited = make_project()
    url = limited.url.replace("%", "%%")
    limited.replace(limited.ini, url, f"{url}&options=-clock_timeout%%3D2s")
    started(limited).models(AFTER)
    assert "lock_timeout" not in "".join(limited.revise("later"))
    limited.alembic("upgrade", "head")
