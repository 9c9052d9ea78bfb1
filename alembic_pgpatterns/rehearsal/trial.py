"""A revision on a few made-up rows, up, down and up again: to find what fails only with rows, and lost data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from alembic_pgpatterns.controller.history import Revision
from alembic_pgpatterns.controller.process import ProjectFailed
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.rehearsal.content import Contents, contents, filled_by_triggers, lost
from alembic_pgpatterns.rehearsal.culprit import culprit
from alembic_pgpatterns.rehearsal.rows.model import Filled
from alembic_pgpatterns.rehearsal.stage import Stage
from alembic_pgpatterns.revisions.model import RevisionRun
from alembic_pgpatterns.revisions.rehearsed import LostContent, RehearsedRun, RowFailure
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import Name, Schema

Fill = Callable[[str, str], Filled]
"""Fills a copy. Parameters: the name of the database and of its copy."""


@dataclass(frozen=True)
class Trial:
    """``script``: the revision; ``runs``: its runs on empty tables, per database; ``lines``: of its functions."""

    stage: Stage
    script: Revision
    runs: Mapping[str, RevisionRun]
    lines: tuple[int, int]

    def run(self, fill: Fill, downgrade: bool, again: bool) -> tuple[RehearsedRun, tuple[Filled, ...]]:
        """Fill copies of the databases and run the revision there.

        Args:
            fill: fills one copy.
            downgrade: also go down.
            again: and then up again.
        """
        with self.stage.copied(self.stage.carried) as copies:
            filled = tuple(fill(name, copies[name]) for name in self.runs)
            failures, losses = self._ways(copies, downgrade, again)
        first = next(iter(self.runs.values()))
        result = RehearsedRun(
            first.revision, first.path, self.lines[0], self.lines[1], first.database, tuple(failures), tuple(losses)
        )
        return result, filled

    def _ways(
        self, copies: Mapping[str, str], downgrade: bool, again: bool
    ) -> tuple[list[RowFailure], list[LostContent]]:
        before, filled = self._contents(copies), self._filled(copies)
        failures = self._step(True, copies, "upgrade")
        self._carry(copies, not failures)
        if failures or not downgrade:
            return failures, []
        between = self._contents(copies)
        failures = self._step(False, copies, "downgrade")
        if failures:
            return failures, []
        back = self._contents(copies)
        losses = [item for name in copies for item in lost(before[name], back[name], between[name], filled[name])]
        return self._step(True, copies, "second upgrade") if again else [], losses

    def _carry(self, copies: Mapping[str, str], passed: bool) -> None:
        """A next revision that validates a constraint is for rows that are older than the constraint."""
        older = passed and any(unvalidated(run.after) for run in self.runs.values())
        self.stage.carry(copies if older else {}, frozenset({*self.stage.done, self.script.revision}))

    def _step(self, up: bool, copies: Mapping[str, str], way: str) -> list[RowFailure]:
        outcome = self.stage.step(self.script, up, self.lines[0 if up else 1], copies)
        if outcome.failure is None:
            return []
        # What failed is rolled back, so the row is still there as it was.
        row = self._row(copies, outcome.failure) if up else None
        message = message_of(outcome.failure) + (f"; a row that stands in the way: {row}" if row else "")
        return [RowFailure(way, message, outcome.place)]

    def _row(self, copies: Mapping[str, str], failure: ProjectFailed) -> str | None:
        for name, run in self.runs.items():
            with self.stage.run.server.connect(copies[name]) as connection:
                row = culprit(connection, failure, run.after)
            if row is not None:
                return row
        return None

    def _contents(self, copies: Mapping[str, str]) -> dict[str, Contents]:
        result = {}
        for name, copy in copies.items():
            with self.stage.run.server.connect(copy) as connection:
                result[name] = contents(connection, self._schema(connection))
        return result

    def _filled(self, copies: Mapping[str, str]) -> dict[str, frozenset[tuple[Name, str]]]:
        result = {}
        for name, copy in copies.items():
            with self.stage.run.server.connect(copy) as connection:
                result[name] = filled_by_triggers(connection)
        return result

    def _schema(self, connection: object) -> Schema:
        return catalog.read(connection)  # type: ignore[arg-type]


def unvalidated(schema: Schema) -> frozenset[str]:
    """The constraints that a schema's rows may violate, as people know them."""
    constraints = (item for table in schema.tables for item in (*table.foreign_keys, *table.checks))
    waiting = (item for item in constraints if item.enforced and not item.validated)  # type: ignore[attr-defined]
    return frozenset(f"{item.name or item.identifier} on {item.table}" for item in waiting)  # type: ignore[attr-defined]


def message_of(error: PgPatternsError) -> str:
    """The server's message on one line, with the row if it names one, without the statement and the place."""
    message = str(error).partition("\nStatement:")[0]
    return "; ".join(" ".join(line.split()) for line in message.splitlines() if line.strip(" ^"))
