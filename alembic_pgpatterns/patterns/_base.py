"""The base classes of patterns, and of their findings.

A pattern is a good practice written once, as a class. ``patterns/indexes/unindexed_foreign_key.py`` is a good example
to start from. A pattern sees only a frozen model, so the same ``detect`` works for the database, the application's
models and autogenerate.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from alembic_pgpatterns.patterns._example_models import AUTHORS_AND_BOOKS
from alembic_pgpatterns.patterns._levels import Action, Severity
from alembic_pgpatterns.remedies.model import Advice, Remedy
from alembic_pgpatterns.revisions.advice_notes import with_notes
from alembic_pgpatterns.revisions.model import History, RevisionRun, Spot, Statement
from alembic_pgpatterns.schema.model import Location, Name, Origin, Schema

if TYPE_CHECKING:
    # Most runs see none of these, and every run waits for what is imported.
    from alembic_pgpatterns.revisions.rehearsed import RehearsedRun
    from alembic_pgpatterns.schema.live import LiveServer
    from alembic_pgpatterns.workload.model import Workload


class Needs(enum.StrEnum):
    """Which reader has the needed facts: either, only the database's catalog, or only the models."""

    EITHER = "either"
    DATABASE = "database"
    MODELS = "models"


class Basis(enum.StrEnum):
    """What the findings of a pattern are based on: the schema, or the application's queries.

    A finding of the second kind is a guess until a query of the application is known that supports it.
    """

    FACTS = "facts"
    QUERIES = "queries"


class Fold(enum.StrEnum):
    """Which findings of a pattern have one cause, so that a report says them once.

    NONE: each stands for itself. REMEDY: those that one remedy cures. PLACE: those declared at one line (a mixin, a
    loop), too. TABLE: what is left of a table, too. REVISION: those of one revision, which is written again as
    a whole. ALL: one line cures all of them.
    """

    NONE = "none"
    REMEDY = "remedy"
    PLACE = "place"
    TABLE = "table"
    REVISION = "revision"
    ALL = "all"


class Identified(Protocol):
    """An object that a finding can be about."""

    @property
    def identifier(self) -> str:
        """Qualified and quoted; the same from both readers."""

    @property
    def table(self) -> Name | None:
        """The table it belongs to."""

    @property
    def origin(self) -> Origin:
        """Where the models declare it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem, as a fact, with what can be done about it.

    ``object`` is schema-qualified. ``fingerprint`` does not depend on the run, the reader or the message: it is the
    pattern's name and the object's identifier. ``revision`` is the one that introduced it, if known. ``guess``: it
    depends on the application's queries, and no known query supports it. Guesses are shown on request, and never fail
    the run. ``cause``: a report shows findings of a pattern with the same cause as one. ``also``: the others of its
    cause, if this finding stands for them. ``weight``: of those of one cause the heaviest stands for all.
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
    cause: str = ""
    also: tuple[Finding, ...] = ()
    weight: int = 0

    @property
    def call(self) -> str:
        """The function that declares such columns in the models, as they write it."""
        origin = getattr(self.at, "origin", None)
        return (origin.call if isinstance(origin, Origin) else None) or "mapped_column"

    def but(self, **changes: Any) -> Finding:
        """A copy with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class NoOptions:
    """The options of a pattern without options."""


def kebab(class_name: str) -> str:
    """``UnindexedForeignKey`` as ``unindexed-foreign-key``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", class_name).lower()


class Pattern:
    """The base of all patterns. The class's docstring is its page: what is reported, its effect, what is not reported.

    Class attributes of a concrete pattern:
        severity: of its findings; a finding may have another one.
        action: what autogenerate does.
        references: URLs; PostgreSQL's documentation first.
        Options: a frozen dataclass whose fields, with docstrings under them, are its settings.
        basis: what the findings are based on; see Basis.
        weighs_queries: the findings are facts, but the application's queries decide how grave they are, or whether they
            are worth more than a guess. So its source is read even where no other pattern asks for it.
        of_postgresql: other databases lack the type of its remedy, or store and count it otherwise: a guess where the
            models are made for those, too.
        fold: which of its findings a report says once; see Fold.
        not_when: when the remedy should not be followed, one sentence.
        folder: the group that it is listed in, which settings can name; by default the folder of its file.
    """

    abstract: ClassVar[bool] = True
    name: ClassVar[str]
    folder: ClassVar[str]
    severity: Severity = Severity.WARNING
    action: Action = Action.REPORT
    references: ClassVar[tuple[str, ...]] = ()
    not_when: ClassVar[str] = ""
    basis: ClassVar[Basis] = Basis.FACTS
    weighs_queries: ClassVar[bool] = False
    of_postgresql: ClassVar[bool] = False
    fold: ClassVar[Fold] = Fold.PLACE
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
        # What a project sets holds for all findings, also those to which the pattern gives another severity.
        self._severity_set = severity is not None
        if severity is not None:
            self.severity = severity
        if action is not None:
            self.action = action

    def allows(self, version: int) -> bool:
        """Whether a feature of PostgreSQL ``version`` may be proposed: the target version is known and not older."""
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
        cause: str = "",
    ) -> Finding:
        """A finding of this pattern.

        Args:
            at: what it is about.
            message: a fact, with the object's name; advice belongs in the remedy.
            remedy: what can be done.
            severity: if this finding is better or worse than usual; the user's setting has priority.
            detail: a part of the fingerprint that distinguishes two findings on one object.
            location: where it is written, if not where the models declare the object.
            revision: the revision that introduced it.
            evidence: the queries that support it, in words, which are added to the message.
            certain: it needs no such evidence, although the pattern's basis is queries.
            cause: what several findings of this pattern come from, such as the text that all policies have.

        Raises:
            TypeError: ``at`` is no object of the schema, such as the name of a table.
        """
        if not hasattr(at, "identifier"):
            raise TypeError(f"at={at!r:.60}: give the table, the column or the constraint itself, not its name")
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
            cause=cause,
        )


class SchemaPattern(Pattern, abstract=True):
    """A pattern about a schema, from the database or the models.

    Class attributes beside those of Pattern:
        needs: which reader has the needed facts.
        bad, good: SQL for an empty PostgreSQL: bad is reported, but not after its remedy; good is never reported.
        bad_models, good_models: the same as Python source that defines ``metadata``, for ``Needs.MODELS``.
        example_version: the first PostgreSQL major version that the examples run on.
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
    """A pattern about a server in use. Only ``pgcheck --live`` runs it.

    Class attributes beside those of Pattern:
        needs: the parts of LiveServer that it needs (``statements``, ``schema``).
    """

    needs: ClassVar[tuple[str, ...]] = ()

    def cannot_tell(self, server: LiveServer) -> str | None:
        """Why it cannot check this server, or None."""
        return next((server.unread[part] for part in self.needs if part in server.unread), None)

    def detect(self, server: LiveServer) -> Iterator[Finding]:
        """The findings on a server."""
        raise NotImplementedError


class RevisionPattern(Pattern, abstract=True):
    """A pattern about what one revision does, from the facts of its run.

    Class attributes beside those of Pattern:
        existing: SQL that runs before the revision, to create the existing tables.
        bad, good: Python source of a revision's functions: bad is reported, good is not.
        oldest: the first PostgreSQL major version on which the examples behave this way.
        weighs_rows: what it reports takes a moment where a table has a few rows: a guess on a list that people fill.
    """

    existing: ClassVar[str] = ""
    bad: ClassVar[str] = ""
    good: ClassVar[str] = ""
    oldest: ClassVar[int] = 0
    weighs_rows: ClassVar[bool] = False

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
            advice: what to write instead; what its commit would end is added.
            object: what it is about, if not the table.
            severity: if this finding is better or worse than usual.
        """
        spot = Spot(object or str(table or run.revision), table, statement.location, statement.last_line)
        remedy = Advice(with_notes(advice, run, statement)) if advice else None
        return self.finding(spot, message, remedy, severity=severity, detail=run.revision, revision=run.revision)


class RehearsalPattern(Pattern, abstract=True):
    """A pattern about what one revision does to rows. Only ``pgrehearse`` runs it.

    Class attributes beside those of Pattern:
        existing: SQL that runs before the revision, to create the existing tables.
        bad, good: Python source of a revision's functions: bad is reported, good is not.
    """

    existing: ClassVar[str] = ""
    bad: ClassVar[str] = ""
    good: ClassVar[str] = ""

    def detect(self, run: RehearsedRun) -> Iterator[Finding]:
        """The findings in a rehearsed revision."""
        raise NotImplementedError


class HistoryPattern(Pattern, abstract=True):
    """A pattern about all revisions together, about env.py, or about differences between head and models.

    ``bad`` and ``good`` are for the documentation; their tests are in tests/revisions.
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
        models: Python source that defines mapped classes on ``Base``, for the examples; by default authors and books.
        bad, good: Python source of the application: ``run(session)`` sends the statements. bad is reported, good is
            not.
        of_source: whether the queries in the source are enough for it, without a recording.
        runs: whether the examples can be run alone; otherwise the pattern has its own test.
    """

    fold: ClassVar[Fold] = Fold.REMEDY
    of_source: ClassVar[bool] = False
    runs: ClassVar[bool] = True
    models: ClassVar[str] = AUTHORS_AND_BOOKS
    bad: ClassVar[str] = ""
    good: ClassVar[str] = ""

    def detect(self, workload: Workload, schema: Schema | None) -> Iterator[Finding]:
        """The findings in a workload, in its order. ``schema``: at head, where it is known."""
        raise NotImplementedError
