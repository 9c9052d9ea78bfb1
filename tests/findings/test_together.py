"""All remedies that are statements, one after the other: none fails, and nothing is found that was not there before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.findings.run_patterns import run_patterns
from alembic_pgpatterns.findings.together import share_indexes
from alembic_pgpatterns.patterns.indexes.unindexed_foreign_key import UnindexedForeignKey
from alembic_pgpatterns.remedies.model import Advice, CreateIndex
from alembic_pgpatterns.remedies.sql import sql
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import Name, Table
from tests.examples import examples

COLUMNS = ("team_id", "owner_id", "status", "seen_at", "deleted_at", "active", "name", "data", "code")
TABLE = """
CREATE TABLE team (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
CREATE TABLE item (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id bigint {team}, owner_id bigint {owner}, status text NOT NULL DEFAULT 'pending',
    seen_at timestamptz NOT NULL DEFAULT now(), deleted_at timestamptz, active boolean NOT NULL DEFAULT true,
    name varchar(40), data jsonb, code text {code}
);
"""


ALL = ("indexes", "types", "constraints", "security")


def run(connection: Any, guesses: bool, select: tuple[str, ...] = ("indexes",)) -> dict[str, Any]:
    results = run_patterns(catalog.read(connection), Settings(select=select, target_version=18))
    return {finding.fingerprint: finding.remedy for finding in results.findings if not finding.guess or guesses}


def follow(database: Any, script: str, select: tuple[str, ...] = ("indexes",)) -> tuple[dict[str, Any], dict[str, Any]]:
    """The findings before and after all remedies were followed, in the order of the report."""
    with database.connect() as connection:
        connection.execute(script)
        before = run(connection, True, select)
        seen: list[Any] = []
        for remedy in before.values():
            if remedy is not None and remedy not in seen:
                seen.append(remedy)
                for statement in sql(remedy):
                    connection.execute(statement)
        return before, run(connection, False, select)


def statements(index: tuple[int, tuple[str, ...], bool, str]) -> str:
    number, columns, unique, where = index
    return f"CREATE {'UNIQUE ' if unique else ''}INDEX i{number} ON item ({', '.join(columns)}){where};"


@st.composite
def heads(draw: st.DrawFn) -> str:
    key = st.sampled_from(("REFERENCES team", "REFERENCES team ON DELETE CASCADE", ""))
    script = TABLE.format(team=draw(key), owner=draw(key), code=draw(st.sampled_from(("UNIQUE", ""))))
    for number in range(draw(st.integers(1, 6))):
        columns = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=3, unique=True))
        where = draw(st.sampled_from(("", "", "", " WHERE deleted_at IS NULL", " WHERE active")))
        script += statements((number, tuple(columns), draw(st.booleans()) and number == 5, where))
    return script


@given(script=heads())
@hypothesis_settings(max_examples=examples(12))
def test_random_heads(script: str, server: Any) -> None:
    name = server.create_database("together")
    try:

        class Database:
            @staticmethod
            def connect() -> Any:
                return server.connect(name)

        before, after = follow(Database, script)
    finally:
        server.drop_database(name)
    assert after.keys() <= before.keys()
    cured = {fingerprint for fingerprint, remedy in before.items() if not isinstance(remedy, Advice | None)}
    assert not cured & after.keys()


KEYS = ("serial", "smallint GENERATED ALWAYS AS IDENTITY (CYCLE)", "varchar(36)", "char(8)", "uuid", "bigint")
TYPES = (
    "varchar(20)", "char(3) DEFAULT 'abc'", "text", "integer", "bigint", "numeric", "money", "json", "jsonb",
    "timestamp", "timestamp DEFAULT now()", "timestamptz(0)", "timetz", "boolean DEFAULT true", "varchar(9)[]", "real",
    "tsvector", "smallint NOT NULL DEFAULT 0 CHECK ({column} IN (0, 1))",
    "smallint DEFAULT 1 CHECK ({column} IN (0, 1))", "varchar(1) DEFAULT 'Y' CHECK ({column} IN ('Y', 'N'))",
    "varchar(8) CHECK ({column} IN ('a', 'b')) CHECK ({column} IN ('a', 'b'))",
)  # fmt: skip
NAMES = ("name", "is_open", "price", "seen_at", "deleted_at", "status", "data", "item_uuid")


@st.composite
def mixed_heads(draw: st.DrawFn) -> str:
    """Two tables with keys, types, constraints and indexes of every kind that has a remedy as SQL."""
    key = draw(st.sampled_from(KEYS))
    plain = {"serial": "integer"}.get(key, key.partition(" ")[0])
    referring = draw(st.sampled_from((plain, "bigint"))) if plain in ("integer", "smallint") else plain
    names = draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=5, unique=True))
    columns = [f"{name} {draw(st.sampled_from(TYPES)).format(column=name)}" for name in names]
    primary = draw(
        st.sampled_from(("id bigserial PRIMARY KEY", "id int NOT NULL UNIQUE", "id serial, PRIMARY KEY (id)"))
    )
    script = f"CREATE TABLE parent (id {key} PRIMARY KEY, label varchar(9));\n"
    script += f"CREATE TABLE child ({primary}, parent_id {referring}, {', '.join(columns)});\n"
    for number in range(draw(st.integers(0, 2))):
        valid = draw(st.sampled_from(("", " NOT VALID")))
        script += f"ALTER TABLE child ADD CONSTRAINT k{number} FOREIGN KEY (parent_id) REFERENCES parent{valid};\n"
    for number, name in enumerate(names[: draw(st.integers(0, 3))]):
        unique = draw(st.sampled_from(("UNIQUE ", "")))
        if f"{name} json" not in script.replace("jsonb", "") or f"{name} jsonb" in script:
            script += f"CREATE {unique}INDEX i{number} ON child ({name}, parent_id);\n"
    if draw(st.booleans()):
        script += f"CREATE VIEW seen AS SELECT {names[0]} FROM child;\n"
    if draw(st.booleans()):
        script += (
            "ALTER TABLE child ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON child USING (parent_id IS NOT NULL);\n"
        )
    return script


@given(script=mixed_heads())
@hypothesis_settings(max_examples=examples(12))
def test_random_heads_with_remedies_of_every_kind(script: str, server: Any) -> None:
    name = server.create_database("together")
    try:

        class Database:
            @staticmethod
            def connect() -> Any:
                return server.connect(name)

        before, after = follow(Database, script, ALL)
    finally:
        server.drop_database(name)
    assert after.keys() <= before.keys()


def test_an_index_is_not_both_dropped_and_replaced(database: Any) -> None:
    """`seen` is needless beside (seen_at, team_id), as long as nobody turns that one round."""
    script = TABLE.format(team="REFERENCES team", owner="", code="")
    script += "CREATE INDEX i_seen ON item (seen_at); CREATE INDEX i_wide ON item (seen_at, team_id);"
    before, after = follow(database, script)
    assert {"redundant-index public.i_seen", "range-before-equality public.i_wide"} <= before.keys()
    kept = [before[name] for name in ("redundant-index public.i_seen", "range-before-equality public.i_wide")]
    assert sum(isinstance(remedy, Advice) for remedy in kept) == 1
    assert after.keys() <= before.keys()


def test_two_tables_do_not_get_one_name(new_database: Callable[[], Any]) -> None:
    script = "CREATE TABLE p (id bigint PRIMARY KEY);"
    script += "CREATE TABLE a (id bigint PRIMARY KEY, b_data jsonb, p bigint REFERENCES p);"
    script += "CREATE TABLE a_b (id bigint PRIMARY KEY, data jsonb, p bigint REFERENCES p);"
    before, after = follow(new_database(), script)
    names = [statement.split()[2] for remedy in before.values() if remedy for statement in sql(remedy)]
    assert len(names) == len(set(names)) == 4
    assert not after


def test_new_indexes_of_which_one_begins_with_the_other_are_one() -> None:
    table = Name("public", "item")
    proposed = [("a",), ("a", "b"), ("b",), ("a", "b", "c"), ("b", "a")]
    pattern = UnindexedForeignKey()
    findings = [pattern.finding(Table(table), "", CreateIndex.on(table, *columns)) for columns in proposed]
    elsewhere = pattern.finding(Table(table), "", CreateIndex.on(Name("public", "other"), "a"))
    shared = [item.remedy for item in share_indexes([*findings, elsewhere])]
    wide, back = CreateIndex.on(table, "a", "b", "c"), CreateIndex.on(table, "b", "a")
    assert shared == [wide, wide, back, wide, back, elsewhere.remedy]
