from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from shop.models import Job, Order, OrderLine, Product, User, events
from shop.queries import (
    Event,
    ProductData,
    UnknownProduct,
    active_user,
    delete_user,
    list_orders,
    load_orders,
    orders_page,
    place_order,
    record_events,
    search_products,
    units_sold,
    upsert_products,
)
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import InvalidRequestError

from .support import new_tenant, statements


def price_list(count, **changes):
    return [ProductData(sku=f"P-{n:05}", name=f"Thing {n}", price=Decimal(n), **changes) for n in range(count)]


def test_upsert_inserts_and_updates_in_batches(run):
    async def check(sessions):
        async with sessions.begin() as session:
            tenant = await new_tenant(session, "acme")
            with statements(sessions) as sent:
                created = await upsert_products(session, tenant.id, price_list(2500))
            assert len(set(created)) == 2500
            assert len(sent) == 3
        async with sessions.begin() as session:
            changed = [replace(product, name="New name") for product in price_list(10)]
            updated = await upsert_products(session, tenant.id, changed)
            assert set(updated) < set(created)
            names = await session.scalars(select(Product.name).where(Product.id.in_(updated)))
            assert list(names) == ["New name"] * 10
            assert await session.scalar(select(func.count()).select_from(Product)) == 2500

    run(check)


def test_upsert_leaves_unchanged_rows_alone(run):
    async def check(sessions):
        row_versions = select(Product.id, text("xmin::text")).order_by(Product.id)
        async with sessions.begin() as session:
            tenant = await new_tenant(session, "acme")
            await upsert_products(session, tenant.id, price_list(20, attributes={"colour": "red"}))
        async with sessions.begin() as session:
            before = (await session.execute(row_versions)).all()
            assert await upsert_products(session, tenant.id, price_list(20, attributes={"colour": "red"})) == []
            assert (await session.execute(row_versions)).all() == before

    run(check)


def test_upsert_takes_the_last_of_a_repeated_sku_and_nothing_at_all(run):
    async def check(sessions):
        async with sessions.begin() as session:
            tenant = await new_tenant(session, "acme")
            first = ProductData(sku="A", name="first", price=Decimal(1))
            assert len(await upsert_products(session, tenant.id, [first, replace(first, name="last")])) == 1
            assert await session.scalar(select(Product.name)) == "last"
            assert await upsert_products(session, tenant.id, []) == []

    run(check)


def test_upsert_writes_in_the_order_of_the_key(run):
    """Two imports that lock rows in different orders could deadlock."""

    async def check(sessions):
        async with sessions.begin() as session:
            tenant = await new_tenant(session, "acme")
            await upsert_products(session, tenant.id, price_list(30)[::-1])
            written = list(await session.scalars(select(Product.sku).order_by(Product.id)))
            assert written == sorted(written)

    run(check)


async def insert_orders(session, tenant, count):
    """Orders of which every three share one moment, so that only the id tells them apart."""
    user_id = await session.scalar(select(User.id).where(User.tenant_id == tenant.id))
    start = datetime(2025, 1, 1)
    await session.execute(
        insert(Order),
        [
            {
                "tenant_id": tenant.id,
                "user_id": user_id,
                "total": n,
                "created_at": start + timedelta(hours=n // 3),
            }
            for n in range(count)
        ],
    )


def test_pages_hold_every_order_once_in_order(run):
    async def check(sessions):
        async with sessions.begin() as session:
            tenant = await new_tenant(session, "acme")
            await insert_orders(session, tenant, 50)
            await insert_orders(session, await new_tenant(session, "other"), 10)
        async with sessions.begin() as session:
            page = await list_orders(session, tenant.id, size=7)
            seen = [page.orders]
            await insert_orders(session, tenant, 1)  # an older order arrives: no page shifts
            while page.next is not None:
                page = await list_orders(session, tenant.id, after=page.next, size=7)
                seen.append(page.orders)
        totals = [int(order.total) for orders in seen for order in orders]
        assert sorted(totals) == sorted([*range(50), 0])
        keys = [(order.created_at, order.id) for orders in seen for order in orders]
        assert keys == sorted(keys, reverse=True)
        assert [len(orders) for orders in seen] == [7] * 7 + [2]

    run(check)


def test_page_is_one_range_of_the_index_without_a_sort(run):
    async def check(sessions):
        async with sessions.begin() as session:
            tenant = await new_tenant(session, "acme")
            await insert_orders(session, tenant, 3000)
            await session.execute(text("ANALYZE orders"))
            page = await list_orders(session, tenant.id, size=20)
            statement = orders_page(tenant.id, page.next, 20).compile(
                dialect=session.get_bind().dialect,
                compile_kwargs={"literal_binds": True},
            )
            plan = "\n".join((await session.scalars(text(f"EXPLAIN {statement}".replace(":", "\\:")))).all())
        assert "Index Scan Backward using ix_orders_tenant_id_created_at_id" in plan
        assert "Sort" not in plan
        condition = next(line for line in plan.splitlines() if "Index Cond" in line)
        assert "tenant_id = " in condition
        assert "ROW(created_at, id) < ROW(" in condition

    run(check)


def test_loading_orders_costs_the_same_statements_for_one_and_for_many(run):
    async def check(sessions):
        async with sessions.begin() as session:
            tenant = await new_tenant(session, "acme", products=3)
            user_id = await session.scalar(select(User.id))
            products = list(await session.scalars(select(Product.id).order_by(Product.id)))
            placed = [
                (await place_order(session, tenant.id, user_id, dict.fromkeys(products, n + 1))).id for n in range(12)
            ]
        for ids in (placed[:1], placed):
            async with sessions.begin() as session:
                with statements(sessions) as sent:
                    orders = await load_orders(session, tenant.id, ids)
                    names = [[line.product.name for line in order.lines] for order in orders]
                    assert {order.user.email for order in orders} == {"0@acme.example"}
            assert names == [["Thing 0", "Thing 1", "Thing 2"]] * len(ids)
            assert len(sent) == 2

    run(check)


def test_what_was_not_loaded_is_an_error_and_no_hidden_query(run):
    async def check(sessions):
        async with sessions.begin() as session:
            tenant = await new_tenant(session, "acme")
            await insert_orders(session, tenant, 1)
        async with sessions.begin() as session:
            order = await session.scalar(select(Order))
            with pytest.raises(InvalidRequestError, match=r"Order\.lines.*lazy='raise'"):
                _ = order.lines

    run(check)


def test_order_job_and_event_are_placed_together(run):
    async def check(sessions):
        async with sessions.begin() as session:
            tenant = await new_tenant(session, "acme", products=2)
            user_id = await session.scalar(select(User.id))
            cheap, dear = await session.scalars(select(Product.id).order_by(Product.id))
        async with sessions.begin() as session:
            with statements(sessions) as sent:
                order = await place_order(session, tenant.id, user_id, {cheap: 3, dear: 2})
                await session.flush()
        assert order.total == Decimal("7.00")
        assert order.created_at is not None
        assert sum("INSERT INTO order_lines" in statement for statement in sent) == 1
        async with sessions.begin() as session:
            lines = await session.execute(select(OrderLine.product_id, OrderLine.quantity).order_by(OrderLine.id))
            assert lines.all() == [(cheap, 3), (dear, 2)]
            assert await units_sold(session, cheap) == 3
            assert (await session.scalar(select(Job))).payload == {"order_id": order.id}
            assert await session.scalar(select(events.c.payload)) == {"order_id": order.id}

    run(check)


def test_a_refused_order_leaves_nothing_behind(run):
    async def check(sessions):
        async with sessions.begin() as session:
            tenant = await new_tenant(session, "acme", products=1)
            user_id = await session.scalar(select(User.id))
            product = await session.scalar(select(Product.id))
        with pytest.raises(UnknownProduct, match="sells no product 998, 999"):
            async with sessions.begin() as session:
                await place_order(session, tenant.id, user_id, {product: 1})
                await place_order(session, tenant.id, user_id, {product: 1, 999: 1, 998: 1})
        async with sessions.begin() as session:
            for table in (Order, OrderLine, Job, events):
                assert await session.scalar(select(func.count()).select_from(table)) == 0

    run(check)


def test_events_are_recorded_in_bulk(run):
    async def check(sessions):
        async with sessions.begin() as session:
            tenant = await new_tenant(session, "acme")
            with statements(sessions) as sent:
                await record_events(session, tenant.id, [Event("visit", {"n": n}) for n in range(2500)])
                await record_events(session, tenant.id, [])
            assert len(sent) == 3
            recorded = await session.scalars(select(events.c.payload["n"].as_integer()))
            assert sorted(recorded) == list(range(2500))

    run(check)


def test_search_takes_what_people_type(run):
    async def check(sessions):
        async with sessions.begin() as session:
            tenant = await new_tenant(session, "acme")
            other = await new_tenant(session, "other")
            lamp = ProductData(sku="L-1", name="Desk lamps", price=Decimal(30), attributes={"colour": "red"})
            catalogue = [
                lamp,
                replace(lamp, sku="L-2", name="Garden lamp", attributes={"colour": "blue"}),
                replace(lamp, sku="L-3", name="Retired lamp", is_active=False),
                replace(lamp, sku="C-1", name="Chair"),
            ]
            await upsert_products(session, tenant.id, catalogue)
            await upsert_products(session, other.id, [lamp])

            async def found(words, attributes=None):
                return {p.sku for p in await search_products(session, tenant.id, words, attributes)}

            assert await found("lamp") == {"L-1", "L-2"}
            assert await found("lamp -garden") == {"L-1"}
            assert await found("lamp", {"colour": "blue"}) == {"L-2"}
            for typed in ("lamp &", "lamp (", "'lamp", '"lamp', "lamp :* | !", "lamp or"):
                assert await found(typed) == {"L-1", "L-2"}
            assert await found("") == set()

    run(check)


def test_a_deleted_user_stays_but_cannot_log_in(run):
    async def check(sessions):
        async with sessions.begin() as session:
            tenant = await new_tenant(session, "acme")
            user = await active_user(session, tenant.id, "0@acme.example")
            assert await delete_user(session, tenant.id, user.id)
            await session.refresh(user)
            first_time = user.deleted_at
            assert first_time.tzinfo is not None
            assert not await delete_user(session, tenant.id, user.id)
            assert await active_user(session, tenant.id, "0@acme.example") is None

    run(check)
