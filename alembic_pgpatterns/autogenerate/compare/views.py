"""Views that the models declare (``CreateView`` of SQLAlchemy 2.1): created and replaced like the models.

SQLAlchemy keeps a view as a Table of the MetaData, and Alembic 1.20 would create that table. A view that the models do
not declare stays: it may be anybody's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alembic.operations import ops
from sqlalchemy import Connection, MetaData, Table, text
from sqlalchemy.exc import SQLAlchemyError

from alembic_pgpatterns.autogenerate.compare.scratch import rolled_back
from alembic_pgpatterns.autogenerate.rewrite.rendering import DIALECT, CommentOp, Note, SqlOp
from alembic_pgpatterns.autogenerate.rewrite.table_names import qualified
from alembic_pgpatterns.patterns.revisions.model_drift import ModelDrift
from alembic_pgpatterns.schema.sql.binds import escape_binds

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

_TRIAL = "pgpatterns_view"
_DEFINITIONS = """
    SELECT n.nspname AS schema, c.relname AS name, c.relkind AS kind, rtrim(pg_get_viewdef(c.oid), ';') AS query
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm')
"""
_DEFINITION = "SELECT rtrim(pg_get_viewdef(to_regclass('pg_temp.pgpatterns_view')), ';')"


@dataclass(frozen=True, slots=True)
class _Existing:
    kind: str
    query: str


def is_permanent_table(item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """A filter as ``include_object``: False for a Table that is a view or a temporary table, which Alembic creates."""
    if kind != "table" or not isinstance(item, Table):
        return True
    return not (_is_view(item) or any(str(prefix).upper().startswith("TEMP") for prefix in item._prefixes))


def compare_views(context: AutogenContext, upgrade_ops: ops.UpgradeOps, metadata: MetaData) -> None:
    """Create declared views after all tables, and drop the old form of a changed one before any table changes.

    Args:
        context: of the run.
        upgrade_ops: what the comparators wrote so far.
        metadata: the target.
    """
    connection = context.connection
    views = [table for table in metadata.tables.values() if _is_view(table) and not _creator(table).temporary]
    # Of env.py's include_object, too; "view" is no word of Alembic's own.
    kind: Any = "view"
    views = [view for view in views if context.run_object_filters(view, view.name, kind, False, None)]
    if connection is None or not views:
        return
    default = str(getattr(context.dialect, "default_schema_name", None) or "public")
    rows = connection.execute(text(_DEFINITIONS))
    existing = {(row.schema, row.name): _Existing(row.kind, row.query) for row in rows}
    before: list[ops.MigrateOperation] = []
    after: list[ops.MigrateOperation] = []
    for view in views:
        old = existing.get((view.schema or default, str(view.name)))
        if old is not None and old.query == _printed(connection, view):
            continue
        if old is not None:
            before[:0] = _dropped(view, old)
        after += _created(view)
    upgrade_ops.ops[:] = [*before, *upgrade_ops.ops, *after]


def _is_view(table: Table) -> bool:
    return bool(getattr(table, "is_view", False))


def _creator(view: Table) -> Any:
    # Private: SQLAlchemy 2.1 has a public way to set it (`set_creator_ddl`), and none to read it.
    return view._creator_ddl


def _created(view: Table) -> Iterator[ops.MigrateOperation]:
    statement = " ".join(line.strip() for line in _sql(_creator(view)).splitlines()).strip()
    yield SqlOp(statement, f"DROP {_words(bool(_creator(view).materialized))} {qualified(view.schema, view.name)}")
    yield from (ops.CreateIndexOp.from_index(index) for index in view.indexes)


def _dropped(view: Table, old: _Existing) -> Iterator[ops.MigrateOperation]:
    name, words = qualified(view.schema, view.name), _words(old.kind == "m")
    reason = f"the view {name} is dropped and created again, without the rights that were granted on it"
    yield CommentOp.of(Note(ModelDrift.name, name, reason))
    yield SqlOp(f"DROP {words} {name}", f"CREATE {words} {name} AS{old.query}")


def _words(materialized: bool) -> str:
    return "MATERIALIZED VIEW" if materialized else "VIEW"


def _sql(item: Any) -> str:
    return str(item.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True}))


def _printed(connection: Connection, view: Table) -> str | None:
    """The query as PostgreSQL prints it; None if it cannot be run before the revision."""
    try:
        with rolled_back(connection):
            query = escape_binds(_sql(_creator(view).selectable))
            connection.execute(text(f"CREATE TEMP VIEW {_TRIAL} AS {query}"))
            return str(connection.scalar(text(_DEFINITION)))
    except SQLAlchemyError:
        return None
