"""The revisions to trace, with their traces from earlier runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alembic_pgpatterns.config.chosen_patterns import chosen_patterns
from alembic_pgpatterns.config.settings import Settings, SettingsError
from alembic_pgpatterns.controller.cache.history import HistoryCache
from alembic_pgpatterns.controller.cache.traces import NO_TRACES, Traces
from alembic_pgpatterns.controller.history import Revision
from alembic_pgpatterns.controller.project import Project
from alembic_pgpatterns.controller.selection import scope_of
from alembic_pgpatterns.errors import PgPatternsError, first_line
from alembic_pgpatterns.findings.baseline import Baseline
from alembic_pgpatterns.findings.revision_patterns import needs_traces
from alembic_pgpatterns.patterns import HistoryPattern, Pattern, RevisionPattern


@dataclass(frozen=True)
class ToTrace:
    """The revisions to trace. The first ones have traces from an earlier run; the others must be run.

    ``reason``: why there are none although the history has some. ``expected``: the settings exclude them.
    ``known_new``: a baseline or a flag says that they are the new ones.
    """

    scope: tuple[Revision, ...] = ()
    reason: str | None = None
    expected: bool = False
    cached: Traces = NO_TRACES
    known_new: bool = True

    @property
    def others(self) -> tuple[Revision, ...]:
        """The revisions without a trace from an earlier run."""
        return self.scope[len(self.cached.runs) :]

    def before(self, project: Project) -> frozenset[str]:
        """The revisions that must run before the first of the others; empty if there are no others."""
        names = [script.revision for script in project.revisions] if self.others else []
        return frozenset(names[: names.index(self.others[0].revision)] if names else ())


def to_trace(project: Project, settings: Settings, baseline: Baseline | None, cache: HistoryCache | None) -> ToTrace:
    """The revisions in scope, with their traces from earlier runs.

    Raises:
        PgPatternsError: there is no such revision or git reference.
    """
    patterns = chosen_patterns(settings, (RevisionPattern, HistoryPattern))
    reason = _untraceable(settings, patterns) if patterns else None
    if reason is not None or not patterns:
        return ToTrace(reason=reason, expected=True)
    try:
        scope = scope_of(project, settings, baseline)
    except PgPatternsError as error:
        if settings.upgrade_command is None or isinstance(error, SettingsError):
            raise
        reason = f"a command of the project's ran them, and their files cannot be read: {first_line(error)}"
        return ToTrace(reason=f"{reason}. Name them: {LOCATED}", expected=True)
    cached = cache.runs(scope.revisions, settings.downgrade) if cache is not None else NO_TRACES
    return ToTrace(scope.revisions, scope.reason, cached=cached, known_new=scope.known_new)


LOCATED = 'alembic_options = { script_location = "app/migrations" }'


def _untraceable(settings: Settings, patterns: Sequence[Pattern]) -> str | None:
    if not any(needs_traces(type(pattern)) for pattern in patterns):
        return "no pattern about revisions is selected"
    if settings.server is not None:
        return "they are traced with the log of the throw-away server, and --server names another server"
    return None
