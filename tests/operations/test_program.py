"""With the stock program, files and an asynchronous env.py: declared models, and concurrent builds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import warm

ENV = """
import asyncio, os
from alembic import context
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import create_async_engine
from models import Base

def run(connection):
    context.configure(
        connection=connection, target_metadata=Base.metadata,
        autogenerate_plugins=["alembic.autogenerate.*", "alembic_pgpatterns"],
    )
    with context.begin_transaction():
        context.run_migrations()

async def main():
    async with create_async_engine(os.environ["URL"], poolclass=NullPool).connect() as connection:
        await connection.run_sync(run)

asyncio.run(main())
"""

MODELS = """
from alembic_pgpatterns import Policy, RowSecurity, StorageParameters, Extension
from alembic_pgpatterns.declare import declare
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    metadata = sa.MetaData(naming_convention={"ix": "ix_%(column_0_label)s"})

declare(Base.metadata, Extension("pg_trgm"))

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    tenant_id: Mapped[int] = mapped_column(sa.BigInteger, index=True)
    __table_args__ = (
        RowSecurity(force=True),
        Policy("tenant", using="tenant_id = (select current_setting('app.tenant')::bigint)"),
        StorageParameters(fillfactor=80),
        {"comment": "What was ordered"},
    )
"""

REVISION = '''
"""by hand"""
revision, down_revision = "byhand", "{previous}"
from alembic import op

def upgrade():
    op.create_index_concurrently("ix_two", "orders", ["id", "tenant_id"], unique=True)
    op.upsert("orders", [{{"id": 1, "tenant_id": 2}}], ["id"])
    for attempt in op.lock_attempts("1s", 2):
        with attempt:
            op.set_storage_parameters("orders", {{"fillfactor": 90}})

def downgrade():
    op.set_storage_parameters("orders", {{"fillfactor": 80}})
    op.drop_index_concurrently("ix_two")
'''


@pytest.mark.sample(2)
@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_the_stock_program(lab, tmp_path: Path, driver: str):
    (tmp_path / "migrations/versions").mkdir(parents=True)
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = migrations\nprepend_sys_path = .\n")
    (tmp_path / "migrations/env.py").write_text(ENV)
    (tmp_path / "models.py").write_text(MODELS)
    template = Path(sys.modules["alembic"].__file__).parent / "templates/generic/script.py.mako"
    (tmp_path / "migrations/script.py.mako").write_text(template.read_text())
    url = lab.database.url.set(drivername=f"postgresql+{driver}").render_as_string(hide_password=False)

    def alembic(*arguments: str) -> str:
        done = warm.run(arguments, tmp_path, os.environ | {"URL": url}, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    empty = lab.dump()
    alembic("revision", "--autogenerate", "-m", "declared", "--rev-id", "first")
    code = next((tmp_path / "migrations/versions").glob("first_*.py")).read_text()
    assert "op.create_policy(" in code and "info=" not in code
    alembic("upgrade", "head")
    assert "No new upgrade operations detected" in alembic("check")
    made = lab.dump()
    (tmp_path / "migrations/versions/byhand.py").write_text(REVISION.format(previous="first"))
    for _ in range(2):
        alembic("upgrade", "head")
        assert lab.query("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_two'::regclass") == [(True,)]
        alembic("downgrade", "first")
        lab.database.execute("TRUNCATE orders")
        assert lab.dump() == made
    alembic("downgrade", "base")
    assert lab.query("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'") == []
    assert "orders" not in lab.dump() and "orders" not in empty


@pytest.mark.sample(6)
@pytest.mark.parametrize(
    "first",
    [
        "alembic.op",
        "alembic_pgpatterns.errors",
        "alembic_pgpatterns.declare",
        "alembic_pgpatterns.operations.policies",
        "alembic_pgpatterns.operations.support.policy_reader",
    ],
)
def test_whatever_is_imported_first(first: str):
    """Importing Alembic runs our setup, which imports the modules that may be in the middle of importing Alembic."""
    code = f"import {first}; from alembic import op, config; assert 'Lock:' in op.create_policy.__doc__"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
