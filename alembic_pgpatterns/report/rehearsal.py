"""The result of a rehearsal, in every format: as JSON and Markdown, for people, and its findings for other programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TextIO

from alembic_pgpatterns.checks.deploy_plan import Line, plans
from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.output.counts import counted
from alembic_pgpatterns.output.safe_text import inert, prose
from alembic_pgpatterns.output.secrets import without_passwords
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.rehearsal.model import Prediction, Rehearsal, RevisionResult, StatementTime, TableResult
from alembic_pgpatterns.report import Output
from alembic_pgpatterns.report import plan as plan_writer
from alembic_pgpatterns.report.json import document_of
from alembic_pgpatterns.report.places import displayed
from alembic_pgpatterns.report.words import fix_lines, message

VERSION = 1
SHOWN = 5
"""Statements of a revision that are shown unless all are asked for: the slowest."""
NOTICEABLE = 0.05
"""Seconds: a shorter wait is none."""


def write(result: Rehearsal, output: Output, stdout: TextIO, full: bool) -> None:
    """Write the result in one format, to its file or the standard output.

    Raises:
        PgPatternsError: the file cannot be written.
    """
    if output.format not in ("text", "json", "markdown"):
        report = Report(findings=result.findings, skipped=(*result.skipped, *result.unrehearsed), facts=result.facts)
        output.write(report, stdout, full)
        return
    lines = (f"{line}\n" for line in _lines(result, output.format, full))
    output.put(lambda stream: stream.writelines(lines), stdout)


def write_plan(result: Rehearsal, stream: TextIO, format: str) -> None:
    """Write what ``pgcheck --plan`` shows, with the measured waits, as "text" or "markdown"."""
    waits = {(item.revision, table.table): wait_line(table) for item in result.revisions for table in item.tables}
    measured = [
        replace(plan, lines=tuple(_with_wait(line, waits.get((plan.revision, line.table), "")) for line in plan.lines))
        for plan in plans(result.runs, result.findings)
    ]
    plan_writer.write(measured, stream, format)


def _with_wait(line: Line, wait: str) -> Line:
    return replace(line, measured=wait.partition(": ")[2])


def _lines(result: Rehearsal, format: str, full: bool) -> Iterator[str]:
    if format == "json":
        yield json.dumps(document(result), indent=2, default=str)
    elif format == "markdown":
        yield from _markdown(result)
    else:
        yield from map(inert, map(without_passwords, _text(result, full)))


def document(result: Rehearsal) -> dict[str, Any]:
    """The result as plain data, version 1."""
    report = Report(findings=result.findings)
    return {
        "version": VERSION,
        "revisions": [_revision(item) for item in result.revisions],
        "unfilled": [{"table": str(item.table), "reason": without_passwords(item.reason)} for item in result.unfilled],
        "findings": [document_of(finding, report) for finding in report.findings],
        "skipped": [{"what": item.subject, "reason": without_passwords(item.reason)} for item in result.skipped],
        "summary": dict(result.facts),
    }


def _revision(item: RevisionResult) -> dict[str, Any]:
    return {
        "revision": item.revision,
        "path": item.path,
        "database": item.database,
        "tables": [_table(table) for table in item.tables],
        "statements": [_statement(statement) for statement in item.statements],
        "seconds": round(item.seconds, 4),
        "wal_bytes": item.wal_bytes,
        "disk_bytes": item.disk_bytes,
        "sizes": list(item.sizes),
        "note": item.note or None,
    }


def _table(item: TableResult) -> dict[str, Any]:
    return {
        "table": str(item.table),
        "rows": item.rows,
        "read_wait_s": round(item.read_wait, 4),
        "write_wait_s": round(item.write_wait, 4),
        "predicted": _predicted(item.predicted) if item.predicted is not None else None,
    }


def _predicted(item: Prediction) -> dict[str, Any]:
    return {
        "rows": item.rows,
        "read_wait_s": round(item.read_wait, 4),
        "write_wait_s": round(item.write_wait, 4),
        "low_s": round(item.low, 4),
        "high_s": round(item.high, 4),
        "growth": item.growth,
    }


def _statement(item: StatementTime) -> dict[str, Any]:
    return {
        "location": {"path": displayed(item.location).path, "line": item.location.line},
        "seconds": round(item.seconds, 4),
        "rows": item.rows,
        "count": item.count,
        "predicted_s": round(item.predicted, 4) if item.predicted is not None else None,
        "sql": without_passwords(item.sql),
    }


def _text(result: Rehearsal, full: bool) -> Iterator[str]:
    measured = [item for item in result.revisions if not item.note]
    yield f"pgrehearse: {counted(len(measured), 'revisions')} on rows" + (
        f", {result.facts['server']}" if measured else ""
    )
    for item in result.revisions:
        if item.note and not full:
            continue
        yield ""
        yield f"{item.revision}  {item.path}{f' in database {item.database}' if _several(result) else ''}"
        yield from (f"  {line}" for line in _measured(item, full))
    for finding in result.findings:
        yield ""
        yield from _finding(finding)
    if result.unfilled or result.skipped:
        yield ""
    yield from (f"no rows in {item.table}: {item.reason}" for item in result.unfilled)
    yield from (f"skipped: {item.subject}: {item.reason}" for item in result.skipped)
    yield ""
    total = counted(len(result.findings), "findings") if result.findings else "no findings"
    yield f"{total}, but not everything was rehearsed" if result.unrehearsed else total


def _several(result: Rehearsal) -> bool:
    return len({item.database for item in result.revisions}) > 1


def _measured(item: RevisionResult, full: bool) -> Iterator[str]:
    if item.note:
        yield item.note
        return
    tables = [table for table in item.tables if full or table.rows]  # for an empty table nobody ever waits
    quiet = [table for table in tables if not full and max(table.read_wait, table.write_wait) < NOTICEABLE]
    yield from (wait_line(table) for table in tables if table not in quiet)
    if quiet:
        yield f"nobody waits on {', '.join(table.table.name for table in quiet)}"
    slowest = sorted(item.statements, key=lambda statement: -statement.seconds)
    shown = item.statements if full else [s for s in slowest[:SHOWN] if s.seconds >= NOTICEABLE / 5]
    for statement in shown:
        rows = f" for {statement.count:,} statements" if statement.count > 1 else ""
        rows += f", {statement.rows:,} {'row' if statement.rows == 1 else 'rows'}" if statement.rows is not None else ""
        sql = statement.sql if full or len(statement.sql) <= 80 else f"{statement.sql[:77]}..."
        yield f"{displayed(statement.location)}: {duration(statement.seconds)}{rows}: {sql}"
    yield f"{duration(item.seconds)} in all, {size(item.wal_bytes)} of WAL, {size(item.disk_bytes)} of disk"


def wait_line(table: TableResult) -> str:
    """Who waits on a table, how long, and what that means for production."""
    waits = [("reads", table.read_wait), ("writes", table.write_wait)]
    waiting = ", ".join(f"{who} wait {duration(seconds)}" for who, seconds in waits if seconds >= NOTICEABLE)
    line = f"{table.table.name}: {waiting or 'nobody waits'} at {count(table.rows)} rows"
    ahead = table.predicted
    if ahead is None or not waiting:
        return line
    longest = max(ahead.read_wait, ahead.write_wait)
    about = f"about {duration(longest)} at {count(ahead.rows)} ({duration(ahead.low)} to {duration(ahead.high)})"
    return f"{line}, {ahead.growth}: {about}"


def _finding(finding: Finding) -> Iterator[str]:
    yield f"{finding.severity} {finding.pattern}: {message(finding)}"
    places = [str(displayed(finding.location))] if finding.location else []
    places += [f"revision {finding.revision}"] if finding.revision else []
    if places:
        yield f"    at   {', '.join(places)}"
    yield from (f"    fix  {line}" for line in fix_lines(finding))


def _markdown(result: Rehearsal) -> Iterator[str]:
    yield f"### pgrehearse: {counted(len(result.findings), 'findings')}\n"
    for item in result.revisions:
        if item.note:
            continue
        yield f"#### `{item.revision}`\n{_cell(item.path)}\n"
        yield "| table | rows | reads wait | writes wait | at production's size | growth |\n|---|---|---|---|---|---|"
        yield from (_row(table) for table in item.tables)
        yield ""
    for finding in result.findings:
        where = f" ({_cell(str(displayed(finding.location)))})" if finding.location else ""
        yield f"- **{finding.severity}** `{finding.pattern}`: {_cell(finding.message)}{where}"
    yield from (f"- no rows in `{_cell(str(item.table))}`: {_cell(item.reason)}" for item in result.unfilled)
    yield from (f"- skipped: {_cell(item.subject)}: {_cell(item.reason)}" for item in result.skipped)


def _row(table: TableResult) -> str:
    ahead = table.predicted
    cells = [table.table.name, f"{table.rows:,}", duration(table.read_wait), duration(table.write_wait)]
    if ahead is not None:
        cells += [f"{duration(max(ahead.read_wait, ahead.write_wait))} at {ahead.rows:,} rows", ahead.growth]
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    return prose(" ".join(text.replace("|", "\\|").replace("<", "&lt;").split()))


def duration(seconds: float) -> str:
    """A time for people: ``40 ms``, ``4.1 s``, ``7 min``, ``2.5 h``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def count(rows: int) -> str:
    """A number of rows for people: ``20,000``, ``1 M``, ``2.5 M``."""
    return f"{rows:,}" if rows < 1_000_000 else f"{rows / 1_000_000:g} M" if rows % 100_000 == 0 else f"{rows:,}"


def size(number: int) -> str:
    """Bytes for people."""
    for unit in ("bytes", "kB", "MB"):
        if number < 1024:
            return f"{number} {unit}"
        number //= 1024
    return f"{number} GB"
