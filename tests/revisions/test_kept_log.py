"""Statements that would turn off the server's log keep it on; all others stay as they are."""

from __future__ import annotations

import pytest

from alembic_pgpatterns.revisions.kept_log import with_log


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SET log_min_messages = panic", "SET log_min_messages TO debug1"),
        ("SET LOCAL log_statement TO 'none'", 'SET LOCAL log_statement TO "all"'),
        ("SELECT set_config('log_statement', 'none', false)", "SELECT set_config('log_statement', 'all', false)"),
        ("ALTER SYSTEM SET log_line_prefix = 'x'", "ALTER SYSTEM SET log_line_prefix TO '~%p %e %v~ '"),
        ("ALTER ROLE bob SET log_error_verbosity = verbose", "ALTER ROLE bob SET log_error_verbosity TO terse"),
        ("SELECT 1; SET log_min_error_statement = error", "SELECT 1; SET log_min_error_statement TO panic"),
    ],
)
def test_the_log_stays_on(sql: str, expected: str) -> None:
    assert with_log(sql).replace("'", '"') == expected.replace("'", '"')


@pytest.mark.parametrize(
    "sql",
    [
        "SET lock_timeout = '5s'",
        "RESET log_statement",
        "SHOW log_min_messages",
        "COMMENT ON TABLE t IS 'SET log_statement = none'",
        "SELECT set_config('app.log_statement', 'none', false)",
        "SELECT set_config(name, 'none', false) FROM log_statement",
        "SET log_statement = %s",
    ],
)
def test_what_does_not_touch_the_log_is_left_as_it_is(sql: str) -> None:
    assert with_log(sql) == sql
