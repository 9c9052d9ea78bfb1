"""The benchmark's own catalog queries, which findings on real projects are compared with, are right themselves."""

import sys
from pathlib import Path

import pytest

from alembic_pgpatterns.patterns import registry
from alembic_pgpatterns.schema.catalog import reader as catalog

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))

from projects import counts, recipe  # noqa: E402

SCHEMA = """
CREATE SCHEMA "Other";
CREATE DOMAIN short AS varchar(10);
CREATE DOMAIN shorter AS short;
CREATE DOMAIN free AS varchar;
CREATE DOMAIN moment AS timestamp;
CREATE DOMAIN moments AS timestamp[];
CREATE TABLE parent (id bigint PRIMARY KEY, a int, b int, n numeric UNIQUE, t text UNIQUE, UNIQUE (a, b));
CREATE TABLE kinds (
  id bigint PRIMARY KEY, short short, shorter shorter[], free free, plain varchar(3), many varchar(3)[], open varchar,
  moment moment, moments moments, at timestamp(3), ats timestamp[], zoned timestamptz);
CREATE TABLE no_key (x int);
CREATE TABLE "Other"."Odd Name" ("A b" bigint REFERENCES parent, v varchar(5));
CREATE TABLE partitioned (id bigint, p bigint REFERENCES parent, v varchar(4)) PARTITION BY RANGE (id);
CREATE TABLE leaf PARTITION OF partitioned FOR VALUES FROM (1) TO (9);
CREATE TABLE indexed (id bigint PRIMARY KEY, p bigint REFERENCES parent, a int, b int,
  FOREIGN KEY (a, b) REFERENCES parent (a, b));
CREATE INDEX indexed_p ON indexed (p) WHERE p IS NOT NULL;
CREATE INDEX indexed_ab ON indexed (b, a, p);
CREATE TABLE badly (id bigint PRIMARY KEY, brin bigint REFERENCES parent, included bigint REFERENCES parent,
  partly bigint REFERENCES parent, cast_away bigint REFERENCES parent (n), sorted text REFERENCES parent (t),
  hashed bigint REFERENCES parent, free bigint REFERENCES parent NOT ENFORCED, a int, b int,
  FOREIGN KEY (a, b) REFERENCES parent (a, b));
CREATE INDEX ON badly USING brin (brin);
CREATE INDEX ON badly (id) INCLUDE (included);
CREATE INDEX ON badly (partly) WHERE partly > 10;
CREATE INDEX ON badly (cast_away);
CREATE INDEX ON badly (sorted COLLATE "C");
CREATE INDEX ON badly USING hash (hashed);
CREATE INDEX ON badly (a, id, b);
CREATE TABLE twice (id bigint PRIMARY KEY, x int, y text UNIQUE);
CREATE INDEX first_x ON twice (x);
CREATE INDEX second_x ON twice (x);
CREATE INDEX down_x ON twice (x DESC);
CREATE INDEX some_x ON twice (x) WHERE x > 1;
CREATE INDEX wide_x ON twice (x) INCLUDE (y);
CREATE INDEX plain_y ON twice (y);
CREATE INDEX like_y ON twice (y text_pattern_ops);
CREATE INDEX lower_y ON twice (lower(y));
CREATE UNIQUE INDEX "Lower Y" ON twice (lower(y));
CREATE UNIQUE INDEX once_x ON twice (id) NULLS NOT DISTINCT;
"""

EXPECTED = {
    "unindexed-foreign-key": {
        '"Other"."Odd Name"("A b")',
        "public.partitioned(p)",
        "public.badly(brin)",
        "public.badly(included)",
        "public.badly(partly)",
        "public.badly(cast_away)",
        "public.badly(sorted)",
        "public.badly(a, b)",
    },
    "duplicate-index": {"public.second_x", "public.plain_y", "public.lower_y"},
    "missing-primary-key": {"public.no_key", '"Other"."Odd Name"', "public.partitioned"},
    "varchar-length": {
        "public.kinds.short",
        "public.kinds.shorter",
        "public.kinds.plain",
        "public.kinds.many",
        '"Other"."Odd Name".v',
        "public.partitioned.v",
    },
    "timestamp-without-time-zone": {
        "public.kinds.moment",
        "public.kinds.moments",
        "public.kinds.at",
        "public.kinds.ats",
    },
}


@pytest.mark.parametrize("pattern", EXPECTED)
def test_the_queries_and_the_patterns_list_the_same_objects(database, pattern):
    database.execute(SCHEMA)
    with database.connect() as connection:
        assert counts.expected(connection)[pattern] == EXPECTED[pattern]
        schema = catalog.read(connection)
    assert {finding.object for finding in registry()[pattern]().detect(schema)} == EXPECTED[pattern]


@pytest.mark.parametrize("name", recipe.names())
def test_every_recipe_can_be_filled_in(name, tmp_path):
    place = recipe.Workplace(recipe.read(name), tmp_path)
    values = [*place.environment("URL").values(), *(place.fill(word, "URL") for word in place.recipe.arguments)]
    told = [*values, place.fill(place.recipe.upgrade_command, "URL")]
    assert not [text for text in told if "{" in text]
    assert place.recipe.script_location or place.recipe.ini
    carried = any("URL" in text for text in values)
    assert carried or place.recipe.url_in_ini


def test_a_name_without_a_recipe_is_answered_with_the_names_there_are():
    with pytest.raises(recipe.ProjectError, match="optuna"):
        recipe.read("nothing-like-it")
