"""The statements of policies, for the directives and for the comparison."""

from __future__ import annotations

from collections.abc import Sequence

from alembic_pgpatterns.operations.support.statement import Name, Sql, Statement, role_sql


def create_policy(
    policy: str,
    table: Name,
    using: str | None,
    with_check: str | None,
    *,
    command: str = "ALL",
    roles: Sequence[str] = ("public",),
    permissive: bool = True,
) -> Statement:
    """``CREATE POLICY``."""
    return Statement(
        "CREATE POLICY {name} ON {table} AS {kind} FOR {command} TO {roles}{expressions}",
        name=Name(policy),
        table=table,
        kind=Sql("PERMISSIVE" if permissive else "RESTRICTIVE"),
        command=Sql(command),
        roles=role_sql(roles),
        expressions=expressions(using, with_check),
    )


def expressions(using: str | None, with_check: str | None) -> Statement:
    """``USING (...) WITH CHECK (...)``, each where it is given."""
    return Statement(
        "{using}{check}",
        using=Statement(" USING ({sql})", sql=Sql(using)) if using is not None else Sql(""),
        check=Statement(" WITH CHECK ({sql})", sql=Sql(with_check)) if with_check is not None else Sql(""),
    )
