"""The one way into the core: bring a project to head on a scratch database, read it, and judge it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from alembic_pgpatterns.checks.revisions import Effective, look, to_trace
from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.findings.baseline import Baseline, escaped
from alembic_pgpatterns.findings.report_model import Report, Skipped
from alembic_pgpatterns.findings.run_patterns import judge, run_pattern, suppressed, unique, without_excluded
from alembic_pgpatterns.patterns import Action, Finding, Needs, Pattern, SchemaPattern, ServerPattern, registry
from alembic_pgpatterns.runner.cache.history import HistoryCache
from alembic_pgpatterns.runner.head_schema import Head, bring_to_head
from alembic_pgpatterns.runner.project import Project
from alembic_pgpatterns.runner.scratch_databases import Progress
from alembic_pgpatterns.schema.model import NO_ORIGIN


def check(project: Project, settings: Settings, progress: Progress, effective: Effective | None = None) -> Report:
    """Run the project's revisions on a server of ours, and judge schema, models and revisions.

    Args:
        project: the project.
        settings: what to check and how.
        progress: who is told what goes on.
        effective: makes of the models what autogenerate aims at; None: they are compared as they are.

    Raises:
        PgPatternsError: the check could not be done; the message says what to do.
    """
    baseline = Baseline.read(settings.path(settings.baseline))
    progress.say("reading the revisions")
    cache = HistoryCache.open(project, settings)
    todo = to_trace(project, settings, baseline, cache)
    milestone = todo.before(project) or (cache.shared() if cache is not None else frozenset())
    with bring_to_head(project, settings, progress, cache, milestone) as head:
        progress.say("checking")
        judged = [judge(schema, settings) for schema in head.schemas]
        findings = [placed(finding, head, number) for number, one in enumerate(judged) for finding in one.findings]
        adopted = baseline is not None or settings.adopt == "all"
        looked = look(project, settings, adopted, todo, head, progress, cache, effective)
        of_models = tuple(_of_models(head, settings))
    kept = [finding for finding in findings if not suppressed(finding)]
    skipped = (
        *head.skipped,
        *dict.fromkeys(item for one in judged for item in one.skipped),
        *looked.skipped,
        *_not_live(settings),
    )
    hidden = len(findings) - len(kept) + looked.suppressed
    result = report([*kept, *looked.findings], hidden, skipped, baseline, head, settings)
    stale = tuple(entry for entry in result.stale if entry not in set(map(escaped, of_models)))
    hints = (*result.hints, *looked.hints)
    return replace(result, hints=hints, runs=looked.runs, stale=stale, of_models=of_models)


def _of_models(head: Head, settings: Settings) -> Iterator[str]:
    """Fingerprints of what is enforced on the models, which may say more than the database has."""
    enforced = [pattern for pattern in settings.chosen((SchemaPattern,)) if pattern.action is Action.ENFORCE]
    for models, label in zip(head.models, head.labels, strict=True):
        for pattern in enforced if models is not None else ():
            assert isinstance(pattern, SchemaPattern) and models is not None
            if pattern.needs is not Needs.DATABASE:
                found = unique(run_pattern(pattern, without_excluded(models, settings)))
                names = [finding.fingerprint for finding in found if not suppressed(finding)]
                yield from (f"{name} @{label}" if label else name for name in names)


def placed(finding: Finding, head: Head, number: int) -> Finding:
    """The finding with what else is known: the model's line, the revision, the database where there are several."""
    schema, database = head.schemas[number], head.labels[number]
    table = schema.table(finding.table) if finding.table is not None else None
    origin = table.origin if table is not None else NO_ORIGIN
    placed = finding.but(
        location=finding.location or origin.location, revision=finding.revision or head.revision(finding, number)
    )
    if database:
        placed = placed.but(object=f"{database}: {finding.object}", fingerprint=f"{finding.fingerprint} @{database}")
    return placed


def _not_live(settings: Settings) -> Iterator[Skipped]:
    """A fresh server says nothing about one in use."""
    if settings.chosen((ServerPattern,)):
        yield Skipped("patterns of the server in use", "alembic pgcheck --live looks at it")


def report(
    findings: Sequence[Finding],
    suppressed_count: int,
    skipped: Sequence[Skipped],
    baseline: Baseline | None,
    head: Head,
    settings: Settings,
    kinds: tuple[type[Pattern], ...] = (SchemaPattern,),
) -> Report:
    """The report of findings: sorted, without those that the baseline accepts, which are counted.

    ``kinds``: of patterns that have looked, and of whose accepted findings those can be told that are no longer there.
    """
    known = baseline or Baseline()
    looked = {pattern.name for pattern in settings.chosen(kinds)} - {item.what for item in skipped}

    def looked_for(entry: str) -> bool:
        name = entry.partition(" ")[0]
        return name in looked or name not in registry()

    new = sorted((f for f in findings if not known.accepts(f.fingerprint)), key=_order)
    return Report(
        findings=tuple(new),
        accepted=tuple(f for f in findings if known.accepts(f.fingerprint)),
        suppressed=suppressed_count,
        stale=tuple(entry for entry in known.stale(f.fingerprint for f in findings) if looked_for(entry)),
        skipped=tuple(skipped),
        hints=tuple(_hints(new, baseline, head, settings)),
        facts=head.facts,
        heads=head.heads,
    )


def _order(finding: Finding) -> tuple[int, str, str, str]:
    return (-finding.severity, str(finding.table or ""), finding.object, finding.pattern)


MANY = 20
"""From so many findings on, an old project is told how to begin."""


def _hints(findings: Sequence[Finding], baseline: Baseline | None, head: Head, settings: Settings) -> Iterator[str]:
    yield from head.hints
    if baseline is None and len(findings) >= MANY:
        yield (
            "An old project? `alembic pgcheck --write-baseline` accepts what is there "
            f"({settings.baseline}); from then on only what is new is reported."
        )
