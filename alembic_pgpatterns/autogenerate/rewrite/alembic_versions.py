"""What Alembic's first versions with plugins lack, and what is done there instead."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import alembic
from alembic.autogenerate import render
from alembic.operations import ops

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

HAS_INLINE_REFERENCES = tuple(map(int, alembic.__version__.split(".")[:2])) >= (1, 19)
"""``op.add_column(..., inline_references=True)``: it came with Alembic 1.18.2, and before 1.19 it lost ON DELETE."""


def render_checks() -> None:
    """Have ``op.create_check_constraint`` rendered; before 1.19 Alembic's own renderer only raises."""
    stock = getattr(render, "_add_check_constraint", None)
    if stock is not None and "op" not in inspect.signature(stock).parameters:
        render.renderers.dispatch_for(ops.CreateCheckConstraintOp, replace=True)(_check)


def _check(context: AutogenContext, op: ops.CreateCheckConstraintOp) -> str:
    """As Alembic 1.19 renders it."""
    constraint = op.to_constraint()
    condition = render._render_potential_expr(constraint.sqltext, context, wrap_in_element=False)
    arguments = [repr(render._render_gen_name(context, op.constraint_name)), repr(op.table_name), condition]
    if op.schema:
        arguments.append(f"schema={op.schema!r}")
    arguments += [f"{name}={value!r}" for name, value in constraint.dialect_kwargs.items()]
    return f"{context.opts['alembic_module_prefix'] or ''}create_check_constraint({', '.join(arguments)})"
