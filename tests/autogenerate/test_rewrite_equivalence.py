"""Whatever the models were and become, the safe chain and the plain ops lead to the same schema, and back."""

from __future__ import annotations

import textwrap

import sqlalchemy as sa
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.operations import Operations, ops
from alembic.runtime.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from alembic_pgpatterns.autogenerate.rewrite.alembic_bugs import repaired
from alembic_pgpatterns.autogenerate.rewrite.changes import flatten, paired
from alembic_pgpatterns.autogenerate.rewrite.database_facts import RewriteSettings, read_facts
from alembic_pgpatterns.autogenerate.rewrite.named_types import with_enum_types
from alembic_pgpatterns.autogenerate.rewrite.rewriter import rewrite
from tests.autogenerate.catalog_snapshot import tables as snapshot
from tests.examples import examples

MOOD = ("sad", "ok")
COLUMNS = {
    "size": [lambda: sa.Integer(), lambda: sa.BigInteger()],
    "name": [lambda: sa.String(20), lambda: sa.String(50), lambda: sa.Text()],
    "token": [lambda: sa.Uuid()],
    "at": [lambda: sa.DateTime(timezone=True)],
    "mood": [lambda: sa.Enum(*MOOD, name="mood")],
    "price": [lambda: sa.Numeric(8, 2), lambda: sa.Numeric(10, 2), lambda: sa.Numeric()],
}
DEFAULTS = {
    "size": ["7"],
    "name": ["it's: %x"],
    "token": [sa.text("gen_random_uuid()")],
    "at": [sa.text("now()"), sa.text("clock_timestamp()")],
    "mood": ["ok"],
    "price": ["0"],
}
TABLES = ("one", "two", "Three")


@st.composite
def tables(draw) -> dict:
    """For each table that exists: its columns, and what hangs on them."""
    chosen = draw(st.lists(st.sampled_from(TABLES), unique=True))
    return {name: draw(table(chosen)) for name in chosen}


@st.composite
def table(draw, others: list[str]) -> dict:
    columns = {
        name: (draw(st.sampled_from(kinds)), draw(st.booleans()), draw(st.sampled_from([None, *DEFAULTS[name]])))
        for name, kinds in COLUMNS.items()
        if draw(st.booleans())
    }
    names = sorted(columns)
    some = st.lists(st.sampled_from(names), unique=True, min_size=1, max_size=2) if names else st.just([])
    return {
        "columns": columns,
        "parent": draw(st.sampled_from([None, *others])),
        "parent_named": draw(st.booleans()),
        "parent_required": draw(st.booleans()),
        "parent_action": draw(st.sampled_from([None, "CASCADE"])),
        "parent_index": draw(st.booleans()),
        "index": draw(some),
        "where": draw(st.booleans()),
        "unique": draw(some),
        "unique_named": draw(st.booleans()),
        "deferrable": draw(st.booleans()),
        "check": "size" in columns and draw(st.booleans()),
    }


def metadata_of(spec: dict) -> sa.MetaData:
    metadata = sa.MetaData()
    for name, parts in spec.items():
        made = sa.Table(name, metadata, sa.Column("id", sa.BigInteger, primary_key=True))
        for column, (kind, nullable, default) in parts["columns"].items():
            checks = [sa.CheckConstraint("size > 0")] if column == "size" and parts["check"] else []
            made.append_column(sa.Column(column, kind(), *checks, nullable=nullable, server_default=default))
        if parts["parent"] is not None:
            named = f"{name}_up" if parts["parent_named"] else None
            key = sa.ForeignKey(f"{parts['parent']}.id", name=named, ondelete=parts["parent_action"])
            options = {"nullable": not parts["parent_required"], "index": parts["parent_index"]}
            made.append_column(sa.Column("parent", sa.BigInteger, key, **options))
        if parts["index"]:
            where = sa.text("id > 5") if parts["where"] else None
            sa.Index(f"ix_{name}", *(made.c[c] for c in parts["index"]), postgresql_where=where)
        if parts["unique"]:
            named = f"uq_{name}" if parts["unique_named"] else None
            deferrable = parts["deferrable"] or None
            made.append_constraint(sa.UniqueConstraint(*parts["unique"], name=named, deferrable=deferrable))
    return metadata


def emptied(connection: sa.Connection) -> None:
    connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    connection.commit()


def context_of(connection: sa.Connection, metadata: sa.MetaData) -> MigrationContext:
    # Questions to the catalog have begun a transaction, which an env.py would have open as its own.
    connection.rollback()
    return MigrationContext.configure(connection, opts={"target_metadata": metadata})


def run(context: MigrationContext, body: list[ops.MigrateOperation]) -> None:
    """Render a body as a revision would have it, and run that."""
    code = render_python_code(ops.UpgradeOps(list(body)), migration_context=context)
    function = f"def run():\n    {code}"
    scope = {"op": Operations(context), "sa": sa, "postgresql": postgresql}
    exec(compile(textwrap.dedent(function), "<revision>", "exec"), scope)
    with context.begin_transaction():
        scope["run"]()


def changed(connection: sa.Connection, metadata: sa.MetaData, **chosen: bool):
    """The script of stock autogenerate, and the facts of the database it was found in."""
    context = context_of(connection, metadata)
    script = produce_migrations(context, metadata)
    up = [change.up for change in flatten(script.upgrade_ops.ops)]
    created = frozenset(("public", op.table_name) for op in up if isinstance(op, ops.CreateTableOp))
    dropped = frozenset(("public", op.table_name) for op in up if isinstance(op, ops.DropTableOp))
    facts = read_facts(context, RewriteSettings(**chosen), created=created, dropped=dropped)
    connection.rollback()
    return script.upgrade_ops.ops, script.downgrade_ops.ops, facts


@st.composite
def other_types(draw) -> tuple[dict, dict]:
    """Tables, and the same ones with other types: most changes are staged, with all that depends on the columns."""
    before = draw(tables().filter(bool))
    after = {}
    for name, parts in before.items():
        columns = {
            column: (draw(st.sampled_from(COLUMNS[column])), *rest) for column, (_, *rest) in parts["columns"].items()
        }
        after[name] = {**parts, "columns": columns}
    return before, after


SETTINGS = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}
SPLITS = st.sampled_from(["auto", "never", "always"])
CHOSEN = st.fixed_dictionaries({"directives": st.booleans(), "phases": st.booleans()})


@given(before=tables(), after=tables(), split=SPLITS, chosen=CHOSEN)
@settings(max_examples=examples(5), **SETTINGS)
def test_the_safe_chain_is_equivalent(database, before: dict, after: dict, split: str, chosen: dict[str, bool]) -> None:
    check(database, before, after, split, chosen)


@given(pair=other_types(), split=SPLITS, chosen=CHOSEN)
@settings(max_examples=examples(5), **SETTINGS)
def test_staged_types_are_equivalent(database, pair: tuple[dict, dict], split: str, chosen: dict[str, bool]) -> None:
    check(database, *pair, split, chosen)


def check(database, before: dict, after: dict, split: str, chosen: dict[str, bool]) -> None:
    old, new = metadata_of(before), metadata_of(after)
    with database.engine().connect() as connection, database.connect() as look:
        connection.execution_options(isolation_level="READ COMMITTED")
        emptied(connection)
        old.create_all(connection)
        connection.commit()
        up, down, facts = changed(connection, new)
        plain = with_enum_types(repaired(paired(up, down), facts), facts)
        run(context_of(connection, new), [change.up for change in plain])
        wanted = snapshot(look)
        run(context_of(connection, new), [op for change in reversed(plain) for op in change.down])
        # Not always what it was: reflection, which the downgrade of a removed table is made of, leaves things out.
        wanted_back = snapshot(look)

        emptied(connection)
        old.create_all(connection)
        connection.commit()
        up, down, facts = changed(connection, new, **chosen)
        files = rewrite(up, down, facts, split)
        for file in files:
            for body in (file.upgrade, file.downgrade, file.upgrade):
                run(context_of(connection, new), body)
        assert snapshot(look) == wanted
        assert produce_migrations(context_of(connection, new), new).upgrade_ops.is_empty()
        connection.rollback()
        for file in reversed(files):
            run(context_of(connection, new), file.downgrade)
        assert snapshot(look) == wanted_back
