"""How long `alembic pgadvise` takes: per candidate, and as tables and statements grow.

python benchmarks/advice.py [TABLES STATEMENTS]
"""

from __future__ import annotations

import random
import sys
import time

from alembic_pgpatterns.advisor.advise import Advisor
from alembic_pgpatterns.advisor.facts import Statistics, TableSize
from alembic_pgpatterns.advisor.model import Options
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.server.binaries import find_binaries
from alembic_pgpatterns.server.throwaway import ThrowawayServer, throwaway_server
from alembic_pgpatterns.workload.model import Recorded, Workload
from alembic_pgpatterns.workload.text import read

COLUMNS = ("tenant_id", "owner_id", "status", "name", "amount", "created_at", "deleted_at")
TABLE = """
CREATE TABLE t{number} (id bigint PRIMARY KEY, tenant_id bigint NOT NULL, owner_id bigint, status text NOT NULL,
    name text, amount numeric, created_at timestamptz NOT NULL DEFAULT now(), deleted_at timestamptz);
CREATE INDEX ON t{number} (owner_id);
"""


def statements(tables: int, count: int) -> Workload:
    """Queries of one to three columns, with order, ranges and joins, the same in each run."""
    chosen = random.Random(7)
    found: dict[str, Recorded] = {}
    while len(found) < count:
        number = chosen.randrange(tables)
        equal = chosen.sample(COLUMNS[:5], chosen.randint(1, 3))
        text = f"SELECT id, {chosen.choice(COLUMNS)} FROM t{number} WHERE "
        text += " AND ".join(f"{name} = ${position}" for position, name in enumerate(equal, 1))
        text += chosen.choice(("", " AND deleted_at IS NULL", f" AND created_at >= ${len(equal) + 1}"))
        text += chosen.choice(("", " ORDER BY created_at DESC LIMIT 20", " ORDER BY amount LIMIT 5"))
        reading = read(text)
        assert reading is not None
        found[reading.fingerprint] = Recorded(reading.fingerprint, text, reading.kind)
    return Workload(tuple(found.values()), "record")


def measure(server: ThrowawayServer, tables: int, count: int) -> None:
    """Advise on so many tables and statements, and print what it took."""
    name = server.create_database(f"bench_{tables}_{count}")
    with server.connect(name) as connection:
        connection.execute("".join(TABLE.format(number=number) for number in range(tables)))
        schema = catalog.read(connection)
    sizes = {Name("public", f"t{number}"): TableSize(5e6, source="benchmark") for number in range(tables)}
    workload = statements(tables, count)
    start, cpu = time.perf_counter(), time.process_time()
    advice = Advisor(server, schema, Statistics(sizes)).advise(name, workload, Options())
    seconds, own = time.perf_counter() - start, time.process_time() - cpu
    server.drop_database(name)
    each = 1000 * seconds / max(1, advice.candidates)
    took = f"{seconds:6.1f} s ({own:.1f} s of ours), {advice.candidates} candidates ({each:.0f} ms each)"
    print(f"{tables:5} tables {count:5} statements: {took}, {advice.plans} plans, {len(advice.indexes)} indexes")


def main() -> None:
    """All sizes, or the one of the arguments."""
    sizes = (
        [(int(sys.argv[1]), int(sys.argv[2]))]
        if len(sys.argv) > 2
        else [(100, 20), (100, 200), (1000, 200), (100, 2000)]
    )
    with throwaway_server(find_binaries()) as server:
        for tables, count in sizes:
            measure(server, tables, count)


if __name__ == "__main__":
    main()
