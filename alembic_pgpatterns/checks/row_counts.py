"""The number of rows of tables in production, from the file in the setting ``stats``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.output.files import read_text
from alembic_pgpatterns.revisions.model import RevisionRun
from alembic_pgpatterns.schema.model import Name


def with_rows(runs: Sequence[RevisionRun], settings: Settings) -> tuple[RevisionRun, ...]:
    """The runs with the number of rows of each table, if the settings name a file with them.

    Raises:
        PgPatternsError: the file cannot be read.
    """
    if settings.stats is None:
        return tuple(runs)
    counts = read_rows(settings.path(settings.stats))
    return tuple(
        replace(run, rows=tuple((run.resolve(name.schema, name.name), rows) for name, rows in counts)) for run in runs
    )


def read_rows(path: Path) -> tuple[tuple[Name, int], ...]:
    """The number of rows per table, from a file with one ``table rows`` per line, or with a JSON object.

    A table may be written as ``schema.table``.

    Raises:
        PgPatternsError: the file cannot be read, or a line has another form.
    """
    try:
        text = read_text(path)
        lines = [line.replace(",", " ").replace("|", " ").split() for line in text.splitlines() if line.strip()]
        pairs = json.loads(text).items() if text.lstrip().startswith("{") else lines
        return tuple((_name(str(name)), int(rows)) for name, rows in pairs)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise PgPatternsError(
            f"{path}: the row counts cannot be read: {error}. Write one `table rows` per line, or a JSON object. "
            "PostgreSQL has the numbers in pg_class.reltuples."
        ) from error


def _name(text: str) -> Name:
    schema, _, name = text.rpartition(".")
    return Name(schema.strip('"'), name.strip('"'))
