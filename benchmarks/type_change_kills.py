"""The changes of type of ``type_changes.py``, killed at every kind of moment and run again to the same end.

A first upgrade and downgrade say which statements a run has, in which order. Each kill then waits for a statement that
is drawn from these with the same chance, however short it is, and comes at a random moment of it: short ones, such as
those of the swap, are hit as often as the backfill. Killed is the program (SIGKILL), its backend (SIGKILL, after which
the server recovers) or its session (pg_terminate_backend()), while a reader and a writer with a ledger work. At the end
rows and catalog have to be as after a run that nobody killed: up, down and up again.

    python benchmarks/type_change_kills.py [kills=30] [rows=20000] [part of a change's name] [seed=0]
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from alembic_pgpatterns.server.throwaway import ThrowawayServer
from benchmarks.type_changes import CHANGES, VIEWS, Change, Load, Project, prepared, running

# Imports what every run needs once, and forks for each command: half of a short run is Python's imports.
_FORKED = """
import os, sys
import alembic.config, psycopg, sqlalchemy.dialects.postgresql, alembic_pgpatterns.plugin
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        output = os.open("output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1), os.dup2(output, 2)
        sys.path.insert(0, os.getcwd())
        alembic.config.main(line.split())
        os._exit(0)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
VICTIMS = ("programs", "backends", "sessions")


class Programs:
    """Runs of alembic in forks of one process."""

    def __init__(self, project: Project) -> None:
        self.project = project
        environment = {**os.environ, "PGAPPNAME": "alembic"}
        self.parent = subprocess.Popen(
            [sys.executable, "-c", _FORKED], cwd=project.root, env=environment, text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def start(self, *arguments: str) -> None:
        """Start a run; `wait` has to follow."""
        assert self.parent.stdin is not None and self.parent.stdout is not None
        self.parent.stdin.write(" ".join(arguments) + "\n")
        self.pid = int(self.parent.stdout.readline())

    def alive(self) -> bool:
        """Whether the run is not over."""
        return Path(f"/proc/{self.pid}/cmdline").exists() and bool(Path(f"/proc/{self.pid}/cmdline").read_bytes())

    def wait(self) -> int:
        """Wait for the end of the run; its exit code."""
        assert self.parent.stdout is not None
        return int(self.parent.stdout.readline())

    def finish(self, *arguments: str) -> None:
        """Run to the end."""
        self.start(*arguments)
        if self.wait():
            raise RuntimeError(f"alembic {' '.join(arguments)}: {self.output()}")

    def output(self) -> str:
        """The end of what the last run printed."""
        return (self.project.root / "output").read_text()[-1500:]

    def close(self) -> None:
        """End the process that forks."""
        assert self.parent.stdin is not None
        self.parent.stdin.close()
        self.parent.wait()


@dataclass
class Watch:
    """Looks at what the program's session does."""

    project: Project
    connection: psycopg.Connection | None = None

    def now(self) -> tuple[int, str] | None:
        """The process of the session that works, and its statement; None if there is none."""
        query = """SELECT pid, query FROM pg_stat_activity WHERE application_name = 'alembic' AND datname = %s
            AND state = 'active' AND backend_type = 'client backend'"""
        try:
            self.connection = self.connection or self.project.server.connect()
            return self.connection.execute(query, (self.project.database,)).fetchone()  # type: ignore[return-value]
        except psycopg.Error:
            self.connection = None
            return None


@dataclass
class Timeline:
    """The statements of a run, in order, with the seconds that each was seen."""

    seconds: dict[str, float] = field(default_factory=dict)

    def record(self, programs: Programs, watch: Watch, *arguments: str) -> None:
        """Run to the end and look at what the session does."""
        programs.start(*arguments)
        seen, since = "", time.perf_counter()
        while programs.alive():
            current = watch.now()
            if current is None or current[1] != seen:
                if seen:
                    self.seconds[seen] = self.seconds.get(seen, 0.0) + time.perf_counter() - since
                seen, since = current[1] if current else "", time.perf_counter()
            time.sleep(0.001)
        if programs.wait():
            raise RuntimeError(f"alembic {' '.join(arguments)}: {programs.output()}")


def kind(statement: str) -> str:
    """What a statement does, for the table."""
    kinds = {
        "pgpatterns_page": "backfill",
        "CONCURRENTLY": "concurrent index",
        "VALIDATE": "validate",
        "pgpatterns_attempt": "lock",
        "alembic_version": "version",
        "DROP": "drop",
        "CREATE": "create",
        "ADD": "add",
        "RENAME": "rename",
        "pg_catalog": "catalog",
        "COMMIT": "commit",
    }
    first = " ".join(statement.split()[:2]).lower()
    return next((name for word, name in kinds.items() if word in statement), first)


class Killed:
    """One change, killed again and again."""

    def __init__(self, server: ThrowawayServer, template: str, change: Change, rows: int, seed: int) -> None:
        self.chance = random.Random(seed)
        self.rows, self.change = rows, change
        self.project = Project(server, template, "killed", change)
        self.programs, self.watch = Programs(self.project), Watch(self.project)
        self.victims: Counter[str] = Counter()
        self.moments: Counter[str] = Counter()

    def run(self, kills: int) -> str:
        """Kill, then compare; what happened."""
        project, before = self.project, self.project.catalog()
        ways = {True: ("upgrade", "head"), False: ("downgrade", "base")}
        timelines = {True: Timeline(), False: Timeline()}
        with self.load() as load:
            timelines[True].record(self.programs, self.watch, *ways[True])
            after = project.catalog()
            timelines[False].record(self.programs, self.watch, *ways[False])
            assert project.catalog() == before
            up, runs = True, 0
            while self.victims.total() < kills and runs < 12 * kills:
                runs += 1
                if self.kill(timelines[up], *ways[up]):
                    continue
                up = not up
            # Not the other way: what a killed downgrade leaves is for its next run.
            self.programs.finish(*ways[up])
            self.programs.finish(*ways[True])
        if load.errors:
            return f"FAILED: {load.errors[:3]}"
        for way, expected in ((True, after), (False, before), (True, after)):
            self.programs.finish(*ways[way])
            if project.catalog() != expected or project.wrong():
                return f"FAILED: {ways[way]}: {project.wrong()} rows; {set(project.catalog()) ^ set(expected)}"
        victims = ", ".join(f"{self.victims[victim]} {victim}" for victim in VICTIMS)
        moments = ", ".join(f"{name} {count}" for name, count in self.moments.most_common())
        return f"{victims} killed; 0 wrong rows of {load.done:,} writes; {runs} runs; at: {moments}"

    def load(self) -> Load:
        server, database, views = self.project.server, self.project.database, self.change.objects == VIEWS
        return Load(server, database, self.rows, views, pause=0.01, logs_locks=False)

    def kill(self, timeline: Timeline, *arguments: str) -> bool:
        """Run, and kill it at or after a statement; whether that came before the end of the run."""
        statements = list(timeline.seconds)
        target = self.chance.randrange(len(statements))
        places = {statement: place for place, statement in enumerate(statements)}
        self.programs.start(*arguments)
        while self.programs.alive():
            current = self.watch.now()
            if current is not None and places.get(current[1], -1) >= target:
                time.sleep(self.chance.uniform(0, min(timeline.seconds[current[1]], 3.0)))
                return self._end(current)
            time.sleep(0.001)
        if self.programs.wait():
            raise RuntimeError(f"a run after a kill: {self.programs.output()}")
        return False

    def _end(self, current: tuple[int, str]) -> bool:
        """Kill; whether the run was not over."""
        now = self.watch.now() or current
        victim = self.chance.choice(VICTIMS)
        if victim == "backends":
            with contextlib.suppress(ProcessLookupError):
                os.kill(now[0], signal.SIGKILL)
        elif victim == "sessions":
            with contextlib.suppress(psycopg.Error), self.project.server.connect() as connection:
                connection.execute("SELECT pg_terminate_backend(%s)", (now[0],))
        elif self.programs.alive():
            os.kill(self.programs.pid, signal.SIGKILL)
        code = self.programs.wait()
        _wait_for(self.project.server)
        if not code:
            return False
        self.victims[victim] += 1
        self.moments[kind(now[1])] += 1
        return True

    def close(self) -> None:
        self.programs.close()
        if self.watch.connection is not None:
            self.watch.connection.close()
        self.project.close()


def _wait_for(server: ThrowawayServer) -> None:
    for _ in range(200):
        with contextlib.suppress(psycopg.Error), server.connect() as connection:
            connection.execute("SELECT 1")
            return
        time.sleep(0.1)


def killed(change: str, rows: int, kills: int, seed: int = 0) -> str:
    """Kill one change on a server of its own; what happened.

    Args:
        change: its name in CHANGES.
        rows: of the largest table.
        kills: how many.
        seed: another one draws other moments.
    """
    with running() as server:
        template = prepared(server, rows, CHANGES[change])
        run = Killed(server, template, CHANGES[change], rows, seed=len(change) + seed)
        try:
            return run.run(kills)
        except RuntimeError as error:
            return f"FAILED: {error}"
        finally:
            run.close()


def chosen(part: str) -> Iterator[str]:
    """The names of the changes that contain a text."""
    return (name for name in CHANGES if part in name)


def main() -> None:
    """Print a line per change."""
    kills, rows = (int(each) for each in (*sys.argv[1:3], *("30", "20000")[len(sys.argv[1:3]) :]))
    seed = int("".join(sys.argv[4:5]) or 0)
    for change in chosen("".join(sys.argv[3:4])):
        begun = time.monotonic()
        print(f"{change:45} {killed(change, rows, kills, seed)} ({time.monotonic() - begun:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
