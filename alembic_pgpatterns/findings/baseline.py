"""The baseline: findings that a project accepts as they are, one fingerprint a line, in a file it commits.

Its presence, even empty, marks adoption: autogenerate enforces patterns on whatever it does not accept.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from alembic_pgpatterns.errors import PgPatternsError

HEADER = (
    "# Findings of alembic-pgpatterns that are accepted as they are, one a line; a reason may follow behind '  # '.\n"
    "# Take a line out to have the debt paid by the next revision. Written by `alembic pgcheck --write-baseline`.\n"
)
HEADS = "# heads:"
REASON = "  # "


@dataclass(frozen=True, slots=True)
class Baseline:
    """Accepted fingerprints with their reasons, and the revisions that were the heads when they were written."""

    entries: Mapping[str, str | None] = field(default_factory=dict)
    heads: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Baseline | None:
        """The baseline in the file; None where there is no file.

        Raises:
            PgPatternsError: the file cannot be read, or a line is no fingerprint.
        """
        if not path.exists():
            return None
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise PgPatternsError(f"{path}: the baseline cannot be read: {error}") from error
        return cls._parse(path, lines)

    @classmethod
    def _parse(cls, path: Path, lines: list[str]) -> Baseline:
        entries: dict[str, str | None] = {}
        heads: tuple[str, ...] = ()
        for number, line in enumerate(lines, 1):
            if line.startswith(HEADS):
                heads = tuple(head.strip() for head in line.removeprefix(HEADS).split(",") if head.strip())
            elif line.strip() and not line.startswith("#"):
                fingerprint, reason = _split(line.strip())
                if " " not in fingerprint:
                    raise PgPatternsError(f"{path}:{number}: not a fingerprint (`pattern object`): {line!r}")
                entries[fingerprint] = reason
        return cls(entries, heads)

    def accepts(self, fingerprint: str) -> bool:
        """Whether the finding is accepted."""
        return escaped(fingerprint) in self.entries

    def stale(self, fingerprints: Iterable[str]) -> tuple[str, ...]:
        """Entries that no finding matches any more: they were paid, or renamed."""
        return tuple(sorted(set(self.entries) - set(map(escaped, fingerprints))))

    def covering(self, fingerprints: Iterable[str], heads: Iterable[str], kept: Iterable[str] = ()) -> Baseline:
        """A baseline of exactly these findings, and of entries to be kept; reasons that were given before are too."""
        entries = [*map(escaped, fingerprints), *kept]
        return Baseline({item: self.entries.get(item) for item in entries}, tuple(sorted(heads)))

    def write(self, path: Path) -> None:
        """Write the file, sorted, in one step: it is the old one or the new one, never half of one.

        Raises:
            PgPatternsError: the folder or the file cannot be written.
        """
        text = HEADER + (f"{HEADS} {', '.join(self.heads)}\n" if self.heads else "")
        text += "".join(f"{item}{REASON + reason if reason else ''}\n" for item, reason in sorted(self.entries.items()))
        try:
            _replace(path, text)
        except OSError as error:
            raise PgPatternsError(f"{path}: the baseline cannot be written: {error.strerror or error}") from error


def escaped(fingerprint: str) -> str:
    """The fingerprint on one line, whatever its identifiers hold."""
    return fingerprint.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def _split(line: str) -> tuple[str, str | None]:
    """The fingerprint and the reason; what looks like a reason within quoted identifiers is not one."""
    start = line.find(REASON)
    while start != -1:
        if line[:start].count('"') % 2 == 0:
            return line[:start].rstrip(), line[start + len(REASON) :].strip() or None
        start = line.find(REASON, start + 1)
    return line, None


def _replace(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(prefix=path.name, dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
