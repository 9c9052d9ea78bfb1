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
    import postgast as library
    from google.protobuf.message import DecodeError, Message
    from postgast import pg_query_pb2 as pg

    class Postgast:
        """postgast, where a statement that is nested deeply is read, or refused as PostgreSQL refuses others."""

        def __getattr__(self, name: str) -> Any:
            return getattr(library, name)

        def parse(self, query: str) -> Any:
            """Parse a text; PgQueryError if it is no SQL, or nested more deeply than our code can follow."""
            try:
                return library.parse(query)
            except DecodeError:
                return deep_tree(query)

    def deep_tree(query: str) -> Any:
        """The parse tree of what protobuf refuses: by default it reads 100 levels, which 48 operators in a row have."""
        try:
            from google._upb import _message

            _message.SetAllowOversizeProtos(True)
        except (ImportError, AttributeError) as error:
            raise library.PgQueryError("nested too deeply to be read") from error
        try:
            tree = library.parse(query)
        finally:
            _message.SetAllowOversizeProtos(False)
        if depth(tree) > DEEPEST:
            raise library.PgQueryError("nested too deeply to be followed")
        return tree

    def depth(tree: Any) -> int:
        """The number of levels of a tree, counted without recursion."""
        level, number = [tree], 0
        while level:
            number += 1
            level = [child for node in level for child in children(node)]
        return number

    def children(node: Any) -> Any:
        """The messages in the fields of a message."""
        for field, value in node.ListFields():
            if field.type == field.TYPE_MESSAGE:
                yield from (value,) if isinstance(value, Message) else value

    postgast = Postgast()

    def __getattr__(name: str) -> Any:
        """A class or constant of the parse tree."""
        return getattr(pg, name)


DEEPEST = 300
"""Levels of a parse tree: functions that follow it call themselves, which Python allows some 1,000 times."""
__all__ = ["pg", "postgast"]
