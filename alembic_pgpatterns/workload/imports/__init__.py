"""Workloads from other sources: pg_stat_statements, SQL files, logs of PostgreSQL. All are read as streams."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.output.files import open_regular, read_text
from alembic_pgpatterns.workload import files
from alembic_pgpatterns.workload.imports.collect import Collected
from alembic_pgpatterns.workload.imports.logs import read_csv, read_json_log, read_text_log
from alembic_pgpatterns.workload.model import Workload, merged

Say = Callable[[str], None]


def read_workloads(paths: Iterable[Path], say: Say = lambda message: None) -> Workload:
    """Recordings and imports as one workload.

    Args:
        paths: recordings (``.jsonl``), folders or files of SQL, logs (``.log``, ``.csv``, ``.json``), and CSV files of
            pg_stat_statements. What a file is, its ending and its first line say.
        say: called to show progress.

    Raises:
        PgPatternsError: one cannot be read, or holds no statement.
    """
    return merged([_read(path, say) for path in paths])


def _read(path: Path, say: Say) -> Workload:
    if not path.exists():
        raise PgPatternsError(f"{path}: there is no such file or folder.")
    if path.is_dir() or path.suffix == ".sql":
        return _sql(path)
    if path.suffix == ".jsonl" or _is_recording(path):
        return files.read(path)
    readers = {".csv": read_csv, ".json": read_json_log}
    try:
        return readers.get(path.suffix, read_text_log)(path, say)
    except (OSError, UnicodeDecodeError) as error:
        raise PgPatternsError(f"{path}: it cannot be read: {error}") from error


def _is_recording(path: Path) -> bool:
    try:
        with open_regular(path) as stream:
            return stream.read(14).startswith(b'{"workload": ')
    except OSError:
        return False


def _sql(path: Path) -> Workload:
    collected = Collected("sql")
    files = sorted(path.rglob("*.sql")) if path.is_dir() else [path]
    if not files:
        raise PgPatternsError(f"{path}: there is no .sql file in this folder.")
    for file in files:
        try:
            collected.script(read_text(file), file)
        except (OSError, UnicodeDecodeError) as error:
            raise PgPatternsError(f"{file}: it cannot be read: {error}") from error
    return collected.workload(path)
