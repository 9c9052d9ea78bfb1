"""PostgreSQL's own parser (libpg_query, through postgast). No other module imports postgast.

``postgast`` has its functions, ``pg`` the classes and constants of the parse tree; every name of ``pg`` can be imported
from here too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    # postgast's stub has fields named like Python keywords (`from`, `import`). mypy reports a syntax error and stops,
    # even in a project that imports only ``op`` from us. So mypy must not see the stub.
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
