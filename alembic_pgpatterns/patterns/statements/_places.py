"""Shared by the patterns of statements: the place of a finding, and its message."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Finding, Severity, StatementPattern
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import NO_ORIGIN, Location, Name, Origin
from alembic_pgpatterns.workload.model import Recorded, Site, Usage, Workload

SHOWN = 160
"""Characters of a statement that a message shows."""

SQLALCHEMY_LOADING = "https://docs.sqlalchemy.org/en/20/orm/queryguide/relationships.html"
SQLALCHEMY_DML = "https://docs.sqlalchemy.org/en/20/orm/queryguide/dml.html"
SQLALCHEMY_SELECT = "https://docs.sqlalchemy.org/en/20/orm/queryguide/select.html"
SQLALCHEMY_EXPIRE = "https://docs.sqlalchemy.org/en/20/orm/session_basics.html#committing"
POPULATE = "https://www.postgresql.org/docs/current/populate.html"


@dataclass(frozen=True, slots=True)
class Sender:
    """A function of the application and what it sends: what a finding is about. Lines move, so there is none in it."""

    subject: str
    site: Site | None
    table: Name | None = None

    @property
    def identifier(self) -> str:
        """``User.orders in list_users (app/users.py)``."""
        return f"{self.subject} in {self.site.function} ({self.site.path})" if self.site else self.subject

    @property
    def origin(self) -> Origin:
        """Where it is sent."""
        return Origin(Location(self.site.path, self.site.line)) if self.site else NO_ORIGIN


def usages(workload: Workload, *, tests: bool = False) -> Iterator[tuple[Recorded, Usage]]:
    """Every place of every statement; with ``tests`` the bodies of tests too, which are not the application's."""
    for statement in workload.statements:
        for usage in statement.usages:
            if tests or usage.site is None or not usage.site.test:
                yield statement, usage


def sent(pattern: StatementPattern, statement: Recorded, usage: Usage, message: str, instead: str) -> Finding:
    """A finding at one place of a statement.

    Args:
        pattern: whose finding it is.
        statement: the statement.
        usage: the place.
        message: the fact.
        instead: the code or the step to use.
    """
    return at_usage(pattern, statement.fingerprint, usage, message, instead)


def at_usage(pattern: StatementPattern, subject: str, usage: Usage, message: str, instead: str) -> Finding:
    """A finding at one place, as from `sent`. ``subject``: for the fingerprint, instead of the statement."""
    seen_in = f" ({_tests(usage)})" if usage.tests else ""
    # What a test does in its own body is no fault of the application.
    severity = Severity.INFO if usage.site is not None and usage.site.test else None
    at = Sender(subject, usage.site)
    return pattern.finding(at, f"{message}{seen_in}", Advice(instead), severity=severity)


def _tests(usage: Usage) -> str:
    more = f" and {usage.test_count - 1} more tests" if usage.test_count > 1 else ""
    return f"{usage.tests[0]}{more}"


def shown(statement: Recorded) -> str:
    """The statement on one line, cut where it is long."""
    return statement.on_one_line(SHOWN)
