"""The load: a separate program, so that the project's code does not slow it down.

It reads one line of JSON: ``{"conninfo", "interval", "probes": [{"name", "statements"}]}``. Each probe is a connection
that runs its statements in turn. It writes "ready" when all are connected and have run for a moment, and continues
until its input ends. Then it writes per probe: the longest statement, the median before "ready", the number, an error.
"""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time
from typing import Any

import psycopg

WARM_UP = 0.4
"""How many seconds the usual time is measured."""


class Probe(threading.Thread):
    """One connection."""

    def __init__(self, conninfo: str, probe: dict[str, Any], interval: float) -> None:
        super().__init__(daemon=True)
        self.name = probe["name"]
        self.statements = [statement.encode() for statement in probe["statements"]]
        self.interval = interval
        self.before: list[float] = []
        self.longest = 0.0
        self.count = 0
        self.error: str | None = None
        self.began = 0.0
        self.warm = threading.Event()
        self.stopped = threading.Event()
        self.connection = psycopg.connect(conninfo, autocommit=True, application_name="pgpatterns load")

    def run(self) -> None:
        """Run the statements in turn, with pauses."""
        number = 0
        while not self.stopped.is_set():
            self.began = time.perf_counter()
            try:
                self.connection.execute(self.statements[number % len(self.statements)])
            except psycopg.Error as error:
                self.error = self.error or str(error).strip()
                if self.connection.closed:
                    return
                # What fails once may fail each time, and would take the processor from the migration.
                self.stopped.wait(0.05)
            self._note(time.perf_counter() - self.began)
            number += 1
            self.stopped.wait(self.interval)

    def _note(self, seconds: float) -> None:
        if self.warm.is_set():
            self.longest = max(self.longest, seconds)
            self.count += 1
        else:
            self.before.append(seconds)

    def result(self) -> dict[str, Any]:
        """The times that it measured."""
        # Not the mean: the first statement of a connection fills its caches of the catalog, which takes much longer.
        usual = statistics.median(self.before) if self.before else 0.0
        return {"name": self.name, "longest": self.longest, "usual": usual, "count": self.count, "error": self.error}


def main() -> None:
    """Run the probes until the input ends."""
    task = json.loads(sys.stdin.readline())
    probes = [Probe(task["conninfo"], probe, task["interval"]) for probe in task["probes"]]
    for probe in probes:
        probe.start()
    time.sleep(WARM_UP)
    for probe in probes:
        probe.warm.set()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    # It ends when the parent closes it, also if that is killed.
    sys.stdin.read()
    for probe in probes:
        probe.stopped.set()
    for probe in probes:
        probe.join(30)
    sys.stdout.write(json.dumps([probe.result() for probe in probes]) + "\n")


if __name__ == "__main__":
    main()
