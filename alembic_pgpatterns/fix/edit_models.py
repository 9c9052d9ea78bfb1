"""The models' part of ``alembic pgfix``: their source edited, and whether they then agree with the database."""

from __future__ import annotations

import difflib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.baseline import Baseline, escaped
from alembic_pgpatterns.fix.model_edit import Edit
from alembic_pgpatterns.fix.model_source import edited, edits
from alembic_pgpatterns.fix.plan import Fix
from alembic_pgpatterns.patterns.revisions.model_drift import ModelDrift
from alembic_pgpatterns.remedies.model import CreateIndex, Statements
from alembic_pgpatterns.remedies.model_line import model_line
from alembic_pgpatterns.remedies.naming import index_name
from alembic_pgpatterns.schema.names import Name


@dataclass
class Edited:
    """Files before and after; lines that are left to write by hand; where models and database still differ."""

    files: dict[Path, tuple[str, str]] = field(default_factory=dict)
    by_hand: list[str] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)

    def restore(self) -> None:
        """Put the files back as they were."""
        for path, (before, _) in self.files.items():
            path.write_text(before, encoding="utf-8")

    def diff(self) -> Iterator[str]:
        """A unified diff of all files."""
        for path, (before, after) in self.files.items():
            lines = (before.splitlines(keepends=True), after.splitlines(keepends=True))
            yield from difflib.unified_diff(*lines, f"a/{path}", f"b/{path}")


def edit_models(config: Any, fixes: Sequence[Fix], wanted: bool, settings: Settings) -> Edited:
    """Edit the source where that is wanted, and see where models and database differ after the fixes.

    Raises:
        PgPatternsError: LibCST is missing, or the models do not import any more; the files are then as before.
    """
    result = Edited()
    try:
        for path, own in _by_file(fixes, result).items() if wanted else ():
            _edit(path, own, result)
        result.drift = _drift(config, fixes, settings)
    except BaseException:
        result.restore()
        raise
    if not wanted and result.drift:
        result.by_hand = [line for fix in fixes for line in _by_hand(fix)]
    return result


def _by_file(fixes: Sequence[Fix], result: Edited) -> dict[Path, list[tuple[Fix, Edit]]]:
    found: dict[Path, list[tuple[Fix, Edit]]] = {}
    for fix in fixes:
        place = next((finding.location for finding in fix.findings if finding.location is not None), None)
        own = edits(fix.remedy)
        if place is None or own is None or not Path(place.path).is_file():
            result.by_hand += _by_hand(fix)
        else:
            found.setdefault(Path(place.path), []).extend((fix, edit) for edit in own)
    return found


def _edit(path: Path, own: Sequence[tuple[Fix, Edit]], result: Edited) -> None:
    before = path.read_text(encoding="utf-8")
    source = edited(before, [edit for _, edit in own])
    result.by_hand += [line for fix, edit in own if edit in source.missed for line in _by_hand(fix)]
    if source.text != before:
        result.files[path] = (before, source.text)
        path.write_text(source.text, encoding="utf-8")


def _by_hand(fix: Fix) -> list[str]:
    """What models must say; not what they can say by our declarations, without which autogenerate leaves it alone."""
    if isinstance(fix.remedy, Statements):
        return []
    place = next((finding.location for finding in fix.findings if finding.location is not None), None)
    where = f"{place}: " if place is not None else ""
    return [f"{where}{line}" for line in model_line(fix.remedy)]


def _drift(config: Any, fixes: Sequence[Fix], settings: Settings) -> list[str]:
    """What model-drift says of the tables, in a process of its own, where the edited models are imported anew."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "alembic", "-c", str(config.config_file_name), "pgcheck", "--exit-zero"]
        command += ["--select", ModelDrift.name, "--format", f"json={report}"]
        command += _baseline(settings, fixes, Path(folder))
        if settings.server:
            command += ["--server", settings.server]
        if settings.prepare:
            command += ["--prepare", str(settings.path(settings.prepare))]
        for option in config.cmd_opts.x or ():
            command[3:3] = ["-x", option]
        run = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
        if run.returncode or not report.exists():
            said = run.stderr.strip()
            raise PgPatternsError(f"After the change the check fails, so nothing is left on disk:\n{said}")
        document = json.loads(report.read_text(encoding="utf-8"))
    named = {str(finding.table) for fix in fixes for finding in fix.findings}
    named |= {name for fix in fixes for name in _indexes(fix)}
    return [one["message"] for one in document["findings"] if _on(one["object"], named)]


def _indexes(fix: Fix) -> Iterator[str]:
    """The indexes a fix makes or drops; an index goes by a name of its own, without its table's."""
    remedy = fix.remedy
    made = remedy if isinstance(remedy, CreateIndex) else getattr(remedy, "new", None)
    if isinstance(made, CreateIndex):
        yield str(Name(made.table.schema, index_name(made)))
    if isinstance(dropped := getattr(remedy, "index", None), Name):
        yield str(dropped)


def _on(identifier: str, tables: Iterable[str]) -> bool:
    return any(identifier == name or identifier.startswith(tuple(name + mark for mark in ".( ")) for name in tables)


def _baseline(settings: Settings, fixes: Sequence[Fix], folder: Path) -> list[str]:
    """The baseline as it will be."""
    before = Baseline.read(settings.path(settings.baseline))
    if before is None:
        return []
    gone = {escaped(finding.fingerprint) for fix in fixes for finding in fix.findings}
    kept = {item: reason for item, reason in before.entries.items() if item not in gone}
    Baseline(kept, before.heads).write(folder / "baseline.txt")
    return ["--baseline", str(folder / "baseline.txt")]
