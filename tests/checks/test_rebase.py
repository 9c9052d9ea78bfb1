"""Which schemas of the two orders are compared: no database is a difference only because of how it was reached."""

from __future__ import annotations

import pytest

from alembic_pgpatterns.checks.rebase import _by_origin, _demand_same_databases, plan_rebase
from alembic_pgpatterns.controller.env_run import Databases
from alembic_pgpatterns.controller.history import History
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.runner.messages import RevisionFacts
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.server.real_database import RealDatabase

SHOP = RealDatabase("db", "5432", "shop")
SCHEMA = Schema("database", ())


def test_the_database_of_the_variables_is_one_by_whatever_name_it_is_reached() -> None:
    by_alias = Databases({SHOP: "scratch"}, "scratch")
    assert _by_origin({"scratch": SCHEMA}, by_alias) == {None: SCHEMA}
    assert _by_origin({"scratch": SCHEMA}, Databases({SHOP: "scratch"})) == {SHOP: SCHEMA}


def test_what_cannot_be_compared_is_no_difference() -> None:
    _demand_same_databases({SHOP: SCHEMA}, {SHOP: SCHEMA})
    with pytest.raises(PgPatternsError, match=r"could not be compared.*db:5432/shop, in .* to no database"):
        _demand_same_databases({SHOP: SCHEMA}, {})
    with pytest.raises(PgPatternsError, match=r"connected to the database of the variables.*, in .* to db:5432/shop"):
        _demand_same_databases({None: SCHEMA}, {SHOP: SCHEMA})


def test_a_head_that_the_other_needs_stays_before_it() -> None:
    history = History(
        [
            RevisionFacts("base1", "base1.py", (), (), ()),
            RevisionFacts("left1", "left1.py", ("base1",), (), ()),
            RevisionFacts("right1", "right1.py", ("base1",), ("left1",), ()),
        ]
    )
    left, right = (history.find(name) for name in ("left1", "right1"))
    assert left is not None and right is not None
    assert plan_rebase(history, right, left).moved == (right,)
    with pytest.raises(PgPatternsError, match="alembic pgrebase right1 --onto left1"):
        plan_rebase(history, left, right)
