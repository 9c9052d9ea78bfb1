"""PostgreSQL best practices that hold by themselves in SQLAlchemy and Alembic projects."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic_pgpatterns.autogenerate.rewrite.rewriter import rewriter as rewriter
    from alembic_pgpatterns.autogenerate.target.effective_metadata import effective_metadata as effective_metadata
    from alembic_pgpatterns.declare import DefaultPrivileges as DefaultPrivileges
    from alembic_pgpatterns.declare import Extension as Extension
    from alembic_pgpatterns.declare import Grant as Grant
    from alembic_pgpatterns.declare import Policy as Policy
    from alembic_pgpatterns.declare import RowSecurity as RowSecurity
    from alembic_pgpatterns.declare import StorageParameters as StorageParameters
    from alembic_pgpatterns.operations import op as op
    from alembic_pgpatterns.workload.record import record as record

_HOMES = {
    "effective_metadata": "alembic_pgpatterns.autogenerate.target.effective_metadata",
    "rewriter": "alembic_pgpatterns.autogenerate.rewrite.rewriter",
    "DefaultPrivileges": "alembic_pgpatterns.declare",
    "Extension": "alembic_pgpatterns.declare",
    "Grant": "alembic_pgpatterns.declare",
    "Policy": "alembic_pgpatterns.declare",
    "RowSecurity": "alembic_pgpatterns.declare",
    "StorageParameters": "alembic_pgpatterns.declare",
    # The same object as that of ``from alembic import op``; type checkers see `operations/op.pyi`, with our directives.
    "op": "alembic",
    "record": "alembic_pgpatterns.workload.record",
}


def __getattr__(name: str) -> object:
    """The public names, loaded when they are asked for: importing the package stays cheap."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
