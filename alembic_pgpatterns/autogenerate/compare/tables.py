"""The comparator for tables: Alembic's ops corrected by what PostgreSQL prints."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from alembic.operations import ops
from sqlalchemy import Table, TextClause, text

from alembic_pgpatterns.autogenerate.compare import columns, new_tables, relations
from alembic_pgpatterns.autogenerate.compare.all_tables import all_tables
from alembic_pgpatterns.autogenerate.compare.attached import read_attached, read_going
from alembic_pgpatterns.autogenerate.compare.constraints import CHECK, EXCLUDE, PRIMARY_KEY, UNIQUE, compare_constraints
from alembic_pgpatterns.autogenerate.compare.foreign_keys import compare_foreign_keys
from alembic_pgpatterns.autogenerate.compare.forms import Forms, read_forms
from alembic_pgpatterns.autogenerate.compare.indexes import compare_indexes, exactly_dropped
from alembic_pgpatterns.autogenerate.compare.original_form import with_sources
from alembic_pgpatterns.autogenerate.compare.partman import is_template
from alembic_pgpatterns.autogenerate.compare.sameness import Sameness
from alembic_pgpatterns.autogenerate.compare.sequences import existing_sequences
from alembic_pgpatterns.autogenerate.compare.table_state import TableState
from alembic_pgpatterns.autogenerate.rewrite.alembic_bugs import CHECKS_COMPARED
from alembic_pgpatterns.autogenerate.rewrite.changes import name_of
from alembic_pgpatterns.operations.support.template import Name
from alembic_pgpatterns.schema.names import quote
from alembic_pgpatterns.schema.sql.binds import escape_binds

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

FORMS = "pgpatterns_forms"
"""The migration context's option that holds the tables as they are in the database."""
log = logging.getLogger("alembic.autogenerate.pgpatterns")


def compare_table(
    context: AutogenContext,
    modify: ops.ModifyTableOps,
    schema: str | None,
    name: str,
    reflected: Table | None,
    declared: Table | None,
) -> None:
    """Correct Alembic's ops for one table.

    Args:
        context: of the run, on a connection.
        modify: Alembic's ops for the table.
        schema: of the table; None for the default schema.
        name: its name.
        reflected: the table in the database, if it is there.
        declared: the table in the target metadata, if it is there.
    """
    connection = context.connection
    if connection is None:
        return
    if reflected is None:
        if declared is not None:
            new_tables.check(context, modify, declared)
        return
    default = str(getattr(context.dialect, "default_schema_name", None) or "public")
    existing_sequences(context)
    tables = all_tables(context)
    actual = tables.actual.get((schema or default, str(name)))
    if actual is None:
        actual = read_forms(connection, f"{quote(schema or default)}.{quote(name)}")
    if actual is None:
        return
    _read_whole_defaults(reflected, actual)
    actual = with_sources(connection, Name(schema or default, name), actual)
    if declared is None:
        relation = f"{quote(schema or default)}.{quote(name)}"
        attached, going = read_attached(connection, relation), read_going(connection, relation)
        actual = replace(actual, attached=attached, going=going)
    if declared is None and is_template(connection, schema or default, name):
        actual = replace(actual, of_extension=True)
    context.migration_context.opts.setdefault(FORMS, {})[(schema, str(name))] = actual
    if declared is None:
        modify.ops[:] = [exactly_dropped(op, actual) for op in modify.ops]
        return
    printed = tables.print_declared(declared)
    if printed is None:
        log.warning("%s is compared by Alembic alone: PostgreSQL refuses a temporary table in a savepoint", name)
        return
    same = Sameness(connection, declared, Name(schema or default, name))
    _compare(TableState(context, modify, schema, str(name), reflected, declared, printed, actual, same))


def _compare(state: TableState) -> None:
    state = columns.compare_columns(state)
    compare_indexes(state)
    for kind in (PRIMARY_KEY, UNIQUE, CHECK, EXCLUDE):
        compare_constraints(state, kind)
    relations.compare_relation(state)
    compare_foreign_keys(state)
    relations.compare_comments(state)
    _say_what_is_refused(state)
    for op in state.modify.ops:
        if isinstance(op, ops.AddColumnOp):
            setattr(op, CHECKS_COMPARED, True)


def _say_what_is_refused(state: TableState) -> None:
    """Comment on what PostgreSQL refuses, of what is new or changes."""
    existing = {*state.actual.columns, *state.actual.indexes, *state.actual.constraints}
    changed = {name_of(op) for op in state.modify.ops}
    for name, message in state.printed.refused.items():
        if name not in existing or name in changed:
            state.add(new_tables.refusal(str(state.declared.fullname), name, message))
    new_keys = [list(op.local_cols) for op in state.modify.ops if isinstance(op, ops.CreateForeignKeyOp)]
    keys = (key for key in state.declared.foreign_key_constraints if list(key.column_keys) in new_keys)
    state.add(*(comment for key in keys for comment in new_tables.unmatched(key)))


def _read_whole_defaults(reflected: Table, actual: Forms) -> None:
    """Correct reflected expressions with a colon, which SQLAlchemy takes for a parameter. Ops hold them too."""
    for column in reflected.columns:
        form = actual.columns.get(column.name)
        if form is None or form.default is None:
            continue
        default = column.server_default
        for owner, name in ((default, "arg"), (column.computed, "sqltext")):
            expression = getattr(owner, name, None)
            if isinstance(expression, TextClause) and expression._bindparams:
                setattr(owner, name, text(escape_binds(form.default)))
