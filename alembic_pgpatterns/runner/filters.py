"""What include_name and include_object of env.py keep autogenerate from looking at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy
from alembic.autogenerate.api import AutogenContext

from alembic_pgpatterns.runner.models import Session

Named = tuple[str, str | None, str, str | None]
"""Alembic's type of an object ("" for a kind that Alembic does not compare), schema (None for the default one), table,
and the object's own name."""


def left_out(
    contexts: Iterable[Any], metadatas: Sequence[Any], objects: Sequence[Named], session: Session, *, plugin: bool
) -> list[bool]:
    """For each object: whether the filters of env.py hide it, or its table.

    Alembic alone knows nothing of ``ddl_if()``: it takes what that leaves to another dialect for declared.

    Args:
        contexts: the MigrationContext of each ``context.configure``.
        metadatas: the models.
        objects: what differs between models and database.
        session: a connection to the database.
        plugin: whether our plugin compares, which knows of ``ddl_if()``.
    """
    by_models = [not plugin and _has_condition(metadatas, item) for item in objects]
    # Alembic has name filters since 1.5.
    filterable = hasattr(AutogenContext, "run_name_filters")
    filtering = [AutogenContext(item, autogenerate=False) for item in contexts if filterable and _has_filters(item)]
    if not filtering or not objects:
        return by_models
    reflected = session.run(lambda connection: _reflected(connection, {(item[1], item[2]) for item in objects}))
    sides = _Sides(metadatas, reflected)
    # An object of two databases with one set of models is hidden only if each of them hides it.
    hidden = [all(_hides(context, sides, item) for context in filtering) for item in objects]
    return list(map(any, zip(by_models, hidden, strict=True)))


def _has_condition(metadatas: Sequence[Any], item: Named) -> bool:
    """Whether the models declare an index or constraint of that name for some dialects only."""
    kind, schema, table, name = item
    of_models, _ = _Sides(metadatas, sqlalchemy.MetaData()).tables(schema, table)
    part = _part(of_models, kind, name) if kind not in ("", "table", "column") and name is not None else None
    return getattr(part, "_ddl_if", None) is not None


def _hides(context: AutogenContext, sides: _Sides, item: Named) -> bool:
    try:
        return _is_hidden(context, sides, item)
    except Exception:
        # Their own code: it may rely on what only a run of autogenerate has. Then the difference is reported.
        return False


def _has_filters(context: Any) -> bool:
    return any(context.opts.get(name) is not None for name in ("include_name", "include_object"))


def _reflected(connection: Any, tables: set[tuple[str | None, str]]) -> Any:
    metadata = sqlalchemy.MetaData()
    for schema in {schema for schema, _ in tables}:
        names = {name for other, name in tables if other == schema}
        present = names & set(sqlalchemy.inspect(connection).get_table_names(schema))
        metadata.reflect(connection, schema=schema, only=sorted(present), resolve_fks=False)
    return metadata


class _Sides:
    """The objects of the models and of the database, by type and name."""

    def __init__(self, metadatas: Sequence[Any], reflected: Any) -> None:
        self._of_models = {_key(table): table for metadata in metadatas for table in metadata.tables.values()}
        self._reflected = {_key(table): table for table in reflected.tables.values()}

    def tables(self, schema: str | None, name: str) -> tuple[Any, Any]:
        """The table of the models and the reflected one; None where there is none."""
        of_models = self._of_models.get((schema, name))
        if of_models is None and schema is None:
            # Models may write the default schema, which the reflected tables never have.
            of_models = next((item for (_, other), item in self._of_models.items() if other == name), None)
        return of_models, self._reflected.get((schema, name))


def _key(table: Any) -> tuple[str | None, str]:
    return table.schema, table.name


def _is_hidden(context: AutogenContext, sides: _Sides, item: Named) -> bool:
    kind, schema, table_name, name = item
    tables = sides.tables(schema, table_name)
    if _any(tables) and not _included(context, tables, ("table", schema, table_name, table_name)):
        return True
    if kind in ("", "table") or name is None:
        return False
    both = (_part(tables[0], kind, name), _part(tables[1], kind, name))
    return _any(both) and not _included(context, both, item)


def _any(sides: tuple[Any, Any]) -> bool:
    # SQLAlchemy's objects have no truth value, and their == makes SQL.
    return any(side is not None for side in sides)


def _included(context: AutogenContext, sides: tuple[Any, Any], item: Named) -> bool:
    """As in Alembic: the name filter sees what the database has, the object filter the models' object if there is one.

    See "Controlling What to be Autogenerated" in Alembic's documentation.
    """
    kind: Any
    kind, schema, table, name = item
    of_models, reflected = sides
    parents: Any = {"schema_name": schema, "table_name": table}
    if kind == "table":
        del parents["table_name"]
    if reflected is not None and not context.run_name_filters(name, kind, parents):
        return False
    if of_models is not None:
        return bool(context.run_object_filters(of_models, name, kind, False, reflected))
    return bool(context.run_object_filters(reflected, name, kind, True, None))


def _part(table: Any, kind: str, name: str) -> Any:
    """The column, index or constraint of a table with that name; None if there is none."""
    if table is None:
        return None
    if kind == "column":
        return next((column for column in table.columns if column.name == name), None)
    if kind == "index":
        return next((index for index in table.indexes if index.name == name), None)
    of_type = sqlalchemy.UniqueConstraint if kind == "unique_constraint" else sqlalchemy.ForeignKeyConstraint
    return next((item for item in table.constraints if isinstance(item, of_type) and item.name == name), None)
