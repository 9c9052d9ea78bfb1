"""The statements for policies, shared by the directives and the comparison."""

from __future__ import annotations

from collections.abc import Sequence

from alembic_pgpatterns.operations.support.template import Name, Sql, Template, role_sql


def create_policy(
    policy: str,
    table: Name,
    using: str | None,
    with_check: str | None,
    *,
    command: str = "ALL",
    roles: Sequence[str] = ("public",),
    permissive: bool = True,
) -> Template:
    """``CREATE POLICY``."""
    return Template(
        "CREATE POLICY {name} ON {table} AS {kind} FOR {command} TO {roles}{expressions}",
        name=Name(policy),
        table=table,
        kind=Sql("PERMISSIVE" if permissive else "RESTRICTIVE"),
        command=Sql(command),
        roles=role_sql(roles),
        expressions=expressions(using, with_check),
    )


def expressions(using: str | None, with_check: str | None) -> Template:
    """``USING (...) WITH CHECK (...)``, each only if given."""
    return Template(
        "{using}{check}",
        using=Template(" USING ({sql})", sql=Sql(using)) if using is not None else Sql(""),
        check=Template(" WITH CHECK ({sql})", sql=Sql(with_check)) if with_check is not None else Sql(""),
    )
