"""Every rule of the rewriter has an example that comes out differently without it; a new rule needs one too."""

from __future__ import annotations

from typing import Any

import pytest
from alembic.autogenerate import render_python_code
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    Enum,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)

from alembic_pgpatterns.autogenerate.rewrite import alembic_bugs, planner, rewriter
from alembic_pgpatterns.autogenerate.rewrite.alembic_versions import HAS_INLINE_REFERENCES
from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.plain_steps import plain
from alembic_pgpatterns.autogenerate.rewrite.replaced_index import ReplaceIndexOp
from alembic_pgpatterns.autogenerate.rewrite.view_blocks import RetypeUnderViewsOp

PASSES = (
    *("with_enum_types", "with_split_alters", "with_names_freed_first", "with_views_apart", "with_inline_references"),
    "with_indexes_replaced",
)
"""What `rewrite` itself does with the changes, before and after the repairs."""


class CreateEnumOp(ops.ExecuteSQLOp):
    """As alembic-postgresql-enum names its op. To import the package would set it up for all tests of this process."""

    __module__ = "alembic_postgresql_enum.operations"


def dropped_tables() -> list[ops.MigrateOperation]:
    metadata = MetaData()
    parent = Table("parent", metadata, Column("id", Integer, primary_key=True))
    child = Table("child", metadata, Column("id", Integer, primary_key=True), Column("up", ForeignKey("parent.id")))
    return [ops.DropTableOp.from_table(parent), ops.DropTableOp.from_table(child)]


def target_and_user_dropped() -> list[ops.MigrateOperation]:
    metadata = MetaData()
    Table("author", metadata, Column("name", Text, unique=True))
    user = Table("book", metadata, Column("writer", Text, ForeignKey("author.name", name="fk")))
    return [ops.DropTableOp.from_table(user), ops.DropConstraintOp("uq", "author", "unique")]


def new_tables() -> list[ops.MigrateOperation]:
    metadata = MetaData()
    key = ForeignKey("author.id", name="fk", use_alter=True)
    book = Table("book", metadata, Column("id", Integer, primary_key=True), Column("up", Integer, key))
    author = Table("author", metadata, Column("id", Integer, primary_key=True))
    return [ops.CreateTableOp.from_table(book), ops.CreateTableOp.from_table(author)]


def key(name: str | None = "fk", column: str = "up", target: str = "id") -> ops.CreateForeignKeyOp:
    return ops.CreateForeignKeyOp(name, "book", "author", [column], [target])


def retyped(column: str) -> ops.AlterColumnOp:
    return ops.AlterColumnOp("book", column, existing_type=Integer(), modify_type=BigInteger(), existing_nullable=True)


EXAMPLES: dict[str, list[ops.MigrateOperation]] = {
    "plan_table": [ops.DropTableOp.from_table(Table("book", MetaData(), Column("id", Integer)))],
    "plan_create_index": [ops.CreateIndexOp("ix", "book", ["title"])],
    "plan_drop_index": [ops.DropIndexOp("ix", "book", _reverse=ops.CreateIndexOp("ix", "book", ["title"]))],
    "plan_replace_index": [ReplaceIndexOp(ops.DropIndexOp("ix", "book"), ops.CreateIndexOp("ix", "book", ["title"]))],
    "with_indexes_replaced": [ops.DropIndexOp("ix", "book"), ops.CreateIndexOp("ix", "book", ["title"])],
    "plan_unique": [ops.CreateUniqueConstraintOp("uq", "book", ["title"])],
    "plan_foreign_key": [key()],
    "plan_check": [ops.CreateCheckConstraintOp("ck", "book", text("pages > 0"))],
    "plan_drop_constraint": [ops.DropConstraintOp("ck", "book", "check")],
    "plan_add_column": [ops.AddColumnOp("book", Column("pages", Integer, nullable=False))],
    "plan_alter_column": [retyped("pages")],
    "plan_retype_under_views": [RetypeUnderViewsOp([retyped("shelf")], ["view shelves"])],
    "plan_drop_column": [ops.DropColumnOp("book", "pages")],
    "with_column_checks": [ops.AddColumnOp("book", Column("pages", Integer, CheckConstraint("pages > 0", name="ck")))],
    "with_late_foreign_keys": new_tables(),
    "with_ordered_drops": dropped_tables(),
    "with_names_freed_first": [ops.CreateIndexOp("ix", "author", ["name"]), ops.DropIndexOp("ix", "book")],
    "with_keys_dropped_first": target_and_user_dropped(),
    "with_keys_after_uniques": [
        key(column="name", target="name"),
        ops.CreateUniqueConstraintOp("uq", "author", ["name"]),
    ],
    "with_generated_dropped_first": [
        ops.AlterColumnOp("book", "pages", existing_type=Integer(), modify_type=Text(), existing_nullable=True),
        ops.DropColumnOp.from_column_and_tablename(None, "book", Column("total", Integer, Computed("pages * 2"))),
    ],
    "with_enum_ops_placed": [
        ops.AddColumnOp("book", Column("kind", Text)),
        CreateEnumOp("CREATE TYPE kind AS ENUM ('short', 'long')"),
    ],
    "with_names": [ops.CreateUniqueConstraintOp(None, "book", ["title"])],
    "without_autoincrement": [ops.AlterColumnOp("book", "id", modify_comment="a key", autoincrement=True)],
    "with_enum_types": [ops.AddColumnOp("book", Column("kind", Enum("short", "long", name="kind")))],
    "with_split_alters": [
        ops.AlterColumnOp("book", "pages", existing_type=Integer(), modify_nullable=False, modify_comment="how many")
    ],
    "with_views_apart": [retyped("shelf"), retyped("row")],
    "with_inline_references": [ops.AddColumnOp("book", Column("up", Integer)), key()],
}


def views(table: tuple[str, str], column: str) -> tuple[str, ...]:
    return ("view shelves",) if column in ("shelf", "row") else ()


def rules() -> list[str]:
    planners = dict.fromkeys(function.__name__ for _, function in planner.PLANNERS)
    passes = [name for name in PASSES if HAS_INLINE_REFERENCES or name != "with_inline_references"]
    return [*planners, *(repair.__name__ for repair in alembic_bugs.REPAIRS), *passes]


def written(operations: list[ops.MigrateOperation]) -> str:
    dropped = frozenset(("public", op.table_name) for op in operations if isinstance(op, ops.DropTableOp))
    created = frozenset(("public", op.table_name) for op in operations if isinstance(op, ops.CreateTableOp))
    enum_plugin = any(isinstance(op, CreateEnumOp) for op in operations)
    facts = Facts(dropped=dropped, created=created, droppable_views=views, enum_plugin=enum_plugin)
    files = rewriter.rewrite(operations, [], facts)
    context = MigrationContext.configure(dialect_name="postgresql")
    return "\n---\n".join(render_python_code(ops.UpgradeOps(file.upgrade), migration_context=context) for file in files)


@pytest.mark.parametrize("rule", rules())
def test_each_rule_makes_a_difference(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_rule = written(EXAMPLES[rule])

    def unchanged(changes: Any, *_: object) -> Any:
        return list(changes)

    if rule.startswith("plan_"):
        planners = [(k, (lambda op, facts: (plain(op),)) if f.__name__ == rule else f) for k, f in planner.PLANNERS]
        monkeypatch.setattr(planner, "PLANNERS", tuple(planners))
    elif rule in PASSES:
        monkeypatch.setattr(rewriter, rule, unchanged)
    else:
        repairs = [unchanged if repair.__name__ == rule else repair for repair in alembic_bugs.REPAIRS]
        monkeypatch.setattr(alembic_bugs, "REPAIRS", tuple(repairs))
    try:
        without_rule = written(EXAMPLES[rule])
    except Exception as error:
        without_rule = f"cannot be written: {error}"
    assert with_rule != without_rule
