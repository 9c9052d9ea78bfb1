"""Names of constraints and indexes as SQLAlchemy would send them, or as PostgreSQL would choose them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Constraint, Index
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.engine import Dialect

from alembic_pgpatterns.schema.names import MAX_IDENTIFIER_BYTES, truncate

_UNLIMITED = 1_000_000


def model_dialect(target_version: int | None, like: Dialect | None = None) -> PGDialect:
    """A PostgreSQL dialect without a connection that accepts names of any length.

    Args:
        target_version: the major version to write for; None is what SQLAlchemy itself assumes.
        like: a dialect whose class to use; None is SQLAlchemy's default for PostgreSQL.
    """
    make: Any = type(like) if isinstance(like, PGDialect) else postgresql.dialect
    # With another paramstyle a % in a literal would be doubled.
    dialect: PGDialect = make(paramstyle="named")
    dialect.max_identifier_length = MAX_IDENTIFIER_BYTES
    if target_version is not None:
        dialect.server_version_info = (target_version, 0)
        # Since SQLAlchemy 2.1; Computed() without `persisted` means VIRTUAL from PostgreSQL 18 on.
        dialect.supports_virtual_generated_columns = target_version >= 18  # type: ignore[attr-defined,unused-ignore]
    # validate_identifier raises for names that are too long: reporting them is the pattern overlong-identifier's task.
    dialect.validate_identifier = lambda ident: None  # type: ignore[method-assign]
    return dialect


def final_name(item: Constraint | Index, dialect: PGDialect) -> str | None:
    """The name after the naming convention; None if PostgreSQL will choose one.

    It raises nothing: a convention that cannot be applied (a missing token) leaves the constraint without a name.
    """
    if item.name is None:
        return None
    try:
        # Without the parameter, which SQLAlchemy has for Alembic, the name comes in quotes.
        name = dialect.identifier_preparer.format_constraint(item, _alembic_quote=False)
    except Exception:
        return None
    return str(name) if name is not None else None


def made_up_name(table: str, columns: str, label: str) -> str:
    """PostgreSQL's choice for an unnamed object if the name is free (makeObjectName, commands/indexcmds.c).

    The longer one of table and columns is shortened first, so that everything fits into 63 bytes.
    """
    first, second = table.encode(), columns.encode()
    available = MAX_IDENTIFIER_BYTES - len(label) - 1 - (1 if columns else 0)
    while len(first) + len(second) > available:
        if len(first) > len(second):
            first = first[:-1]
        else:
            second = second[:-1]
    parts = [first.decode(errors="ignore"), second.decode(errors="ignore"), label]
    return truncate("_".join(part for part in parts if part))


def joined_columns(columns: tuple[str, ...]) -> str:
    """The columns' part of a chosen name. It ends after 63 bytes (ChooseIndexNameAddition)."""
    text = ""
    for column in columns:
        text = f"{text}_{column}" if text else column
        if len(text.encode()) >= MAX_IDENTIFIER_BYTES + 1:
            break
    return truncate(text)


def unquoted(name: Any) -> str:
    """A quoted_name as a plain str."""
    return str(name)
