"""PostgreSQL's own parser (libpg_query, by way of postgast): the one module that imports it.

``postgast`` is its functions, ``pg`` the classes and constants of the parse tree; any name of ``pg`` can be imported
from here as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    # postgast's stub has fields that are named like Python's keywords (`from`, `import`). mypy takes that for a syntax
    # error and stops, also in the project of a user who imports nothing but ``op`` from us. So it never gets there.
    postgast: Any
    pg: Any
    Node: TypeAlias = Any
    RangeVar: TypeAlias = Any

    def __getattr__(name: str) -> Any: ...

else:
    import postgast
    from postgast import pg_query_pb2 as pg

    def __getattr__(name: str) -> Any:
        """A class or constant of the parse tree."""
        return getattr(pg, name)


__all__ = ["pg", "postgast"]
