"""PostgreSQL best practices that hold by themselves in SQLAlchemy and Alembic projects."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic_pgpatterns.autogenerate.effective import effective_metadata as effective_metadata
    from alembic_pgpatterns.autogenerate.road import rewriter as rewriter

_HOMES = {
    "effective_metadata": "alembic_pgpatterns.autogenerate.effective",
    "rewriter": "alembic_pgpatterns.autogenerate.road",
}


def __getattr__(name: str) -> object:
    """The public names, loaded when they are asked for: importing the package stays cheap."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
