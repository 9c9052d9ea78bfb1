"""Values of a column that gets another type: both types must be able to hold them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from alembic_pgpatterns.rehearsal.rows.limits import NO_LIMIT, Limit, narrowed
from alembic_pgpatterns.rehearsal.rows.values import FLOATS, WHOLE, ColumnPlan, Values
from alembic_pgpatterns.schema.model import DataType

NUMBERS = (*WHOLE, *FLOATS, "numeric")
SAMPLES = (0, 1, 2, 9, 10, 11, 99, 100, 999, 32_767, 99_999)
"""Numbers of rows whose values are tried."""


def for_both_types(connection: Any, values: Values, plan: ColumnPlan) -> ColumnPlan:
    """The plan, changed so that its column can hold the values, which look like the other type's where that works.

    Args:
        connection: psycopg's, in autocommit mode.
        values: makes the expressions.
        plan: of a column, with the other column in ``like``.
    """
    if plan.like is None:
        return plan
    shared = _shared(plan, plan.column.type, plan.like.type)
    # Else the column's own values: what the revision makes of them is its matter.
    return shared if _can_hold(connection, values, shared) else replace(plan, like=None)


def _shared(plan: ColumnPlan, old: DataType, new: DataType) -> ColumnPlan:
    if old.array or new.array or plan.limit.choices is not None:
        return plan
    if old.kind == new.kind == "enum":
        common = tuple(label for label in old.labels if label in new.labels)
        return replace(plan, like=None, limit=replace(plan.limit, choices=common)) if common else plan
    if old.name not in NUMBERS or new.name not in NUMBERS:
        return plan
    if old.name in WHOLE:
        return replace(plan, like=None, limit=narrowed(plan.limit, _range(new)))
    return replace(plan, limit=narrowed(plan.limit, _range(old)))


def _range(number: DataType) -> Limit:
    """The largest value of a type of numbers; other limits are the type's own."""
    if number.name in WHOLE:
        return Limit(high=WHOLE[number.name])
    if number.name != "numeric" or not number.modifier:
        return NO_LIMIT
    precision, scale = (*number.modifier, 0)[:2]
    most = (10**precision - 1) / 10**scale
    return Limit(high=most) if most >= 1 else Limit(low=0, high=most)


def _can_hold(connection: Any, values: Values, plan: ColumnPlan) -> bool:
    rows = sql.SQL("(SELECT unnest({}::bigint[]) AS number)").format(sql.Literal(list(SAMPLES)))
    expression = values.expression(plan, sql.SQL("r.number"))
    try:
        connection.execute(sql.SQL("SELECT count({}) FROM {} r").format(expression, rows))
    except psycopg.Error:
        return False
    return True
