"""What a revision says about each object because of which a type is not changed in stages."""

from __future__ import annotations

import pytest

from alembic_pgpatterns.autogenerate.rewrite.swap_recipes import recipe, recipes

OTHERS = "drop it in a revision before, write this one again, and create it again in a revision after"
EXPECTED = {
    "column pages_new, which has the name that the new column would get": "rename it",
    "seen_new, which has the name that a new object would get": "rename it",
    "trigger z, which fires after the one that fills the new column": "ALTER TRIGGER",
    "sequence s, of a column that gets another default": "change the default",
    "index_new, which this revision changes too": "a revision of its own",
    "fk, which this revision creates before": "a revision of its own",
    "another change of pages in this revision": "a revision of its own",
    "the cast from TIMESTAMP to TEXT, which depends on the session": "postgresql_using",
    "env.py, which opens a transaction of its own before context.configure()": "context.begin_transaction()",
    "its dependents, which could not be read": "a database that has the table",
    "ix, whose definition cannot be read": OTHERS,
    "foreign key k of seat, which references the partitioned table": "NOT VALID",
    "foreign key k of the partitioned table event, which cannot be NOT VALID before PostgreSQL 18": "each partition",
    "foreign table far, a partition": "DETACH PARTITION",
    "trigger mine, of partition event_old": "as a whole",
    "column size of partition event_old, which has rights, options, storage or NOT NULL of its own": "as a whole",
    "index mine, of a partition": "as a whole",
    "the partition key": "Create a table with the new type",
    "a partition or a parent": "the types of its partitioned table",
    "generated column twice": "DROP EXPRESSION",
    "generated column twice, which PostgreSQL can only compute for all rows at once": "DROP EXPRESSION",
    "materialized view grouped, which depends on constraint p and is materialised or read by one that is": "GROUP BY",
    "index ex, which is an exclusion constraint's": "EXCLUDE",
    "index ix, which is not valid": "REINDEX INDEX CONCURRENTLY",
    "storage of the column (SET STORAGE, SET COMPRESSION)": "SET STORAGE DEFAULT",
    "rights on sequence s, which belongs to the identity": "grant them again",
    "several sequences of the column": "OWNED BY NONE",
    "view v, which belongs to an extension": "ALTER EXTENSION",
    "function one(), which uses view seen": "BEGIN ATOMIC",
    "function most()": "BEGIN ATOMIC",
    "foreign key k of book": "change both columns",
    "constraint ex on table book": "EXCLUDE",
    "something that PostgreSQL will have one day": OTHERS,
}


@pytest.mark.parametrize("obstacle", EXPECTED)
def test_each_obstacle_has_a_recipe(obstacle: str) -> None:
    assert EXPECTED[obstacle] in recipe(obstacle)


def test_the_same_recipe_is_said_once() -> None:
    assert len(list(recipes(["function a()", "index ix, which is not valid", "function b()"]))) == 2
