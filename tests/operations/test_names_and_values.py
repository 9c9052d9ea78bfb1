"""Hostile names and values stay names and values."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import create_async_engine

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.operations.directive import NothingToUndo
from alembic_pgpatterns.operations.policies import CreatePolicyOp
from alembic_pgpatterns.operations.settings import AlterDatabaseSetOp
from alembic_pgpatterns.operations.storage import SetStorageParametersOp
from alembic_pgpatterns.operations.support.acl import privilege_names
from alembic_pgpatterns.operations.support.relations import derived_name
from alembic_pgpatterns.operations.support.template import Name, Template, Value
from tests.examples import examples

SPICE = st.sampled_from(["'", '"', "\\", ";", "--", "/*", "$$", "%s", "%(a)s", ":x", "::", "{}", "{a}", "\n", "😀"])
TEXTS = st.lists(SPICE | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)).map(
    "".join
)
NAMES = TEXTS.filter(lambda name: 0 < len(name.encode()) <= 63)


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(TEXTS | st.integers() | st.booleans() | st.none(), min_size=1, max_size=5), name=NAMES)
def test_values_and_names_come_back_as_they_were(server, driver, values, name):
    engine = sa.create_engine(server.url().set(drivername=f"postgresql+{driver}"), poolclass=sa.NullPool)
    statement = Template("SELECT ARRAY[{values}] AS {name}", values=[Value(str(v)) for v in values], name=Name(name))
    with engine.connect() as connection:
        row = connection.execute(statement).mappings().one()
    assert dict(row) == {name: [str(value) for value in values]}


def test_the_same_on_asyncpg(server):
    import asyncio

    async def ask() -> list[object]:
        engine = create_async_engine(server.url().set(drivername="postgresql+asyncpg"), poolclass=sa.NullPool)
        async with engine.connect() as connection:
            statement = Template("SELECT {v} AS {n}", v=Value("it's 5% :x \\ $1"), n=Name('a "b" %s :y'))
            return [*(await connection.execute(statement)).mappings().all()]

    assert asyncio.run(ask()) == [{'a "b" %s :y': "it's 5% :x \\ $1"}]


@given(parts=st.lists(TEXTS, min_size=1, max_size=4))
def test_derived_names_fit_and_differ(parts):
    name = derived_name(*parts)
    assert len(name.encode()) <= 63
    assert name != derived_name(*parts, "x" * 63)


@pytest.mark.parametrize(
    "make",
    [
        lambda: AlterDatabaseSetOp("x = 1; DROP TABLE t; --", "1"),
        lambda: _compiled("a\0b"),
        lambda: SetStorageParametersOp("t", {"fillfactor = 1); DROP TABLE t; --": 1}),
        lambda: privilege_names("SELECT ON x TO y; --"),
        lambda: privilege_names(()),
        lambda: CreatePolicyOp("p", "t", command="ALL TO x; --"),
    ],
)
def test_what_cannot_be_quoted_is_refused(make):
    with pytest.raises(PgPatternsError):
        make()


def _compiled(value: str) -> str:
    return str(Template("SELECT {v}", v=Value(value)))


def test_batch_operations_take_their_table_and_their_turn(lab):
    lab.database.execute('CREATE SCHEMA s; CREATE TABLE s."T" (id int)')

    def migration(op):
        with op.batch_alter_table("T", schema="s") as batch:
            batch.add_column(sa.Column("owner", sa.Text))
            batch.enable_row_security()
            batch.create_policy("p", using="owner = current_user")
            batch.set_storage_parameters({"fillfactor": 50})

    lab.upgrade(migration)
    assert lab.query("SELECT relrowsecurity, reloptions FROM pg_class WHERE relname = 'T'") == [
        (True, ["fillfactor=50"])
    ]
    assert lab.query("SELECT policyname FROM pg_policies") == [("p",)]


def test_batch_operations_do_not_recreate(lab):
    lab.database.execute("CREATE TABLE t (id int)")

    def migration(op):
        with op.batch_alter_table("t", recreate="always") as batch:
            batch.enable_row_security()

    with pytest.raises(PgPatternsError, match="after the block"):
        lab.upgrade(migration)


def test_other_databases_get_a_clear_error():
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext

    context = MigrationContext.configure(dialect_name="sqlite", opts={"as_sql": True})
    with Operations.context(context) as op, pytest.raises(PgPatternsError, match="this database is sqlite"):
        op.enable_row_security("t")


def test_what_needs_no_undoing_renders_as_a_statement(rendered, as_migration, lab):
    code = rendered(NothingToUndo("because\nof this"))
    assert "pass  # because of this" in code
    lab.upgrade(as_migration(code))
