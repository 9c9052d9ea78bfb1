"""Put one branch of a history behind the head of another: which revisions move, and the proof that they can."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from alembic_pgpatterns.checks.dry_run import DryRun, dry_run, states_of
from alembic_pgpatterns.controller.env_run import Databases, run_env
from alembic_pgpatterns.controller.history import History, Revision
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.controller.run import Run
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.runner.messages import Steps
from alembic_pgpatterns.runner.paths import relative
from alembic_pgpatterns.runner.reparented import DOWN_REVISIONS
from alembic_pgpatterns.schema.catalog.difference import differences
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.server.protocol import Server
from alembic_pgpatterns.server.real_database import RealDatabase


@dataclass(frozen=True)
class Rebase:
    """What is to be done.

    Attributes:
        onto: the head that stays where it is.
        head: the head of the branch that moves.
        moved: the revisions of that branch, in the order they run.
        first: those of them that came from the common part, and will come after ``onto``.
    """

    onto: Revision
    head: Revision
    moved: tuple[Revision, ...]
    first: tuple[Revision, ...]

    @property
    def parents(self) -> dict[str, str]:
        """What the first revisions will come after, by their identifier."""
        return {item.revision: self.onto.revision for item in self.first}


def plan_rebase(history: History, head: Revision, onto: Revision) -> Rebase:
    """Which revisions move.

    Args:
        history: the project's.
        head: the head of the branch to move.
        onto: the head to put it behind.

    Raises:
        PgPatternsError: the two have nothing in common, or a third one stands on the one that is to move.
    """
    of_onto, branch = history.ancestors([onto.revision]), history.ancestors([head.revision])
    common, names = of_onto & branch, branch - of_onto
    moved = tuple(item for item in history.revisions if item.revision in names)
    if not moved:
        raise PgPatternsError(
            f"{head.revision} comes before {onto.revision} already, which needs it by depends_on. "
            f"Move the other one: alembic pgrebase {onto.revision} --onto {head.revision}"
        )
    _refuse_dependents(history, names)
    first = tuple(item for item in moved if not names & set(item.down_revisions))
    for item in first:
        if not item.down_revisions or not common:
            raise PgPatternsError(
                f"{head.revision} and {onto.revision} have no revision in common: {relative(item.path)} begins a "
                "history of its own (down_revision = None). Such histories stay side by side; `alembic upgrade heads` "
                "runs both."
            )
    return Rebase(onto, head, moved, first)


def _refuse_dependents(history: History, names: Collection[str]) -> None:
    """A third branch that stands on a moved revision would move as well, and nothing would prove that it can."""
    for item in history.revisions:
        needed = sorted(set(item.parents) & set(names))
        if item.revision not in names and needed:
            raise PgPatternsError(
                f"{relative(item.path)} needs {needed[0]}, which is in the branch that is to move. "
                "Rebase that branch first, or merge: alembic merge heads"
            )


@dataclass(frozen=True)
class RebaseProof:
    """What the trial showed.

    Attributes:
        outcome: of the moved revisions, run behind the other head.
        different: where the schema is then not the one that both branches give side by side, in words.
        server: where it happened.
    """

    outcome: DryRun
    different: tuple[str, ...]
    server: Server


Schemas = dict[RealDatabase | None, Schema]
"""By what the scratch database stands for; None: the one behind the variables of the settings."""


def prove_rebase(run: Run, rebase: Rebase, *, downgrade: bool = True) -> RebaseProof:
    """Run both branches side by side, then one behind the other: up, down and up again. No file is changed.

    Args:
        run: the project as it is.
        rebase: what is to be done.
        downgrade: run the downgrades too.

    Raises:
        PgPatternsError: the branches do not run, one way or the other: file and line, statement, what the server said.
    """
    expected = _side_by_side(run, rebase)
    run.progress.say("trying the new order")
    config = run.project.config
    names = [item.revision for item in rebase.moved]
    with reparented(config, rebase), Project(config, run.settings) as project:
        before = project.ancestors([rebase.onto.revision])
        with Run(project, run.settings, run.progress).at(before, watched=True) as at:
            outcome = dry_run(at, names, watched=True, downgrade=downgrade)
            actual = _by_origin(outcome.schemas, at.databases)
            _demand_same_databases(expected, actual)
            return RebaseProof(outcome, tuple(_differences(expected, actual)), at.run.server)


@contextmanager
def reparented(config: Any, rebase: Rebase) -> Iterator[None]:
    """Have every Project of this Config see the new order."""
    config.attributes[DOWN_REVISIONS] = rebase.parents
    try:
        yield
    finally:
        del config.attributes[DOWN_REVISIONS]


def _side_by_side(run: Run, rebase: Rebase) -> Schemas:
    # One that the other needs by depends_on comes with it, and Alembic refuses to be asked for both.
    needed = rebase.onto.revision in run.project.history.ancestors([rebase.head.revision])
    heads = (rebase.head.revision,) if needed else (rebase.onto.revision, rebase.head.revision)
    with run.at(run.project.ancestors(heads)) as at:
        run.progress.say("running both branches")
        try:
            result = run_env(at.run, Steps("until", heads), at.databases)
        except PgPatternsError as error:
            raise PgPatternsError(f"the two branches do not run in one database: {error}") from error
        states = states_of(result, at.run.server)
        return _by_origin({name: state.schema for name, state in states.items()}, at.databases)


def _by_origin(schemas: Mapping[str, Schema], databases: Databases) -> Schemas:
    origins = {name: origin for origin, name in databases.by_origin.items()}
    # A program that takes the URL of the variables apart reaches the same database by an address of its own.
    return {None if name == databases.environment else origins.get(name): schema for name, schema in schemas.items()}


def _demand_same_databases(expected: Schemas, actual: Schemas) -> None:
    """That a database cannot be compared is no difference of schemas.

    Raises:
        PgPatternsError: env.py connected to other databases in the new order.
    """
    if expected.keys() != actual.keys():
        first, second = (", ".join(str(origin or _OF_VARIABLES) for origin in item) for item in (expected, actual))
        raise PgPatternsError(
            "the new order could not be compared, and no file was changed. For both branches side by side env.py "
            f"connected to {first or 'no database'}, in the new order to {second or 'no database'}. Does it choose the "
            "database by something that changes, such as the time or a file? If not, this is a mistake in "
            "alembic-pgpatterns: please report it."
        )


_OF_VARIABLES = "the database of the variables in the settings"


def _differences(expected: Schemas, actual: Schemas) -> Iterator[str]:
    for origin, schema in expected.items():
        yield from map(str, differences(schema, actual[origin]))
