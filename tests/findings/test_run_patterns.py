"""Which patterns run on a schema, what is left out, and what a mistake in a pattern says."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from alembic_pgpatterns.config.settings import Settings
from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.findings.run_patterns import run_patterns, run_server_patterns, suppressed, without_excluded
from alembic_pgpatterns.findings.skipped import Skipped
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.patterns.constraints.missing_primary_key import MissingPrimaryKey
from alembic_pgpatterns.patterns.server.no_lock_timeout import NoLockTimeout
from alembic_pgpatterns.schema.live import LiveServer
from alembic_pgpatterns.schema.model import Function, Grant, Name, Namespace, Origin, Schema, Sequence, Table, View

HERE, THERE = Name("public", "item"), Name("legacy", "item")
KEYLESS = Schema("database", (Table(HERE), Table(THERE), Table(Name("public", "old_item"))), server_version=17)
PRIMARY_KEY = Settings(select=("missing-primary-key",))
NOW = datetime(2024, 1, 1, tzinfo=UTC)


def fingerprints(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.fingerprint.partition(" ")[2] for finding in findings]


def test_excluded_tables_and_schemas_have_no_findings() -> None:
    assert fingerprints(run_patterns(KEYLESS, PRIMARY_KEY).findings) == [
        "public.item",
        "legacy.item",
        "public.old_item",
    ]
    settings = dataclasses.replace(PRIMARY_KEY, exclude_tables=("old_*",), exclude_schemas=("legacy",))
    assert fingerprints(run_patterns(KEYLESS, settings).findings) == ["public.item"]


def test_everything_of_an_excluded_schema_is_left_out() -> None:
    both = (HERE, THERE)
    schema = dataclasses.replace(
        KEYLESS,
        sequences=tuple(Sequence(name, "bigint", 1, 1, 9, 1, False) for name in both),
        views=tuple(View(name, "SELECT 1", "app", False, False, frozenset()) for name in both),
        functions=tuple(Function(name, "", "f", "sql", "stable", False, (), False, "app") for name in both),
        namespaces=tuple(Namespace(name.schema, "app") for name in both),
        grants=tuple(Grant("PUBLIC", "SELECT", "table", name, "app", False) for name in both),
    )
    result = without_excluded(schema, Settings(exclude_schemas=("legacy",), exclude_tables=("item",)))
    assert [table.name.name for table in result.tables] == ["old_item"]
    # The name of an excluded table does not exclude a view or sequence of that name.
    for part in ("sequences", "views", "functions", "grants"):
        assert [item.name for item in getattr(result, part)] == [HERE], part
    assert [item.name for item in result.namespaces] == ["public"]


@pytest.mark.parametrize(
    ("pattern", "source", "reason"),
    [
        ("unlogged-table", "models", None),
        ("invalid-index", "models", "needs a database at head"),
        ("invalid-index", "database", None),
        ("unnamed-constraint", "database", "needs the models, which could not be read"),
    ],
)
def test_what_a_reader_cannot_know_is_skipped_without_blame(pattern: str, source: Any, reason: str | None) -> None:
    results = run_patterns(Schema(source, ()), Settings(select=(pattern,)))
    assert results.skipped == ((Skipped(pattern, reason, expected=True),) if reason else ())


def test_the_other_patterns_run_if_one_is_skipped() -> None:
    # `disabled-trigger` comes before, `invalid-index` after; patterns of servers and statements do not belong here.
    names = ("disabled-trigger", "missing-primary-key", "invalid-index", "no-lock-timeout", "offset-paging")
    results = run_patterns(Schema("models", (Table(HERE),)), Settings(select=names))
    assert fingerprints(results.findings) == ["public.item"]
    assert [item.subject for item in results.skipped] == ["disabled-trigger", "invalid-index"]


def broken(self: Any, seen: Any) -> Iterator[Finding]:
    raise ValueError("no such thing")


EXPECTED = (
    "The pattern {0} failed: ValueError: no such thing. This is a mistake in the pattern; please report it. Until it "
    "is fixed, leave the pattern out: --ignore {0}."
)


def test_a_pattern_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MissingPrimaryKey, "detect", broken)
    with pytest.raises(PgPatternsError) as error:
        run_patterns(KEYLESS, PRIMARY_KEY)
    assert str(error.value) == EXPECTED.format("missing-primary-key")
    monkeypatch.setattr(NoLockTimeout, "detect", broken)
    with pytest.raises(PgPatternsError) as error:
        run_server_patterns(LiveServer(180000, "shop", "app", NOW, NOW), Settings(select=("no-lock-timeout",)))
    assert str(error.value) == EXPECTED.format("no-lock-timeout")


def versions(monkeypatch: pytest.MonkeyPatch, pattern: type[Any]) -> list[int | None]:
    """The target versions that a pattern is run with, from here on."""
    result: list[int | None] = []

    def detect(self: Any, seen: Any) -> Iterator[Finding]:
        result.append(self.target_version)
        yield from ()

    monkeypatch.setattr(pattern, "detect", detect)
    return result


def test_a_server_in_use_says_which_version_production_has(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = versions(monkeypatch, NoLockTimeout)
    server = LiveServer(160004, "shop", "app", NOW, NOW)
    for target in (None, 14):
        assert run_server_patterns(server, Settings(select=("no-lock-timeout",), target_version=target)).findings == ()
    assert seen == [16, 14]


def test_a_server_that_the_user_named_says_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = versions(monkeypatch, MissingPrimaryKey)
    for settings in (PRIMARY_KEY, dataclasses.replace(PRIMARY_KEY, server="postgresql://db/x")):
        run_patterns(KEYLESS, settings)
    assert seen == [None, 17]


def test_a_server_pattern_without_its_facts_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = versions(monkeypatch, NoLockTimeout)
    server = LiveServer(160004, "shop", "app", NOW, NOW, unread={"statistics": "no", "statements": "no extension"})
    names = ("dead-rows", "no-lock-timeout", "slow-statement", "missing-primary-key")
    results = run_server_patterns(server, Settings(select=names))
    assert results.skipped == (Skipped("dead-rows", "no"), Skipped("slow-statement", "no extension"))
    assert results.skipped[0].expected is False
    assert seen == [16]


def test_the_models_suppress_a_finding_of_their_pattern_only() -> None:
    def ignoring(*patterns: str) -> Finding:
        table = Table(HERE, origin=Origin(ignored=frozenset(patterns)))
        return MissingPrimaryKey().finding(table, "")

    assert suppressed(ignoring("a", "missing-primary-key"))
    assert not suppressed(ignoring("a"))
    assert not suppressed(ignoring("missing-primary-key").but(at=None))
