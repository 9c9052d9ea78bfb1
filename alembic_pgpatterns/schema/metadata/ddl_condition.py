"""What ``ddl_if()`` says of an index or a constraint."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index
from sqlalchemy.schema import CreateIndex


def is_for_postgresql(item: Any, compiler: Any) -> bool:
    """Whether PostgreSQL gets an index or a constraint: by its ``ddl_if()``, if it has one.

    Args:
        item: the index or the constraint.
        compiler: PostgreSQL's compiler of DDL.
    """
    condition = getattr(item, "_ddl_if", None)
    if condition is None:
        return True
    try:
        statement = CreateIndex(item) if isinstance(item, Index) else item
        return bool(condition._should_execute(statement, item, None, compiler=compiler))
    except Exception:
        # A condition that asks the connection; most are true for PostgreSQL.
        return True
