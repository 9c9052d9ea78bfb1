"""What a pattern is, and what it finds.

A pattern is a good practice written once, as a class; see ``patterns/indexes/unindexed_foreign_key.py`` for one that
can serve as a model for the next. It sees a frozen model and nothing else, so that one ``detect`` serves the database,
the application's models and autogenerate.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

from alembic_pgpatterns.patterns._levels import Action, Severity
from alembic_pgpatterns.remedies.model import Advice, Remedy
from alembic_pgpatterns.revisions.model import History, RevisionRun, Spot, Statement
from alembic_pgpatterns.revisions.rehearsed import RehearsedRun
from alembic_pgpatterns.schema.live import LiveServer
from alembic_pgpatterns.schema.model import Location, Name, Origin, Schema
from alembic_pgpatterns.workload.model import Workload


class Needs(enum.StrEnum):
    """Which reader can tell: either, the database's catalog only, or the models only."""

    EITHER = "either"
    DATABASE = "database"
    MODELS = "models"


class Basis(enum.StrEnum):
    """What the findings of a pattern rest on: facts of the schema, or on what the application asks for.

    A finding of the second kind is a guess as long as no query of the application is known that supports it.
    """

    FACTS = "facts"
    QUERIES = "queries"


class Identified(Protocol):
    """Whatever a finding can be about."""

    @property
    def identifier(self) -> str:
        """Qualified and quoted; equal from both readers."""

    @property
    def table(self) -> Name | None:
        """The table it belongs to."""

    @property
    def origin(self) -> Origin:
        """Where the models declare it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, as a fact, with what can be done about it.

    ``object`` is schema-qualified. ``fingerprint`` is stable across runs, readers and messages: the pattern's name and
    the object's identifier. ``revision`` is the one that introduced it, where known. ``guess``: it depends on what the
    application asks, and no query of its is known that supports it; guesses are shown when asked for, and fail nothing.
    """

    pattern: str
    severity: Severity
    object: str
    message: str
    fingerprint: str
    table: Name | None = None
    remedy: Remedy | None = None
    location: Location | None = None
    revision: str | None = None
    at: Identified | None = None
    guess: bool = False

    def but(self, **changes: Any) -> Finding:
        """A copy with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class NoOptions:
    """The options of a pattern that has none."""


def kebab(class_name: str) -> str:
    """``UnindexedForeignKey`` as ``unindexed-foreign-key``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", class_name).lower()


class Pattern:
    """The base of all patterns. The class's docstring is its documentation: what, effect, what does not count.

    Class attributes of a concrete pattern:
        severity: of its findings, unless one says otherwise.
        action: what autogenerate does.
        references: URLs; PostgreSQL's documentation first.
        Options: a frozen dataclass whose fields, with docstrings under them, are its settings.
        basis: what the findings rest on; see Basis.
        not_when: when the remedy should not be followed, one sentence.
        folder: the group it is listed in, which settings can name; by default the folder of its file.
    """

    abstract: ClassVar[bool] = True
    name: ClassVar[str]
    folder: ClassVar[str]
    severity: Severity = Severity.WARNING
    action: Action = Action.REPORT
    references: ClassVar[tuple[str, ...]] = ()
    not_when: ClassVar[str] = ""
    basis: ClassVar[Basis] = Basis.FACTS
    Options: ClassVar[type[Any]] = NoOptions

    def __init_subclass__(cls, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.abstract = abstract
        cls.name = kebab(cls.__name__)
        if "folder" not in cls.__dict__:
            cls.folder = cls.__module__.split(".")[-2:][0]

    def __init__(
        self,
        options: Any = None,
        *,
        severity: Severity | None = None,
        action: Action | None = None,
        target_version: int | None = None,
    ) -> None:
        self.options = options if options is not None else self.Options()
        self.target_version = target_version
        self._severity_set = severity is not None
        if severity is not None:
            self.severity = severity
        if action is not None:
            self.action = action

    def allows(self, version: int) -> bool:
        """Whether what PostgreSQL has since major ``version`` may be proposed: the target is known and that new."""
        return self.target_version is not None and self.target_version >= version

    def finding(
        self,
        at: Identified,
        message: str,
        remedy: Remedy | None = None,
        *,
        severity: Severity | None = None,
        detail: str = "",
        location: Location | None = None,
        revision: str | None = None,
        evidence: str | None = None,
        certain: bool = False,
    ) -> Finding:
        """A finding of this pattern.

        Args:
            at: what it is about.
            message: a fact, with the object's name; advice belongs into the remedy.
            remedy: what can be done.
            severity: where this one is better or worse than usual; the user's setting wins.
            detail: what tells two findings on one object apart, as part of the fingerprint.
            location: where it is written, if not where the models declare the object.
            revision: the revision that introduced it.
            evidence: the queries that support it, in words; they become a part of the message.
            certain: it needs no such evidence, although the pattern's basis is queries.
        """
        identity = f"{at.identifier} {detail}" if detail else at.identifier
        return Finding(
            pattern=self.name,
            severity=self.severity if severity is None or self._severity_set else severity,
            object=at.identifier,
            message=f"{message}; {evidence}" if evidence else message,
            fingerprint=f"{self.name} {identity}",
            table=at.table,
            remedy=remedy,
            location=location or at.origin.location,
            revision=revision,
            at=at,
            guess=self.basis is Basis.QUERIES and not evidence and not certain,
        )


class SchemaPattern(Pattern, abstract=True):
    """A pattern about a schema, from the database or the models.

    Class attributes beside those of Pattern:
        needs: which reader can tell.
        bad, good: SQL that runs on an empty PostgreSQL: bad fires, its remedy applied silences it, good is silent.
        bad_models, good_models: the same as Python source that defines ``metadata``, for ``Needs.MODELS``.
        example_version: the first PostgreSQL major the examples run on.
    """

    needs: ClassVar[Needs] = Needs.EITHER
    bad: ClassVar[str] = ""
    good: ClassVar[str] = ""
    bad_models: ClassVar[str] = ""
    good_models: ClassVar[str] = ""
    example_version: ClassVar[int] = 0

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """The findings in a schema, in the schema's order."""
        raise NotImplementedError


class ServerPattern(Pattern, abstract=True):
    """A pattern about a server in use, which only ``pgcheck --live`` looks at.

    Class attributes beside those of Pattern:
        needs: the parts of LiveServer without which it cannot tell (``statements``, ``schema``).
    """

    needs: ClassVar[tuple[str, ...]] = ()

    def cannot_tell(self, server: LiveServer) -> str | None:
        """Why it cannot tell on this server, or None."""
        return next((server.unread[part] for part in self.needs if part in server.unread), None)

    def detect(self, server: LiveServer) -> Iterator[Finding]:
        """The findings on a server."""
        raise NotImplementedError


class RevisionPattern(Pattern, abstract=True):
    """A pattern about what one revision does, from the facts of a run.

    Class attributes beside those of Pattern:
        existing: SQL that runs before the revision: the tables there are.
        bad, good: Python source of a revision's functions: bad fires, good is silent.
        oldest: the first PostgreSQL major on which the examples behave so.
    """

    existing: ClassVar[str] = ""
    bad: ClassVar[str] = ""
    good: ClassVar[str] = ""
    oldest: ClassVar[int] = 0

    def detect(self, run: RevisionRun) -> Iterator[Finding]:
        """The findings in a run, in the order of its statements."""
        raise NotImplementedError

    def at(
        self,
        run: RevisionRun,
        statement: Statement,
        message: str,
        table: Name | None = None,
        advice: str = "",
        *,
        object: str = "",
        severity: Severity | None = None,
    ) -> Finding:
        """A finding at a statement; its fingerprint is the pattern, the object and the revision.

        Args:
            run: of the revision.
            statement: where it happens.
            message: a fact: the lock, what it blocks, the table.
            table: the table it is about.
            advice: what to write instead.
            object: what it is about, if not the table.
            severity: where this one is better or worse than usual.
        """
        spot = Spot(object or str(table or run.revision), table, statement.location, statement.last_line)
        remedy = Advice(advice) if advice else None
        return self.finding(spot, message, remedy, severity=severity, detail=run.revision, revision=run.revision)


class RehearsalPattern(Pattern, abstract=True):
    """A pattern about what one revision does to rows; only ``pgrehearse`` looks.

    Class attributes beside those of Pattern:
        existing: SQL that runs before the revision: the tables there are.
        bad, good: Python source of a revision's functions: bad fires, good is silent.
    """

    existing: ClassVar[str] = ""
    bad: ClassVar[str] = ""
    good: ClassVar[str] = ""

    def detect(self, run: RehearsedRun) -> Iterator[Finding]:
        """The findings in a rehearsed revision."""
        raise NotImplementedError


class HistoryPattern(Pattern, abstract=True):
    """A pattern about the revisions as a whole, env.py or the head beside the models.

    ``bad`` and ``good`` are for the documentation; their tests stand in tests/revisions.
    """

    bad: ClassVar[str] = ""
    good: ClassVar[str] = ""
    of_scope: ClassVar[bool] = False
    """Whether a finding depends on which revisions are checked, so that a baseline cannot accept it."""

    def detect(self, history: History) -> Iterator[Finding]:
        """The findings in a history."""
        raise NotImplementedError


class StatementPattern(Pattern, abstract=True):
    """A pattern about what an application sends to its database, from a recorded workload.

    Class attributes beside those of Pattern:
        models: Python source that defines mapped classes on ``Base``, for the examples.
        bad, good: Python source of the application: ``run(session)`` sends the statements. bad fires, good is silent.
        of_source: whether it can tell from the queries that stand in the source, of which nothing was recorded.
        runs: whether the examples say enough to be run by themselves; else a test of the pattern's own does.
    """

    of_source: ClassVar[bool] = False
    runs: ClassVar[bool] = True
    models: ClassVar[str] = ""
    bad: ClassVar[str] = ""
    good: ClassVar[str] = ""

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """The findings in a workload, in its order. ``schema``: at head, where it is known."""
        raise NotImplementedError
