"""The baseline: findings that a project accepts, one fingerprint per line, in a file that it commits.

The existence of the file, even an empty one, marks adoption: autogenerate then enforces the patterns on everything that
it does not accept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.output.files import read_regular, write_whole

HEADER = (
    "# Accepted findings of alembic-pgpatterns, one per line. A reason may follow after '  # '.\n"
    "# Delete a line to have the next revision fix its finding. Written by `alembic pgcheck --write-baseline`.\n"
)
HEADS = "# heads:"
FORMAT = "# format:"
VERSION = 1
CONFLICT = ("<<<<<<< ", "=======", ">>>>>>> ", "||||||| ")
REASON = "  # "


@dataclass(frozen=True, slots=True)
class Baseline:
    """Accepted fingerprints with their reasons, and the revisions that were heads when the file was written."""

    entries: Mapping[str, str | None] = field(default_factory=dict)
    heads: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Baseline | None:
        """The baseline in the file; None if there is no file.

        Raises:
            PgPatternsError: the file cannot be read, or a line is not a fingerprint.
        """
        if not path.exists():
            return None
        try:
            # Some editors begin a file with a byte order mark.
            lines = read_regular(path).decode("utf-8-sig").replace("\r\n", "\n").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise PgPatternsError(f"{path}: the baseline cannot be read: {error}") from error
        return cls._parse(path, lines)

    @classmethod
    def _parse(cls, path: Path, lines: list[str]) -> Baseline:
        entries: dict[str, str | None] = {}
        heads: tuple[str, ...] = ()
        for number, line in enumerate(lines, 1):
            _refuse_mark(path, number, line)
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
        """Entries that match no finding any more: the finding was fixed or renamed."""
        return tuple(sorted(set(self.entries) - set(map(escaped, fingerprints))))

    def covering(self, fingerprints: Iterable[str], heads: Iterable[str], keep: Iterable[str] = ()) -> Baseline:
        """A baseline of exactly these findings and the entries to keep. Existing reasons stay."""
        entries = [*map(escaped, fingerprints), *keep]
        return Baseline({item: self.entries.get(item) for item in entries}, tuple(sorted(heads)))

    def text(self) -> str:
        """The content of the file: the heads, then the sorted entries."""
        lines = [f"{HEADS} {', '.join(self.heads)}"] if self.heads else []
        # Sorted, so that two branches rarely change the same line.
        lines += [f"{item}{REASON + reason if reason else ''}" for item, reason in sorted(self.entries.items())]
        return HEADER + "".join(f"{line}\n" for line in lines)

    def write(self, path: Path) -> None:
        """Write the file in one step: there is the old file or the new one, never a part of it.

        Raises:
            PgPatternsError: the folder or the file cannot be written.
        """
        try:
            write_whole(path, self.text())
        except OSError as error:
            raise PgPatternsError(f"{path}: the baseline cannot be written: {error.strerror or error}") from error


def _refuse_mark(path: Path, number: int, line: str) -> None:
    """Refuse an unfinished merge, and a file of a later version: it must not be read as if it were complete.

    Raises:
        PgPatternsError: the line is a conflict marker, or names a format that is not known here.
    """
    if line.startswith(CONFLICT):
        raise PgPatternsError(
            f"{path}:{number}: the baseline has an unfinished merge ({line[:7]}). Keep the lines of both sides, "
            "and delete the markers."
        )
    if line.startswith(FORMAT) and line.removeprefix(FORMAT).strip() != str(VERSION):
        raise PgPatternsError(
            f"{path}:{number}: the baseline has format {line.removeprefix(FORMAT).strip()}, and this version of "
            f"alembic-pgpatterns knows format {VERSION}: upgrade it."
        )


def escaped(fingerprint: str) -> str:
    """The fingerprint on one line, whatever characters its identifiers contain."""
    return fingerprint.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def _split(line: str) -> tuple[str, str | None]:
    """The fingerprint and the reason. A ``  # `` inside a quoted identifier does not start a reason."""
    start = line.find(REASON)
    while start != -1:
        if line[:start].count('"') % 2 == 0:
            return line[:start].rstrip(), line[start + len(REASON) :].strip() or None
        start = line.find(REASON, start + 1)
    return line, None
