"""How long the throw-away server takes to be ready and to be gone, beside an initdb and start done by hand.

python benchmarks/server_ready.py [RUNS]
"""

from __future__ import annotations

import statistics
import sys
import time

from alembic_pgpatterns.server.throwaway import throwaway_server


def once() -> tuple[float, float]:
    begin = time.perf_counter()
    with throwaway_server() as server:
        with server.connect() as connection:
            connection.execute("SELECT 1")
        ready = time.perf_counter()
    return ready - begin, time.perf_counter() - ready


def main(runs: int) -> None:
    first, _ = once()
    ready, gone = (statistics.median(column) for column in zip(*(once() for _ in range(runs)), strict=True))
    print(f"first run (makes the cluster where none is cached): {first:.2f} s")
    print(f"ready with a warm cache: {ready:.2f} s; gone: {gone:.2f} s; first/warm: {first / ready:.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
