"""Suggestions: comments that are no change, at most five lines on the console, and ops that run when uncommented."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.autogenerate.inprocess import InProcess
from tests.autogenerate.test_histories import HEAD, WIDE

START = "    # pgpatterns: "
OPEN = ("    #   op.", "    #   with op.")


@pytest.fixture
def project(any_database: Any, tmp_path: Path) -> Iterator[InProcess]:
    with any_database.engine().connect() as connection, any_database.connect() as look:
        yield InProcess(connection, look, tmp_path)


def uncommented(code: str) -> Iterator[tuple[str, str]]:
    """The revision with the op of each suggestion uncommented in turn, and the suggestion's first line."""
    lines = code.split("\n")
    for start, line in enumerate(lines):
        if not line.startswith(f"{START}suggests"):
            continue
        end = next(i for i in range(start + 1, len(lines)) if not lines[i].startswith("    #   "))
        first = next((i for i in range(start, end) if lines[i].startswith(OPEN)), None)
        if first is not None:
            ops = [one.replace("    #   ", "    ", 1) for one in lines[first:end]]
            yield "\n".join([*lines[:first], *ops, *lines[end:]]), line


def test_new_tables(project: InProcess, load_models: Any) -> None:
    metadata = load_models(HEAD + WIDE).metadata
    (written,) = project.revise(metadata)
    lines = written.upgrade.split("\n")
    suggested = {line.split()[3].rstrip(":") for line in lines if line.startswith(f"{START}suggests")}
    assert suggested >= {
        "timestamp-without-time-zone",
        "nullable-flag",
        "btree-on-container",
    }
    assert list(uncommented(written.upgrade)) == [], "the models' line, and no change of what is created here"
    assert "#   model: Column(DateTime(timezone=True))  # " in written.upgrade
    project.run(written.upgrade)
    said = [line for line in project.output if "suggest" in line]
    assert len(said) == 6
    assert said[-1].endswith("more suggestions are in the revision.")


def test_existing_tables(project: InProcess, load_models: Any) -> None:
    before = 'Table("t", metadata, Column("id", BigInteger, primary_key=True), Column("at", DateTime))\n'
    first = load_models(HEAD + before).metadata
    project.upgrade(project.revise(first))
    project.output.clear()
    more = before.replace("primary_key=True),", 'primary_key=True), Column("seen", DateTime), Column("doc", JSON),')
    second = load_models(HEAD + more).metadata
    written = project.revise(second)
    text = "\n".join(file.upgrade for file in written)
    assert "suggests timestamp-without-time-zone: public.t.seen" in text
    assert "t.at does not say" not in text
    assert "model: Column(DateTime(timezone=True))  # t.seen, was timestamp without time zone" in text
    assert any("public.t.seen" in line and ".py:" in line for line in project.output)
    variants = list(uncommented(written[0].upgrade))
    for code, _ in variants:
        project.look.execute("ALTER TABLE t DROP COLUMN IF EXISTS seen, DROP COLUMN IF EXISTS doc")
        project.run(code)


def test_an_index_of_a_table_in_use_is_suggested_concurrently(project: InProcess, load_models: Any) -> None:
    before = 'Table("t", metadata, Column("id", BigInteger, primary_key=True))\n'
    project.upgrade(project.revise(load_models(HEAD + before).metadata))
    more = before.replace("primary_key=True)", 'primary_key=True), Column("doc", TSVECTOR)')
    imported = "from sqlalchemy.dialects.postgresql import TSVECTOR\n"
    (written,) = project.revise(load_models(imported + HEAD + more).metadata)
    ((code, line),) = uncommented(written.upgrade)
    assert "unindexed-document" in line
    assert "postgresql_concurrently=True" in written.upgrade and "in a revision of its own" in written.upgrade
    project.run(code)
    (index,) = project.look.execute("SELECT indexdef FROM pg_indexes WHERE indexdef LIKE '%USING gin%'").fetchall()
    assert "doc" in index[0]


def test_suggestions_alone_are_no_change(project: InProcess, load_models: Any) -> None:
    metadata = load_models(HEAD + WIDE).metadata
    project.upgrade(project.revise(metadata))
    assert project.diffs(metadata) == []
    (written,) = project.revise(metadata)
    assert "suggests" not in written.upgrade
    assert "pass" in written.upgrade


def test_an_index_that_we_added_is_not_talked_about_again(project: InProcess, load_models: Any) -> None:
    before = 'Table("a", metadata, Column("id", BigInteger, primary_key=True))\n'
    key = 'Column("id", BigInteger, primary_key=True), Column("a_id", ForeignKey("a.id"))'
    (written,) = project.revise(load_models(HEAD + before + f'Table("b", metadata, {key})\n').metadata)
    assert "op.create_index('ix_b_a_id'" in written.upgrade
    assert "index-on-sparse-foreign-key" not in written.upgrade


WORKLOAD = [
    {"workload": 1, "source": "pytest", "engines": [], "notes": []},
    {
        "fingerprint": "f1",
        "text": "SELECT id FROM orders WHERE status = $1 AND tenant = $2 ORDER BY placed LIMIT 10",
        "kind": "select",
        "usages": [
            {"site": {"path": "shop/orders.py", "line": 7, "function": "latest", "test": False}, "calls": 3,
             "tests": ["test_orders.py::test_latest"], "test_count": 1},
        ],
    },
]  # fmt: skip
ORDERS = """
Table("orders", metadata, Column("id", BigInteger, primary_key=True), Column("status", Text, nullable=False){more})
"""


def test_an_index_for_a_recorded_statement(project: InProcess, load_models: Any, tmp_path: Path) -> None:
    (tmp_path / "workload.jsonl").write_text("".join(json.dumps(line) + "\n" for line in WORKLOAD))
    (tmp_path / "pyproject.toml").write_text('[tool.alembic_pgpatterns]\nworkload = "workload.jsonl"\n')
    more = ', Column("tenant", BigInteger), Column("placed", DateTime(timezone=True))'
    (created,) = project.revise(load_models(HEAD + ORDERS.format(more=more)).metadata)
    assert "suggests statement-without-index: no index of orders serves tenant, status, placed" in created.upgrade
    assert "(shop/orders.py:7)" in created.upgrade
    assert "test_orders.py::test_latest" in created.upgrade
    assert '#   model: Index("ix_orders_tenant_status_placed", "tenant", "status", "placed"' in created.upgrade


def test_only_where_the_table_is_touched(project: InProcess, load_models: Any, tmp_path: Path) -> None:
    (tmp_path / "workload.jsonl").write_text("".join(json.dumps(line) + "\n" for line in WORKLOAD))
    (tmp_path / "pyproject.toml").write_text('[tool.alembic_pgpatterns]\nworkload = "workload.jsonl"\n')
    more = ', Column("tenant", BigInteger), Column("placed", DateTime(timezone=True))'
    for one in project.revise(load_models(HEAD + ORDERS.format(more=more)).metadata):
        project.run(one.upgrade)
    other = more + ', Column("note", Text)'
    (changed,) = project.revise(load_models(HEAD + ORDERS.format(more=other)).metadata)
    assert "statement-without-index" not in changed.upgrade
