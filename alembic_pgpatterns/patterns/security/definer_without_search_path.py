from __future__ import annotations

import re
from collections.abc import Iterator

from alembic_pgpatterns.patterns import Action, Finding, Needs, SchemaPattern, Severity
from alembic_pgpatterns.patterns.security._statements import set_search_path
from alembic_pgpatterns.schema.model import Function, Schema

KEY = "search_path"
TEMPORARY = "pg_temp"
CATALOG = "pg_catalog"
NO_SCHEMA = ""
NAMES = re.compile(r'"(?:[^"]|"")*"|[^\s,]+')
# Functions, procedures and window functions (pg_proc.prokind); an aggregate has no SECURITY DEFINER.
KINDS = frozenset({"f", "p", "w"})


class DefinerWithoutSearchPath(SchemaPattern):
    """A SECURITY DEFINER function in which a caller can replace tables and functions with their own.

    Such a function runs with the rights of its owner, but finds names through the `search_path` of its caller. A caller
    can create objects with the same names in their own schema and put that schema first. The function then uses those
    objects with its owner's rights. So it needs a fixed `search_path`, with `pg_temp` last: if `pg_temp` is not named,
    temporary tables, which everybody may create, are found first.

    An empty path and `pg_catalog` alone are right too; then every name in the function must be qualified.

    Not reported: functions with an SQL-standard body (BEGIN ATOMIC, RETURN), whose names are resolved at creation;
    aggregates; members of extensions.
    """

    severity = Severity.WARNING
    action = Action.REPORT
    needs = Needs.DATABASE
    not_when = "Name other schemas if the function must find its tables elsewhere, as with one schema per tenant."
    references = (
        "https://www.postgresql.org/docs/current/sql-createfunction.html#SQL-CREATEFUNCTION-SECURITY",
        "https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-SEARCH-PATH",
    )
    bad = """
        CREATE FUNCTION reset_everything() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
            AS 'BEGIN PERFORM 1; END';
    """
    good = """
        CREATE FUNCTION reset_everything() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
            SET search_path = public, pg_temp
            AS 'BEGIN PERFORM 1; END';
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Functions and procedures."""
        for function in schema.functions:
            path = _search_path(function)
            # A body in standard SQL (BEGIN ATOMIC) has its names looked up when it is created.
            if function.security_definer and function.kind in KINDS and not function.standard_body and not _safe(path):
                yield self.finding(
                    at=function,
                    message=_message(function, path),
                    remedy=set_search_path(function, _repaired(path or (schema.default_schema,)), path),
                )


def _search_path(function: Function) -> tuple[str, ...] | None:
    """The schemas of the function's own search_path; None where it has none."""
    settings = (item.partition("=") for item in function.config)
    return next((_schemas(value) for name, _, value in settings if name == KEY), None)


def _schemas(value: str) -> tuple[str, ...]:
    """A list of identifiers, as PostgreSQL reads it: quoted ones as they stand, others in lower case."""
    names = NAMES.findall(value)
    return tuple(name[1:-1].replace('""', '"') if name.startswith('"') else name.lower() for name in names)


def _safe(path: tuple[str, ...] | None) -> bool:
    """Whether nothing the caller can create is found before what the function means."""
    if path is None:
        return False
    # Where a path does not name pg_temp, PostgreSQL looks for tables and types there first (docs, "search_path").
    return set(path) <= {CATALOG, NO_SCHEMA} or (path[-1] == TEMPORARY and TEMPORARY not in path[:-1])


def _repaired(path: tuple[str, ...]) -> tuple[str, ...]:
    """The same schemas, pg_temp last; a list that was taken for one name (``SET search_path = 'a, b'``) taken apart."""
    apart = (part for name in path for part in (_schemas(name) if "," in name else (name,)))
    return (*(name for name in apart if name not in (TEMPORARY, NO_SCHEMA)), TEMPORARY)


def _message(function: Function, path: tuple[str, ...] | None) -> str:
    runs = f"{function.identifier} runs with the rights of {function.owner}"
    if path is None:
        return f"{runs} and looks names up in its caller's search_path"
    return f"{runs} and looks names up in its caller's temporary tables first"
