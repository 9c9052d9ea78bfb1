"""Policies in the catalog, and whether declared policies are equal to them.

Expressions are compared in the form that PostgreSQL itself gives them. To get that form of a declared expression, the
policy is created on an empty temporary table with the same name and columns, in a savepoint that is rolled back. No
table of the application is locked more strongly than ACCESS SHARE, and nothing is left behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Column, Table
from sqlalchemy.exc import SQLAlchemyError

from alembic_pgpatterns.declare import Policy
from alembic_pgpatterns.errors import first_line
from alembic_pgpatterns.operations.support import comparing
from alembic_pgpatterns.operations.support.policy_sql import create_policy
from alembic_pgpatterns.operations.support.template import Name, Sql, Template, always_quoted
from alembic_pgpatterns.schema.sql.parser import postgast

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from sqlalchemy.engine import Connection

_COMMANDS = {"*": "ALL", "r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}

_POLICIES = """
    SELECT n.nspname, c.relname, p.polname, p.polpermissive, p.polcmd::text AS polcmd,
           ARRAY(SELECT CASE WHEN role = 0 THEN 'public' ELSE pg_catalog.pg_get_userbyid(role) END
                 FROM unnest(p.polroles) AS role)::text[] AS roles,
           pg_catalog.pg_get_expr(p.polqual, p.polrelid) AS using,
           pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) AS with_check,
           ARRAY(SELECT ARRAY[dn.nspname::text, dc.relname::text, a.attname::text]
                 FROM pg_catalog.pg_depend d
                 JOIN pg_catalog.pg_class dc ON dc.oid = d.refobjid
                 JOIN pg_catalog.pg_namespace dn ON dn.oid = dc.relnamespace
                 LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = dc.oid AND a.attnum = d.refobjsubid
                                                        AND d.refobjsubid > 0
                 WHERE d.classid = 'pg_catalog.pg_policy'::regclass AND d.objid = p.oid
                   AND d.refclassid = 'pg_catalog.pg_class'::regclass)::text[] AS depends
    FROM pg_catalog.pg_policy p
    JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE {tables}
"""


@dataclass(frozen=True, slots=True)
class ExistingPolicy:
    """A policy of the database. *columns* are those that it depends on (column None: the whole table)."""

    policy: Policy
    columns: frozenset[tuple[str, str, str | None]]


def existing_policies(
    context: AutogenContext, tables: Sequence[Table]
) -> dict[tuple[str, str], dict[str, ExistingPolicy]]:
    """The existing policies, by (schema, table) and name."""
    existing_of: dict[tuple[str, str], dict[str, ExistingPolicy]] = {}
    query = _POLICIES.format(tables=comparing.IN_TABLES)
    for row in comparing.fetch(context, query, **comparing.table_parameters(context, tables)):
        policy = Policy(
            row.polname, row.using, row.with_check, _COMMANDS[row.polcmd], tuple(row.roles), row.polpermissive
        )
        columns = {(schema, table, column) for schema, table, column in row.depends}
        columns |= {(schema, table, None) for schema, table, _ in row.depends}
        existing = ExistingPolicy(policy, frozenset(columns))
        existing_of.setdefault((row.nspname, row.relname), {})[row.polname] = existing
    return existing_of


def same_policies(
    context: AutogenContext, table: Table, declared: Sequence[Policy], existing: dict[str, ExistingPolicy]
) -> set[str]:
    """The names of the declared policies that the database has in the same form."""
    actual = [existing[policy.name].policy for policy in declared]
    same_text = all(_texts(policy) == _texts(other) for policy, other in zip(declared, actual, strict=True))
    normal_forms = [] if same_text else _normal_forms(context, table, [*declared, *actual])
    normal = normal_forms or [None] * (2 * len(declared))
    pairs = zip(declared, actual, normal, normal[len(declared) :], strict=False)
    return {
        policy.name
        for policy, other, form, other_form in pairs
        if _facts(policy) == _facts(other) and _agree(policy, other, form, other_form)
    }


def _facts(policy: Policy) -> tuple[object, ...]:
    roles = frozenset(role.lower() if role.lower() == "public" else role for role in policy.roles)
    return policy.command, policy.permissive, roles


Expressions = tuple[str | None, str | None]


def _agree(declared: Policy, actual: Policy, form: Expressions | None, actual_form: Expressions | None) -> bool:
    if form is not None and actual_form is not None:
        return form == actual_form
    return _texts(declared) == _texts(actual)


def _texts(policy: Policy) -> Expressions:
    return _as_text(policy.using), _as_text(policy.with_check)


def _as_text(expression: str | None) -> str | None:
    """The second-best form, libpg_query's: it knows no types, so casts that PostgreSQL adds make a difference."""
    if expression is None:
        return None
    try:
        return str(postgast.deparse(postgast.parse(f"SELECT {expression}")))
    except postgast.PgQueryError:
        return expression


def _normal_forms(context: AutogenContext, table: Table, policies: Sequence[Policy]) -> list[Expressions | None]:
    """For each policy its expressions as PostgreSQL prints them, or None if PostgreSQL refused the policy.

    They are printed, parsed and printed again: PostgreSQL prints ``varchar IN (...)`` differently after pg_dump and
    restore, and both must count as equal.
    """
    connection = context.connection
    assert connection is not None
    scratch = Name("pg_temp", table.name)
    try:
        with _rolled_back(connection):
            _make_scratch(context, connection, table, scratch)
            once = _printed(context, scratch, [(policy.using, policy.with_check) for policy in policies])
            return _printed(context, scratch, once)
    except SQLAlchemyError as error:
        comparing.log.warning(
            "policies of %s are compared as text, since PostgreSQL could not be asked for their normal form: %s",
            table.fullname,
            first_line(error),
        )
        return [None] * len(policies)


def _printed(
    context: AutogenContext, scratch: Name, policies: Sequence[Expressions | None]
) -> list[Expressions | None]:
    connection = context.connection
    assert connection is not None
    with _rolled_back(connection):
        for number, policy in enumerate(policies):
            if policy is not None:
                with suppress(SQLAlchemyError), connection.begin_nested():
                    # for ALL and PUBLIC: commands and roles are compared separately, and a role may not exist yet
                    connection.execute(create_policy(str(number), scratch, *policy))
        rows = comparing.fetch(context, _POLICIES_OF_SCRATCH, name=scratch.path[-1])
    printed = {row.polname: (row.using, row.with_check) for row in rows}
    return [printed.get(str(number)) for number in range(len(policies))]


_POLICIES_OF_SCRATCH = """
    SELECT p.polname, pg_catalog.pg_get_expr(p.polqual, p.polrelid) AS using,
           pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) AS with_check
    FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
    WHERE c.relnamespace = pg_catalog.pg_my_temp_schema() AND c.relname = :name
"""


@contextmanager
def _rolled_back(connection: Connection) -> Iterator[None]:
    savepoint = connection.begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()


def _make_scratch(context: AutogenContext, connection: Connection, table: Table, scratch: Name) -> None:
    """Create the scratch table: the existing table, plus the columns that only the model has."""
    # pg_temp last in the search path: a sub-select on the table itself must mean the real table
    connection.execute(Template(_SEARCH_PATH))
    real = Name(comparing.schema_of(context, table), table.name)
    connection.execute(Template("CREATE TEMP TABLE {scratch} (LIKE {real})", scratch=scratch, real=real))
    query = "SELECT attname FROM pg_attribute WHERE attrelid = CAST(:table AS regclass) AND NOT attisdropped"
    existing = {row.attname for row in comparing.fetch(context, query, table=always_quoted("pg_temp", table.name))}
    for column in table.columns:
        if column.name not in existing:
            with suppress(SQLAlchemyError), connection.begin_nested():
                connection.execute(_add_column(connection, scratch, column))


_SEARCH_PATH = (
    "SELECT set_config('search_path', concat_ws(', ', nullif(current_setting('search_path'), ''), 'pg_temp'), true)"
)


def _add_column(connection: Connection, scratch: Name, column: Column[object]) -> Template:
    return Template(
        "ALTER TABLE {scratch} ADD COLUMN {name} {type}",
        scratch=scratch,
        name=Name(column.name),
        type=Sql(column.type.compile(connection.dialect)),
    )
