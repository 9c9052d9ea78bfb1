"""SQL in the advice of patterns about revisions: written from the parse tree and the lexer, whatever the names are."""

from __future__ import annotations

import pytest

from alembic_pgpatterns.patterns.revisions._statements import with_words
from alembic_pgpatterns.patterns.revisions.table_rewrite import _is_utc
from alembic_pgpatterns.patterns.revisions.unbatched_data_change import _has_values_elsewhere
from alembic_pgpatterns.patterns.revisions.validating_foreign_key import _with_key
from alembic_pgpatterns.revisions.alter_table import AlterAction


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CREATE INDEX ON t (a)", "CREATE INDEX CONCURRENTLY ON t (a)"),
        ("create /* é INDEX */ unique index i on t (a)", "create /* é INDEX */ unique index CONCURRENTLY i on t (a)"),
        ('CREATE INDEX "INDEX" ON t (a)', 'CREATE INDEX CONCURRENTLY "INDEX" ON t (a)'),
        ("REINDEX (VERBOSE, TABLESPACE s) TABLE t", "REINDEX (VERBOSE, TABLESPACE s) TABLE CONCURRENTLY t"),
        ("REINDEX INDEX i", "REINDEX INDEX CONCURRENTLY i"),
        ("DROP\tINDEX i, j", "DROP\tINDEX CONCURRENTLY i, j"),
        ('REFRESH materialized view "VIEW"', 'REFRESH materialized view CONCURRENTLY "VIEW"'),
    ],
)
def test_words_behind_the_kind_of_object(text: str, expected: str) -> None:
    assert with_words(text, "CONCURRENTLY") == expected


@pytest.mark.parametrize(
    ("key", "rest"),
    [
        ("FOREIGN KEY (a) REFERENCES author", "REFERENCES author"),
        ('CONSTRAINT "K)" FOREIGN KEY ("a)") REFERENCES s."b)" (id)', 'CONSTRAINT "K)" REFERENCES s."b)" (id)'),
        (
            "FOREIGN KEY (a) REFERENCES author ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED",
            "REFERENCES author ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED",
        ),
    ],
)
def test_a_foreign_key_as_a_part_of_its_column(key: str, rest: str) -> None:
    assert _with_key('ALTER TABLE book ADD COLUMN "a)" bigint', f"ALTER TABLE book ADD {key}") == (
        f'ALTER TABLE book ADD COLUMN "a)" bigint {rest}'
    )


@pytest.mark.parametrize(
    ("using", "expected"),
    [
        ("", True),
        ("came AT TIME ZONE 'UTC'", True),
        ("timezone('Etc/UTC'::text, came)", True),
        ("timezone('gmt', came)", True),
        ("came AT TIME ZONE 'Europe/Berlin'", False),
        ("timezone('UTC', came) AT TIME ZONE 'Europe/Berlin'", False),
        ("came AT TIME ZONE zone", False),
        ("came::timestamptz -- AT TIME ZONE 'UTC'", False),
    ],
)
def test_a_conversion_is_in_utc_if_no_other_zone_is_named(using: str, expected: bool) -> None:
    assert _is_utc(AlterAction("alter type", "came", using=using)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("$1", True), ("kind || $2", True), ("'$1'", False), ("'12:30'", False), ("' :name'", True), ("a::text", False)],
)
def test_values_that_are_not_in_the_text(text: str, expected: bool) -> None:
    assert _has_values_elsewhere(text) is expected
