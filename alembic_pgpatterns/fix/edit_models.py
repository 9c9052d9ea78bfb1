"""The models' part of ``alembic pgfix``: edit their source, and check that they then agree with the database."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.baseline import Baseline, escaped
from alembic_pgpatterns.fix.model_edit import Edit
from alembic_pgpatterns.fix.model_source import decoded, edited_file, edits
from alembic_pgpatterns.fix.models_check import FLASK, Drifted, Request, drift_after
from alembic_pgpatterns.fix.plan import Fix
from alembic_pgpatterns.fix.workspace import Change, Workspace
from alembic_pgpatterns.output.files import read_regular
from alembic_pgpatterns.remedies.model import ChangeType, CreateIndex, Statements
from alembic_pgpatterns.remedies.model_line import model_line
from alembic_pgpatterns.remedies.naming import index_name
from alembic_pgpatterns.schema.names import Name, quote


@dataclass
class Edited:
    """Files before and after, lines that the user must write, and remaining differences from the database."""

    files: dict[Path, Change] = field(default_factory=dict)
    by_hand: list[str] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)

    def diff(self) -> Iterator[str]:
        """A unified diff of all files."""
        for path, change in self.files.items():
            before, after = (
                decoded(data)[0].splitlines(keepends=True) for data in (change.before or b"", change.after)
            )
            yield from difflib.unified_diff(before, after, f"a/{path}", f"b/{path}")


def why_not_editable(fix: Fix) -> str | None:
    """Why the models cannot be edited for a fix; None if they can, or if they need no edit.

    Raises:
        PgPatternsError: LibCST is missing, or a file cannot be read.
    """
    if _place(fix) is None or not _lines(fix):
        return None
    if any(fix.defaults):
        # Code that pgfix cannot rewrite: where its name comes from, and who else calls it.
        return f"the type and the default must change together: {'; '.join(_by_hand(fix))}"
    if edits(fix.remedy, fix.index_template) is None:
        return (
            "the models need a change that pgfix cannot make (it writes indexes, Text, BigInteger, "
            f"DateTime(timezone=True) and nullable=False): {'; '.join(_by_hand(fix))}"
        )
    reasons = (_why_not_here(place, parts) for place, parts in _by_place(fix).items())
    return next((reason for reason in reasons if reason is not None), None)


def _why_not_here(place: Any, parts: Sequence[Fix]) -> str | None:
    path = Path(place.path)
    # site-packages or dist-packages: the source of a library.
    if not path.is_file() or "-packages/" in place.path:
        return f"{place} is not in this project"
    # Tried before a revision is written: a revision whose model stays as it was would be undone by the next
    # autogenerate.
    all_edits = [edit for part in parts for edit in _edits(part)]
    source = edited_file(path, read_regular(path), all_edits)
    if source.missed:
        reasons = "; ".join(dict.fromkeys(source.reasons))
        by_hand = (line for part in parts for line in _by_hand(part))
        return f"pgfix cannot change this place in the models ({reasons}): {'; '.join(by_hand)}"
    return None


def _edits(part: Fix) -> list[Edit]:
    """The edits of a part, with the line that declares the column of a new type."""
    place = _place(part)
    line = place.line if place is not None else None
    of_part = edits(part.remedy, part.index_template) or ()
    return [replace(edit, line=line) if edit.replaces else edit for edit in of_part]


def _parts(fix: Fix) -> tuple[Fix, ...]:
    """The changes one by one: each column of a group that changes together has a line of its own in the models."""
    if not isinstance(fix.remedy, ChangeType) or not fix.places or not _lines(fix):
        return (fix,)
    changes = zip(fix.remedy.changes, fix.places, fix.defaults, strict=True)
    return tuple(
        replace(fix, remedy=replace(fix.remedy, changes=(change,)), places=(place,), defaults=(default,))
        for change, place, default in changes
    )


def _by_place(fix: Fix) -> dict[Any, list[Fix]]:
    result: dict[Any, list[Fix]] = {}
    for part in _parts(fix):
        if (place := _place(part)) is not None:
            result.setdefault(place, []).append(part)
    return result


def edit_models(
    config: Any, fixes: Sequence[Fix], work: Workspace, settings: Settings, *, change: bool = True
) -> Edited:
    """Edit the source if requested, and find out where models and database differ after the fixes.

    Args:
        config: Alembic's.
        fixes: the fixes in the workspace's revisions.
        work: the workspace, which gets the changed files; nothing else is written.
        settings: the project's.
        change: whether to edit the models.

    Raises:
        PgPatternsError: LibCST is missing, or the models cannot be imported any more.
    """
    result = Edited()
    for path, pairs in _by_file(fixes).items() if change else ():
        before = read_regular(path)
        source = edited_file(path, before, [edit for _, edit in pairs])
        result.by_hand += [line for fix, edit in pairs if edit in source.missed for line in _by_hand(fix)]
        if source.data != before:
            result.files[path] = Change(before, source.data)
    drifts = _drift(config, fixes, work, settings, result)
    result.drift = [drift.message for drift in drifts]
    if not change:
        # Not those that the plugin makes of the models as they are written.
        differing = [part for fix in fixes for part in _parts(fix) if any(_is_of(drift, part) for drift in drifts)]
        result.by_hand = [line for part in differing for line in _by_hand(part)]
    work.changes |= result.files
    return result


def _by_file(fixes: Sequence[Fix]) -> dict[Path, list[tuple[Fix, Edit]]]:
    result: dict[Path, list[tuple[Fix, Edit]]] = {}
    for part in (part for fix in fixes if edits(fix.remedy, fix.index_template) is not None for part in _parts(fix)):
        place = _place(part)
        if place is not None and Path(place.path).is_file():
            result.setdefault(Path(place.path), []).extend((part, edit) for edit in _edits(part))
    return result


def _place(fix: Fix) -> Any:
    places = (*fix.places, *(finding.location for finding in fix.findings))
    return next((place for place in places if place is not None), None)


def _lines(fix: Fix) -> tuple[str, ...]:
    """What the models must say. Not what only our declarations can say: without them autogenerate ignores it."""
    if isinstance(fix.remedy, Statements):
        return ()
    return model_line(fix.remedy, *(finding.call for finding in fix.findings[:1]))


def _by_hand(fix: Fix) -> list[str]:
    return [
        f"{place}: {line}" if (place := _place(part)) is not None else line
        for part in _parts(fix)
        for line in (*_lines(part), *filter(None, part.defaults))
    ]


def _drift(config: Any, fixes: Sequence[Fix], work: Workspace, settings: Settings, edited: Edited) -> list[Drifted]:
    """The findings of model-drift for the tables, with the edited models imported in a new process."""
    flags = {"server": settings.server} if settings.server else {}
    flags |= {"prepare": str(settings.path(settings.prepare))} if settings.prepare else {}
    request = Request(
        ini=config.config_file_name,
        toml=config.toml_file_name,
        section=config.config_ini_section,
        x=tuple(getattr(config.cmd_opts, "x", None) or ()),
        versions=tuple(config.get_version_locations_list()),
        flags=flags,
        path=tuple(sys.path),
        baseline=_baseline(settings, fixes, work.staging.folder),
        sources={str(path.resolve()): decoded(change.after)[0] for path, change in edited.files.items()},
        flask=config.attributes.get(FLASK),
    )
    try:
        drifts = drift_after(request)
    except PgPatternsError as error:
        raise PgPatternsError(work.in_final_words(str(error))) from error
    named = {str(finding.table) for fix in fixes for finding in fix.findings}
    named |= {name for fix in fixes for name in _indexes(fix)}
    return [drift for drift in drifts if _on(drift.object, named)]


def _is_of(drift: Drifted, part: Fix) -> bool:
    """Whether a difference is about what this part of a fix has changed; about its table, where that is not known."""
    remedy = part.remedy
    if isinstance(remedy, ChangeType):
        named = [f"{change.table}.{quote(change.column)}" for change in remedy.changes]
    elif not (named := [*_indexes(part)]):
        named = [str(finding.table) for finding in part.findings]
    return _on(drift.object, named)


def _indexes(fix: Fix) -> Iterator[str]:
    """The indexes that a fix creates or drops: an index's identifier does not contain its table."""
    remedy = fix.remedy
    made = remedy if isinstance(remedy, CreateIndex) else getattr(remedy, "new", None)
    if isinstance(made, CreateIndex):
        yield str(Name(made.table.schema, index_name(made)))
    if isinstance(dropped := getattr(remedy, "index", None), Name):
        yield str(dropped)


def _on(identifier: str, tables: Iterable[str]) -> bool:
    return any(identifier == name or identifier.startswith(tuple(name + mark for mark in ".( ")) for name in tables)


def _baseline(settings: Settings, fixes: Sequence[Fix], folder: Path) -> str | None:
    """A file with the baseline as it will be; None if the project has none."""
    after = paid(settings, fixes)
    if after is None:
        return None
    path = folder / "baseline.txt"
    after.write(path)
    return str(path)


def paid(settings: Settings, fixes: Sequence[Fix]) -> Baseline | None:
    """The baseline without the findings that the fixes remove; None if the project has none.

    If they stayed, autogenerate would take the old state for intended.
    """
    before = Baseline.read(settings.path(settings.baseline))
    if before is None:
        return None
    fixed = {escaped(finding.fingerprint) for fix in fixes for finding in fix.findings}
    return Baseline({item: reason for item, reason in before.entries.items() if item not in fixed}, before.heads)
