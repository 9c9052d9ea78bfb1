"""Logs of PostgreSQL (stderr, csvlog, jsonlog, auto_explain) and CSV files of pg_stat_statements."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from alembic_pgpatterns.output.files import open_regular, open_text
from alembic_pgpatterns.workload.imports.collect import Collected
from alembic_pgpatterns.workload.model import Workload

Say = Callable[[str], None]

_STATEMENT = re.compile(
    r"(?:duration: (?P<ms>[\d.]+) ms\s+)?(?:statement|execute [^:]*|bind [^:]*|parse [^:]*): (?P<text>.*)", re.DOTALL
)
"""The server's words before a statement (postgres.c). The parser reads what follows."""
_PLAN = re.compile(r"duration: (?P<ms>[\d.]+) ms\s+plan:\s+(?P<plan>.*)", re.DOTALL)
_QUERY = re.compile(r"Query Text: (?P<text>.*?)(?=\n\S[^\n]*\(cost=|\Z)", re.DOTALL)
# The server writes two blanks behind the level.
_LEVEL = re.compile(r"(?:^|[\s:\]>])(?P<level>LOG|DETAIL|STATEMENT|ERROR|HINT|CONTEXT|WARNING|FATAL):  (?P<rest>.*)")
_PARAMETER = re.compile(r"\$(\d+) = (NULL|'(?:[^']|'')*')")
_PARAMETERS = ("parameters: ", "Parameters: ")
_STEP = 200 * 1024 * 1024
"""How many bytes are read between two messages of progress."""


def read_text_log(path: Path, say: Say) -> Workload:
    """A log as the server writes it to stderr; continued lines begin with a tab."""
    collected = Collected("log")
    pending: tuple[str, float | None] | None = None
    for level, text in _entries(path, say):
        if level == "DETAIL" and pending is not None:
            _add(collected, pending, text)
            pending = None
            continue
        if pending is not None:
            _add(collected, pending, "")
            pending = None
        if level == "LOG":
            pending = _statement(text)
    if pending is not None:
        _add(collected, pending, "")
    return collected.workload(path)


def _entries(path: Path, say: Say) -> Iterator[tuple[str, str]]:
    level, lines = "", [""]
    for line in _lines(path, say):
        match = _LEVEL.search(line) if not line.startswith("\t") else None
        if match is not None:
            if level:
                yield level, "\n".join(lines)
            level, lines = match["level"], [match["rest"]]
        elif line.startswith("\t") or level:
            lines.append(line.removeprefix("\t"))
    if level:
        yield level, "\n".join(lines)


def _lines(path: Path, say: Say) -> Iterator[str]:
    with open_regular(path) as stream:
        for line in _with_progress(stream, path, say):
            yield line.decode("utf-8", "replace").rstrip("\r\n")


def _with_progress(stream: IO[bytes], path: Path, say: Say) -> Iterator[bytes]:
    """The lines of a file, with messages of progress."""
    whole, done, reported = max(1, path.stat().st_size), 0, 0
    for line in stream:
        done += len(line)
        if done - reported >= _STEP:
            reported = done
            say(f"reading {path.name}: {done * 100 // whole} %")
        yield line


def _statement(message: str) -> tuple[str, float | None] | None:
    match = _STATEMENT.match(message)
    if match is not None:
        return match["text"], float(match["ms"]) if match["ms"] else None
    plan = _PLAN.match(message)
    if plan is None:
        return None
    text = _query_text(plan["plan"])
    return (text, float(plan["ms"])) if text else None


def _query_text(plan: str) -> str | None:
    if plan.lstrip().startswith("{"):
        try:
            document = json.loads(plan)
        except ValueError:
            return None
        return str(document.get("Query Text", "")) or None
    match = _QUERY.search(plan)
    return match["text"].strip() if match is not None else None


def _add(collected: Collected, pending: tuple[str, float | None], detail: str) -> None:
    text, milliseconds = pending
    collected.add(text, _parameters(detail), milliseconds=milliseconds)


def _parameters(detail: str) -> list[object] | None:
    """``Parameters: $1 = '7', $2 = NULL`` of a DETAIL line."""
    if not detail.startswith(_PARAMETERS):
        return None
    values = {int(number): text for number, text in _PARAMETER.findall(detail)}
    if sorted(values) != list(range(1, len(values) + 1)):
        return None
    return [None if values[n] == "NULL" else values[n][1:-1].replace("''", "'") for n in sorted(values)]


_CSV_MESSAGE, _CSV_DETAIL = 13, 14
"""Columns of csvlog (docs, "Using CSV-Format Log Output")."""


def read_csv(path: Path, say: Say) -> Workload:
    """A CSV file: of pg_stat_statements if its first line has a column query, else a csvlog."""
    # The module's own limit is 131,072 characters, and statements are longer: an INSERT of a thousand rows.
    csv.field_size_limit(2**31 - 1)
    with open_regular(path) as stream:
        text = io.TextIOWrapper(stream, "utf-8", "replace", newline="")
        first = text.readline()
    head = next(csv.reader([first]), [])
    return _statements(path) if "query" in head else _csv_log(path, say)


def _statements(path: Path) -> Workload:
    collected = Collected("pg_stat_statements")
    with open_text(path, "replace", newline="") as stream:
        for row in csv.DictReader(stream):
            mean = row.get("mean_exec_time") or row.get("mean_time")
            calls = int(float(row.get("calls") or 1))
            collected.add(row.get("query") or "", calls=calls, milliseconds=float(mean) if mean else None)
    return collected.workload(path)


def _csv_log(path: Path, say: Say) -> Workload:
    collected = Collected("log")
    with open_regular(path) as stream:
        decoded = (line.decode("utf-8", "replace") for line in _with_progress(stream, path, say))
        for row in csv.reader(decoded):
            if len(row) > _CSV_DETAIL and (pending := _statement(row[_CSV_MESSAGE])) is not None:
                _add(collected, pending, row[_CSV_DETAIL])
    return collected.workload(path)


def read_json_log(path: Path, say: Say) -> Workload:
    """A jsonlog: an object per line."""
    collected = Collected("log")
    for line in _lines(path, say):
        try:
            document = json.loads(line)
        except ValueError:
            collected.unread += bool(line.strip())
            continue
        pending = _statement(str(document.get("message", ""))) if isinstance(document, dict) else None
        if pending is not None:
            _add(collected, pending, str(document.get("detail") or ""))
    return collected.workload(path)
