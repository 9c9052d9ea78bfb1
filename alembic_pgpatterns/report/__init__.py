"""Reports: each format is a module with ``write(report, stream, full)``."""

from __future__ import annotations

import difflib
import importlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from alembic_pgpatterns.config.settings import SettingsError
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.output.files import write_whole

if TYPE_CHECKING:
    from alembic_pgpatterns.findings.report_model import Report

FORMATS = ("text", "json", "sarif", "github", "gitlab", "junit", "markdown", "html")


@dataclass(frozen=True, slots=True)
class Output:
    """One report to be written: its format, and a file or, where None, the standard output."""

    format: str
    file: Path | None = None

    @property
    def module(self) -> str:
        """The name of the module that writes it."""
        return f"{__name__}.{self.format}"

    def write(self, report: Report, stdout: TextIO, full: bool) -> None:
        """Write the report.

        Raises:
            PgPatternsError: the file cannot be written.
        """
        # Only the one that is asked for: most runs need neither HTML nor pictures.
        module = importlib.import_module(self.module)
        self.put(lambda stream: module.write(report, stream, full), stdout)

    def put(self, write: Callable[[TextIO], None], stdout: TextIO) -> None:
        """Let ``write`` write to the file, whole or not at all, or to the standard output.

        Raises:
            PgPatternsError: the file cannot be written.
        """
        if self.file is None:
            write(stdout)
            return
        try:
            stream = io.StringIO()
            write(stream)
            # A name may hold half of a surrogate pair, which UTF-8 cannot write.
            self._write(stream.getvalue().encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise PgPatternsError(f"{self.file}: the report cannot be written: {error.strerror or error}") from error

    def _write(self, data: bytes) -> None:
        assert self.file is not None
        if self.file.exists() and not self.file.is_file():
            self.file.write_bytes(data)  # /dev/stderr, or a pipe to another program
        else:
            write_whole(self.file, data)


def outputs(requested: list[str]) -> list[Output]:
    """The outputs of ``--format`` flags: ``text``, ``json=report.json``.

    Raises:
        SettingsError: an unknown format, or two that both want the standard output.
    """
    result = [_output(item) for item in requested]
    if sum(output.file is None for output in result) > 1:
        raise SettingsError(f"--format: only one of {', '.join(requested)} can have stdout; give the others =FILE.")
    return result


def _output(requested: str) -> Output:
    name, equals, file = requested.partition("=")
    if name not in FORMATS:
        close = difflib.get_close_matches(name, FORMATS, 1)
        hint = f" Did you mean {close[0]!r}?" if close else f" Valid: {', '.join(FORMATS)}."
        raise SettingsError(f"--format: unknown format {name!r}.{hint}")
    if equals and not file:
        raise SettingsError(f"--format: {requested} names no file after the =.")
    return Output(name, Path(file) if file else None)
