"""A server's log, parsed: what each backend had to do and what it did.

Needs locale C and ``log_error_verbosity = terse``. The texts are the same on PostgreSQL 15 to 18.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alembic_pgpatterns.revisions.commands import parse
from alembic_pgpatterns.schema.names import Name

MARK = "pgpatterns-trace"
# "rewriting table", "verifying table" and "building index" are DEBUG1 messages (commands/tablecmds.c, catalog/index.c).
# "terse" and "panic" leave out DETAIL, CONTEXT and STATEMENT lines, which would repeat what is known.
SETTINGS: Mapping[str, str] = {
    "log_min_messages": "debug1",
    "log_statement": "all",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_line_prefix": "~%p %e %v~ ",
}
"""The settings of a server on which revisions are traced."""

_LINE = re.compile(rb"^~(\d+) (\S+) (\S*)~ (\w+):  (.*)$", re.DOTALL)
_STATEMENT = re.compile(r"^(?:statement|execute [^:]*): (.*)$", re.DOTALL)
# In elog.c and spi.c (_SPI_error_callback) of PostgreSQL 14 to 18.
_IN_FUNCTION = re.compile(r'SQL statement "(.*?)"(?=\n(?:PL/pgSQL|SQL|PL/|SP-GiST|COPY)|\Z)', re.DOTALL)
_IN_SQL_FUNCTION = re.compile(r'SQL function ".*?" statement (\d+)')
_WORK = (
    ("rewrite", re.compile(r'^rewriting table "(?P<table>.+)"$')),
    ("scan", re.compile(r'^verifying table "(?P<table>.+)"$')),
    ("build", re.compile(r'^building index "(?P<name>.+)" on table "(?P<table>.+)" (?:serially|with request)')),
    ("foreign key", re.compile(r'^validating foreign key constraint "(?P<name>.+)"$')),
)


@dataclass(slots=True)
class LogEntry:
    """One entry of the log. ``start``: its position in the file, in bytes."""

    start: int
    pid: int
    state: str
    transaction: str
    level: str
    text: str


@dataclass(slots=True)
class Notice:
    """What an event trigger wrote. ``names`` of the locked relations; None for what was dropped.

    ``inner``: the command, if a function or a DO block ran it and its text is known.
    """

    event: str
    tag: str
    locks: dict[int, list[str]]
    names: dict[int, Name | None]
    objects: list[int]
    settings: dict[str, int]
    inner: str | None = None


@dataclass(slots=True)
class LoggedStatement:
    """A statement that a backend received, and what the backend reported until the next one."""

    start: int
    pid: int
    transaction: str
    sql: str
    notices: list[Notice | tuple[str, str, str]] = field(default_factory=list)
    error: str | None = None


def entries(path: Path, start: int, end: int) -> Iterator[LogEntry]:
    """The entries of a part of the file."""
    with path.open("rb") as file:
        file.seek(start)
        data = file.read(end - start)
    offset, lines = start, data.splitlines(keepends=True)
    current: LogEntry | None = None
    for line in lines:
        match = _LINE.match(line.rstrip(b"\n"))
        if match is not None:
            if current is not None:
                yield current
            pid, state, transaction, level, text = (part.decode("utf-8", "replace") for part in match.groups())
            current = LogEntry(offset, int(pid), state, transaction, level, text)
        elif current is not None:
            current.text += "\n" + line.decode("utf-8", "replace").removeprefix("\t").rstrip("\n")
        offset += len(line)
    if current is not None:
        yield current


def logged_statements(path: Path, start: int, end: int, pids: frozenset[int]) -> list[LoggedStatement]:
    """The statements of some backends, in order."""
    result: list[LoggedStatement] = []
    last: dict[int, LoggedStatement] = {}
    for message in entries(path, start, end):
        if message.pid not in pids:
            continue
        statement = _STATEMENT.match(message.text) if message.level == "LOG" else None
        if statement is not None:
            last[message.pid] = LoggedStatement(message.start, message.pid, message.transaction, statement[1])
            result.append(last[message.pid])
        elif message.pid in last:
            _take(last[message.pid], message)
    return result


def _take(statement: LoggedStatement, message: LogEntry) -> None:
    if message.level in ("ERROR", "FATAL"):
        statement.error = message.state
    elif message.text.startswith(MARK):
        statement.notices.append(_notice(json.loads(message.text.removeprefix(MARK))))
    elif message.level == "DEBUG":
        for kind, pattern in _WORK:
            match = pattern.match(message.text)
            if match is not None:
                parts = match.groupdict()
                statement.notices.append((kind, parts.get("table", ""), parts.get("name", "")))


def _notice(data: dict[str, Any]) -> Notice:
    locks: dict[int, list[str]] = {}
    names: dict[int, Name | None] = {}
    for relation, mode, schema, name in data.get("locks") or ():
        locks.setdefault(relation, []).append(mode)
        names[relation] = Name(schema, name) if name is not None else None
    inner = _inner(data.get("context") or "", data.get("body") or "")
    return Notice(
        data["event"], data["tag"], locks, names, data.get("objects") or [], data.get("settings") or {}, inner
    )


def _inner(context: str, body: str) -> str | None:
    """The command that a function ran, from the context of the event trigger, whose first line is our own function.

    Args:
        context: as PostgreSQL writes it.
        body: of the function, if it is one in SQL.
    """
    above = context.partition("\n")[2]
    by_function = _IN_FUNCTION.match(above)
    if by_function is not None:
        return by_function[1]
    by_sql = _IN_SQL_FUNCTION.match(above)
    commands = parse(body) if by_sql is not None else ()
    number = int(by_sql[1]) if by_sql is not None else 0
    return commands[number - 1].text if 0 < number <= len(commands) else None
