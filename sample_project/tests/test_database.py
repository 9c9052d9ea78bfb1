import asyncio
import uuid

import pytest
from shop.database import DatabaseSettings, create_engine, database_url, session_factory
from shop.models import Order, Product, Tenant, User
from shop.queries import ProductData, upsert_products
from shop.tenancy import tenant_transaction
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.sql.ddl import DDL

from .support import new_tenant, opened


@pytest.fixture(params=["psycopg", "asyncpg"])
def settings(request, url):
    pytest.importorskip(request.param)
    return DatabaseSettings(url=url.set(drivername=f"postgresql+{request.param}"))


def changed(settings, **changes):
    return DatabaseSettings(**{"url": settings.url, **changes})


async def backend(engine):
    async with engine.connect() as connection:
        return await connection.scalar(select(func.pg_backend_pid()))


def test_pool_never_opens_more_than_its_limit(settings):
    async def check():
        async with opened(changed(settings, pool_size=1, max_overflow=1, pool_timeout=0.2)) as engine:
            async with engine.connect() as one, engine.connect():
                with pytest.raises(PoolTimeout, match="size 1 overflow 1 reached"):
                    await engine.connect()
                mine = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
                assert await one.scalar(mine.columns()) == 2
            async with engine.connect():
                assert engine.pool.checkedout() == 1

    asyncio.run(check())


def test_pool_keeps_connections_until_they_are_old(settings):
    async def check():
        async with opened(settings) as engine:
            assert await backend(engine) == await backend(engine)
        async with opened(changed(settings, pool_recycle=0)) as engine:
            assert await backend(engine) != await backend(engine)

    asyncio.run(check())


def test_pool_hides_a_connection_that_the_server_closed(settings):
    async def check():
        async with opened(settings) as engine, opened(settings) as other:
            lost = await backend(engine)
            async with other.connect() as connection:
                await connection.execute(select(func.pg_terminate_backend(lost, 10_000)))
            assert await backend(engine) != lost

    asyncio.run(check())


def test_server_holds_the_limits_of_every_connection(settings):
    async def check():
        async with opened(settings) as engine, engine.connect() as connection:
            for name, expected in (
                ("statement_timeout", "15s"),
                ("idle_in_transaction_session_timeout", "30s"),
                ("application_name", "shop"),
            ):
                assert await connection.scalar(select(func.current_setting(name))) == expected
        async with opened(changed(settings, statement_timeout_ms=50)) as engine, engine.connect() as connection:
            with pytest.raises(DBAPIError, match="canceling statement due to statement timeout"):
                await connection.execute(select(func.pg_sleep(60)))

    asyncio.run(check())


def test_objects_stay_readable_after_the_commit(run):
    async def check(sessions):
        async with sessions.begin() as session:
            tenant = await new_tenant(session, "acme")
        assert tenant.slug == "acme"

    run(check)


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        (None, "postgresql+psycopg://shop@localhost:5432/shop"),
        ("", "postgresql+psycopg://shop@localhost:5432/shop"),
        ("postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql+asyncpg://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
    ],
)
def test_address_comes_from_the_environment(monkeypatch, variable, expected):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    if variable is not None:
        monkeypatch.setenv("DATABASE_URL", variable)
    assert database_url().render_as_string(hide_password=False) == expected


@pytest.fixture
def tenants(run):
    """Two tenants with a user and two products each; their ids."""
    made = []

    async def make(sessions):
        async with sessions.begin() as session:
            made.extend([(await new_tenant(session, slug, products=2)).id for slug in ("acme", "other")])

    run(make)
    return made


@pytest.fixture
def role(run):
    """A role with the application's rights: no superuser, and owner of nothing."""
    name = f"shop app {uuid.uuid4().hex}"

    async def execute(sessions, statements):
        async with sessions.begin() as session:
            for statement in statements:
                ddl = DDL(statement, context={"role": '"' + name + '"'})
                await session.execute(ddl)

    grants = ["CREATE ROLE %(role)s", "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO %(role)s"]
    grants.append("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO %(role)s")
    run(lambda sessions: execute(sessions, grants))
    yield name
    run(lambda sessions: execute(sessions, ["DROP OWNED BY %(role)s", "DROP ROLE %(role)s"]))


def test_a_tenant_sees_and_writes_its_own_rows_only(settings, tenants, role):
    async def check():
        mine, theirs = tenants
        async with opened(changed(settings, role=role, pool_size=1, max_overflow=0)) as engine:
            sessions = session_factory(engine)
            async with tenant_transaction(sessions, mine) as session:
                assert set(await session.scalars(select(Product.tenant_id))) == {mine}
                assert set(await session.scalars(select(User.tenant_id))) == {mine}
                product = ProductData(sku="X", name="x", price=1)
                assert len(await upsert_products(session, mine, [product])) == 1
            with pytest.raises(DBAPIError, match="violates row-level security policy"):
                async with tenant_transaction(sessions, mine) as session:
                    await upsert_products(session, theirs, [product])
            # The one pooled connection carries nobody's identity on.
            async with sessions.begin() as session:
                for table in (Product, User, Order):
                    assert list(await session.scalars(select(table))) == []
                assert len(list(await session.scalars(select(Tenant)))) == 2

    asyncio.run(check())


def test_engine_is_made_without_a_server():
    assert create_engine(DatabaseSettings(url=database_url())).pool.size() == 5
