"""What the service asks of its database, apart from the queue (``shop.jobs``).

Every function takes the session of a transaction that its caller opened (``shop.tenancy.tenant_transaction``), and
the tenant as well: the policies keep tenants apart, the equality lets an index do it cheaply.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, func, insert, literal, select, tuple_, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload

from shop.models import Job, Order, OrderLine, Product, User, events


class UnknownProduct(LookupError):
    """An order names products that the tenant does not sell (any more)."""


@dataclass(frozen=True, slots=True)
class ProductData:
    """A product as a supplier's price list states it."""

    sku: str
    name: str
    price: Decimal
    currency: str = "EUR"
    attributes: dict[str, Any] = field(default_factory=dict)
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the event log."""

    kind: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page of orders ended."""

    created_at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class Page:
    """Orders, newest first, and where the next page begins (None: this was the last)."""

    orders: list[Order]
    next: Cursor | None


async def upsert_products(session: AsyncSession, tenant_id: int, products: Sequence[ProductData]) -> list[int]:
    """Create or update products by their sku, in batches; the ids of those that were new or did change.

    - One atomic statement a batch, where SELECT-then-INSERT races with another import of the same sku.
    - A sku that comes twice is sent once (the last counts): one statement may not touch a row twice.
    - The rows go in the order of their key, so two imports wait for each other and never deadlock.
    - An unchanged row is not written: each UPDATE leaves a dead row behind, and one in every index.

    Source: PostgreSQL, "INSERT", section "ON CONFLICT Clause"; SQLAlchemy, "PostgreSQL", section
    "INSERT...ON CONFLICT (Upsert)", and "Engines and Connections", section "Insert Many Values".
    """
    rows = {product.sku: {"tenant_id": tenant_id, **asdict(product)} for product in products}
    if not rows:
        return []
    table = Product.__table__.c
    statement = postgresql.insert(Product.__table__)  # type: ignore[arg-type]
    changeable = [column.name for column in fields(ProductData) if column.name != "sku"]
    statement = statement.on_conflict_do_update(
        index_elements=[table.tenant_id, table.sku],
        set_={name: statement.excluded[name] for name in changeable},
        where=tuple_(*(table[name] for name in changeable)).is_distinct_from(
            tuple_(*(statement.excluded[name] for name in changeable)),
        ),
    )
    result = await session.execute(statement.returning(table.id), [rows[sku] for sku in sorted(rows)])
    return list(result.scalars())


async def record_events(session: AsyncSession, tenant_id: int, entries: Sequence[Event]) -> None:
    """Append to the event log: one INSERT of many rows a thousand entries, not one statement an entry.

    A statement a row costs a message and an execution each. The batch stays far below the
    65,535 parameters that the protocol allows one statement.
    Source: PostgreSQL, "Populating a Database"; SQLAlchemy, ``Insert.values`` with a list of dictionaries.
    """
    rows = [{"tenant_id": tenant_id, "kind": entry.kind, "payload": entry.payload} for entry in entries]
    for start in range(0, len(rows), 1000):
        await session.execute(insert(events).values(rows[start : start + 1000]))


def orders_page(tenant_id: int, after: Cursor | None, size: int) -> Select[Order]:
    """The statement of one page of orders: the row comparison is one contiguous range of the index.

    The index is (tenant_id, created_at, id): first what is compared for equality, then the range, then what makes
    the order total. It is read backwards. ``created_at < x OR (created_at = x AND id < y)`` says the same, but is
    no index condition. Source: PostgreSQL, "Multicolumn Indexes" and "Row and Array Comparisons", section "Row
    Constructor Comparison".
    """
    statement = select(Order).where(Order.tenant_id == tenant_id)
    if after is not None:
        position = tuple_(
            literal(after.created_at, Order.created_at.type),
            literal(after.id, Order.id.type),
        )
        statement = statement.where(tuple_(Order.created_at, Order.id) < position)
    return statement.order_by(Order.created_at.desc(), Order.id.desc()).limit(size)


async def list_orders(session: AsyncSession, tenant_id: int, *, after: Cursor | None = None, size: int = 50) -> Page:
    """A page of the tenant's orders, newest first, from behind ``after``.

    Every page costs the same, and an order that arrives meanwhile shifts nothing. OFFSET reads and throws away all
    rows before the page, and shows one twice when another arrives. One row more than asked for tells whether
    there is a next page. Source: PostgreSQL, "LIMIT and OFFSET".
    """
    found = list(await session.scalars(orders_page(tenant_id, after, size + 1)))
    orders = found[:size]
    more = len(found) > size
    return Page(orders, Cursor(orders[-1].created_at, orders[-1].id) if more else None)


async def load_orders(session: AsyncSession, tenant_id: int, ids: Collection[int]) -> list[Order]:
    """Orders with their user, lines and products: two statements, whatever the number of orders.

    A collection comes by ``selectinload`` (a second statement for all orders together), since a join would repeat
    the order with each of its lines; a many-to-one comes by a join. Source: SQLAlchemy, "Relationship Loading
    Techniques", section "What Kind of Loading to Use?".
    """
    statement = (
        select(Order)
        .where(Order.tenant_id == tenant_id, Order.id.in_(ids))
        .order_by(Order.id)
        .options(
            joinedload(Order.user, innerjoin=True),
            selectinload(Order.lines).joinedload(OrderLine.product, innerjoin=True),
        )
    )
    return list(await session.scalars(statement))


async def place_order(session: AsyncSession, tenant_id: int, user_id: int, quantities: Mapping[int, int]) -> Order:
    """A new order of so many pieces of each product id, the job that confirms it, and its event.

    All in the caller's transaction: a job that is queued in the database exists exactly if its order does, which
    no queue outside can promise. The lines go out as one INSERT (SQLAlchemy, "Engines and Connections", section
    "Insert Many Values"). Raises UnknownProduct.
    """
    prices = await _prices(session, tenant_id, quantities)
    order = Order(
        tenant_id=tenant_id,
        user_id=user_id,
        total=sum((prices[product] * quantity for product, quantity in quantities.items()), Decimal(0)),
        lines=[
            OrderLine(product_id=product, quantity=quantity, unit_price=float(prices[product]))
            for product, quantity in quantities.items()
        ],
    )
    session.add(order)
    await session.flush()
    session.add(Job(tenant_id=tenant_id, kind="confirm_order", payload={"order_id": order.id}))
    await record_events(session, tenant_id, [Event("order_placed", {"order_id": order.id})])
    return order


async def _prices(session: AsyncSession, tenant_id: int, products: Collection[int]) -> dict[int, Decimal]:
    statement = select(Product.id, Product.price).where(
        Product.tenant_id == tenant_id,
        Product.id.in_(products),
        Product.is_active,
    )
    prices = {row.id: row.price for row in await session.execute(statement)}
    if missing := sorted(set(products) - prices.keys()):
        raise UnknownProduct(f"tenant {tenant_id} sells no product {', '.join(map(str, missing))}")
    return prices


async def search_products(
    session: AsyncSession,
    tenant_id: int,
    words: str,
    attributes: dict[str, Any] | None = None,
    size: int = 20,
) -> list[Product]:
    """Active products that match the words of a search box and contain the attributes, best match first.

    ``websearch_to_tsquery`` takes whatever a person types and never raises a syntax error; the stored tsvector
    column spares parsing every text at each search. Source: PostgreSQL, "Controlling Text Search", section
    "Parsing Queries", and "Tables and Indexes", section "Creating Indexes".
    """
    query = func.websearch_to_tsquery("english", words)
    statement = (
        select(Product)
        .where(Product.tenant_id == tenant_id, Product.is_active, Product.search.bool_op("@@")(query))
        .order_by(func.ts_rank(Product.search, query).desc(), Product.id)
        .limit(size)
    )
    if attributes:
        statement = statement.where(Product.attributes.contains(attributes))
    return list(await session.scalars(statement))


async def active_user(session: AsyncSession, tenant_id: int, email: str) -> User | None:
    """The user who logs in with this address, unless deleted."""
    statement = select(User).where(User.tenant_id == tenant_id, User.email == email, User.deleted_at.is_(None))
    return await session.scalar(statement)


async def delete_user(session: AsyncSession, tenant_id: int, user_id: int) -> bool:
    """Mark a user deleted, since orders still name them; whether there was one to delete.

    The condition makes a repetition harmless: the first time stays on record.
    """
    statement = (
        update(User)
        .where(User.tenant_id == tenant_id, User.id == user_id, User.deleted_at.is_(None))
        .values(deleted_at=func.now())
        .returning(User.id)
    )
    return await session.scalar(statement) is not None


async def units_sold(session: AsyncSession, product_id: int) -> int:
    """How many units of a product were ordered."""
    return await session.scalar(select(func.sum(OrderLine.quantity)).where(OrderLine.product_id == product_id)) or 0
