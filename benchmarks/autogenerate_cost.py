"""What autogenerate costs: with the plugin against Alembic alone, when there is nothing to do, as in `alembic check`.

The database has what the effective metadata creates. Alembic compares it with that, the plugin with the models.

    python benchmarks/autogenerate_cost.py [number of tables ...]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa
from alembic.autogenerate import produce_migrations
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql

from alembic_pgpatterns import effective_metadata
from alembic_pgpatterns.server.throwaway import throwaway_server

STOCK = ["alembic.autogenerate.*"]
RUNS = 2


def models(count: int) -> sa.MetaData:
    """Tables with about seventeen columns, a foreign key, a CHECK, an enum and two indexes each."""
    metadata = sa.MetaData()
    for number in range(count):
        columns = [sa.Column("id", sa.BigInteger, primary_key=True)]
        columns += [sa.Column(f"s{k}", sa.Text, server_default="x" if k == 1 else None) for k in range(6)]
        columns += [sa.Column(f"n{k}", sa.Integer, nullable=False) for k in range(4)]
        columns += [
            sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now()),
            sa.Column("doc", postgresql.JSONB),
            sa.Column("flag", sa.Boolean),
            sa.Column("kind", sa.Enum("a", "b", name="kind")),
        ]
        if number:
            columns.append(sa.Column("parent_id", sa.ForeignKey(f"t{number - 1}.id")))
        table = sa.Table(f"t{number}", metadata, *columns, sa.CheckConstraint("n0 > 0", name=f"ck{number}"))
        sa.Index(f"ix_plain{number}", table.c.s0)
        sa.Index(f"ix_lower{number}", sa.func.lower(table.c.s2), postgresql_where=table.c.n1 > 5)
    return metadata


def seconds(connection: sa.Connection, metadata: sa.MetaData, plugins: list[str], root: Path) -> float:
    """The shortest of some runs. A difference ends the program: the two would not do the same work."""
    config = Config(str(root / "alembic.ini"), toml_file=str(root / "pyproject.toml"))
    config.set_main_option("script_location", str(root))
    best = float("inf")
    for _ in range(RUNS):
        environment = EnvironmentContext(config, ScriptDirectory(str(root)))
        options = {"target_metadata": metadata, "autogenerate_plugins": plugins, "compare_type": True}
        context = MigrationContext.configure(connection, environment_context=environment, opts=options)
        began = time.perf_counter()
        found = produce_migrations(context, metadata)
        best = min(best, time.perf_counter() - began)
        connection.rollback()
        if found.upgrade_ops is None or found.upgrade_ops.as_diffs():
            raise SystemExit(f"not equal: {found.upgrade_ops and found.upgrade_ops.as_diffs()[:5]}")
    return best


def main() -> None:
    """Print a table."""
    print(f"{'tables':>7} {'stock':>8} {'plugin':>8} {'ratio':>6}")
    with throwaway_server() as server, tempfile.TemporaryDirectory() as name:
        (Path(name) / "versions").mkdir()
        for count in [int(word) for word in sys.argv[1:]] or [40, 200, 500]:
            database = server.create_database(f"cost_{count}")
            url = server.url(database).set(drivername="postgresql+psycopg")
            effective = effective_metadata(models(count))
            with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
                effective.create_all(connection)
                # As autovacuum does it. Without it the catalog's queries of both get plans for empty catalogs.
                connection.execute(sa.text("ANALYZE"))
                connection.commit()
                stock = seconds(connection, effective, STOCK, Path(name))
                plugin = seconds(connection, models(count), [*STOCK, "alembic_pgpatterns"], Path(name))
            print(f"{count:7} {stock:7.2f}s {plugin:7.2f}s {plugin / stock:6.2f}", flush=True)


if __name__ == "__main__":
    main()
