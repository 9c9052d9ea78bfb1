"""Which fixes a revision can make alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from alembic.operations.ops import AlterColumnOp, CreateIndexOp, MigrateOperation
from sqlalchemy import BigInteger, Integer, String, Text

from alembic_pgpatterns.autogenerate.rewrite.database_facts import Facts
from alembic_pgpatterns.autogenerate.rewrite.dependents import Dependents, IndexOn
from alembic_pgpatterns.fix.plan import Fix, in_one_revision, unsafe
from alembic_pgpatterns.remedies.fixable import is_conversion
from alembic_pgpatterns.remedies.model import Advice, TypeChange
from alembic_pgpatterns.schema.names import Name


@pytest.mark.parametrize(
    ("using", "conversion"),
    [
        (None, False),
        ("c", False),
        ("c::numeric(12,2)", False),
        ("CAST(t.c AS text)::uuid", False),
        ('"CASE (x)"::uuid', True),  # another column, whose name only looks like code
        ("c AT TIME ZONE 'UTC'", False),
        ("c AT TIME ZONE 'Europe/Rome'", True),
        ("c = 1", True),
        ("coalesce(c, 'x')", True),
        ("CASE c WHEN 'yes' THEN true END", True),
        ("c || 'x'", True),
        ("not SQL at all (", True),
    ],
)
def test_values_that_change_with_the_type(using: str | None, conversion: bool) -> None:
    assert is_conversion(TypeChange(Name("public", "t"), "c", "text", "uuid", using=using)) is conversion


HELD = Dependents(indexes=(IndexOn("t_c_key", "CREATE UNIQUE INDEX t_c_key ON public.t USING btree (c)"),))
FACTS = Facts(dependents=lambda table, column: HELD if (table[1], column) == ("t", "c") else Dependents())


def fix(*up: MigrateOperation) -> Fix:
    return Fix((), Advice(""), up, ())


def wider(table: str, column: str) -> AlterColumnOp:
    types = {"existing_type": Integer(), "modify_type": BigInteger()}
    return AlterColumnOp(table, column, existing_nullable=True, **types)


def test_new_types_come_alone_and_first() -> None:
    index = fix(CreateIndexOp("ix", "t", ["c"]))
    text = fix(AlterColumnOp("t", "name", existing_type=String(9), modify_type=Text(), existing_nullable=True))
    first, second = fix(wider("t", "c")), fix(wider("s", "c"))
    assert in_one_revision([index, first, text, second], FACTS) == [first, second]
    assert in_one_revision([index, text], FACTS) == [index, text]


def test_what_stands_in_the_way_may_be_in_the_fix_itself() -> None:
    assert unsafe(fix(wider("t", "c")), FACTS) is None
    reason = unsafe(fix(CreateIndexOp("ix", "t", ["c"]), wider("t", "c")), FACTS)
    assert reason is not None
    assert "ix, which this revision changes too" in reason
    reason = unsafe(fix(wider("t", "c")), replace(FACTS, autocommit=False))
    assert reason is not None and reason.startswith("every row would be rewritten under a lock that blocks reads")
    assert "env.py, which opens a transaction of its own before context.configure()" in reason
