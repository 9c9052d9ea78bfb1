"""Workloads as files: a line of JSON per statement, after a first line with the format's version."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.output.files import open_text
from alembic_pgpatterns.workload.model import EngineFacts, Recorded, Series, Site, Usage, Workload, merged

VERSION = 1


def write(workload: Workload, path: Path) -> None:
    """Write a workload in one step: the file is the old one or the new one, never incomplete.

    Raises:
        PgPatternsError: the folder or the file cannot be written.
    """
    lines = as_lines(workload)
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}", dir=path.parent or Path())
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.writelines(json.dumps(line, ensure_ascii=False, default=str) + "\n" for line in lines)
            # mkstemp() makes it for this user alone; a recording goes into artifacts and to colleagues.
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
    except OSError as error:
        raise PgPatternsError(f"{path}: the workload cannot be written: {error.strerror or error}") from error


def as_lines(workload: Workload) -> list[dict[str, object]]:
    """The lines of a workload's file: the header, then a statement per line."""
    head: dict[str, object] = {
        "workload": VERSION,
        "source": workload.source,
        "engines": [asdict(engine) for engine in workload.engines],
        "notes": list(workload.notes),
    }
    return [head, *(_document(statement) for statement in workload.statements)]


def _document(statement: Recorded) -> dict[str, object]:
    document = asdict(statement)
    document["usages"] = [_slim(asdict(usage)) for usage in statement.usages]
    return _slim(document)


def _slim(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value not in (None, (), [], "")}


def read(path: Path) -> Workload:
    """The workload of a file.

    Raises:
        PgPatternsError: it cannot be read, or a line of it is no statement of a workload.
    """
    try:
        with open_text(path) as stream:
            return from_lines(str(path), stream)
    except (OSError, UnicodeDecodeError) as error:
        raise PgPatternsError(f"{path}: the workload cannot be read: {error}") from error


def read_all(paths: Iterable[Path]) -> Workload:
    """The workloads of several files as one.

    Raises:
        PgPatternsError: as for `read`.
    """
    return merged([read(path) for path in paths])


def from_lines(name: str, lines: Iterable[str]) -> Workload:
    """A workload from its lines. ``name``: their source, for messages.

    Raises:
        PgPatternsError: a line is no statement of a workload.
    """
    head: dict[str, Any] | None = None
    statements = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
            if head is None:
                head = _head(document)
            else:
                statements.append(_statement(document))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise PgPatternsError(
                f"{name}:{number}: this is not a line of a workload ({error}). "
                "`pytest --pgpatterns-record` writes such files."
            ) from None
    if head is None:
        raise PgPatternsError(f"{name}: the file is empty. `pytest --pgpatterns-record` writes such files.")
    engines = tuple(EngineFacts(**{**engine, "site": _site(engine.get("site"))}) for engine in head.get("engines", ()))
    return Workload(tuple(statements), head.get("source", "record"), engines, tuple(head.get("notes", ())))


def _head(document: Mapping[str, Any]) -> dict[str, Any]:
    version = document["workload"]
    if version != VERSION:
        raise ValueError(f"version {version} of the format is not known here")
    return dict(document)


def _statement(document: Mapping[str, Any]) -> Recorded:
    names = {field.name for field in fields(Recorded)}
    values = {name: value for name, value in document.items() if name in names}
    return Recorded(
        **{
            **values,
            "values": tuple(tuple(sample) for sample in values.get("values", ())),
            "constant": tuple(values.get("constant", ())),
            "tables": tuple(values.get("tables", ())),
            "usages": tuple(_usage(usage) for usage in values.get("usages", ())),
        }
    )


def _usage(document: Mapping[str, Any]) -> Usage:
    return Usage(
        site=_site(document.get("site")),
        calls=int(document["calls"]),
        series=Series(**document.get("series", {})),
        reason=document.get("reason"),
        attribute=document.get("attribute"),
        tests=tuple(document.get("tests", ())),
        test_count=int(document.get("test_count", 0)),
        after=tuple(document.get("after", ())),
    )


def _site(document: Mapping[str, Any] | None) -> Site | None:
    return Site(**document) if document else None
