"""Whose rows a transaction sees."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

TENANT_SETTING = "app.tenant_id"


@asynccontextmanager
async def tenant_transaction(
    sessions: async_sessionmaker[AsyncSession],
    tenant_id: int,
) -> AsyncIterator[AsyncSession]:
    """A transaction in which the policies let only this tenant's rows through.

    ``set_config(..., true)`` is SET LOCAL with a bound parameter: the setting ends with the transaction, so a
    pooled connection never carries one tenant's identity to the next request, nor through a transaction pooler.
    Source: PostgreSQL, "System Administration Functions", section "Configuration Settings Functions"; "Row
    Security Policies".
    """
    async with sessions.begin() as session:
        await session.execute(select(func.set_config(TENANT_SETTING, str(tenant_id), True)))
        yield session
