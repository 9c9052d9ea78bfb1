"""What holds for every schema pattern: its examples run on a real server, and do what they promise."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations

from alembic_pgpatterns import patterns
from alembic_pgpatterns.patterns import Action, Basis, Finding, Needs, Pattern, SchemaPattern, registry
from alembic_pgpatterns.remedies.apply import apply
from alembic_pgpatterns.remedies.model import Advice, Remedy
from alembic_pgpatterns.remedies.operations import operations
from alembic_pgpatterns.remedies.sql import sql
from alembic_pgpatterns.report import pages
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import UNKNOWN, Schema
from tests import reader as metadata
from tests.messages import FOLDER, hold_messages

OLDEST_TESTED = 15
PATTERNS = Path(patterns.__file__).parent
NAMING = (ast.Name, ast.Attribute)

ALL = list(registry().values())
SCHEMA_PATTERNS = [pattern for pattern in ALL if issubclass(pattern, SchemaPattern)]
FROM_DATABASE = [pattern for pattern in SCHEMA_PATTERNS if pattern.needs is not Needs.MODELS]
FROM_MODELS = [pattern for pattern in SCHEMA_PATTERNS if pattern.needs is not Needs.DATABASE and pattern.bad_models]
ON_SERVERS = [
    pytest.param(pattern, fixture, id=f"{pattern.name}-{fixture}")
    for pattern in FROM_DATABASE
    for fixture in ("database", "old_database")
    if fixture == "database" or pattern.example_version <= OLDEST_TESTED
]


def named(patterns: list[type[Any]]) -> list[Any]:
    return [pytest.param(pattern, id=pattern.name) for pattern in patterns]


def detect(pattern: type[SchemaPattern], schema: Schema, version: int) -> list[Finding]:
    findings = list(pattern(target_version=version).detect(schema))
    assert {finding.pattern for finding in findings} <= {pattern.name}
    fingerprints = [finding.fingerprint for finding in findings]
    assert len(set(fingerprints)) == len(fingerprints), f"not unique: {sorted(fingerprints)}"
    assert all(finding.message and finding.object for finding in findings)
    return findings


def distinct(findings: list[Finding]) -> list[Remedy]:
    """The remedies that are statements, each once: one index may cure two findings."""
    remedies = [finding.remedy for finding in findings if finding.remedy is not None]
    return [remedy for number, remedy in enumerate(remedies) if remedy not in remedies[:number]]


def curable(finding: Finding) -> bool:
    return finding.remedy is not None and not isinstance(finding.remedy, Advice)


@pytest.mark.parametrize(("pattern", "fixture"), ON_SERVERS)
def test_bad_fires_and_its_remedy_silences_it(
    pattern: type[SchemaPattern], fixture: str, request: pytest.FixtureRequest
) -> None:
    database = request.getfixturevalue(fixture)
    with database.connect() as connection:
        connection.execute(pattern.bad)
        before = detect(pattern, catalog.read(connection), database.version // 10000)
        assert before, "bad does not fire"
        if fixture == "database":
            hold_messages(pattern.name, before)
        assert pages.remedy(pattern) == "yes" or not any(map(curable, before)), "its page says that it has no remedy"
        for remedy in distinct(before):
            for statement in sql(remedy):
                connection.execute(statement)
        after = detect(pattern, catalog.read(connection), database.version // 10000)
    cured = {finding.fingerprint for finding in before if curable(finding)}
    left = {finding.fingerprint for finding in after}
    assert not cured & left, "the remedy does not silence it"
    assert left <= {finding.fingerprint for finding in before}, "the remedy makes it fire elsewhere"


@pytest.mark.parametrize("pattern", named(FROM_DATABASE))
def test_its_remedy_is_operations_too(pattern: type[SchemaPattern], database: Any) -> None:
    with database.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(pattern.bad)
        before = detect(pattern, catalog.read(connection), 18)
        invoke = Operations(MigrationContext.configure(connection)).invoke
        for remedy in distinct(before):
            steps = operations(remedy, "public")
            assert steps or isinstance(remedy, Advice)
            for step in steps:
                invoke(step)
        after = {finding.fingerprint for finding in detect(pattern, catalog.read(connection), 18)}
    assert after == {finding.fingerprint for finding in before if not curable(finding)}


@pytest.mark.parametrize(("pattern", "fixture"), ON_SERVERS)
def test_good_is_silent(pattern: type[SchemaPattern], fixture: str, request: pytest.FixtureRequest) -> None:
    database = request.getfixturevalue(fixture)
    with database.connect() as connection:
        connection.execute(pattern.good)
        found = detect(pattern, catalog.read(connection), database.version // 10000)
    assert [finding.fingerprint for finding in found] == []


@pytest.mark.parametrize("pattern", named([pattern for pattern in FROM_DATABASE if pattern.needs is Needs.EITHER]))
def test_it_lives_with_what_is_unknown(pattern: type[SchemaPattern], database: Any) -> None:
    """UNKNOWN has no truth value: a pattern that does not ask first would fail on models."""
    with database.connect() as connection:
        connection.execute(pattern.bad)
        schema = catalog.read(connection)
    for blanked in (forget(schema, "all"), *(forget(schema, name) for name in sorted(forgettable(schema)))):
        detect(pattern, blanked, 18)


@pytest.mark.parametrize("pattern", named(FROM_MODELS))
def test_bad_models_fire(pattern: type[SchemaPattern], load_models: Callable[[str], ModuleType]) -> None:
    findings = detect(pattern, read_models(load_models(pattern.bad_models)), 18)
    assert findings
    hold_messages(f"{pattern.name}.models", findings)


@pytest.mark.parametrize("pattern", named([pattern for pattern in FROM_MODELS if pattern.needs is not Needs.MODELS]))
def test_models_and_the_database_made_from_them_agree(
    pattern: type[SchemaPattern], load_models: Callable[[str], ModuleType], new_database: Callable[[], Any]
) -> None:
    """The fingerprint of a finding does not depend on where it was found."""
    module, database = load_models(pattern.bad_models), new_database()
    with database.engine().connect() as connection:
        module.metadata.create_all(connection)
        connection.commit()
        in_database = detect(pattern, catalog.read(connection), 18)
    in_models = detect(pattern, read_models(module), 18)
    # What only models say (Python defaults, info) is for the models to find.
    assert {finding.fingerprint for finding in in_database} <= {finding.fingerprint for finding in in_models}


@pytest.mark.parametrize("pattern", named(FROM_MODELS))
def test_remedies_applied_to_models_silence_it(
    pattern: type[SchemaPattern], load_models: Callable[[str], ModuleType]
) -> None:
    module = load_models(pattern.bad_models)
    before = detect(pattern, read_models(module), 18)
    expressible = {
        finding.fingerprint for finding in before if finding.remedy and apply(finding.remedy, module.metadata, "public")
    }
    after = {finding.fingerprint for finding in detect(pattern, read_models(module), 18)}
    assert not expressible & after
    assert after <= {finding.fingerprint for finding in before}


@pytest.mark.parametrize("pattern", named([pattern for pattern in FROM_MODELS if pattern.good_models]))
def test_good_models_are_silent(pattern: type[SchemaPattern], load_models: Callable[[str], ModuleType]) -> None:
    found = detect(pattern, read_models(load_models(pattern.good_models)), 18)
    assert [finding.fingerprint for finding in found] == []


@pytest.mark.parametrize("pattern", named(ALL))
def test_it_documents_itself(pattern: type[Pattern]) -> None:
    text = inspect.cleandoc(pattern.__doc__ or "")
    assert text.splitlines()[0].endswith("."), "the first line says what it is, in a sentence"
    assert pattern.not_when or pattern.action not in (Action.ENFORCE, Action.SUGGEST), "when should it not be followed?"
    assert pattern.references
    assert all(urlsplit(url).scheme == "https" and urlsplit(url).netloc for url in pattern.references)
    assert pattern.__module__.rsplit(".", 1)[-1].replace("_", "-") == pattern.name


def names_in(node: ast.AST) -> set[str]:
    return {item.id if isinstance(item, ast.Name) else item.attr for item in ast.walk(node) if isinstance(item, NAMING)}


def asking_functions() -> set[str]:
    """The functions of the patterns that look at the application's queries, themselves or by others."""
    trees = [ast.parse(path.read_text()) for path in PATTERNS.rglob("*.py")]
    functions = [node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)]
    used = [(f"{function.name}", names_in(function)) for function in functions]
    asking = {"evidence"}
    while more := {name for name, names in used if names & asking} - asking:
        asking |= more
    return asking


def test_the_source_is_read_for_each_pattern_that_weighs_queries() -> None:
    """So that a pattern finds the same alone (--select) as with all others."""
    asking = asking_functions()
    asked = {
        pattern.name: names_in(ast.parse(inspect.getsource(pattern))) & asking
        for pattern in SCHEMA_PATTERNS
        if pattern.basis is not Basis.QUERIES and not pattern.weighs_queries and pattern.folder != "server"
    }
    assert {name: names for name, names in asked.items() if names} == {}
    assert "queries_on" in asking


@pytest.mark.parametrize("pattern", named(SCHEMA_PATTERNS))
def test_it_has_examples(pattern: type[SchemaPattern]) -> None:
    by_reader = pattern.bad_models if pattern.needs is Needs.MODELS else pattern.bad
    assert by_reader.strip()


@pytest.mark.parametrize("pattern", named(ALL))
def test_its_options_are_a_documented_frozen_dataclass(pattern: type[Pattern]) -> None:
    options = pattern.Options
    assert is_dataclass(options)
    assert options.__dataclass_params__.frozen
    sources = "".join(inspect.getsource(kind) for kind in options.__mro__[:-1])
    for field in fields(options):
        after = sources.split(f"\n    {field.name}:", 1)[1]
        text = after.split('    """', 1)
        assert len(text) == 2, f"{field.name} has no docstring under it"


def test_messages_are_those_of_patterns() -> None:
    files = [path.name.split(".")[0] for path in FOLDER.glob("*.txt")]
    names = {name.replace("_", "-") for name in files if not name.startswith("test_")}
    assert names <= set(registry())


def read_models(module: ModuleType) -> Schema:
    bases = [item for item in vars(module).values() if isinstance(item, type) and hasattr(item, "registry")]
    registries = {id(base.registry): base.registry for base in bases}
    return metadata.read(module.metadata, target_version=18, registries=tuple(registries.values()))


def forget(item: Any, what: str) -> Any:
    """The model with one kind of fact, or all that a reader may not know, made UNKNOWN."""
    if isinstance(item, tuple):
        return tuple(forget(part, what) for part in item)
    if not is_dataclass(item):
        return item
    given = {}
    for field in fields(item):
        if field.init:
            unknown = "Unknown" in str(field.type) and what in ("all", field.name)
            given[field.name] = UNKNOWN if unknown else forget(getattr(item, field.name), what)
    return replace(item, **given)  # type: ignore[type-var]


def forgettable(item: Any) -> set[str]:
    if isinstance(item, tuple):
        return set().union(*map(forgettable, item))
    if not is_dataclass(item):
        return set()
    own = {field.name for field in fields(item) if "Unknown" in str(field.type)}
    return own.union(*(forgettable(getattr(item, field.name)) for field in fields(item)))
