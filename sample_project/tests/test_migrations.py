import asyncio

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from shop.models import Base
from sqlalchemy import Connection, inspect
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool


def on_connection(url, function):
    async def connected():
        engine = create_async_engine(url, poolclass=NullPool)
        async with engine.connect() as connection:
            return await connection.run_sync(function)

    return asyncio.run(connected())


def relations(connection: Connection) -> set[str]:
    inspector = inspect(connection)
    return {*inspector.get_table_names(), *inspector.get_view_names()}


def test_history_runs_up_down_and_up_again(alembic_config, any_database):
    command.upgrade(alembic_config, "head")
    at_head = on_connection(any_database.url, relations)
    command.downgrade(alembic_config, "base")
    assert on_connection(any_database.url, relations) == {"alembic_version"}
    command.upgrade(alembic_config, "head")
    assert on_connection(any_database.url, relations) == at_head
    assert at_head == {*Base.metadata.tables, "monthly_revenue", "alembic_version"}


def test_every_revision_runs_again_after_its_own_downgrade(alembic_config, any_database):
    revisions = [r.revision for r in ScriptDirectory.from_config(alembic_config).walk_revisions()]
    assert len(revisions) == 8
    for revision in reversed(revisions):
        command.upgrade(alembic_config, revision)
        command.downgrade(alembic_config, "-1")
        command.upgrade(alembic_config, revision)


def test_models_and_head_agree_as_stock_alembic_sees_them(url):
    def differences(connection: Connection) -> list[object]:
        return compare_metadata(MigrationContext.configure(connection), Base.metadata)

    assert on_connection(url, differences) == []


def test_the_whole_history_can_be_written_as_a_script(alembic_config, capsys):
    command.upgrade(alembic_config, "head", sql=True)
    assert "CREATE POLICY tenant_isolation ON orders" in capsys.readouterr().out
