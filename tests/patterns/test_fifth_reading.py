"""What readers of real projects called useless or wrong, the fifth time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import alembic_pgpatterns
from alembic_pgpatterns.checks.model_drift import head_takes_more
from alembic_pgpatterns.evidence.model import Condition, Evidence, QueryShape, Use
from alembic_pgpatterns.findings.causes import by_cause
from alembic_pgpatterns.patterns import registry
from alembic_pgpatterns.revisions.model import Drift, History
from alembic_pgpatterns.runner.bootstrap import _FINDER
from alembic_pgpatterns.schema.catalog.difference import Difference
from alembic_pgpatterns.schema.model import DataType, Policy, Schema
from alembic_pgpatterns.schema.others import Relationship
from tests.patterns import handmade_runs as runs
from tests.patterns.handmade import ITEM, PARENT, column, foreign, found, index, table
from tests.patterns.handmade_runs import AUTHOR, BOOK, NEW, run, step

pytestmark = pytest.mark.usefixtures("held_messages")

MANY_TO_ONE = Relationship("Item", "parent", PARENT, ITEM, ("a",), frozenset(), False, many_to_one=True)
CHILDREN = Relationship("Parent", "items", PARENT, ITEM, ("a",), frozenset(), False)
ORPHANS = Relationship("Top", "parents", AUTHOR, PARENT, ("top",), frozenset({"delete-orphan"}), False)
BY_KEY = QueryShape("item", conditions=(Condition("a", Use.EQUAL),))
JOINED = QueryShape("item", conditions=(Condition("a", Use.JOIN, other=("parent", "id")),))
BY_ID = QueryShape("item", conditions=(Condition("id", Use.EQUAL), Condition("a", Use.EQUAL)))
OTHER = QueryShape("item", conditions=(Condition("x", Use.EQUAL),))


@pytest.mark.parametrize(
    ("facts", "guess"),
    [
        ({}, True),
        ({"shapes": (QueryShape("parent"), OTHER)}, True),
        ({"relationships": (MANY_TO_ONE,)}, True),
        ({"deleted_names": frozenset({"author"})}, True),
        ({"deleted": frozenset({"author"})}, True),
        ({"shapes": (QueryShape("parent"), BY_ID)}, True),
        # What a person would miss. Where the source asks nothing of the parent, somebody else does.
        ({"shapes": (OTHER,)}, False),
        ({"shapes": (QueryShape("parent"), BY_KEY)}, False),
        ({"shapes": (QueryShape("parent"), JOINED)}, False),
        ({"deleted": frozenset({"parent"})}, False),
        ({"deleted": frozenset({"public.parent"})}, False),
        ({"deleted_names": frozenset({"old_parent"})}, False),
        ({"deleted_names": frozenset({"parents"})}, False),
        ({"deleted_names": frozenset({"row"})}, False),
        ({"deleted_names": frozenset({""})}, False),
        ({"relationships": (CHILDREN,)}, False),
        ({"relationships": (ORPHANS,)}, False),
        ({"relationships": None}, False),
        ({"on_delete": "CASCADE"}, False),
        ({"on_delete": "SET NULL"}, False),
        ({"policies": (Policy(ITEM, "p", "ALL", True, ("public",), "a = 1", None),)}, False),
    ],
)
def test_a_key_that_nothing_uses(facts: dict[str, Any], guess: bool) -> None:
    """No query, relationship or policy asks for the children of a row, and no row of the parent is deleted."""
    key = foreign("a", on_delete=facts.get("on_delete", "NO ACTION"))
    item = table(column("id"), column("a"), column("x"), key, index("i", "id"), policies=facts.get("policies", ()))
    parent = table(column("id", table=PARENT), column("top", table=PARENT), name=PARENT)
    author = table(column("id", table=AUTHOR), name=AUTHOR)
    known = {name: value for name, value in facts.items() if name in Evidence.__dataclass_fields__}
    evidence = Evidence("source", **{"shapes": (QueryShape("parent"),), **known})
    schema = Schema(
        "database",
        (item, parent, author),
        server_version=18,
        evidence=evidence,
        relationships=facts.get("relationships", ()),
    )
    pattern: Any = registry()["unindexed-foreign-key"]()
    (finding,) = pattern.detect(schema)
    assert finding.guess is guess


@pytest.mark.parametrize(("shape", "cause"), [(BY_KEY, "queries"), (OTHER, "deletions")])
def test_what_needs_the_index_of_a_key_is_one_cause(shape: QueryShape, cause: str) -> None:
    item = table(column("id"), column("a"), column("x"), foreign("a", on_delete="CASCADE"))
    (finding,) = found("unindexed-foreign-key", item, table(name=PARENT), queries=[shape])
    assert (finding.cause, finding.guess) == (cause, False)


def test_rows_that_go_with_another() -> None:
    """The parent is deleted with a row that it belongs to itself."""
    item = table(column("id"), column("a"), foreign("a"))
    parent = table(
        column("id", table=PARENT),
        column("top", table=PARENT),
        foreign("top", to=AUTHOR, on_delete="CASCADE", table=PARENT),
        name=PARENT,
    )
    author = table(column("id", table=AUTHOR), name=AUTHOR)
    evidence = Evidence("source", deleted=frozenset({"author"}))
    schema = Schema("database", (item, parent, author), server_version=18, evidence=evidence, relationships=())
    pattern: Any = registry()["unindexed-foreign-key"]()
    assert {finding.object: finding.guess for finding in pattern.detect(schema)}["public.item(a)"] is False


def test_columns_that_one_revision_adds_are_said_once() -> None:
    adding = [step(f"ALTER TABLE book ADD COLUMN {name} int NOT NULL", BOOK, line=n) for n, name in enumerate("abc", 5)]
    elsewhere = step("ALTER TABLE author ADD COLUMN d int NOT NULL", AUTHOR, line=9)
    (finding,) = by_cause(runs.found("required-column-without-default", run(*adding, elsewhere)))
    assert finding.object == "public.book.a" and len(finding.also) == 3


@pytest.mark.parametrize(
    ("lock", "statement", "said"),
    [
        (0, 3_600_000, None),
        (None, 86_400_000, None),
        (0, 3_599_999, "3599999"),
        (5000, 3_600_000, "lock_timeout of 5000 ms,"),
    ],
)
def test_a_timeout_that_is_meant_for_the_build(lock: int | None, statement: int, said: str | None) -> None:
    built = step("CREATE INDEX CONCURRENTLY i ON book (a)", BOOK, lock_timeout=lock, statement_timeout=statement)
    findings = runs.found("timeout-kills-concurrent-build", run(built))
    assert [said in item.message for item in findings] == ([] if said is None else [True])


@pytest.mark.parametrize(
    ("child", "parent", "differ"),
    [(100, None, False), (36, None, False), (35, None, True), (5, 20, True), (20, 20, False), (20, 5, False)],
)
def test_the_room_for_a_key(child: int, parent: int | None, differ: bool) -> None:
    """A text key has no limit that somebody chose: only what a usual key does not fit into is too narrow."""

    def text(length: int | None) -> DataType:
        return DataType("varchar", modifier=(length,), display=f"varchar({length})") if length else DataType("text")

    item = table(column("id"), column("a", text(child)), foreign("a"))
    of_parent = table(column("id", text(parent), table=PARENT), name=PARENT)
    assert len(found("foreign-key-type-mismatch", item, of_parent)) == differ


def test_what_differs_alike_in_many_tables_is_said_once() -> None:
    rows = [(BOOK, "created", "now() clock"), (AUTHOR, "created", "now() clock"), (NEW, "created", "now() other")]
    drifts = [Drift(name, f"{name}.{what}", f"{name}.{what} differs", values=values) for name, what, values in rows]
    findings = by_cause(runs.found("model-drift", History((), drifts=tuple(drifts))))
    assert [len(item.also) for item in findings] == [1, 0]


@pytest.mark.parametrize(
    ("models", "head", "harmless"),
    [("", "by default", True), ("", "always", False), ("by default", "", False), ("always", "by default", False)],
)
def test_an_identity_that_the_models_lack(models: str, head: str, harmless: bool) -> None:
    item = Difference("changed", "column", "public.book.id", BOOK, "identity", models, head)
    assert head_takes_more(item) is harmless


def test_a_module_of_the_current_folder_is_not_the_standard_librarys(tmp_path: Path) -> None:
    """`--python` begins in the project's folder, which may have a types.py."""
    for name in ("types", "json", "functools"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('of the project')")
    (root,) = alembic_pgpatterns.__path__
    command = [sys.executable, "-c", f"{_FINDER}\nprint('began')", root]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "began", done.stderr
