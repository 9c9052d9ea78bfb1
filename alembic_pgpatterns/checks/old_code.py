"""Whether the code of the release before still works after each new revision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from alembic_pgpatterns.checks.old_code_place import place as line_of
from alembic_pgpatterns.checks.old_models import OLD, Filled, Trouble, in_database
from alembic_pgpatterns.checks.old_release import OldRelease
from alembic_pgpatterns.checks.old_rows import WithRows, old_rows
from alembic_pgpatterns.checks.old_statements import KINDS, described, refused_statements
from alembic_pgpatterns.checks.old_tries import Refusal
from alembic_pgpatterns.controller.env_run import Databases, run_env
from alembic_pgpatterns.controller.head_schema import CachedRun, server_at
from alembic_pgpatterns.controller.history import Revision
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.rehearsal.rows.model import Unfilled
from alembic_pgpatterns.revisions.contract import is_contract
from alembic_pgpatterns.revisions.model import Broken, RevisionRun
from alembic_pgpatterns.revisions.plpgsql import columns_of_new
from alembic_pgpatterns.runner.messages import Steps
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import Name, Schema
from alembic_pgpatterns.server.protocol import Server


@dataclass(frozen=True)
class OldCodeTried:
    """What breaks. ``with_rows``: how many tables were tried with rows. ``unfilled``: those that got none, and why."""

    broken: tuple[Broken, ...]
    with_rows: int = 0
    unfilled: tuple[Unfilled, ...] = ()


def broken_by(
    run: CachedRun, scope: Sequence[Revision], release: OldRelease, traced: Sequence[RevisionRun]
) -> OldCodeTried:
    """What the old release's models can no longer do after each of the revisions.

    Per table of the models a SELECT, INSERT, UPDATE and DELETE is prepared on the server, before the first revision and
    after each, and so is each statement that was recorded with the release. Those for tables that a revision changes
    are executed with made-up rows, too. What did not work before is not the revision's doing.

    Args:
        run: of the project as it is now.
        scope: the new revisions, in order.
        release: the old one.
        traced: what the revisions did, which shows the lines.

    Raises:
        PgPatternsError: no server could be started, or a revision fails.
    """
    names = [item.revision for item in run.project.revisions]
    run.progress.say(f"asking what the models of {release.name} need")
    result: list[Broken] = []
    with server_at(run, names[: names.index(scope[0].revision)]) as at:
        run_env(at.run, Steps("until", run.project.history.tips(scope[0].parents)), at.databases)
        models = _models_by_database(at.databases, release)
        with old_rows(at.run.server, models) as rows:
            tries = {name: _Tries(models[name], release, WithRows.of(item)) for name, item in rows.items()}
            before = _troubles(at.run.server, tries)
            for item in scope:
                run_env(at.run, Steps("up", (item.revision,)), at.databases)
                after = _troubles(at.run.server, tries)
                if not is_contract(item.path):
                    new = [trouble for key, trouble in after.items() if key not in before]
                    causes = [trouble for trouble in new if not any(other.explains(trouble) for other in new)]
                    result += [_broken(trouble, item, release, traced) for trouble in causes]
                before = after
            return _tried(result, [item.with_rows for item in tries.values()])


def _tried(broken: list[Broken], tried: Sequence[WithRows]) -> OldCodeTried:
    unfilled = tuple(unfilled for item in tried for unfilled in item.rows.unfilled.values())
    return OldCodeTried(tuple(broken), sum(len(item.tried) for item in tried), unfilled)


def _models_by_database(databases: Databases, release: OldRelease) -> dict[str, Schema]:
    result: dict[str, Schema] = {}
    for origin, models in release.models.items():
        database = databases.by_origin.get(origin) if origin is not None else databases.environment
        if database is None:
            database = next(iter(databases.names), None)
        if database is None:
            raise PgPatternsError("env.py connects to no database, so the old code could not be tried.")
        before = result[database].tables if database in result else ()
        result[database] = replace(models, tables=(*before, *models.tables))
    return result


def _broken(trouble: Trouble, revision: Revision, release: OldRelease, traced: Sequence[RevisionRun]) -> Broken:
    table, kind, name = trouble.key
    label = kind.removeprefix("label ") if kind.startswith("label ") else ""
    place = line_of(revision, traced, table, [word for word in (name, label) if word])
    part = f"{kind} {name}".strip()
    return Broken(
        table,
        part,
        trouble.message,
        revision.revision,
        place,
        release.name,
        trouble.location,
        trouble.with_new_rows,
        trouble.some_rows,
        trouble.imagined,
    )


Troubles = dict[tuple[Name, str, str], Trouble]


Trigger = tuple[str, str, str, str]
"""Schema, table, name, and the statement that creates its function."""


@dataclass
class _Tries:
    """What is tried in one database. ``triggers``: those of before the new revisions."""

    models: Schema
    release: OldRelease
    with_rows: WithRows
    triggers: frozenset[Trigger] | None = None

    def troubles(self, connection: Any) -> Iterator[Trouble]:
        """What the old code cannot do now."""
        schema = catalog.read(connection)
        triggers = frozenset(tuple(row) for row in connection.execute(_TRIGGERS))
        self.triggers = triggers if self.triggers is None else self.triggers
        filled: list[Filled] = [(Name(new[0], new[1]), columns_of_new(new[3])) for new in triggers - self.triggers]
        troubles = list(in_database(connection, schema, self.models, filled))
        yield from troubles
        broken = {trouble.key[0] for trouble in troubles if not trouble.with_new_rows}
        sound = [table for table in self.models.tables if table.name not in broken]
        refused = self.with_rows.refused(connection, schema, sound)
        yield from (_with_rows(refusal, self.models) for refusal in refused)
        yield from self._recorded(connection, schema, {(item.table, item.reason) for item in refused})

    def _recorded(self, connection: Any, schema: Schema, reported: set[tuple[Name, str]]) -> Iterator[Trouble]:
        """``reported``: tables and what refuses their rows."""
        workload = self.release.workload
        refused = {item.fingerprint: item for item in refused_statements(connection, workload, DEFAULT_SCHEMA)}
        for item in refused.values():
            message = f"a statement of the old code fails: {item.answer} ({item.text})"
            yield Trouble((item.table, "statement", item.fingerprint), message, item.location, item.names)
        sound = [item for item in workload.statements if item.kind in KINDS and item.fingerprint not in refused]
        for values in self.with_rows.statements(connection, schema, sound, DEFAULT_SCHEMA):
            item = described(values.statement, values.answer, DEFAULT_SCHEMA)
            if (item.table, values.reason) not in reported:
                how = "for some values that were accepted before" if values.by_values else "with rows"
                message = f"a statement of the old code fails {how}: {item.answer} ({item.text})"
                key = (item.table, "statement", f"{item.fingerprint} {values.reason}")
                by_values, imagined = values.by_values, values.imagined
                yield Trouble(key, message, item.location, item.names, some_rows=by_values, imagined=imagined)


DEFAULT_SCHEMA = "public"


def _troubles(server: Server, tries: Mapping[str, _Tries]) -> Troubles:
    result: Troubles = {}
    for database, item in tries.items():
        with server.connect(database) as connection:
            result |= {trouble.key: trouble for trouble in item.troubles(connection)}
    return result


def _with_rows(refusal: Refusal, models: Schema) -> Trouble:
    commands = " and ".join(refusal.commands)
    fails = "fails for some rows" if len(refusal.commands) == 1 else "fail for some rows"
    how = f"{fails} that were accepted before" if refusal.by_values else fails.partition(" for")[0]
    values = f" ({refusal.values})" if refusal.values else ""
    table = models.table(refusal.table)
    return Trouble(
        (refusal.table, "rows", refusal.reason),
        f"{commands} of {refusal.table} by {OLD} {how}: {refusal.answer}{values}",
        table.origin.location if table is not None else None,
        some_rows=refusal.by_values,
        imagined=refusal.imagined,
    )


# Row triggers BEFORE INSERT that run: pg_trigger.tgtype has the bits 1 for ROW, 2 for BEFORE and 4 for INSERT.
_TRIGGERS = """
    SELECT n.nspname, c.relname, t.tgname, pg_catalog.pg_get_functiondef(t.tgfoid)
    FROM pg_catalog.pg_trigger t
    JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgtype & 7 = 7
"""
