"""Python source for a directive: the call and its values."""

from __future__ import annotations

import datetime
import decimal
import enum
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from alembic.autogenerate import render
from sqlalchemy import Column
from sqlalchemy.sql.elements import ClauseElement, TextClause

from alembic_pgpatterns import errors

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

LONGEST_LINE = 100


def call(context: AutogenContext, name: str, arguments: Iterable[tuple[str | None, Any]]) -> str:
    """``op.name(...)``, on one line if it fits, otherwise with one argument per line."""
    prefix = render._alembic_autogenerate_prefix(context)
    rendered = [value(context, item) if key is None else f"{key}={value(context, item)}" for key, item in arguments]
    line = f"{prefix}{name}({', '.join(rendered)})"
    if len(line) <= LONGEST_LINE:
        return line
    return f"{prefix}{name}(\n" + "".join(f"    {item},\n" for item in rendered) + ")"


def value(context: AutogenContext, item: Any) -> str:
    """The source of a value. The imports that it needs are added to the revision's.

    Raises:
        PgPatternsError: there is no source for such a value.
    """
    if isinstance(item, dict):
        return "{" + ", ".join(f"{value(context, k)}: {value(context, v)}" for k, v in item.items()) + "}"
    if isinstance(item, list | tuple):
        inner = ", ".join(value(context, each) for each in item)
        return f"[{inner}]" if isinstance(item, list) else f"({inner}{',' if len(item) == 1 else ''})"
    if isinstance(item, ClauseElement | Column):
        return _sqlalchemy(context, item)
    return _plain(context, item)


def _sqlalchemy(context: AutogenContext, item: Any) -> str:
    if isinstance(item, Column):
        return str(render._render_column(item, context))
    if isinstance(item, TextClause):
        return f"{render._sqlalchemy_autogenerate_prefix(context)}text({item.text!r})"
    return str(render._render_potential_expr(item, context))


def _plain(context: AutogenContext, item: Any) -> str:
    if isinstance(item, enum.Enum):
        return _plain(context, item.value)
    if isinstance(item, str):
        return repr(str(item))
    if item is None or isinstance(item, bool | int | float | bytes):
        return repr(item)
    if isinstance(item, datetime.date | datetime.time | datetime.timedelta):
        context.imports.add("import datetime")
        return repr(item)
    if isinstance(item, decimal.Decimal | uuid.UUID):
        module = type(item).__module__
        context.imports.add(f"import {module}")
        return f"{module}.{item!r}"
    raise errors.PgPatternsError(f"no Python source can be written for the value {item!r}")
