"""Planted defects and traps, a file a pattern in ``catalogue/``; recall and precision are printed as a table (``-s``).

The marks are comments (``--`` in SQL, ``#`` in Python), anywhere in the file:

    -- defect: public.book(author_id) -- why it is one
    -- defect [info]: public.book(a, b) -- demands the severity as well
    -- trap: public.good_book(author_id) -- why it is none

What stands between the colon and the second dash is the finding's identity: its fingerprint without the pattern's name.
Every finding that is not marked as a defect is a false positive. A trap must be the identifier of something in the
schema, so that none rots. Further lines: ``-- options: {"columns": ["x"]}`` (JSON for the pattern's options),
``-- target: 15`` (target_version, else the server's), ``-- version: 15`` (also on the older server from this major on).

A pattern can have further sheets: ``<pattern>.<what for>.sql``.
A .sql file runs as one multi-statement query on a database of its own, as superuser; a .py file defines ``metadata``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations

from alembic_pgpatterns.patterns import Finding, SchemaPattern, registry
from alembic_pgpatterns.remedies.model import Advice, Remedy
from alembic_pgpatterns.remedies.operations import operations
from alembic_pgpatterns.remedies.sql import sql
from alembic_pgpatterns.schema.catalog import reader as catalog
from alembic_pgpatterns.schema.model import Schema
from tests import reader as metadata
from tests.messages import hold_messages

CATALOGUE = Path(__file__).parent / "catalogue"
SQL_FILES = sorted(CATALOGUE.glob("*.sql"))
FILES = SQL_FILES + sorted(CATALOGUE.glob("*.py"))
LEAST = 4
OLD = 15
MARK = re.compile(r"^\s*(?:--|#) (defect|trap)(?: \[(\w+)\])?: (.+?) -- (.+)$", re.MULTILINE)
EXTENSION = re.compile(r'CREATE EXTENSION (?:IF NOT EXISTS )?"?([\w-]+)')
SETTING = re.compile(r"^\s*(?:--|#) (options|target|version): (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Sheet:
    """A file of the catalogue."""

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> Sheet:
        return cls(path, path.read_text(encoding="utf-8"))

    @property
    def name(self) -> str:
        """Of the pattern: a further sheet of it has something between its name and the ending."""
        return self.path.name.split(".")[0].replace("_", "-")

    @property
    def defects(self) -> dict[str, str | None]:
        """Severity, where demanded, by identity."""
        return {mark[3]: mark[2] for mark in MARK.finditer(self.text) if mark[1] == "defect"}

    @property
    def traps(self) -> set[str]:
        return {mark[3] for mark in MARK.finditer(self.text) if mark[1] == "trap"}

    @property
    def extensions(self) -> set[str]:
        return set(EXTENSION.findall(self.text))

    def setting(self, name: str, default: str) -> str:
        return next((found[2] for found in SETTING.finditer(self.text) if found[1] == name), default)

    def pattern(self, version: int) -> SchemaPattern:
        kind: Any = registry()[self.name]
        given = json.loads(self.setting("options", "{}"))
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
        return kind(kind.Options(**values), target_version=int(self.setting("target", str(version))))

    def schema(self, database: Any, load_models: Callable[[str], ModuleType]) -> Schema:
        """What the reader makes of it."""
        if self.path.suffix == ".py":
            module = load_models(self.text)
            bases = [item for item in vars(module).values() if isinstance(item, type) and hasattr(item, "registry")]
            registries = tuple({id(base.registry): base.registry for base in bases}.values())
            version = int(self.setting("target", str(database.version // 10000)))
            return metadata.read(module.metadata, target_version=version, registries=registries)
        with database.connect() as connection:
            connection.execute(self.text)
            return catalog.read(connection)


@dataclass(frozen=True)
class Score:
    """How a pattern did on its sheet."""

    name: str
    expected: set[str]
    found: set[str]
    traps: int

    @property
    def recall(self) -> float:
        return len(self.expected & self.found) / len(self.expected)

    @property
    def precision(self) -> float:
        return len(self.expected & self.found) / len(self.found) if self.found else 0.0

    def __str__(self) -> str:
        counts = f"{len(self.expected):>7} {self.traps:>5}"
        return f"{self.name:<38} {counts} {self.recall:>7.2f} {self.precision:>10.2f}"


@pytest.fixture(scope="module")
def scores() -> Iterator[list[Score]]:
    """Prints the table when all sheets are through."""
    found: list[Score] = []
    yield found
    print(f"\n{'pattern':<38} {'defects':>7} {'traps':>5} {'recall':>7} {'precision':>10}")
    for score in sorted(found, key=lambda score: score.name):
        print(score)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@pytest.mark.sample(2)
def test_all_defects_and_no_trap_is_found(
    path: Path,
    new_database: Callable[[], Any],
    load_models: Callable[[str], ModuleType],
    scores: list[Score],
    request: pytest.FixtureRequest,
) -> None:
    sheet = Sheet.read(path)
    databases = [new_database()]
    if int(sheet.setting("version", "99")) <= OLD:
        older = request.getfixturevalue("old_database")
        databases += [older] if sheet.extensions <= available(older) else []
    for database in databases:
        kept = scores if database is databases[0] else []
        findings = hold(sheet, sheet.schema(database, load_models), database.version // 10000, kept)
        if database is databases[0]:
            hold_messages(path.name, findings)


@pytest.mark.sample(6)
@pytest.mark.parametrize("way", ["sql", "operations"])
@pytest.mark.parametrize("path", SQL_FILES, ids=lambda path: path.name)
def test_remedies_cure_the_defects(
    path: Path, way: str, new_database: Callable[[], Any], load_models: Callable[[str], ModuleType]
) -> None:
    """Each remedy runs as it is written, what it was for is gone, and nothing new is found."""
    sheet, database = Sheet.read(path), new_database()
    pattern = sheet.pattern(database.version // 10000)
    before = {identity(finding): finding for finding in pattern.detect(sheet.schema(database, load_models))}
    with database.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for remedy in distinct(before.values()):
            if way == "sql":
                for statement in sql(remedy):
                    connection.exec_driver_sql(statement)
            else:
                context = Operations(MigrationContext.configure(connection))
                for operation in operations(remedy, "public"):
                    context.invoke(operation)
        left = {identity(finding) for finding in pattern.detect(catalog.read(connection))}
    cured = {name for name, finding in before.items() if not isinstance(finding.remedy, Advice | None)}
    assert cured & left == set(), "still found"
    assert left - before.keys() == set(), "found only now"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_sheet_has_enough_of_both(path: Path) -> None:
    sheet = Sheet.read(path)
    assert len(sheet.defects) >= LEAST
    assert len(sheet.traps) >= LEAST
    assert not sheet.traps & sheet.defects.keys()


def hold(sheet: Sheet, schema: Schema, version: int, scores: list[Score]) -> list[Finding]:
    """Run the pattern on its sheet and hold what it finds against the marks; the findings."""
    findings = list(sheet.pattern(version).detect(schema))
    found = {identity(finding): finding for finding in findings}
    scores.append(Score(sheet.name, set(sheet.defects), set(found), len(sheet.traps)))
    assert len(found) == len(findings), "fingerprints are not unique"
    assert found.keys() - sheet.defects.keys() == set(), "false positives"
    assert sheet.defects.keys() - found.keys() == set(), "missed"
    demanded = {name: severity for name, severity in sheet.defects.items() if severity is not None}
    assert {name: str(found[name].severity) for name in demanded} == demanded
    assert sheet.traps - identifiers(schema) == set(), "traps that are not in the schema"
    return findings


def available(database: Any) -> set[str]:
    """Extensions the server could create: an older one out of a wheel comes with next to none."""
    with database.connect() as connection:
        return {name for (name,) in connection.execute("SELECT name FROM pg_available_extensions")}


def distinct(findings: Iterable[Finding]) -> list[Remedy]:
    """Each remedy once: one index may cure two findings."""
    found: list[Remedy] = []
    for finding in findings:
        if finding.remedy is not None and finding.remedy not in found:
            found.append(finding.remedy)
    return found


def identity(finding: Finding) -> str:
    return finding.fingerprint.removeprefix(f"{finding.pattern} ")


def identifiers(value: Any) -> set[str]:
    """Of everything in a schema that has one."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, tuple):
            waiting.extend(item)
        elif is_dataclass(item):
            found.update({item.identifier} if hasattr(item, "identifier") else ())
            waiting.extend(getattr(item, field.name) for field in fields(item))
    return found
