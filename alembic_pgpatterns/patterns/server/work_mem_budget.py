from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Finding, ServerPattern, Severity
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.live import LiveServer


@dataclass(frozen=True, slots=True)
class Options:
    """Options of work-mem-budget."""

    memory: int = 0
    """Megabytes of memory that the server's machine has; 0: what `effective_cache_size` says, where it is set."""


class WorkMemBudget(ServerPattern):
    """If all connections sort at once, they need more memory than the machine has.

    `work_mem` is per sort or hash of each query, not per server. With every connection busy, even with one sort each,
    `shared_buffers + max_connections * work_mem * hash_mem_multiplier` is needed. When memory runs out, Linux kills a
    process of the server, and PostgreSQL restarts all of them.

    PostgreSQL does not know the machine's memory. Set it (`memory`); else `effective_cache_size` is used, if it
    is set. If neither is set, the pattern is skipped.
    """

    severity = Severity.INFO
    Options = Options
    not_when = (
        "A pooler keeps far fewer connections busy than max_connections: then lower max_connections to that number."
    )
    references = (
        "https://www.postgresql.org/docs/current/runtime-config-resource.html#GUC-WORK-MEM",
        "https://www.postgresql.org/docs/current/kernel-resources.html#LINUX-MEMORY-OVERCOMMIT",
    )

    def cannot_tell(self, server: LiveServer) -> str | None:
        """Skipped where nobody said how much memory there is."""
        if not self.options.memory and server.setting("effective_cache_size").source == "default":
            return "how much memory the server has is not known: set its option `memory`, or effective_cache_size"
        return super().cannot_tell(server)

    def detect(self, server: LiveServer) -> Iterator[Finding]:
        """At most one finding."""
        # SQL shows no size of the machine; effective_cache_size is what its administrator takes it for.
        memory = self.options.memory * 1024 or server.setting("effective_cache_size").kilobytes
        connections = server.setting("max_connections").number
        # One hash table per connection, which may take hash_mem_multiplier times as much; a large statement has
        # several.
        each = server.setting("work_mem").kilobytes * max(_multiplier(server), 1.0)
        needed = server.setting("shared_buffers").kilobytes + connections * each
        if needed > memory:
            megabytes = server.setting("work_mem").kilobytes / 1024
            fitting = max(0, memory - server.setting("shared_buffers").kilobytes) / max(1, connections)
            yield self.finding(
                at=server.place,
                message=f"work_mem of {megabytes:.0f} MB for {connections} connections may need {needed / 1024:.0f} "
                f"MB, but there are {memory / 1024:.0f} MB",
                remedy=Advice(
                    f"At most {fitting / max(_multiplier(server), 1.0) / 1024:.1f} MB of work_mem fit; give more to "
                    "the roles or statements that need it (ALTER ROLE … SET work_mem), or lower max_connections."
                ),
            )


def _multiplier(server: LiveServer) -> float:
    try:
        return float(server.setting("hash_mem_multiplier").value)
    except ValueError:
        return 1.0
