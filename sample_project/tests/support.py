"""What the tests of several modules use."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from shop.database import DatabaseSettings, create_engine
from shop.models import Product, Tenant, User
from sqlalchemy import event, insert
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

Sessions = async_sessionmaker[AsyncSession]


@asynccontextmanager
async def opened(settings: DatabaseSettings) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(settings)
    try:
        yield engine
    finally:
        await engine.dispose()


@contextmanager
def statements(sessions: Sessions) -> Iterator[list[str]]:
    """The statements that the driver is given meanwhile."""
    seen: list[str] = []
    engine = sessions.kw["bind"].sync_engine

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def new_tenant(session: AsyncSession, slug: str, *, products: int = 0) -> Tenant:
    """A tenant with one user, and products that cost 1, 2, 3 ..."""
    tenant = Tenant(slug=slug, name=slug.title())
    session.add(tenant)
    await session.flush()
    session.add(User(tenant_id=tenant.id, email=f"0@{slug}.example", name="User 0"))
    await session.flush()
    if products:
        rows = [{"sku": f"S-{n}", "name": f"Thing {n}", "price": 1 + n, "currency": "EUR"} for n in range(products)]
        await session.execute(insert(Product).values(tenant_id=tenant.id), rows)
    return tenant
