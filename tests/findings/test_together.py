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


def run(connection: Any, guesses: bool) -> dict[str, Any]:
    results = run_patterns(catalog.read(connection), Settings(select=("indexes",), target_version=18))
    return {finding.fingerprint: finding.remedy for finding in results.findings if not finding.guess or guesses}


def follow(database: Any, script: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The findings before and after all remedies were followed, in the order of the report."""
    with database.connect() as connection:
        connection.execute(script)
        before = run(connection, guesses=True)
        seen: list[Any] = []
        for remedy in before.values():
            if remedy is not None and remedy not in seen:
                seen.append(remedy)
                for statement in sql(remedy):
                    connection.execute(statement)
        return before, run(connection, guesses=False)


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
