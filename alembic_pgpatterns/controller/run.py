"""A project's migrations on a throw-away server: the entry point of this folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from alembic_pgpatterns.controller.head_schema import CachedRun, Head, RunAt, bring_to_head, server_at
from alembic_pgpatterns.controller.history import Revision
from alembic_pgpatterns.controller.position import EMPTY, Position
from alembic_pgpatterns.controller.upgrade import Upgraded, upgrade

if TYPE_CHECKING:
    from alembic_pgpatterns.controller.tracer import TraceResult


class Run(CachedRun):
    """One run of a project's migrations."""

    def upgrade(self, start: Position = EMPTY, heads: tuple[str, ...] | None = None, *, keep: bool = False) -> Upgraded:
        """Run the missing revisions on the server. Arguments and errors: see `upgrade.upgrade`."""
        return upgrade(self, start, heads, keep=keep)

    @contextmanager
    def at_head(self, milestone: frozenset[str] = frozenset()) -> Iterator[Head]:
        """Start a server, upgrade it to head and read its schemas. Afterwards the server is stopped and deleted.

        Args:
            milestone: revisions after which the cluster is cached too, because a later step continues from there.

        Raises:
            PgPatternsError: no server could be started, or a revision fails.
        """
        with bring_to_head(self, milestone) as head:
            yield head

    @contextmanager
    def at(self, revisions: Iterable[str], *, watched: bool = False) -> Iterator[RunAt]:
        """Start a server at some revisions.

        Args:
            revisions: identifiers; all their ancestors are run too. If they fail, the server is empty; whoever runs
                them again gets the error.
            watched: whether the server's log gets what the tracer needs.

        Raises:
            PgPatternsError: no server could be started.
        """
        with server_at(self, revisions, watched=watched) as at:
            yield at

    def trace(self, scope: Sequence[Revision], before: frozenset[str] = frozenset()) -> TraceResult:
        """Trace revisions on a server of their own.

        Args:
            scope: the revisions to trace, in order.
            before: the revisions that precede the first of them.

        Raises:
            PgPatternsError: no server could be started.
        """
        from alembic_pgpatterns.controller.tracer import trace  # not needed where all traces are cached

        return trace(self, scope, self.cache.find(before) if self.cache is not None else None)
