"""How `alembic` reaches the shop's database: Alembic's async template, with the service's own settings."""

import asyncio
import importlib.util
from logging.config import fileConfig

from alembic import context
from shop.database import database_url
from shop.models import Base
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

config = context.config

if config.config_file_name is not None:
    # Tests run migrations in their own process: loggers that exist already keep working.
    fileConfig(config.config_file_name, disable_existing_loggers=False)

target_metadata = Base.metadata

# Alembic refuses to run with a plugin that is named but not installed, and production images carry no linters.
autogenerate_plugins = ["alembic.autogenerate.*"]
if importlib.util.find_spec("alembic_pgpatterns"):
    autogenerate_plugins.append("alembic_pgpatterns")


def run_migrations_offline() -> None:
    context.configure(
        url=database_url(),
        target_metadata=target_metadata,
        autogenerate_plugins=autogenerate_plugins,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
    )

    with context.begin_transaction():
        context.run_migrations()


def do_run_migrations(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=target_metadata,
        autogenerate_plugins=autogenerate_plugins,
    )

    with context.begin_transaction():
        context.run_migrations()


async def run_async_migrations() -> None:
    connectable = create_async_engine(database_url(), poolclass=pool.NullPool)

    async with connectable.connect() as connection:
        await connection.run_sync(do_run_migrations)

    await connectable.dispose()


def run_migrations_online() -> None:
    asyncio.run(run_async_migrations())


if context.is_offline_mode():
    run_migrations_offline()
else:
    run_migrations_online()
